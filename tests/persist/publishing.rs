//! A directory is published in three modes, and each preserves the entries that the change does not name.

use onionskin::fs::Fs as _;
use onionskin::persist::transaction::{DirectoryOptions, Publish};
use onionskin::store::{Durability, Receipt, Store, Symlinks};
use onionskin_sim::{Node, SimFs, Switches, Tree, tree};

use crate::support::{PUBLISH, Scene, outcome, publish, refused};

fn conversations() -> Tree {
    tree! {
        dir "lower";
        file "ws/beside" = "not part of it";
        file "ws/conv/metadata.json" = "{\"v\":1}";
        file "ws/conv/QUERY_MESSAGE.md" = "unmanaged";
        file "ws/conv/run.sh" = "#!/bin/sh";
        file "ws/conv/notes/deep/a" = "unmanaged too";
        same "ws/conv/notes/b" = "ws/conv/notes/deep/a";
        dir "ws/conv/empty";
        symlink "ws/conv/latest" = "metadata.json";
        symlink "ws/conv/notes/up" = "../run.sh";
        other "ws/conv/pipe";
        other "ws/conv/notes/socket";
    }
}

/// Every entry of the directory that no change names, directories excepted.
const UNMANAGED: [&str; 8] =
    ["QUERY_MESSAGE.md", "run.sh", "notes/deep/a", "notes/b", "latest", "notes/up", "pipe", "notes/socket"];

fn persist(store: &Store<SimFs>, mode: Publish, version: u32) -> Receipt {
    let mut transaction = store.begin("conv", publish(mode)).expect("a directory");
    transaction.put("metadata.json", format!("{{\"v\":{version}}}").into_bytes()).expect("staged");
    transaction.put("events.json", format!("[{version}]").into_bytes()).expect("staged");
    transaction.commit().unwrap_or_else(|error| panic!("{mode:?}, version {version}: {error}"))
}

/// Returns the path that holds the content of the directory: itself, or its present generation.
fn place(fs: &SimFs) -> String {
    match fs.tree().get("ws/conv") {
        Some(Node::Symlink(text)) => format!("ws/{text}"),
        Some(Node::Directory) => "ws/conv".to_owned(),
        other => panic!("ws/conv is {other:?}"),
    }
}

fn expected(version: u32) -> Tree {
    conversations()
        .below("ws/conv")
        .file("metadata.json", format!("{{\"v\":{version}}}"))
        .file("events.json", format!("[{version}]"))
}

/// Asserts that the directory has this version, and that every unmanaged entry kept its inode.
#[track_caller]
fn shows(scene: &Scene, context: &str, version: u32, inodes: &[onionskin_sim::Ino]) {
    let shown = place(&scene.fs);
    let mut wanted = expected(version);
    let mut found = scene.fs.tree().below(&shown);
    // The other generation shares these inodes; the groups of hard links are compared by inode below.
    for name in UNMANAGED {
        if let Some(bytes) = wanted.bytes(name).map(<[u8]>::to_vec) {
            wanted = wanted.file(name, &bytes);
            let bytes = found.bytes(name).unwrap_or_default().to_vec();
            found = found.file(name, &bytes);
        }
    }
    assert!(found == wanted, "{context}: - is expected, + is found\n{}", wanted.diff(&found));
    let now: Vec<_> = UNMANAGED.iter().map(|name| scene.inode(&format!("{shown}/{name}")).0).collect();
    assert_eq!(now, inodes, "{context}: inodes of {UNMANAGED:?}");
    assert_eq!(scene.fs.tree().bytes("ws/beside"), Some(&b"not part of it"[..]), "{context}");
    assert_eq!(scene.fs.intrusions(), [], "{context}");
}

fn inodes(scene: &Scene) -> Vec<onionskin_sim::Ino> {
    UNMANAGED.iter().map(|name| scene.inode(&format!("ws/conv/{name}")).0).collect()
}

