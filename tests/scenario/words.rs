//! How the scenario says things: what runs it reads its cases and tells its answers with this.

#![allow(dead_code, reason = "each part of the suites uses its own")]

use std::fmt::Debug;

use serde_json::Value;

/// The cases or the crashes of a scenario.
pub(crate) fn part_of(scenario: &str, part: &str) -> Vec<Value> {
    let scenario: Value = serde_json::from_str(scenario).expect("the scenario is JSON");
    scenario[part].as_array().unwrap_or_else(|| panic!("{part} is a list")).clone()
}

/// The text at a key; a case that lacks it is not one.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is missing in {value}"))
}

/// A list of texts.
pub(crate) fn texts(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
}

/// The bytes that a case means: text, or text so many times.
pub(crate) fn data(value: &Value) -> Vec<u8> {
    if let Some(text) = value.as_str() {
        return text.as_bytes().to_vec();
    }
    let times = usize::try_from(value["repeat"][1].as_u64().expect("it is a number")).expect("it fits");
    value["repeat"][0].as_str().expect("it is text").repeat(times).into_bytes()
}

/// The name that a case has in the contract: `Case::RolledForward` is `rolled-forward`.
pub(crate) fn name(case: impl Debug) -> String {
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

/// An answer has the fields that are wanted; a list has them one by one.
pub(crate) fn covers(answer: &Value, wanted: &Value, what: &str) {
    if let Value::Array(wanted) = wanted {
        let answers = answer.as_array().unwrap_or_else(|| panic!("{what}: {answer}"));
        assert_eq!(answers.len(), wanted.len(), "{what}: {answer}");
        answers.iter().zip(wanted).for_each(|(answer, wanted)| covers(answer, wanted, what));
    } else {
        for (name, value) in wanted.as_object().expect("what is wanted has fields") {
            assert_eq!(&answer[name], value, "{what}: {name} of {answer}");
        }
    }
}
