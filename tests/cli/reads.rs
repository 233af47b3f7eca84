//! Commands that look at a workspace or root read it alone, and read no more than its directories.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::world::World;

/// Files in the directory that is swapped.
const FILES: usize = 60;

/// Runs of a command while links are swapped in.
const RUNS: usize = 12;

/// The content outside, which has the length of the content inside.
const SECRET: &str = "SECRET\n";
const PLAIN: &str = "inside\n";

/// A program that swaps a directory and a file of a lower for links to others outside, again and again: no command
/// shows what is there.
#[test]
fn links_that_are_swapped_in_lead_nowhere() {
    let names: Vec<String> = (0..FILES).map(|number| format!("f{number}")).collect();
    let paths: Vec<String> =
        names.iter().flat_map(|name| [format!("lower/d/{name}"), format!("secret/{name}")]).collect();
    let content = |path: &str| if path.starts_with("lower") { PLAIN } else { SECRET };
    let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), content(path))).collect();
    files.push(("lower/file", PLAIN));
    let world = World::new(&files);
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    world.done(&["workspace", "rm", "up", "--recursive", "d"]);
    world.done(&["workspace", "rm", "up", "file"]);
    let clean = world.run_with(&["workspace", "diff", "up"], "");
    assert_eq!((clean.code, clean.out.matches("-inside").count()), (0, FILES + 1), "{}", clean.err);

    let (lower, secret, done) = (world.at("lower"), world.at("secret"), AtomicBool::new(false));
    let swap = |name: &str, outside: &Path| {
        let (place, held) = (lower.join(name), lower.join(format!("{name}.held")));
        fs::rename(&place, &held).expect("its name is free");
        std::os::unix::fs::symlink(outside, &place).expect("its name is free");
        thread::yield_now();
        fs::remove_file(&place).expect("the link is there");
        fs::rename(&held, &place).expect("its name is free");
    };
    let mut leaked = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                swap("d", &secret);
                swap("file", &secret.join("f0"));
            }
        });
        for command in [&["workspace", "diff", "up"][..], &["--format", "json", "workspace", "diff", "up"]] {
            for _ in 0..RUNS {
                leaked.push(world.run_with(command, "").out.contains("SECRET"));
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(
        !leaked.contains(&true),
        "{} of {} runs showed a content outside",
        leaked.iter().filter(|it| **it).count(),
        leaked.len()
    );
}

/// Everything that a change of an entry changes, and its content.
type Identity = (u64, u32, u64, u64, i64, i64, i64, i64, Vec<u8>);

fn identities(directory: &Path) -> BTreeMap<PathBuf, Identity> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(place) = waiting.pop() {
        let is = fs::symlink_metadata(&place).expect("it is there");
        let content = if is.is_file() { fs::read(&place).expect("it can be read") } else { Vec::new() };
        if is.is_dir() {
            for entry in fs::read_dir(&place).expect("it can be listed") {
                waiting.push(entry.expect("it can be listed").path());
            }
        }
        let times = (is.mtime(), is.mtime_nsec(), is.ctime(), is.ctime_nsec());
        let (modified, modified_ns, changed, changed_ns) = times;
        let identity = (is.ino(), is.mode(), is.nlink(), is.len(), modified, modified_ns, changed, changed_ns, content);
        found.insert(place, identity);
    }
    found
}

/// Looking at a workspace leaves every entry of its upper as it was, to the inode and the nanosecond; so does `inspect`
/// of a root with the remains of a crash. Other commands on a workspace with remains complete or remove them first.
#[test]
fn looking_changes_nothing() {
    let world = World::new(&[("lower/a", "a\n"), ("lower/b", "b\n")]);
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    world.done_with(&["workspace", "put", "up", "a"], "new\n");
    world.done(&["workspace", "rm", "up", "b"]);
    let before = identities(&world.at("up"));
    for command in ["status", "changes", "diff", "ls"] {
        world.done(&["workspace", command, "up"]);
        assert_eq!(identities(&world.at("up")), before, "workspace {command}");
    }
    world.done(&["inspect", "up"]);
    assert_eq!(identities(&world.at("up")), before, "inspect up");

    for call in ["2", "4", "6"] {
        assert_eq!(world.run_with(&["--crash-at", call, "replace", "root", "file"], "content").code, 70);
        fs::write(world.at("root/.onionskin").join("log"), "damaged").expect("a writable directory");
        let before = identities(&world.at("root"));
        world.run_with(&["inspect", "root"], "");
        assert_eq!(identities(&world.at("root")), before, "inspect root after a crash at call {call}");
        fs::remove_dir_all(world.at("root")).expect("it belongs to the test");
        fs::create_dir(world.at("root")).expect("its name is free");
    }
}
