//! `--crash-at N` for every N until a run completes: `inspect` changes nothing, and after `recover` the state is
//! exactly old or exactly new.

use std::fs;
use std::path::Path;

use crate::ground::{self, Tree};
use crate::world::{World, generations, nothing};

/// The maximum of calls in a run; a longer run counts as endless.
const CALLS_MAX: u32 = 300;

const MANAGED: [&str; 3] = ["metadata.json", "events.json", "state/cursor.json"];
const UNMANAGED: [&str; 3] = ["QUERY_MESSAGE.md", "run.sh", "attachments/deep/photo.bin"];

fn world() -> World {
    let mut files = Vec::new();
    for name in MANAGED {
        files.push((format!("root/d/{name}"), format!("old {name}")));
        files.push((format!("src/{name}"), format!("new {name}")));
    }
    for name in UNMANAGED {
        files.push((format!("root/d/{name}"), name.to_owned()));
    }
    files.push(("root/d/draft.json".into(), "removed by the change".into()));
    files.push(("src/added.json".into(), "added by the change".into()));
    files.push(("lower/original".into(), "original".into()));
    files.push(("lower/tree/inner/file".into(), "original".into()));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let world = World::new(&files);
    world.link("lower/original", "root/link");
    world.link("lower/tree", "root/tree");
    world
}

/// Returns the content of the root without records, with links followed where a pointer may have been published.
/// Absolute links are given relative to the world, so that two worlds compare.
fn shown(world: &World) -> Tree {
    let root = world.at("root");
    let mut tree = ground::read(&root);
    tree.retain(|path, _| !path.starts_with(".onionskin"));
    for entry in tree.values_mut() {
        if let ground::Entry::Link(text) = entry
            && let Ok(place) = text.strip_prefix(world.at(""))
        {
            *text = place.to_owned();
        }
    }
    let directory = root.join("d");
    if directory.is_symlink() {
        tree.insert("d".into(), ground::Entry::Directory);
        for (name, entry) in ground::read(&fs::canonicalize(&directory).expect("it is a link to a generation")) {
            tree.insert(Path::new("d").join(name), entry);
        }
    }
    tree
}

/// Stops the command before every call in turn.
fn crash_everywhere(command: &[&str], known: fn(&Path) -> bool) {
    let old = shown(&world());
    let whole = world();
    assert_eq!(whole.run_with(command, "new content").code, 0, "{command:?}: a run without a crash");
    let new = shown(&whole);
    assert_ne!(old, new, "{command:?} changes something");
    let (mut olds, mut news) = (0, 0);
    for call in 1..=CALLS_MAX {
        let context = format!("{command:?}, --crash-at {call}");
        let world = world();
        let ran = world.run_with(&[&["--crash-at", &call.to_string()], command].concat(), "new content");
        if ran.code == 0 {
            assert_eq!(shown(&world), new, "{context}: a normal run");
            assert_eq!(world.done(&["inspect", "root"]), "clean: nothing would be found\n", "{context}");
            world.left_over(known);
            println!("{command:?}: {olds} old, {news} new");
            assert!(olds > 3 && news > 0, "{command:?}: {olds} old, {news} new");
            return;
        }
        assert_eq!(ran.code, 70, "{context}: {ran:?}");
        if !ran.err.is_empty() {
            let message = format!("stopped on request just before mutating host call {call},");
            assert!(ran.err.starts_with("error: root: ") && ran.err.contains(&message), "{context}: {}", ran.err);
        }
        let before = world.tree();
        assert_eq!(world.run(&["inspect", "root"]).code, 0, "{context}");
        assert_eq!(world.tree(), before, "{context}: inspection changes nothing");
        world.done(&["recover", "root"]);
        let now = shown(&world);
        let difference = || (ground::difference(&old, &now), ground::difference(&new, &now));
        match (now == old, now == new) {
            (true, _) => olds += 1,
            (_, true) => news += 1,
            (false, false) => panic!("{context}: neither old nor new: {:?}", difference()),
        }
        assert_eq!(world.done(&["recover", "root"]), "clean: nothing found\n", "{context}");
        world.left_over(known);
        assert_eq!(ground::difference(&before_of("lower", &before), &before_of("lower", &world.tree())), ground::NONE);
    }
    panic!("{command:?}: no end after {CALLS_MAX} calls");
}

