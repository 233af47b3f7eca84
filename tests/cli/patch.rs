//! `workspace diff` is a patch that `git apply` takes whole, or says which part is not in it and exits with 1.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fastrand::Rng;
use onionskin_host::{NodeKind, Onionskin, Workspace};

use crate::ground::{self, Entry, Tree, skip};
use crate::world::World;

/// The number of random trees.
const TREES: u64 = 40;

/// Changes of a tree.
const STEPS: usize = 14;

/// Names that git quotes, and some that it does not.
const NAMES: [&str; 12] = [
    "a",
    "b",
    "c.txt",
    "d e",
    "q\"q",
    "back\\slash",
    "tab\tx",
    "new\nline",
    "größe",
    "\u{202e}r",
    "-dash",
    "esc\x1b[2J",
];

fn contents(random: &mut Rng) -> Vec<u8> {
    let lines = |random: &mut Rng| {
        let mut text: String = (0..60).map(|line| format!("line {line}\n")).collect();
        for _ in 0..random.usize(..4) {
            text = text.replace(&format!("line {}\n", random.usize(..60)), "another\n");
        }
        text
    };
    match random.u8(..12) {
        0 => Vec::new(),
        1 => b"x".to_vec(),
        2 => b"x\n".to_vec(),
        3 => b"one\ntwo\n".to_vec(),
        4 => lines(random).into_bytes(),
        5 => lines(random).trim_end().as_bytes().to_vec(),
        6 => lines(random).replace('\n', "\r\n").into_bytes(),
        7 => b"caf\xe9\nna\xefve\n".to_vec(),
        8 => (0..random.usize(1..300)).map(|_| random.u8(..)).collect(),
        9 => format!("{}\x1b[2J\rhidden\n", lines(random)).into_bytes(),
        10 => "--- a/x\n+++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n".into(),
        _ => vec![0; random.usize(..70_000)],
    }
}

/// All directories of a workspace, and all entries that are none.
fn look(workspace: &mut Workspace) -> (Vec<String>, Vec<String>) {
    let (mut directories, mut others) = (vec![".".to_owned()], Vec::new());
    let mut at = 0;
    while at < directories.len() {
        let directory = directories[at].clone();
        for entry in workspace.list(&directory).expect("a directory") {
            let path = below(&directory, &entry.name);
            if entry.kind == NodeKind::Directory { directories.push(path) } else { others.push(path) }
        }
        at += 1;
    }
    (directories, others)
}

fn below(directory: &str, name: &str) -> String {
    if directory == "." { name.to_owned() } else { format!("{directory}/{name}") }
}

/// Changes a workspace at random. A step that cannot be done is none.
fn change(workspace: &mut Workspace, random: &mut Rng) {
    let (directories, others) = look(workspace);
    let one = |random: &mut Rng, all: &[String]| (!all.is_empty()).then(|| all[random.usize(..all.len())].clone());
    let directory = one(random, &directories).expect("the root is there");
    let new = below(&directory, NAMES[random.usize(..NAMES.len())]);
    let is_tree = random.bool();
    let some = one(random, if is_tree { &directories } else { &others }).unwrap_or_else(|| new.clone());
    let _done_or_not = match random.u8(..8) {
        0 | 1 => workspace.put(&new, &contents(random)),
        2 => workspace.put(&some, &contents(random)),
        3 => workspace.make_directory(&new),
        4 => workspace.make_symlink(["a", "../x", "no where\n"][random.usize(..3)], &new),
        5 => workspace.remove(&some),
        6 if random.bool() => workspace.remove_tree(&some).map(drop),
        _ => workspace.rename(&some, &new),
    };
}

/// Fills a directory at random.
fn fill(place: &Path, random: &mut Rng) {
    let mut directories = vec![place.to_owned()];
    for _ in 0..20 {
        let directory = directories[random.usize(..directories.len())].clone();
        let path = directory.join(NAMES[random.usize(..NAMES.len())]);
        if fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        match random.u8(..6) {
            0 | 1 => {
                fs::create_dir(&path).expect("a new directory");
                directories.push(path);
            }
            2 => std::os::unix::fs::symlink("somewhere else", &path).expect("a new link"),
            _ => {
                fs::write(&path, contents(random)).expect("a new file");
                let mode = if random.bool() { 0o644 } else { 0o755 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            }
        }
    }
}

fn diff(world: &World, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onionskin"))
        .args(["workspace", "diff", "up"])
        .args(more)
        .current_dir(world.at(""))
        .env("ONIONSKIN_CACHE_DIR", ground::cache())
        .output()
        .expect("the program starts")
}

/// Applies a patch to a copy of `lower`, and returns the result; `None` without git.
fn applied(world: &World, patch: &[u8]) -> Option<Tree> {
    let place = world.at("applied");
    let _none_yet = fs::remove_dir_all(&place);
    ground::copy(&world.at("lower"), &place);
    if patch.is_empty() {
        return Some(ground::read(&place));
    }
    let git = Command::new("git")
        .args(["apply", "--whitespace=nowarn", "-"])
        .current_dir(&place)
        .env("GIT_CEILING_DIRECTORIES", world.at(""))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut git) = git else {
        skip("git is not installed, so no patch was applied");
        return None;
    };
    use std::io::Write as _;
    git.stdin.take().expect("it is piped").write_all(patch).expect("git reads the patch");
    let output = git.wait_with_output().expect("git ends");
    let text = String::from_utf8_lossy(patch);
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    Some(ground::read(&place))
}