/// Sub-directories, links, pipes and hard links survive ten publishes with their inodes.
#[test]
fn unmanaged_entries_survive_every_mode_with_their_inodes() {
    for mode in PUBLISH {
        for listing_reversed in [false, true] {
            let switches = Switches { listing_reversed, ..Switches::default() };
            let scene = Scene::with(switches, &conversations());
            let before = inodes(&scene);
            for version in 2..12 {
                // A new store for every two versions, so that opening is part of the test.
                let store = scene.open();
                assert_eq!(store.recovered(), [], "{mode:?}, version {version}");
                let done = persist(&store, mode, version);
                assert_eq!((done.applied, done.transaction), (2, 1), "{mode:?}, version {version}");
                drop(store);
                shows(&scene, &format!("{mode:?}, version {version}"), version, &before);
            }
            if mode != Publish::Pointer {
                let after = conversations().file("ws/conv/metadata.json", "{\"v\":11}");
                let after = after.file("ws/conv/events.json", "[11]");
                scene.ends_as(&format!("{mode:?}"), &after);
            }
        }
    }
}

/// In place, the directory and its sub-directories keep their inodes.
#[test]
fn in_place_keeps_the_directories_themselves() {
    let scene = Scene::new(&conversations());
    let names = ["ws/conv", "ws/conv/notes", "ws/conv/notes/deep", "ws/conv/empty"];
    let before: Vec<_> = names.iter().map(|name| scene.inode(name).0).collect();
    persist(&scene.open(), Publish::InPlace, 2);
    let after: Vec<_> = names.iter().map(|name| scene.inode(name).0).collect();
    assert_eq!(after, before, "{names:?}");
}

/// Without hard links entries are copied; an entry that cannot be copied is refused before any change.
#[test]
fn without_hard_links_entries_are_copied() {
    let switches = Switches { hard_links: false, ..Switches::default() };
    let plain = conversations().remove("ws/conv/pipe").remove("ws/conv/notes/socket").remove("ws/conv/notes/b");
    for mode in PUBLISH {
        let scene = Scene::with(switches, &plain);
        persist(&scene.open(), mode, 2);
        let wanted = expected(2).remove("pipe").remove("notes/socket").remove("notes/b");
        let found = scene.fs.tree().below(&place(&scene.fs));
        assert!(found == wanted, "{mode:?}: - is expected, + is found\n{}", wanted.diff(&found));
    }
    for mode in [Publish::Swap, Publish::Pointer] {
        let tree = plain.clone().other("ws/conv/pipe");
        let scene = Scene::with(switches, &tree);
        let store = scene.open();
        let mut transaction = store.begin("conv", publish(mode)).expect("a directory");
        transaction.put("metadata.json", b"2".to_vec()).expect("staged");
        let answer = outcome(transaction.commit()).map(|_| ());
        assert_eq!(answer.map_err(|(kind, _)| kind), Err("not-committed"), "{mode:?}");
        drop(store);
        scene.ends_as(&format!("{mode:?}: a pipe that cannot be carried"), &tree);
    }
}

/// A pointer keeps the previous generation, and no older one.
#[test]
fn a_pointer_keeps_two_generations() {
    let scene = Scene::new(&tree! { file "ws/conv/metadata.json" = "{\"v\":1}"; });
    for version in 2..7 {
        persist(&scene.open(), Publish::Pointer, version);
        let generations = scene.fs.tree().below("ws/.onionskin/directories/1");
        let top: Vec<_> = generations.iter().filter(|(path, _)| !path.contains(&b'/')).map(|(path, _)| path).collect();
        let newest = (version - 1).to_string();
        assert_eq!(top.last().copied(), Some(newest.as_bytes()), "version {version}");
        assert_eq!(top.len(), if version == 2 { 1 } else { 2 }, "version {version}: {generations}");
        assert_eq!(place(&scene.fs), format!("ws/.onionskin/directories/1/{newest}"), "version {version}");
        let kept = generations.bytes(format!("{}/metadata.json", version.saturating_sub(2)));
        let former = format!("{{\"v\":{}}}", version - 1).into_bytes();
        assert_eq!(kept, (version > 2).then_some(former.as_slice()), "version {version}: the one before");
    }
}

