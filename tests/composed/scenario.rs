//! The cases of the scenario, run by `tests/guests/play`, and roots that the program of the Rust host left after a
//! crash.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command::run;
use crate::play::play;
use crate::words::{covers, part_of, text};
use crate::world::{World, expected};

const STORES: &str = include_str!("../scenario/store.json");
const WORKSPACES: &str = include_str!("../scenario/workspace.json");
/// The directories of a workspace case.
const PLACES: [&str; 5] = ["upper", "new-upper", "out", "lower", "other"];
/// The number of calls from one crash point to the next: each takes two to six runs of programs.
const STRIDE: usize = 3;
/// The maximum of calls in a run; a longer run counts as endless.
const CALLS_MAX: usize = 400;

fn play_store(world: &World, case: &Value) -> Vec<Value> {
    let links = absolute_links(&case["before"]);
    let arguments: Vec<&str> = ["store"].into_iter().chain(links.iter().map(String::as_str)).collect();
    play(&[(world.at("root"), "root"), (world.at("lower"), "lower")], &arguments, case)
}

/// Returns the targets of the absolute links below the root, which a guest cannot read.
fn absolute_links(before: &Value) -> Vec<String> {
    let mut links = Vec::new();
    for (path, entry) in before.as_object().expect("`before` has files by path") {
        let place = entry["link"].as_str().and_then(|link| link.strip_prefix('/'));
        if let (Some(link), Some(place)) = (path.strip_prefix("root/"), place) {
            links.push(format!("{link}={place}"));
        }
    }
    links
}

fn play_workspace(world: &World, case: &Value) -> Vec<Value> {
    let there = PLACES.map(|name| (world.at(name), name)).into_iter().filter(|(place, _)| place.is_dir());
    play(&there.collect::<Vec<(PathBuf, &str)>>(), &["workspace"], case)
}

/// Asserts that each step gave the result, or failed with the error, of every other host.
fn assert_answers(case: &Value, answers: &[Value]) {
    let steps = case["steps"].as_array().expect("a case has steps");
    assert_eq!(steps.len(), answers.len(), "{}", text(case, "name"));
    for (step, answer) in steps.iter().zip(answers) {
        let context = format!("{}: {step}: {answer}", text(case, "name"));
        let side = if step.get("fails").is_some() { "fails" } else { "gives" };
        let given = answer.get(side).unwrap_or_else(|| panic!("{context}"));
        if let Some(whole) = step.get("is") {
            assert_eq!(given, whole, "{context}");
        }
        covers(given, step.get(side).unwrap_or(&json!({})), &context);
    }
}

#[test]
fn a_composed_program_gives_the_results_of_every_host() {
    for case in part_of(STORES, "cases") {
        let world = World::new(&case["before"]);
        assert_answers(&case, &play_store(&world, &case));
        assert_eq!(world.look(), expected(&case["after"]), "{}", text(&case, "name"));
        if let Some(lower) = case.get("lower") {
            assert_eq!(&json!(world.files("lower")), lower, "{}", text(&case, "name"));
        }
    }
}

#[test]
fn a_composed_program_gives_the_results_of_every_host_in_workspaces() {
    for case in part_of(WORKSPACES, "cases") {
        let world = World::with_uppers(&case["before"]);
        let before = json!(world.files("lower"));
        assert_answers(&case, &play_workspace(&world, &case));
        let lower = case.get("lower").unwrap_or(&before);
        assert_eq!(&json!(world.files("lower")), lower, "{}", text(&case, "name"));
    }
}

#[test]
fn a_store_after_a_crash_is_old_or_new() {
    for scene in part_of(STORES, "crashes") {
        let (old, new) = (expected(&scene["old"]), expected(&scene["new"]));
        stop(&scene, World::new, |world, context| {
            let steps = json!([{ "call": "open" }]);
            let answers = play_store(world, &json!({ "name": context, "before": {}, "steps": steps, "closed": true }));
            let now = world.look();
            assert!(answers[0].get("gives").is_some(), "{context}: {answers:?}");
            assert!(now == old || now == new, "{context}: {now}: {answers:?}");
            now == new
        });
    }
}

/// The lower directories are named in the call, since the upper remembers their paths for the host that created it.
#[test]
fn a_commit_after_a_crash_is_old_or_new() {
    for scene in part_of(WORKSPACES, "crashes") {
        stop(&scene, World::with_uppers, |world, context| {
            let changes = json!({ "call": "changes", "of": "upper", "lowers": ["lower"] });
            let steps = json!([{ "call": "open", "lowers": ["lower"] }, changes]);
            let answers = play_workspace(world, &json!({ "name": context, "steps": steps, "closed": true }));
            let changes = answers[1]["gives"].as_array().unwrap_or_else(|| panic!("{context}: {answers:?}"));
            let (now, is_new) = (json!(world.files("lower")), changes.is_empty());
            assert_eq!(now, scene[if is_new { "new" } else { "old" }], "{context}: {answers:?}");
            let paths: Value = changes.iter().map(|change| change["path"].clone()).collect();
            assert!(is_new || paths == scene["changes"], "{context}: {answers:?}");
            is_new
        });
    }
}

/// Stops the command of a scene before its calls, and asks `is_new` each time whether the state is the new one.
fn stop(scene: &Value, make: impl Fn(&Value) -> World, is_new: impl Fn(&World, &str) -> bool) {
    let (mut olds, mut news) = (0, 0);
    for call in (1..CALLS_MAX).step_by(STRIDE) {
        let (world, context) = (make(&scene["before"]), format!("{}, call {call}", text(scene, "name")));
        for setup in scene["setup"].as_array().into_iter().flatten() {
            assert_eq!(run(env!("CARGO_BIN_EXE_onionskin"), &world, &[], setup), 0, "{setup}");
        }
        let code = run(env!("CARGO_BIN_EXE_onionskin"), &world, &["--crash-at", &call.to_string()], scene);
        let is_new = is_new(&world, &context);
        if code == 0 {
            assert!(is_new && olds > 0 && news > 0, "{context}: {olds} old, {news} new");
            return;
        }
        assert_eq!(code, 70, "{context}");
        if is_new { news += 1 } else { olds += 1 }
    }
    panic!("{}: no end after {CALLS_MAX} calls", text(scene, "name"));
}
