//! The same programs over originals that they cannot write: their changes go to a workspace.

use crate::{save, sqlite, trial};

/// What a program with every sync promises, it promises here.
#[test]
fn with_both_syncs_nothing_is_found() {
    let before = save::before();
    let directory = before.path().to_str().expect("a plain name");
    let said = trial::crash(save::program(), "careful 'the second'", "check", &["--dir", directory, "--layered"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    println!("{}", said.out);
}

/// A draft that takes a name is durable before the name shows it, whether or not it was synced. So what
/// is lost without a sync is what was said to be saved, and never a note.
#[test]
fn a_rename_without_a_sync_damages_nothing() {
    let before = save::before();
    let directory = before.path().to_str().expect("a plain name");
    let more = ["--dir", directory, "--layered", "--format", "json"];
    let said = trial::crash(save::program(), "naive 'the second'", "check", &more);
    let violations = said.violations();
    assert!(!violations.is_empty(), "a promise without a sync is kept");
    for (text, image) in &violations {
        assert!(text.contains("saved was \"the second\", and there is \"first\""), "{text}\n{image}");
    }
}

/// A transfer is there or it is not, wherever the program is killed, and is there once it was told. With
/// the power lost as well there are more states than programs can be started on: see [`crate::power`].
#[test]
fn sqlite_survives_every_kill() {
    let Some(said) = sqlite::transfer("extra", "unix-none", &["--layered", "--model", "process"]) else { return };
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let told: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    println!("SQLite, extra, layered: {}", told["totals"]);
}
