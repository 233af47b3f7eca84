//! `demo` runs the demonstrations and ends in a table.

use serde_json::Value;

use crate::world::World;

/// The demonstration prints its actions, expectations and observations, and ends in a table of promises, all of them
/// kept.
#[test]
fn demo_ends_in_a_table() {
    let world = World::new(&[]);
    let out = world.done(&["demo"]);
    for word in ["Ground truth", "Conversations", "done:", "expected:", "seen:", "(as promised)"] {
        assert!(out.contains(word), "{word} is not in the demonstration");
    }
    assert!(!out.contains("NOT as promised") && !out.contains("BROKEN"), "{out}");
    let table: Vec<&str> = out.lines().skip_while(|line| !line.starts_with("promise ")).collect();
    assert!(table.len() > 10, "{out}");
    for row in &table[1..] {
        let words: Vec<&str> = row.split_whitespace().rev().take(2).collect();
        let cases = words[1].parse::<u64>().unwrap_or_else(|error| panic!("{row}: {error}"));
        assert!(words[0] == "held" && cases > 0, "{row}");
    }
    assert_eq!(world.tree().len(), 2, "the working directory is left as it was");
}

/// As JSON it is one object with the same promises.
#[test]
fn demo_as_json() {
    let world = World::new(&[]);
    let answer = world.json(&["demo"]);
    assert_eq!(answer["held"], true);
    let promises = answer["promises"].as_array().expect("an array of promises");
    assert!(promises.len() > 9, "{answer}");
    for promise in promises {
        assert!(promise["cases"].as_u64().is_some_and(|cases| cases > 0), "{promise}");
        assert_eq!(promise["broken"], Value::Array(Vec::new()), "{promise}");
    }
}
