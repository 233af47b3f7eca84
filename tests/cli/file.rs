//! `replace` and `materialize`: one path, with every flag.

use std::fs;

use onionskin_tests::sha2::{Digest as _, Sha256};
use serde_json::json;

use crate::world::{World, nothing};

fn sha256(content: &str) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Content from standard input or a file; the answer names the change, as text and as JSON.
#[test]
fn replace_takes_input_or_a_file() {
    let world = World::new(&[("root/file", "old"), ("src/new", "from a file")]);
    let out = world.done_with(&["replace", "root", "file"], "by input");
    assert_eq!(out, "file: 1 path changed, 8 bytes written, durability full, change 1\n");
    assert_eq!(world.text("root/file"), "by input");
    let answer = world.json(&["replace", "root", "other", "--from", "src/new"]);
    assert_eq!(answer, json!({"transaction": 1, "achieved": "full", "applied": 1, "bytes": 11, "recovered": []}));
    assert_eq!(world.text("root/other"), "from a file");
    world.done_with(&["replace", "root", "empty"], "");
    assert_eq!(world.text("root/empty"), "");
    world.left_over(nothing);
}

/// Content larger than one call may take is streamed, and no progress is shown without a terminal.
#[test]
fn replace_streams_large_content() {
    let world = World::new(&[]);
    let content = "0123456789abcdef".repeat(70 << 16);
    fs::write(world.at("large"), &content).expect("a new file");
    let answer = world.json(&["replace", "root", "by-file", "--from", "large"]);
    assert_eq!(answer["bytes"], 70 << 20);
    let part = &content[..3 << 20];
    world.done_with(&["replace", "root", "by-input"], part);
    assert!(fs::read(world.at("root/by-file")).expect("it is there") == content.as_bytes(), "content");
    assert!(fs::read(world.at("root/by-input")).expect("it is there") == part.as_bytes(), "content");
    world.link("large", "root/link");
    world.done(&["materialize", "root", "link", "--lower", "."]);
    assert!(fs::read(world.at("root/link")).expect("it is there") == content.as_bytes(), "content");
    world.left_over(nothing);
}

/// `--json` writes valid JSON verbatim, and refuses other content.
#[test]
fn replace_checks_json() {
    let world = World::new(&[("root/a.json", "{}")]);
    world.done_with(&["replace", "root", "a.json", "--json"], "{\"a\":  1}\n");
    assert_eq!(world.text("root/a.json"), "{\"a\":  1}\n");
    for wrong in ["", "{\"a\":", "[1,]", "{} x", "nul"] {
        let ran = world.run_with(&["replace", "root", "a.json", "--json"], wrong);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{wrong:?}: {ran:?}");
        assert!(ran.err.starts_with("error: root: a.json: is not JSON"), "{wrong:?}: {}", ran.err);
        assert_eq!(world.text("root/a.json"), "{\"a\":  1}\n", "{wrong:?}");
    }
    world.left_over(nothing);
}

/// Each durability is achieved and reported.
#[test]
fn replace_at_each_durability() {
    let world = World::new(&[]);
    for durability in ["visible", "data", "full"] {
        let answer = world.json_with(&["replace", "root", "file", "--durability", durability], durability);
        assert_eq!(answer["achieved"], durability);
        assert_eq!(world.text("root/file"), durability);
    }
    world.left_over(nothing);
}

/// Each policy: a link is refused, replaced, or followed inside the root.
#[test]
fn replace_with_each_policy() {
    let world = World::new(&[("root/real", "old")]);
    std::os::unix::fs::symlink("real", world.at("root/link")).expect("a new link");
    let ran = world.run_with(&["replace", "root", "link", "--symlinks", "refuse"], "new");
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: root: link: is a symbolic link"), "{}", ran.err);
    assert_eq!(world.text("root/real"), "old");
    world.done_with(&["replace", "root", "link", "--symlinks", "follow-within"], "followed");
    assert_eq!(world.text("root/real"), "followed");
    assert!(world.at("root/link").is_symlink());
    world.done_with(&["replace", "root", "link", "--symlinks", "replace"], "replaced");
    assert_eq!([world.text("root/real"), world.text("root/link")], ["followed", "replaced"]);
    assert!(!world.at("root/link").is_symlink());
    world.left_over(nothing);
}

/// Each precondition, satisfied and not satisfied.
#[test]
fn replace_on_each_condition() {
    let world = World::new(&[("root/file", "old")]);
    fs::hard_link(world.at("root/file"), world.at("root/hard")).expect("a new link");
    let unchanged = |content: &str| format!("unchanged=sha256:{}", sha256(content));
    let refused = [
        ("file", "absent".to_owned(), "exists already"),
        ("file", "single-link".to_owned(), "second hard link"),
        ("file", unchanged("other"), "has changed"),
        ("none", unchanged("old"), "no such file"),
    ];
    for (path, condition, word) in refused {
        let ran = world.run_with(&["replace", "root", path, "--when", &condition], "new");
        assert_eq!(ran.code, 1, "{condition}: {ran:?}");
        assert!(ran.err.starts_with(&format!("error: root: {path}: ")), "{condition}: {}", ran.err);
        assert!(ran.err.contains(word), "{condition}: {}", ran.err);
        assert_eq!(world.text("root/file"), "old", "{condition}");
    }
    world.done_with(&["replace", "root", "file", "--when", &unchanged("old")], "new");
    world.done_with(
        &[
            "replace",
            "root",
            "file",
            "--when",
            &unchanged("new").to_uppercase().replace("UNCHANGED=SHA256", "unchanged=sha256"),
        ],
        "newer",
    );
    world.done_with(&["replace", "root", "file", "--when", "single-link"], "newest");
    world.done_with(&["replace", "root", "fresh", "--when", "absent"], "fresh");
    assert_eq!(
        [world.text("root/file"), world.text("root/hard"), world.text("root/fresh")],
        ["newest", "old", "fresh"]
    );
    world.left_over(nothing);
}