/// Returns files with their digests and links with their targets, and directories where they are asked for.
fn plain(tree: &Tree, with_directories: bool) -> BTreeMap<PathBuf, String> {
    let entry = |(path, entry): (&PathBuf, &Entry)| match entry {
        Entry::File { digest, .. } => Some((path.clone(), digest.to_string())),
        Entry::Link(target) => Some((path.clone(), format!("-> {}", target.display()))),
        Entry::Directory => with_directories.then(|| (path.clone(), "directory".to_owned())),
        Entry::Pipe | Entry::Socket => panic!("{}: no such entry was made", path.display()),
    };
    tree.iter().filter_map(entry).collect()
}

/// Asserts that no byte of a patch acts on a terminal.
fn assert_harmless(patch: &[u8], seed: u64) {
    for line in patch.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let acts = |byte: &u8| *byte < b' ' && *byte != b'\t' || *byte == 0x7f;
        assert!(!line.iter().any(acts), "seed {seed}: {:?}", String::from_utf8_lossy(line));
        let text = std::str::from_utf8(line).unwrap_or_default();
        assert!(!text.contains(['\u{202e}', '\u{9b}']), "seed {seed}: {text:?}");
    }
}

/// Random changes of random trees: the patch makes of the lower what the workspace is. With exit code 1 the parts that
/// the message names are missing: directories.
#[test]
fn git_applies_what_was_changed() {
    for seed in 0..TREES {
        let mut random = Rng::with_seed(seed);
        let world = World::new(&[]);
        fill(&world.at("lower"), &mut random);
        fs::create_dir(world.at("up")).expect("a new directory");
        let onionskin = Onionskin::load().expect("the component loads");
        let mut workspace =
            onionskin.workspace(world.at("up")).lower(world.at("lower")).create().expect("a new workspace");
        for _ in 0..STEPS {
            change(&mut workspace, &mut random);
        }
        workspace.sync().expect("it is synced");
        fs::create_dir(world.at("out")).expect("a new directory");
        workspace.export(world.at("out"), onionskin_host::Durability::Full).expect("it is exported");
        workspace.close().expect("it is closed");
        let output = diff(&world, &[]);
        let message = String::from_utf8(output.stderr).expect("messages are UTF-8");
        let is_whole = output.status.code() == Some(0);
        assert_eq!(
            output.status.code() == Some(1),
            message.starts_with("not in the patch: "),
            "seed {seed}: {message}"
        );
        assert_harmless(&output.stdout, seed);
        let Some(applied) = applied(&world, &output.stdout) else { return };
        let expected = plain(&ground::read(&world.at("out")), is_whole);
        let found = plain(&applied, is_whole);
        let patch = String::from_utf8_lossy(&output.stdout);
        assert_eq!(found, expected, "seed {seed}: {message}{patch}");
    }
}

/// A program that was renamed, or changed, stays executable, and its mode is not in the patch.
#[test]
fn an_executable_stays_one() {
    let world = World::new(&[("lower/run", "#!/bin/sh\n"), ("lower/go", "1\n"), ("lower/new/x", "x\n")]);
    for name in ["lower/run", "lower/go"] {
        fs::set_permissions(world.at(name), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    world.done(&["workspace", "mv", "up", "run", "new/run"]);
    world.done_with(&["workspace", "put", "up", "go"], "2\n");
    let output = diff(&world, &[]);
    let patch = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(patch.contains("rename from run\nrename to new/run\n") && !patch.contains(" mode "), "{patch}");
    let Some(applied) = applied(&world, &output.stdout) else { return };
    for name in ["new/run", "go"] {
        assert!(matches!(applied[Path::new(name)], Entry::File { mode: 0o755, .. }), "{applied:?}");
    }
}

/// What a patch cannot have is named, and the exit code is 1. The rest is in it.
#[test]
fn a_missing_part_is_named() {
    let world = World::new(&[("lower/a", "old\n")]);
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    world.done(&["workspace", "mkdir", "up", "empty"]);
    world.done_with(&["workspace", "put", "up", "a"], "new\n");
    let ran = world.run(&["workspace", "diff", "up"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "not in the patch: empty: a patch has no empty directories\n"));
    assert!(ran.out.contains("-old\n+new\n"), "{}", ran.out);
    let ran = world.run(&["--format", "json", "workspace", "diff", "up"]);
    let value: serde_json::Value = serde_json::from_str(&ran.out).expect("it is JSON");
    assert_eq!((ran.code, &value["missing"][0]["path"]), (1, &serde_json::json!("empty")));
    assert_eq!(world.run(&["workspace", "diff", "up", "a"]).code, 0);
}

/// Latin-1 is compared line by line, and is in the patch as it is.
#[test]
fn latin_1_is_text() {
    let world = World::new(&[]);
    fs::write(world.at("lower/a"), b"caf\xe9\none\n").expect("a new file");
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    fs::write(world.at("new"), b"caf\xe9\ntwo\n").expect("a new file");
    world.done(&["workspace", "put", "up", "a", "--from", "new"]);
    let output = diff(&world, &[]);
    let end = b"@@ -1,2 +1,2 @@\n caf\xe9\n-one\n+two\n";
    assert!(output.stdout.ends_with(end), "{}", String::from_utf8_lossy(&output.stdout));
    let text = world.json(&["workspace", "diff", "up"])["diffs"][0]["diff"].to_string();
    assert!(text.contains(" café\\n-one\\n+two"), "{text}");
}
