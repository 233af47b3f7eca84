//! The cases of the scenario, played by `tests/guests/play`; and what the program of the Rust host left
//! when it was stopped, found by it.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command::run;
use crate::play::play;
use crate::words::{covers, part_of, text};
use crate::world::{World, expected};

const STORES: &str = include_str!("../scenario/store.json");
const WORKSPACES: &str = include_str!("../scenario/workspace.json");
/// The places of a case of workspaces.
const PLACES: [&str; 5] = ["upper", "new-upper", "out", "lower", "other"];
/// Calls from one crash to the next: each takes runs of two programs, and up to six.
const STRIDE: usize = 3;
/// A run that has not ended by itself after so many calls never will.
const CALLS_MAX: usize = 400;

fn play_store(world: &World, case: &Value) -> Vec<Value> {
    let links = absolute_links(&case["before"]);
    let arguments: Vec<&str> = ["store"].into_iter().chain(links.iter().map(String::as_str)).collect();
    play(&[(world.at("root"), "root"), (world.at("lower"), "lower")], &arguments, case)
}

/// What the absolute links below the root say, which a guest cannot read.
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

/// Each step gave what it gives in every host, or failed as it does there.
fn judge(case: &Value, answers: &[Value]) {
    let steps = case["steps"].as_array().expect("a case has steps");
    assert_eq!(steps.len(), answers.len(), "{}", text(case, "name"));
    for (step, answer) in steps.iter().zip(answers) {
        let what = format!("{}: {step}: {answer}", text(case, "name"));
        let side = if step.get("fails").is_some() { "fails" } else { "gives" };
        let given = answer.get(side).unwrap_or_else(|| panic!("{what}"));
        if let Some(whole) = step.get("is") {
            assert_eq!(given, whole, "{what}");
        }
        covers(given, step.get(side).unwrap_or(&json!({})), &what);
    }
}

#[test]
fn a_composed_program_gives_what_every_host_gives() {
    for case in part_of(STORES, "cases") {
        let world = World::new(&case["before"]);
        judge(&case, &play_store(&world, &case));
        assert_eq!(world.look(), expected(&case["after"]), "{}", text(&case, "name"));
        if let Some(lower) = case.get("lower") {
            assert_eq!(&json!(world.files("lower")), lower, "{}", text(&case, "name"));
        }
    }
}

#[test]
fn so_it_does_in_workspaces() {
    for case in part_of(WORKSPACES, "cases") {
        let world = World::with_uppers(&case["before"]);
        let before = json!(world.files("lower"));
        judge(&case, &play_workspace(&world, &case));
        let lower = case.get("lower").unwrap_or(&before);
        assert_eq!(&json!(world.files("lower")), lower, "{}", text(&case, "name"));
    }
}

#[test]
fn what_a_crash_left_is_found_old_or_new() {
    for scene in part_of(STORES, "crashes") {
        let (old, new) = (expected(&scene["old"]), expected(&scene["new"]));
        stop(&scene, World::new, |world, what| {
            let steps = json!([{ "call": "open" }]);
            let answers = play_store(world, &json!({ "name": what, "before": {}, "steps": steps, "closed": true }));
            let now = world.look();
            assert!(answers[0].get("gives").is_some(), "{what}: {answers:?}");
            assert!(now == old || now == new, "{what}: {now}: {answers:?}");
            now == new
        });
    }
}

/// The lowers are named: the upper remembers where they are for the host that made it.
#[test]
fn so_it_is_of_a_commit() {
    for scene in part_of(WORKSPACES, "crashes") {
        stop(&scene, World::with_uppers, |world, what| {
            let changes = json!({ "call": "changes", "of": "upper", "lowers": ["lower"] });
            let steps = json!([{ "call": "open", "lowers": ["lower"] }, changes]);
            let answers = play_workspace(world, &json!({ "name": what, "steps": steps, "closed": true }));
            let changes = answers[1]["gives"].as_array().unwrap_or_else(|| panic!("{what}: {answers:?}"));
            let (now, is_new) = (json!(world.files("lower")), changes.is_empty());
            assert_eq!(now, scene[if is_new { "new" } else { "old" }], "{what}: {answers:?}");
            let paths: Value = changes.iter().map(|change| change["path"].clone()).collect();
            assert!(is_new || paths == scene["changes"], "{what}: {answers:?}");
            is_new
        });
    }
}

/// Stops the command of a scene before its calls, and asks each time whether what was left is new.
fn stop(scene: &Value, make: impl Fn(&Value) -> World, is_new: impl Fn(&World, &str) -> bool) {
    let (mut olds, mut news) = (0, 0);
    for call in (1..CALLS_MAX).step_by(STRIDE) {
        let (world, what) = (make(&scene["before"]), format!("{}, call {call}", text(scene, "name")));
        for setup in scene["setup"].as_array().into_iter().flatten() {
            assert_eq!(run(&world, &[], setup), 0, "{setup}");
        }
        let code = run(&world, &["--crash-at", &call.to_string()], scene);
        let is_new = is_new(&world, &what);
        if code == 0 {
            assert!(is_new && olds > 0 && news > 0, "{what}: {olds} old, {news} new");
            return;
        }
        assert_eq!(code, 70, "{what}");
        if is_new { news += 1 } else { olds += 1 }
    }
    panic!("{}: no end after {CALLS_MAX} calls", text(scene, "name"));
}
