//! The vocabulary of the scenario, shared by its runners: reading cases and comparing results.

use std::fmt::Debug;

use serde_json::Value;

/// Returns the cases or the crashes of a scenario.
pub fn part_of(scenario: &str, part: &str) -> Vec<Value> {
    let scenario: Value = serde_json::from_str(scenario).expect("the scenario is JSON");
    scenario[part].as_array().unwrap_or_else(|| panic!("{part} is a list")).clone()
}

/// Returns the text at a key, which every case must have.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is missing in {value}"))
}

/// Returns a list of texts.
pub fn texts(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
}

/// Returns the bytes that a case denotes: a text, or a text repeated.
pub fn data(value: &Value) -> Vec<u8> {
    if let Some(text) = value.as_str() {
        return text.as_bytes().to_vec();
    }
    let times = usize::try_from(value["repeat"][1].as_u64().expect("it is a number")).expect("it fits");
    value["repeat"][0].as_str().expect("it is text").repeat(times).into_bytes()
}

/// Returns the contract's name of a variant: `Case::RolledForward` is `rolled-forward`.
pub fn name(case: impl Debug) -> String {
    let shown = format!("{case:?}");
    let mut name = String::new();
    for letter in shown.rsplit("::").next().unwrap_or(&shown).chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Asserts that the answer has the expected fields; lists are compared element by element.
pub fn covers(answer: &Value, wanted: &Value, context: &str) {
    if let Value::Array(wanted) = wanted {
        let answers = answer.as_array().unwrap_or_else(|| panic!("{context}: {answer}"));
        assert_eq!(answers.len(), wanted.len(), "{context}: {answer}");
        answers.iter().zip(wanted).for_each(|(answer, wanted)| covers(answer, wanted, context));
    } else {
        for (name, value) in wanted.as_object().expect("an expectation has fields") {
            assert_eq!(&answer[name], value, "{context}: {name} of {answer}");
        }
    }
}
