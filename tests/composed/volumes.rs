//! A volume as container engines provide it: a directory below `/`, which is the only granted directory, shared by
//! independent programs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ground;
use crate::play::{host, play};

const ARGUMENTS: [&str; 2] = ["store", "/srv/data"];

fn volume() -> TempDir {
    let top = ground::scratch();
    fs::create_dir_all(top.path().join("srv/data")).expect("a new directory");
    top
}

/// Returns the results of the steps of a case on the volume.
fn on_volume(top: &Path, case: &Value) -> Vec<Value> {
    play(&[(top.to_owned(), "/")], &ARGUMENTS, case)
}

#[test]
fn a_volume_below_a_granted_top_is_a_root() {
    let top = volume();
    let steps = json!([
        { "call": "probe" },
        { "call": "replace", "path": "a", "data": "new" },
        { "call": "transaction", "directory": "d", "how": { "publish": "swap" }, "changes": [["put", "b", "b"]] }
    ]);
    let answers = on_volume(top.path(), &json!({ "name": "volume", "steps": steps }));
    // An open store does not exclude a probe, which works in a directory of its own.
    assert_eq!(answers[0]["gives"]["tier"], "durable", "{answers:?}");
    assert_eq!(answers[1]["gives"]["achieved"], "full", "{answers:?}");
    let read = |path: &str| fs::read_to_string(top.path().join("srv/data").join(path)).expect("it is there");
    assert_eq!((read("a").as_str(), read("d/b").as_str()), ("new", "b"));
}

/// A program that ended without closing the store, on whichever machine: no other program takes over its root without
/// an explicit request, and then its decided change is completed.
#[test]
fn the_lock_of_a_dead_program_is_kept_until_it_is_broken() {
    let top = volume();
    let stopped = json!({ "name": "stopped", "token": "pod-1", "steps": [
        { "call": "replace", "path": "a", "data": "new" },
        { "call": "no such call" }
    ] });
    let ended = host().run(&[(top.path().to_owned(), "/")], &ARGUMENTS, &stopped.to_string());
    assert!(ended.code == 134 && ended.err.contains("no such call"), "{ended:?}");
    let closed = |steps: Value| json!({ "name": "next", "closed": true, "steps": steps });
    let refused = on_volume(top.path(), &closed(json!([{ "call": "open", "token": "pod-2" }])));
    assert_eq!(refused[0]["fails"], json!({ "kind": "locked", "subject": "pod-1" }));
    let taken = json!([{ "call": "break-lock", "token": "pod-1" }, { "call": "open", "token": "pod-2" }]);
    let taken = on_volume(top.path(), &closed(taken));
    assert!(taken.iter().all(|answer| answer.get("gives").is_some()), "{taken:?}");
    assert_eq!(fs::read_to_string(top.path().join("srv/data/a")).expect("it is there"), "new");
}
