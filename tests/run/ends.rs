//! What becomes of the changes, and what is said of them.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ground::{Ground, put, tree};
use crate::guests::program;
use crate::trial::{Said, as_data, onionskin};

/// One lower, `top`.
pub(crate) fn ground() -> Ground {
    Ground::new(|top, _| put(top, "other", "other"))
}

/// A program that adds `note`, removes `other`, and exits with a code.
fn note(ground: &Ground, more: &[&str], code: &str) -> Option<Said> {
    let (lower, program) = (as_data(&ground.at("top")), program("greedy")?);
    let program = program.to_str().expect("a plain name");
    Some(onionskin([&["run", "--lower", &lower][..], more, &[program, "note", "/data", code]].concat()))
}

pub(crate) fn workspace(command: &str, upper: &Path, more: &[&OsStr]) -> Said {
    onionskin([&[OsStr::new("workspace"), command.as_ref(), upper.as_os_str()][..], more].concat())
}

pub(crate) const CHANGES: &str = "/data: 2 changes\ndeleted  other\nadded    note   7 B\n";

/// Without an upper directory the changes are shown and go away; the exit code is that of the program.
#[test]
fn without_an_upper_directory_the_changes_go_away() {
    let ground = ground();
    let Some(said) = note(&ground, &[], "1") else { return };
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
    let told = format!("{CHANGES}/data: discarded; --keep or --upper DIR keeps them, --commit applies them\n");
    assert_eq!(said.err, told);
    ground.assert_lowers_stay();
}

/// What is kept is a workspace, and commands on workspaces go on from there.
#[test]
fn what_is_kept_is_a_workspace() {
    let ground = ground();
    let Some(said) = note(&ground, &["--keep"], "0") else { return };
    assert_eq!(said.code, Some(0), "{}", said.err);
    let (_, rest) = said.err.split_once("kept in ").expect("the place is told");
    let kept = Path::new(rest.split_once(':').expect("and what can be done").0);
    let changes = workspace("changes", kept, &[]);
    assert_eq!(changes.out, "deleted  other\nadded    note\n", "{}", changes.err);
    ground.assert_lowers_stay();
    let into = ground.at("top");
    let commit = workspace("commit", kept, &["--into".as_ref(), into.as_ref(), "--yes".as_ref()]);
    assert_eq!(commit.code, Some(0), "{}", commit.err);
    assert_eq!(tree(&into).keys().collect::<Vec<_>>(), ["note"]);
    fs::remove_dir_all(kept).expect("it is ours");
}

/// With an upper directory the next run goes on from the one before.
#[test]
fn an_upper_directory_is_gone_on_with_and_discarded() {
    let ground = ground();
    let upper = ground.at("upper");
    let named = ["--upper", upper.to_str().expect("a plain name")];
    let Some(said) = note(&ground, &named, "0") else { return };
    assert!(said.err.starts_with(CHANGES) && said.err.contains("/data: kept in "), "{}", said.err);
    fs::write(ground.at("more"), "more").expect("a writable directory");
    let put = workspace("put", &upper, &["more".as_ref(), "--from".as_ref(), ground.at("more").as_ref()]);
    assert_eq!(put.code, Some(0), "{}", put.err);
    let said = note(&ground, &named, "0").expect("it was built");
    assert!(said.err.starts_with("/data: 3 changes\n"), "{}", said.err);
    let said = note(&ground, &[&named[..], &["--discard"]].concat(), "0").expect("it was built");
    assert!(said.err.ends_with("/data: discarded; --keep or --upper DIR keeps them, --commit applies them\n"));
    assert_eq!(workspace("changes", &upper, &[]).code, Some(1), "there is still a workspace");
    ground.assert_lowers_stay();
}

