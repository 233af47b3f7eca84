//! Every target holds its law for the corpus, and for mutations of it by a seed. `ONIONSKIN_FUZZ_SEED` chooses another
//! seed, `ONIONSKIN_FUZZ_TIMES=N` makes N times as many inputs.

use std::panic::catch_unwind;

use onionskin_tests_fuzz::mutation::mutated;
use onionskin_tests_fuzz::{TARGETS, Target, corpus, hex};

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn check(target: &Target, bytes: &[u8], origin: &str) {
    let checked = catch_unwind(|| (target.check)(bytes));
    assert!(checked.is_ok(), "{}: not so for {} ({origin}): {}", target.name, hex(bytes), target.law);
}

fn run(name: &str) {
    let target = onionskin_tests_fuzz::target(name).expect("a target");
    let mut inputs = (target.seeds)();
    let kept = corpus(target);
    assert!(!kept.is_empty(), "the corpus of {name} is empty");
    inputs.extend(kept);
    inputs.iter().for_each(|input| check(target, input, "of the corpus"));
    let seed = number("ONIONSKIN_FUZZ_SEED", 1);
    let count = u64::from(target.bounded) * number("ONIONSKIN_FUZZ_TIMES", 1);
    let mut random = fastrand::Rng::with_seed(seed);
    for trial in 0..count {
        check(target, &mutated(&inputs, &mut random), &format!("mutation {trial} of seed {seed}"));
    }
    println!("{name}: {} inputs of the corpus and {count} mutations of seed {seed}", inputs.len());
}

#[test]
fn every_target_has_a_test() {
    let own = include_str!("bounded.rs");
    for target in &TARGETS {
        assert!(own.contains(&format!("run(\"{}\")", target.name)), "{} is not run", target.name);
    }
}

#[test]
fn logs() {
    run("log");
    run("written-log");
}

#[test]
fn maps() {
    run("map");
    run("written-map");
}

#[test]
fn names() {
    run("names");
}

#[test]
fn texts_as_json() {
    run("json");
}

#[test]
fn control_directories() {
    run("control");
}

#[test]
fn calls_on_a_store() {
    run("store");
}

#[test]
fn calls_on_a_workspace() {
    run("workspace");
}

#[test]
fn calls_of_a_program() {
    run("program");
}
