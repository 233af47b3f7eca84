//! `--review` on a terminal. (Without one it is refused before the program starts: see [`crate::bounds`].)

use std::process::Command;

use crate::ends::{CHANGES, ground, workspace};
use crate::ground::{Ground, tree};
use crate::guests::program;
use crate::screen::{self, Seen};
use crate::trial::as_data;

const QUESTION: &str = "Commit, discard or keep them? [c/d/K] ";

/// The end of the typed input.
const END: &str = "\x04";

/// Runs a program that adds `note`, removes `other` and exits with this code, then a review with this typed input.
fn reviewed(ground: &Ground, code: &str, typed: &str) -> Option<Seen> {
    Some(screen::run(review(ground, code)?, typed))
}

fn review(ground: &Ground, code: &str) -> Option<Command> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    let (lower, upper) = (as_data(&ground.at("top")), ground.at("upper"));
    command.args(["run", "--lower", &lower, "--review", "--upper"]).arg(upper);
    command.arg(program("greedy")?).args(["note", "/data", code]).env("NO_COLOR", "1");
    Some(command)
}

/// Asserts that all changes are shown before the question, deletions first, and that nothing is written yet.
fn assert_asked(seen: &Seen, times: usize) {
    let shown = seen.screen.find(CHANGES).unwrap_or_else(|| panic!("no changes: {}", seen.screen));
    let asked = seen.screen.find(QUESTION).unwrap_or_else(|| panic!("no question: {}", seen.screen));
    assert!(shown < asked, "{}", seen.screen);
    assert_eq!(seen.screen.matches(QUESTION).count(), times, "{}", seen.screen);
}

/// After a commit the lower directory has the state that the program left.
#[test]
fn a_commit_writes_the_lower() {
    for yes in ["c\n", "commit\n", "C\n"] {
        let ground = ground();
        let Some(seen) = reviewed(&ground, "0", yes) else { return };
        assert_eq!(seen.code, 0, "{}", seen.screen);
        assert_asked(&seen, 1);
        let into = ground.at("top");
        assert!(seen.screen.ends_with(&format!("/data: committed to {}\n", into.display())), "{}", seen.screen);
        assert_eq!(tree(&into).keys().collect::<Vec<_>>(), ["note"]);
        assert_eq!(workspace("changes", &ground.at("upper"), &[]).out, "");
    }
}

/// After a discard the lower has no change, and the upper directory that the run made is gone.
#[test]
fn a_discard_leaves_nothing() {
    let ground = ground();
    let Some(seen) = reviewed(&ground, "0", "d\n") else { return };
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert_asked(&seen, 1);
    assert!(seen.screen.ends_with("/data: discarded\n"), "{}", seen.screen);
    assert!(!ground.at("upper").exists(), "the run made this directory, and nothing is left of it");
    ground.assert_lowers_stay();
}

/// An empty answer keeps the changes, and so does the end of input; the directory is named. The exit code stays that of
/// the program.
#[test]
fn an_empty_answer_keeps_the_changes() {
    for keep in ["\n", "k\n", END] {
        let ground = ground();
        let Some(seen) = reviewed(&ground, "1", keep) else { return };
        assert_eq!(seen.code, 1, "{}", seen.screen);
        assert_asked(&seen, 1);
        let upper = ground.at("upper");
        assert!(seen.screen.contains(&format!("/data: kept in {}: ", upper.display())), "{}", seen.screen);
        assert_eq!(workspace("changes", &upper, &[]).out, "deleted  other\nadded    note\n");
        ground.assert_lowers_stay();
    }
}

/// An invalid answer repeats the question.
#[test]
fn an_invalid_answer_repeats_the_question() {
    let ground = ground();
    let Some(seen) = reviewed(&ground, "0", "y\nyes\nd\n") else { return };
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert_asked(&seen, 3);
    assert!(seen.screen.ends_with("/data: discarded\n"), "{}", seen.screen);
}

/// A line, or a part of one, that was typed for the program or is left of its input is no answer. The terminal is
/// reset before the changes are shown.
#[test]
fn what_was_typed_for_the_program_is_no_answer() {
    for ahead in ["c\n", "c"] {
        let ground = ground();
        let Some(command) = review(&ground, "0") else { return };
        let seen = screen::run_after(command, ahead, "d\n");
        assert_eq!(seen.code, 0, "{}", seen.screen);
        assert_asked(&seen, 1);
        assert!(seen.screen.ends_with("/data: discarded\n"), "{}", seen.screen);
        let reset = seen.screen.find("\x1b[!p").unwrap_or_else(|| panic!("no reset: {}", seen.screen));
        assert!(reset < seen.screen.find(CHANGES).unwrap_or_default(), "{}", seen.screen);
        ground.assert_lowers_stay();
    }
}

/// The answer comes from the terminal when standard input is a file.
#[test]
fn the_answer_is_not_read_from_standard_input() {
    let ground = ground();
    let Some(mut command) = review(&ground, "0") else { return };
    let input = ground.at("input");
    std::fs::write(&input, "c\nc\n").expect("a new file");
    command.stdin(std::fs::File::open(&input).expect("it was made"));
    let seen = screen::run_with_input(command, "d\n");
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert!(seen.screen.ends_with("/data: discarded\n"), "{}", seen.screen);
    ground.assert_lowers_stay();
}

/// Without changes there is no question.
#[test]
fn without_changes_there_is_no_question() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    command.args(["run", "--lower", &as_data(&ground.at("top")), "--review"]).arg(greedy).arg("look");
    let seen = screen::run_after(command, END, "");
    assert_eq!((seen.code, seen.screen.contains(QUESTION)), (0, false), "{}", seen.screen);
    assert!(seen.screen.contains("/data: nothing changed\n"), "{}", seen.screen);
}
