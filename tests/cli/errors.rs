//! A failure exits with code 1 and prints only a message with the path and the way out, on standard error.

use serde_json::Value;

use crate::ground;
use crate::world::{World, nothing};

/// Arguments, the beginning of the message, its advice, and the kind and path of the JSON error.
type Case = (&'static [&'static str], &'static str, &'static str, &'static str, &'static str);

const CASES: [Case; 18] = [
    (&["probe", "none"], "none: cannot open the root", "Check the path.", "io", "none"),
    (&["recover", "root/file"], "root/file: cannot open the root", "Give a directory.", "io", "root/file"),
    (&["inspect", "none"], "none: cannot open the root", "Check the path.", "io", "none"),
    (&["replace", "root", ""], "root: \"\" is not a path", "Give a path relative", "invalid-path", "root"),
    (&["replace", "root", "../x"], "root: ../x: is not", "Give a path relative", "invalid-path", "../x"),
    (&["replace", "root", "/x"], "root: /x: is not", "Give a path relative", "invalid-path", "/x"),
    (&["replace", "root", ".onionskin/x"], "root: .onionskin/x: is not", "reserved", "invalid-path", ".onionskin/x"),
    (&["replace", "root", "none/x"], "root: none: there is no", "Check the name", "not-found", "none"),
    (&["replace", "root", "dir"], "root: dir: is a directory", "name a file in it", "is-directory", "dir"),
    (&["replace", "root", "file/x"], "root: file: is not a directory", "choose another path", "not-directory", "file"),
    (&["replace", "root", "file", "--from", "none"], "none: cannot read the new content", "Check", "io", "none"),
    (&["replace", "root", "file", "--from", "src"], "src: cannot read the new content", "Give a file.", "io", "src"),
    (&["replace", "root", "file", "--lower", "none"], "none: cannot open the lower", "Check the path.", "io", "none"),
    (&["materialize", "root", "none"], "root: none: there is no", "Check the name", "not-found", "none"),
    (&["materialize", "root", "link"], "root/link: this link leads to", "Correct or remove", "not-found", "root/link"),
    (&["put-dir", "root", "d", "--from", "none"], "none: cannot list the directory", "Check the path.", "io", "none"),
    (
        &["put-dir", "root", ".", "--from", "src", "--publish", "swap"],
        "root: .: the root itself",
        "Change one",
        "invalid-argument",
        ".",
    ),
    (
        &["put-dir", "root", "dir", "--from", "src", "--remove", "none"],
        "root: dir/none: there is",
        "Check",
        "not-found",
        "dir/none",
    ),
];

fn world() -> World {
    let world = World::new(&[("root/file", "old"), ("root/dir/inner", "old"), ("src/x", "x")]);
    world.link("lower/none", "root/link");
    world
}

/// The message is one line.
#[test]
fn an_error_names_path_and_way_out() {
    for (arguments, start, advice, _, _) in CASES {
        let world = world();
        let before = world.tree();
        let ran = world.run_with(arguments, "new");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments:?}: {ran:?}");
        assert!(ran.err.starts_with(&format!("error: {start}")), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(advice), "{arguments:?}: {} does not contain {advice}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{arguments:?}: {}", ran.err);
        assert_eq!(world.tree(), before, "{arguments:?}");
        world.left_over(nothing);
    }
}

/// The option that helps is named, with the directory that it needs.
#[test]
fn an_error_names_the_option_that_helps() {
    let world = World::new(&[("root/file", "old"), ("lower/original", "x")]);
    world.link("lower/original", "root/link");
    let lower = std::fs::canonicalize(world.at("lower")).expect("it is there");
    let far = world.run_with(&["materialize", "root", "link"], "");
    assert!(far.err.trim_end().ends_with(&format!("--lower {}", lower.display())), "{}", far.err);
    let refused = world.run_with(&["replace", "root", "link", "--symlinks", "refuse"], "new");
    assert!(refused.err.trim_end().ends_with("--symlinks replace."), "{}", refused.err);
    assert_eq!((far.code, refused.code), (1, 1));
}

/// With `--format json` the error is one object with kind and path.
#[test]
fn an_error_is_an_object_for_programs() {
    for (arguments, start, _, kind, path) in CASES {
        let world = world();
        let ran = world.run_with(&[&["--format", "json"], arguments].concat(), "new");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments:?}: {ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{arguments:?}: {}", ran.err);
        let value: Value = serde_json::from_str(&ran.err).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        let error = &value["error"];
        let kind_and_path = (error["kind"].as_str(), error["path"].as_str());
        assert_eq!(kind_and_path, (Some(kind), Some(path)), "{arguments:?}: {value}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(start), "{arguments:?}: {message}");
    }
}

/// A foreign entry among the records stops every command that opens the root, and stays.
#[test]
fn a_root_that_contradicts_itself_is_left_alone() {
    let world = World::new(&[("root/file", "old"), ("root/.onionskin/mine", "precious")]);
    let before = world.tree();
    for command in [&["recover", "root"][..], &["inspect", "root"], &["replace", "root", "file"]] {
        let ran = world.run_with(command, "new");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{command:?}: {ran:?}");
        assert!(ran.err.starts_with("error: root: .onionskin/mine: is not ours"), "{command:?}: {}", ran.err);
        assert!(ran.err.contains("move it away"), "{command:?}: {}", ran.err);
    }
    assert_eq!(world.tree(), before);
}

/// An output that its reader closed early is not an error, and a closed standard output or error does not cause a
/// panic.
#[test]
fn closed_outputs_are_no_panic() {
    let world = World::new(&[]);
    let script = "\"$0\" --format json probe root | true; \"$0\" inspect root >&-; \"$0\" probe none 2>&-; true";
    let status = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_onionskin")])
        .current_dir(world.at(""))
        .env("ONIONSKIN_CACHE_DIR", ground::cache())
        .output()
        .expect("sh runs");
    let kind_and_path = String::from_utf8_lossy(&status.stderr);
    assert!(!kind_and_path.contains("panicked"), "{kind_and_path}");
    world.left_over(nothing);
}