/// A commit is made when the program says that it went well, and else the changes are kept.
#[test]
fn a_commit_is_for_a_program_that_went_well() {
    let ground = ground();
    let Some(said) = note(&ground, &["--commit"], "1") else { return };
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("not committed, since the program exited with 1; kept in "), "{}", said.err);
    ground.assert_lowers_stay();
    let (_, rest) = said.err.split_once("kept in ").expect("the place is told");
    fs::remove_dir_all(rest.split_once(':').expect("and what can be done").0).expect("it is ours");
    let said = note(&ground, &["--commit"], "0").expect("it was built");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.ends_with(&format!("/data: committed to {}\n", ground.at("top").display())), "{}", said.err);
    assert_eq!(tree(&ground.at("top")).keys().collect::<Vec<_>>(), ["note"]);
    let again = note(&ground, &["--commit"], "0").expect("it was built");
    assert_eq!((again.code, again.err.as_str()), (Some(0), "/data: nothing changed\n"));
}

/// For programs the summary is one object, the last line of standard error.
#[test]
fn the_summary_is_there_for_programs() {
    let ground = ground();
    let Some(said) = note(&ground, &["--format", "json", "--commit"], "0") else { return };
    let told: Value = serde_json::from_str(said.err.lines().last().expect("a line")).expect("JSON");
    assert_eq!(told["exit"], 0);
    let layer = &told["layers"][0];
    assert_eq!((&layer["guest"], &layer["fate"]), (&"/data".into(), &"committed".into()));
    assert_eq!((&layer["changes"][0]["kind"], &layer["changes"][0]["path"]), (&"deleted".into(), &"other".into()));
}

/// Each of several directories has an upper of its own.
#[test]
fn several_directories_have_an_upper_each() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    let (top, base) = (as_data(&ground.at("top")), format!("{}::/srv/base", ground.at("base").display()));
    let (upper, greedy) = (ground.at("upper"), greedy.to_str().expect("a plain name").to_owned());
    let run = ["run", "--lower", &top, "--lower", &base, "--upper", upper.to_str().expect("a plain name")];
    for directory in ["/data", "/srv/base"] {
        let said = onionskin([&run[..], &[&greedy, "note", directory, "0"]].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    assert_eq!(workspace("changes", &upper.join("data"), &[]).out, "deleted  other\nadded    note\n");
    assert_eq!(workspace("changes", &upper.join("srv-base"), &[]).out, "added  note\n");
    ground.assert_lowers_stay();
}

/// What cannot be done is refused before anything is run, with the path and the way out.
#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    let greedy = greedy.to_str().expect("a plain name");
    let (top, missing) = (as_data(&ground.at("top")), as_data(&ground.at("missing")));
    let inside = ground.at("top").join("upper");
    fs::write(ground.at("not"), "no program").expect("a writable directory");
    let not = ground.at("not");
    // A component that has nothing and asks for nothing.
    let empty = ground.at("empty.wasm");
    fs::write(&empty, b"\0asm\x0d\0\x01\0").expect("a writable directory");
    let same = format!("{}::/data", ground.at("base").display());
    let odd = format!("{}::/data#upper", ground.at("top").display());
    let cases: [(&[&str], i32, &str); 10] = [
        (&["--lower", &top, "--review", greedy, "look"], 2, "no terminal to ask on"),
        (&["--lower", &missing, greedy, "look"], 1, "missing"),
        (&["--lower", &top, "--dir", &same, greedy, "look"], 1, "/data: two directories have this name"),
        (&["--lower", &odd, greedy, "look"], 1, "a name with # would be taken for a layer"),
        (
            &["--lower", &top, "--upper", inside.to_str().expect("plain"), greedy, "look"],
            1,
            "keep the upper directory apart",
        ),
        (&["--lower", &top, not.to_str().expect("plain")], 1, "It has to be a command of WASI"),
        (&["--lower", &top, empty.to_str().expect("plain")], 1, "it asks for nothing of what it is composed with"),
        (&["--upper", "x", greedy], 2, "--lower"),
        (&["--lower", &top, "--commit", "--keep", greedy], 2, "cannot be used with"),
        (&["--lower", &top, "--timeout", "5", greedy], 2, "the unit is one of ms, s, m and h"),
    ];
    for (arguments, code, text) in cases {
        let said = onionskin([&["run"][..], arguments].concat());
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(text) && said.out.is_empty(), "{arguments:?}: {}", said.err);
    }
    assert!(!inside.exists(), "it was made all the same");
    ground.assert_lowers_stay();
}