fn before_of(top: &str, tree: &Tree) -> Tree {
    tree.iter().filter(|(path, _)| path.starts_with(top)).map(|(path, entry)| (path.clone(), entry.clone())).collect()
}

#[test]
fn replace_is_stopped_everywhere() {
    crash_everywhere(&["replace", "root", "d/metadata.json"], nothing);
}

#[test]
fn replace_below_a_link_is_stopped_everywhere() {
    let world = world();
    let command = ["replace", "root", "tree/inner/file", "--lower", "lower"];
    assert_eq!(world.run_with(&command, "new content").code, 0);
    // Two changes in succession: the link becomes a directory with the same content, and then the file is replaced.
    let new = shown(&world);
    for call in 1..=CALLS_MAX {
        let world = self::world();
        let old = world.text("root/tree/inner/file");
        let ran = world.run_with(&[&["--crash-at", &call.to_string()], &command[..]].concat(), "new content");
        world.done(&["recover", "root"]);
        let now = world.text("root/tree/inner/file");
        assert!(now == old || now == "new content", "call {call}: {now}");
        assert_eq!(world.text("lower/tree/inner/file"), "original", "call {call}");
        world.left_over(nothing);
        if ran.code == 0 {
            assert_eq!(shown(&world), new);
            return;
        }
        assert_eq!(ran.code, 70, "call {call}: {ran:?}");
    }
    panic!("no end after {CALLS_MAX} calls");
}

#[test]
fn materialize_is_stopped_everywhere() {
    crash_everywhere(&["materialize", "root", "link", "--lower", "lower"], nothing);
}

#[test]
fn materialize_of_a_directory_is_stopped_everywhere() {
    crash_everywhere(&["materialize", "root", "tree", "--lower", "lower"], nothing);
}

#[test]
fn put_dir_in_place_is_stopped_everywhere() {
    crash_everywhere(&["put-dir", "root", "d", "--from", "src", "--remove", "draft.json"], nothing);
}

#[test]
fn put_dir_by_swap_is_stopped_everywhere() {
    crash_everywhere(
        &["put-dir", "root", "d", "--from", "src", "--publish", "swap", "--remove", "draft.json"],
        nothing,
    );
}

#[test]
fn put_dir_by_pointer_is_stopped_everywhere() {
    let command = ["put-dir", "root", "d", "--from", "src", "--publish", "pointer", "--remove", "draft.json"];
    crash_everywhere(&command, generations);
}

/// A recovery is stopped before every call in turn, too; the next one continues from there.
#[test]
fn recover_is_stopped_everywhere() {
    for (mode, known) in [("in-place", nothing as fn(&Path) -> bool), ("swap", nothing), ("pointer", generations)] {
        let put = ["put-dir", "root", "d", "--from", "src", "--publish", mode];
        let start = |call: u32| {
            let world = world();
            assert_eq!(world.run(&[&["--crash-at", &call.to_string()], &put[..]].concat()).code, 70);
            world
        };
        let sides = [shown(&world()), {
            let world = world();
            world.done(&put);
            shown(&world)
        }];
        let decided = (1..CALLS_MAX).find(|call| start(*call).at("root/.onionskin/log").exists());
        let decided = decided.expect("some crash comes after the commit point");
        for call in 1..=CALLS_MAX {
            let world = start(decided);
            let ran = world.run(&["--crash-at", &call.to_string(), "recover", "root"]);
            if ran.code == 0 {
                assert!(call > 5, "{mode}: recovery takes {call} calls");
                break;
            }
            assert_eq!(ran.code, 70, "{mode}, call {call}: {ran:?}");
            world.done(&["recover", "root"]);
            assert_eq!(shown(&world), sides[1], "{mode}, call {call}: a decided change stays decided");
            world.left_over(known);
        }
    }
}
