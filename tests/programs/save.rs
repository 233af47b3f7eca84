//! A new file renamed over an old one: without syncs, and with both syncs that it needs.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::guests::build;
use crate::trial::{Output, crash};

pub(crate) fn program() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("save", "save", &[]))
}

/// Creates a directory with the initial note.
pub(crate) fn before() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("note"), "first\n-- end of note\n").expect("a writable directory");
    directory
}

fn save(mode: &str, more: &[&str]) -> Output {
    let before = before();
    let run = format!("{mode} 'the second'");
    let directory = before.path().to_str().expect("a plain name");
    crash(program(), &run, "check", &[&["--dir", directory], more].concat())
}

/// A power loss can damage a note in three ways: the name without the content, the length without the content, and the
/// loss of acknowledged content. A mere kill causes none of them.
#[test]
fn a_rename_without_a_sync_is_found_out() {
    let output = save("naive", &["--format", "json"]);
    assert_eq!(output.code, Some(1), "{}", output.err);
    let violations = output.violations();
    for (text, image) in [
        ("`check` exited with 1: the note is not whole: \"\"", "files/note [0] \"\""),
        ("the note is not whole: \"\\0\\0", "files/note [26] \"\\x00\\x00"),
        ("saved was \"the second\", and there is \"first\"", "printed [18] \"saved: the second\\n\""),
    ] {
        let is_reported = |(violation, shown): &(String, String)| violation.contains(text) && shown.contains(image);
        assert!(violations.iter().any(is_reported), "{text} was not found: {violations:#?}");
    }
    let killed = save("naive", &["--model", "process"]);
    assert_eq!(killed.code, Some(0), "{}{}", killed.out, killed.err);
}

/// The text report names the crash point and the crash state.
#[test]
fn the_report_names_the_crash_point_and_the_crash_state() {
    let output = save("naive", &["--model", "ordered"]).out;
    let violation = "broken: save, ordered: recovery failed: `check` exited with 1: the note is not whole: \"\"
  power lost at point 3, after: rename files/note.next -> files/note
  what the crash left:
    files/
    files/note [0] \"\"
    printed [0] \"\"
";
    assert!(output.contains(violation), "{output}");
}

/// With both syncs nothing is found, under any model.
#[test]
fn with_both_syncs_nothing_is_found() {
    let output = save("careful", &[]);
    assert_eq!(output.code, Some(0), "{}{}", output.out, output.err);
    println!("{}", output.out);
}

/// The page and its data are identical in each run, and contain the output of the check.
#[test]
fn the_report_is_written_and_reproducible() {
    let pages = [(); 2].map(|()| {
        let report = tempfile::tempdir().expect("a temporary directory");
        let directory = report.path().to_str().expect("a plain name").to_owned();
        let output = save("naive", &["--report", &directory]);
        assert_eq!(output.code, Some(1), "{}", output.err);
        let read = |name| fs::read_to_string(report.path().join(name)).expect("it was written");
        (read("crash.html"), read("crash.json"))
    });
    assert!(pages[0].1.contains("the note is not whole"), "{}", pages[0].1);
    assert!(pages[0].1.contains("\"checked\": true"), "{}", pages[0].1);
    assert!(pages[0] == pages[1], "two reports of one trial differ");
}