/// The target of a pointer is relative, at any depth of the directory.
#[test]
fn a_pointer_is_a_relative_link_at_any_depth() {
    for path in ["conv", "a/conv", "a/b/c/conv"] {
        let scene = Scene::new(&tree! { dir "ws/a/b/c"; });
        let store = scene.open();
        let mut transaction = store.begin(path, publish(Publish::Pointer)).expect("a directory");
        transaction.put("x/file", b"1".to_vec()).expect("staged");
        assert_eq!(transaction.commit().map(|done| done.applied), Ok(1), "{path}");
        drop(store);
        let ws = scene.fs.open_dir(&scene.fs.root(), "ws").expect("the root of the store");
        let (dir, name) = scene.fs.walk(&ws, &format!("{path}/x/file"), true).expect("the link resolves");
        assert!(scene.fs.stat(&dir, &name).is_ok_and(|stat| stat.size == 1), "{path}: {}", scene.fs.tree());
        assert_eq!(scene.open().recovered(), [], "{path}");
    }
}

/// Two directories published by pointer are independent of each other.
#[test]
fn directories_by_pointer_are_independent() {
    let scene = Scene::new(&tree! { file "ws/one/f" = "old"; file "ws/two/f" = "old"; });
    for (name, text) in [("one", "1"), ("two", "2"), ("one", "11"), ("two", "22"), ("one", "111")] {
        let store = scene.open();
        let mut transaction = store.begin(name, publish(Publish::Pointer)).expect("a directory");
        transaction.put("f", text.into()).expect("staged");
        transaction.commit().expect("published");
    }
    let after = tree! {
        dir "lower";
        symlink "ws/one" = ".onionskin/directories/1/3";
        symlink "ws/two" = ".onionskin/directories/2/2";
        file "ws/.onionskin/directories/1/2/f" = "11";
        file "ws/.onionskin/directories/1/3/f" = "111";
        file "ws/.onionskin/directories/2/1/f" = "2";
        file "ws/.onionskin/directories/2/2/f" = "22";
    };
    scene.ends_as("two pointers", &after);
}

/// Modes may alternate: each continues from the state that the previous one left.
#[test]
fn modes_may_follow_one_another() {
    let scene = Scene::new(&conversations());
    let before = inodes(&scene);
    let order = [Publish::Swap, Publish::Pointer, Publish::InPlace, Publish::Pointer, Publish::InPlace];
    for (version, mode) in (2..).zip(order) {
        persist(&scene.open(), mode, version);
        shows(&scene, &format!("{mode:?}, version {version}"), version, &before);
    }
    assert_eq!(place(&scene.fs), "ws/.onionskin/directories/1/2");
}

/// A carried link still leads to its target; otherwise the publish is refused and nothing changes.
#[test]
fn a_carried_link_out_of_the_directory_still_leads_there() {
    for mode in PUBLISH {
        let tree = tree! {
            file "ws/beside" = "not part of it";
            file "ws/conv/f" = "old";
            symlink "ws/conv/out" = "../beside";
        };
        let scene = Scene::new(&tree);
        let store = scene.open();
        let mut transaction = store.begin("conv", publish(mode)).expect("a directory");
        transaction.put("f", b"new".to_vec()).expect("staged");
        let answer = outcome(transaction.commit()).map(|done| done.applied);
        drop(store);
        if answer.is_err() {
            assert_eq!(answer, refused("symlink-escapes", "conv/out"), "{mode:?}");
            scene.ends_as(&format!("{mode:?}"), &tree);
            continue;
        }
        let ws = scene.fs.open_dir(&scene.fs.root(), "ws").expect("the root of the store");
        let (dir, name) = scene.fs.walk(&ws, "conv/out", true).expect("the link resolves");
        let found = scene.fs.stat(&dir, &name).map(|stat| stat.size);
        assert_eq!(found, Ok(14), "{mode:?}: content at conv/out in\n{}", scene.fs.tree());
    }
}