/// Identical content is left alone on request.
#[test]
fn replace_keeps_identical_content() {
    let world = World::new(&[("root/file", "same")]);
    let time = || fs::metadata(world.at("root/file")).and_then(|metadata| metadata.modified()).expect("it has a time");
    let before = time();
    let out = world.done_with(&["replace", "root", "file", "--keep-identical"], "same");
    assert_eq!((out.as_str(), time()), ("file: nothing to do\n", before));
    let answer = world.json_with(&["replace", "root", "file", "--keep-identical"], "other");
    assert_eq!(answer["applied"], 1);
    world.left_over(nothing);
}

/// `--explain` prints the executed steps with their reasons; one of them is the commit point.
#[test]
fn replace_explains_itself() {
    let world = World::new(&[]);
    let out = world.done_with(&["--explain", "replace", "root", "file"], "content");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 1 + 1 + 7, "the answer, the header and seven steps:\n{out}");
    assert!(lines[1].starts_with("#  step"), "{out}");
    let deciding: Vec<&&str> = lines.iter().filter(|line| line.contains("COMMIT")).collect();
    assert_eq!(deciding.len(), 1, "{out}");
    assert!(deciding[0].contains("rename") && deciding[0].contains("file"), "{out}");
    let answer = world.json_with(&["--explain", "replace", "root", "file"], "content");
    let steps = answer["steps"].as_array().expect("an array of steps");
    let actions: Vec<&str> = steps.iter().filter_map(|step| step["action"].as_str()).collect();
    let (made, kept) = (["make-directory", "create", "write"], ["set-attributes", "sync-file"]);
    assert_eq!(actions, [&made[..], &kept, &["rename", "sync-directory"]].concat());
    let keys: Vec<&String> = steps[5].as_object().expect("a step").keys().collect();
    assert_eq!(keys, ["action", "bytes", "commits", "origin", "path", "why"]);
    assert_eq!((&steps[5]["commits"], &steps[5]["path"]), (&json!(true), &json!("file")));
    assert!(steps.iter().all(|step| step["why"].as_str().is_some_and(|why| !why.is_empty())), "{answer}");
    world.left_over(nothing);
}

/// A link becomes an independent file, with its own content or new content; a second run has nothing to do.
#[test]
fn materialize_keeps_or_replaces() {
    let world = World::new(&[("lower/a", "original"), ("lower/d/b", "below"), ("src/new", "from a file")]);
    for name in ["kept", "by-input", "by-file"] {
        world.link("lower/a", &format!("root/{name}"));
    }
    world.link("lower/d", "root/d");
    let originals = crate::ground::read(&world.at("lower"));
    let out = world.done(&["materialize", "root", "kept", "--lower", "lower"]);
    assert_eq!(out, "kept: 1 path changed, 8 bytes written, durability full, change 1\n");
    assert_eq!(world.done(&["materialize", "root", "kept"]), "kept: nothing to do\n");
    world.done_with(&["materialize", "root", "by-input", "--content", "replace"], "by input");
    world.done(&["materialize", "root", "by-file", "--content", "replace", "--from", "src/new"]);
    world.done(&["materialize", "root", "d", "--content", "keep", "--lower", "src", "--lower", "lower"]);
    let now = ["kept", "by-input", "by-file", "d/b"].map(|name| world.text(&format!("root/{name}")));
    assert_eq!(now, ["original", "by input", "from a file", "below"]);
    assert!(["kept", "by-input", "by-file", "d"].iter().all(|name| !world.at(&format!("root/{name}")).is_symlink()));
    assert_eq!(crate::ground::read(&world.at("lower")), originals);
    world.left_over(nothing);
}

/// A linked parent directory needs the grant `--lower`; without it the error names the grant.
#[test]
fn a_grant_that_is_missing_is_named() {
    let world = World::new(&[("lower/d/file", "original")]);
    world.link("lower/d", "root/d");
    let ran = world.run_with(&["replace", "root", "d/file"], "new");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("error: root/d: this link leads to "), "{}", ran.err);
    let grant = fs::canonicalize(world.at("lower")).expect("it is there");
    assert!(ran.err.trim_end().ends_with(&format!("--lower {}", grant.display())), "{}", ran.err);
    assert!(world.at("root/d").is_symlink());
    world.done_with(&["replace", "root", "d/file", "--lower", "lower"], "new");
    assert_eq!([world.text("root/d/file"), world.text("lower/d/file")], ["new", "original"]);
    world.left_over(nothing);
}
