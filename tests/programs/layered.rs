//! The same programs over originals that they cannot write: their changes go to a workspace.

use crate::{save, sqlite, trial};

/// A program with every sync keeps its promises on a workspace, too.
#[test]
fn with_both_syncs_nothing_is_found() {
    let before = save::before();
    let directory = before.path().to_str().expect("a plain name");
    let output = trial::crash(save::program(), "careful 'the second'", "check", &["--dir", directory, "--layered"]);
    assert_eq!(output.code, Some(0), "{}{}", output.out, output.err);
    println!("{}", output.out);
}

/// A draft that is renamed is durable before its new name is visible, whether or not it was synced. Without a sync a
/// crash can lose the acknowledged content, but never damages the note.
#[test]
fn a_rename_without_a_sync_damages_nothing() {
    let before = save::before();
    let directory = before.path().to_str().expect("a plain name");
    let more = ["--dir", directory, "--layered", "--format", "json"];
    let output = trial::crash(save::program(), "naive 'the second'", "check", &more);
    let violations = output.violations();
    assert!(!violations.is_empty(), "a promise without a sync is kept");
    for (text, image) in &violations {
        assert!(text.contains("saved was \"the second\", and there is \"first\""), "{text}\n{image}");
    }
}

/// A transfer happens as a whole or not at all wherever the program is killed, and an acknowledged transfer stays. With
/// a power loss there are more crash states than programs can be started on: see [`crate::power`].
#[test]
fn sqlite_survives_every_kill() {
    let Some(output) = sqlite::transfer("extra", "unix-none", &["--layered", "--model", "process"]) else { return };
    assert_eq!(output.code, Some(0), "{}{}", output.out, output.err);
    let report: serde_json::Value = serde_json::from_str(&output.out).expect("JSON");
    println!("SQLite, extra, layered: {}", report["totals"]);
}
