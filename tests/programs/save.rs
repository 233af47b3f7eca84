//! A new file renamed over an old one: with nothing synced, and with all that it takes.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::guests::build;
use crate::trial::{Said, crash};

pub(crate) fn program() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("save", "save", &[]))
}

/// A directory with the note that is there first.
pub(crate) fn before() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("note"), "first\n-- end of note\n").expect("a writable directory");
    directory
}

fn save(how: &str, more: &[&str]) -> Said {
    let before = before();
    let run = format!("{how} 'the second'");
    let directory = before.path().to_str().expect("a plain name");
    crash(program(), &run, "check", &[&["--dir", directory], more].concat())
}

/// Three ways to lose a note: the name before the content, the length before the content, and what
/// was said to be saved. None of them when only the process dies.
#[test]
fn a_rename_without_a_sync_is_found_out() {
    let said = save("naive", &["--format", "json"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let violations = said.violations();
    for (text, image) in [
        ("`check` exited with 1: the note is not whole: \"\"", "files/note [0] \"\""),
        ("the note is not whole: \"\\0\\0", "files/note [26] \"\\x00\\x00"),
        ("saved was \"the second\", and there is \"first\"", "printed [18] \"saved: the second\\n\""),
    ] {
        let is_told = |(told, shown): &(String, String)| told.contains(text) && shown.contains(image);
        assert!(violations.iter().any(is_told), "{text} was not found: {violations:#?}");
    }
    let killed = save("naive", &["--model", "process"]);
    assert_eq!(killed.code, Some(0), "{}{}", killed.out, killed.err);
}

/// For people: where the power went, and what was left.
#[test]
fn it_is_told_with_the_crash_and_what_it_left() {
    let said = save("naive", &["--model", "ordered"]).out;
    let told = "broken: save, ordered: recovery failed: `check` exited with 1: the note is not whole: \"\"
  power lost at point 3, after: rename files/note.next -> files/note
  what the crash left:
    files/
    files/note [0] \"\"
    printed [0] \"\"
";
    assert!(said.contains(told), "{said}");
}

/// The same with both syncs: nothing is found, under any model.
#[test]
fn with_both_syncs_nothing_is_found() {
    let said = save("careful", &[]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    println!("{}", said.out);
}

/// The page and its data are the same each time, and hold what the check said.
#[test]
fn the_report_is_written_and_the_same_each_time() {
    let pages = [(); 2].map(|()| {
        let report = tempfile::tempdir().expect("a temporary directory");
        let directory = report.path().to_str().expect("a plain name").to_owned();
        let said = save("naive", &["--report", &directory]);
        assert_eq!(said.code, Some(1), "{}", said.err);
        let read = |name| fs::read_to_string(report.path().join(name)).expect("it was written");
        (read("crash.html"), read("crash.json"))
    });
    assert!(pages[0].1.contains("the note is not whole"), "{}", pages[0].1);
    assert!(pages[0].1.contains("\"checked\": true"), "{}", pages[0].1);
    assert!(pages[0] == pages[1], "two reports of one trial differ");
}
