//! A choice of changes: paths as a shell completes them, and globs of the usual kind. What is shown for a choice is
//! what a commit of it writes.

use serde_json::Value;

use crate::workspace::{changed, shown};
use crate::world::World;

fn listed(world: &World, choice: &[&str]) -> Vec<String> {
    let value = world.json(&[&["workspace", "changes", "up"], choice].concat());
    // What comes along, and what cannot be committed without it, is listed as well, and says so.
    let is_chosen = |change: &&Value| change["along"].is_null() && change["stays"].is_null();
    let paths = value["changes"].as_array().expect("a list").iter().filter(is_chosen);
    paths.filter_map(|change| change["path"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_path_is_as_a_shell_completes_it() {
    let world = changed();
    for path in ["new", "new/", "./new", "./new/", "new//", "./new/."] {
        assert_eq!(listed(&world, &[path]), ["new", "new/file"], "{path}");
        assert_eq!(world.done(&["workspace", "ls", "up", path]), "file  upper  3 B  file\n", "{path}");
    }
    assert_eq!(listed(&world, &["new", "gone"]), ["gone", "new", "new/file"]);
    assert_eq!(listed(&world, &["./"]), listed(&world, &[]));
    world.done(&["workspace", "rm", "up", "./new/file"]);
    world.done(&["workspace", "mv", "up", "./new/", "./newer/"]);
    assert_eq!(listed(&world, &["newer"]), ["newer"]);
}

/// A path that is not there is an error. One that is there, or whose change is its end, is none.
#[test]
fn a_path_that_is_not_there_is_an_error() {
    let world = changed();
    for command in ["changes", "diff"] {
        let ran = world.run(&["workspace", command, "up", "none"]);
        let expected = "error: up: none: is not in the workspace, and is no change of it";
        assert!(ran.code == 1 && ran.out.is_empty() && ran.err.starts_with(expected), "{ran:?}");
        assert_eq!(world.run(&["workspace", command, "up", "gone"]).code, 0);
    }
    assert_eq!(listed(&world, &["moved/x"]), [""; 0]);
}

/// A letter that a glob would interpret is itself in a path.
#[test]
fn a_path_is_no_glob() {
    let world = changed();
    for name in ["a*", "a[b]", "{a,b}"] {
        world.done_with(&["workspace", "put", "up", name], "x");
        assert_eq!(listed(&world, &[name]), [name]);
    }
    assert_eq!(listed(&world, &["--only", "a\\*"]), ["a*"]);
}

#[test]
fn globs_are_of_the_usual_kind() {
    let world = changed();
    for (glob, expected) in [
        ("{gone,new}", &["gone", "new", "new/file"][..]),
        ("{gone,a.{txt,rs}}", &["gone", "a.txt"]),
        ("[ag]*", &["gone", "a.txt"]),
        ("[!a-g]*", &["moved", "new", "new/file"]),
        ("**/file", &["new/file"]),
        ("./new/", &["new", "new/file"]),
        ("?.txt", &["a.txt"]),
    ] {
        assert_eq!(listed(&world, &["--only", glob]), expected, "{glob}");
    }
    assert_eq!(listed(&world, &["--except", "{gone,moved,new}"]), ["a.txt"]);
}

/// The command does the rest, and names the glob.
#[test]
fn a_glob_that_matches_nothing_says_so() {
    let world = changed();
    for (option, left) in [("--only", 0), ("--except", 5)] {
        let ran = world.run(&["--format", "json", "workspace", "changes", "up", option, "*.none"]);
        assert_eq!((ran.code, ran.err), (0, format!("{option} *.none: no change matches\n")));
        let value: Value = serde_json::from_str(&ran.out).expect("it is JSON");
        assert_eq!(value["changes"].as_array().map(Vec::len), Some(left));
    }
}

/// For each choice: the paths that are listed are those that the lower has afterwards as the workspace had them, and
/// they are listed no more.
#[test]
fn what_is_listed_is_committed() {
    for choice in [&["--only", "{new,a.txt}"][..], &["--only", "[mg]*"], &["--except", "[!n]*"]] {
        let world = changed();
        let before = shown(&world, "lower");
        let (chosen, all) = (listed(&world, choice), listed(&world, &[]));
        let commit = [&["workspace", "commit", "up", "--into", "lower", "--yes"], choice].concat();
        world.done(&commit);
        let left = listed(&world, &[]);
        let expected: Vec<_> = all.iter().filter(|path| !chosen.contains(path)).cloned().collect();
        assert_eq!(left, expected, "{choice:?}");
        let after = shown(&world, "lower");
        assert_eq!(before != after, !chosen.is_empty(), "{choice:?}");
    }
}