/// A directory published by pointer cannot be swapped, and the root itself can only be changed in place.
#[test]
fn impossible_modes_are_refused() {
    let scene = Scene::new(&tree! { file "ws/conv/f" = "old"; });
    persist(&scene.open(), Publish::Pointer, 2);
    let before = scene.fs.tree();
    let store = scene.open();
    let mut transaction = store.begin("conv", publish(Publish::Swap)).expect("a directory");
    transaction.put("f", b"new".to_vec()).expect("staged");
    assert_eq!(outcome(transaction.commit()).map(|_| ()), refused("invalid-argument", "conv"));
    for mode in [Publish::Swap, Publish::Pointer] {
        assert_eq!(outcome(store.begin(".", publish(mode)).map(|_| ())), refused("invalid-argument", "."), "{mode:?}");
    }
    drop(store);
    scene.ends_as("refused", &before);
}

/// `.` names the root itself.
#[test]
fn the_root_itself_is_changed_in_place() {
    let scene = Scene::new(&tree! { file "ws/a" = "A"; file "ws/sub/b" = "B"; });
    let store = scene.open();
    let mut transaction = store.begin(".", publish(Publish::InPlace)).expect("the root");
    transaction.put("new/file", b"1".to_vec()).expect("staged");
    transaction.rename("a", "sub/a").expect("staged");
    transaction.remove("sub/b").expect("staged");
    assert_eq!(transaction.commit().map(|done| done.applied), Ok(4));
    drop(store);
    scene.ends_as("the root", &tree! { file "ws/new/file" = "1"; file "ws/sub/a" = "A"; });
}

/// A directory that does not exist is created by the commit, with its parents.
#[test]
fn a_new_directory_is_created_at_commit() {
    for mode in PUBLISH {
        for (path, durability) in
            [("new", Durability::Full), ("p/q/new", Durability::Data), ("p/new", Durability::Visible)]
        {
            let scene = Scene::new(&tree! { file "ws/beside" = "1"; });
            let store = scene.open();
            let options = DirectoryOptions { durability, ..publish(mode) };
            let mut transaction = store.begin(path, options).expect("a directory");
            transaction.put("x/file", b"1".to_vec()).expect("staged");
            scene.shows("before the commit", &tree! { dir "lower"; file "ws/beside" = "1"; });
            assert_eq!(transaction.commit().map(|done| done.applied), Ok(1), "{mode:?}, {path}");
            drop(store);
            if mode == Publish::Pointer {
                let inside = scene.fs.tree().below("ws/.onionskin/directories/1/1");
                assert_eq!(inside, tree! { file "x/file" = "1"; }, "{path}");
            } else {
                let after = tree! { file "ws/beside" = "1"; }.file(format!("ws/{path}/x/file"), "1");
                scene.ends_as(&format!("{mode:?}, {path}"), &after);
            }
        }
    }
}

/// A directory that is itself a link is treated as the policy says, and its target stays.
#[test]
fn a_linked_directory_is_dealt_with_by_policy() {
    let tree = tree! { file "ws/real/f" = "old"; file "ws/real/g" = "kept"; symlink "ws/conv" = "real"; };
    let own = tree! { file "ws/real/f" = "old"; file "ws/real/g" = "kept"; file "ws/conv/f" = "new"; file "ws/conv/g" = "kept"; };
    let through = tree.clone().file("ws/real/f", "new");
    for mode in [Publish::InPlace, Publish::Swap] {
        for (symlinks, expected, after) in [
            (Symlinks::Refuse, refused("symlink-refused", "conv"), &tree),
            (Symlinks::Replace, Ok(1), &own),
            (Symlinks::FollowWithin, Ok(1), &through),
        ] {
            let context = format!("{mode:?}, {symlinks:?}");
            let scene = Scene::new(&tree);
            let store = scene.open();
            let mut transaction = store.begin("conv", DirectoryOptions { symlinks, ..publish(mode) }).expect("a path");
            let staged = transaction.put("f", b"new".to_vec());
            let answer = staged.and_then(|()| transaction.commit()).map(|done| done.applied);
            assert_eq!(outcome(answer), expected, "{context}");
            drop(store);
            scene.ends_as(&context, after);
        }
    }
}
