//! A directory is published in three modes, and each preserves the entries that the change does not name.

use onionskin::fs::{Cause, Fs as _};
use onionskin::generations;
use onionskin::path::RelPath;
use onionskin::persist::transaction::{DirectoryOptions, Publish};
use onionskin::recover::Verdict;
use onionskin::store::{Durability, Receipt, Store, Symlinks, WriteOptions, inspect};
use onionskin_sim::{Fault, Harm, Node, SimFs, Switches, Tree, When, operations, tree};

use crate::support::{PUBLISH, Scene, outcome, publish, refused, verdicts};

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
        let generations = scene.fs.tree().below("ws/.onionskin/directories/1").remove("owner");
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
        file "ws/.onionskin/directories/1/owner" = record("one", 1);
        file "ws/.onionskin/directories/2/owner" = record("two", 2);
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

fn record(path: &str, directory: u64) -> Vec<u8> {
    generations::record(&RelPath::parse(path).expect("a good path"), directory).encode()
}

/// Publishes `f` in a directory by pointer.
fn publish_f(scene: &Scene, directory: &str, text: &str, keep_generations: u32) {
    let store = scene.open();
    let how = DirectoryOptions { keep_generations, ..publish(Publish::Pointer) };
    let mut transaction = store.begin(directory, how).expect("a directory");
    transaction.put("f", text.into()).expect("staged");
    transaction.commit().expect("published");
}

/// The content of a file, through every link.
fn read(scene: &Scene, path: &str) -> Option<String> {
    let ws = scene.fs.open_dir(&scene.fs.root(), "ws").expect("the root of the store");
    let (dir, name) = scene.fs.walk(&ws, path, true).ok()?;
    let file = scene.fs.open_file(&dir, &name).ok()?;
    let bytes = scene.fs.read(&file, 0, 99).expect("a file can be read");
    Some(String::from_utf8(bytes).expect("tests write text"))
}

/// Returns the scene after another program changed its links: each name and its text, or none if it is removed.
fn relinked(scene: &Scene, links: &[(&str, Option<&str>)]) -> Scene {
    let mut tree = scene.fs.tree();
    for (name, text) in links {
        let path = format!("ws/{name}");
        tree = match text {
            Some(text) => tree.symlink(path, text),
            None => tree.remove(path),
        };
    }
    Scene::new(&tree)
}

/// A copy of a link is a directory of its own, however often either of the two is published.
#[test]
fn a_copy_of_a_pointer_is_a_directory_of_its_own() {
    let scene = Scene::new(&tree! { file "ws/site/f" = "0"; });
    publish_f(&scene, "site", "site 1", 2);
    let scene = relinked(&scene, &[("copy", Some(".onionskin/directories/1/1"))]);
    for round in 0..4 {
        publish_f(&scene, "copy", &format!("copy {round}"), 2);
        assert_eq!(read(&scene, "site/f").as_deref(), Some("site 1"), "round {round}");
        assert_eq!(read(&scene, "copy/f"), Some(format!("copy {round}")), "round {round}");
    }
    let scene = relinked(&scene, &[("second", Some(".onionskin/directories/1/1"))]);
    for round in 0..4 {
        publish_f(&scene, "site", &format!("site {round}"), 1);
        assert_eq!(read(&scene, "site/f"), Some(format!("site {round}")), "round {round}");
        assert_eq!(read(&scene, "second/f").as_deref(), Some("site 1"), "round {round}");
        assert_eq!(read(&scene, "copy/f").as_deref(), Some("copy 3"), "round {round}");
    }
}

/// A copy of a link is a link like any other for every other change: by the policy `replace` it becomes a directory, and
/// the original stays.
#[test]
fn a_change_through_a_copy_of_a_pointer_stays_with_the_copy() {
    for (mode, symlinks) in [(Publish::InPlace, Symlinks::Replace), (Publish::Swap, Symlinks::Replace)] {
        let scene = Scene::new(&tree! { file "ws/site/f" = "0"; file "ws/site/g" = "g"; });
        publish_f(&scene, "site", "site 1", 2);
        let scene = relinked(&scene, &[("copy", Some(".onionskin/directories/1/1"))]);
        let store = scene.open();
        let mut transaction = store.begin("copy", DirectoryOptions { symlinks, ..publish(mode) }).expect("a path");
        transaction.put("f", b"copy".to_vec()).expect("staged");
        transaction.commit().expect("published");
        drop(store);
        assert_eq!(read(&scene, "site/f").as_deref(), Some("site 1"), "{mode:?}");
        assert_eq!(read(&scene, "copy/f").as_deref(), Some("copy"), "{mode:?}");
        assert_eq!(read(&scene, "copy/g").as_deref(), Some("g"), "{mode:?}");
    }
    let scene = Scene::new(&tree! { file "ws/site/f" = "0"; });
    publish_f(&scene, "site", "site 1", 2);
    let scene = relinked(&scene, &[("copy", Some(".onionskin/directories/1/1"))]);
    let store = scene.open();
    store.replace("copy/f", b"copy".to_vec(), &WriteOptions::default()).expect("the copy becomes a directory");
    drop(store);
    assert_eq!(read(&scene, "site/f").as_deref(), Some("site 1"));
    assert_eq!(read(&scene, "copy/f").as_deref(), Some("copy"));
}

/// A link that was set back is published again under a number that was never used; what it had shown, and what was
/// newest, stays for one publish more.
#[test]
fn a_pointer_that_was_set_back_is_published_again() {
    let scene = Scene::new(&tree! { dir "ws/site"; });
    for number in 1..=3 {
        publish_f(&scene, "site", &number.to_string(), 3);
    }
    let scene = relinked(&scene, &[("site", Some(".onionskin/directories/1/1"))]);
    publish_f(&scene, "site", "4", 2);
    assert_eq!(read(&scene, "site/f").as_deref(), Some("4"));
    assert_eq!(place_of(&scene, "site"), ".onionskin/directories/1/4");
    for number in 1..=3 {
        let path = format!(".onionskin/directories/1/{number}/f");
        assert_eq!(read(&scene, &path), Some(number.to_string()), "{path}");
    }
    publish_f(&scene, "site", "5", 2);
    let left = scene.fs.tree().below("ws/.onionskin/directories/1").remove("owner");
    assert_eq!(left, tree! { file "4/f" = "4"; file "5/f" = "5"; });
}

fn place_of(scene: &Scene, link: &str) -> String {
    match scene.fs.tree().get(format!("ws/{link}")) {
        Some(Node::Symlink(text)) => text.to_string(),
        other => panic!("{link} is {other:?}"),
    }
}

/// A link that was moved shows what it showed, the next publish through it makes a directory of its own, and so does one
/// through a link whose generation is gone.
#[test]
fn a_pointer_that_was_moved_or_leads_nowhere_is_published_again() {
    let scene = Scene::new(&tree! { file "ws/site/f" = "0"; file "ws/site/g" = "g"; });
    publish_f(&scene, "site", "1", 2);
    let scene = relinked(&scene, &[("site", None), ("moved", Some(".onionskin/directories/1/1"))]);
    publish_f(&scene, "moved", "2", 2);
    assert_eq!((read(&scene, "moved/f"), read(&scene, "moved/g")), (Some("2".to_owned()), Some("g".to_owned())));
    assert_eq!(place_of(&scene, "moved"), ".onionskin/directories/2/1");
    let scene = relinked(&scene, &[("moved", Some(".onionskin/directories/7/1"))]);
    publish_f(&scene, "moved", "3", 2);
    assert_eq!((read(&scene, "moved/f"), read(&scene, "moved/g")), (Some("3".to_owned()), None));
    assert_eq!(place_of(&scene, "moved"), ".onionskin/directories/8/1", "7 may come back from a backup");
}

/// A crash at any step of a publish, and then the link is moved: whatever it shows stays.
#[test]
fn a_pointer_that_is_moved_while_a_change_is_pending_keeps_what_it_shows() {
    for first in [true, false] {
        let mut steps = 0;
        loop {
            let scene = Scene::new(&tree! { file "ws/site/f" = "0"; });
            if !first {
                publish_f(&scene, "site", "1", 2);
            }
            let scene = Scene::new(&scene.fs.tree());
            scene.fs.harm(Fault::sticky(When::Mutation(steps), Harm::Fail(Cause::Io)));
            let store = operations::open(&scene.fs).expect("a clean root");
            let mut transaction = store.begin("site", publish(Publish::Pointer)).expect("a directory");
            let put = transaction.put("f", b"new".to_vec());
            let done = put.and_then(|()| transaction.commit()).is_ok();
            drop(store);
            let tree = scene.fs.tree();
            if let Some(node @ Node::Symlink(text)) = tree.get("ws/site") {
                let moved = Scene::new(&tree.clone().remove("ws/site").with("ws/moved", node.clone()));
                let before = read(&moved, "moved/f");
                let opened = operations::open(&moved.fs);
                assert_eq!(
                    read(&moved, "moved/f"),
                    before,
                    "step {steps}, first {first}, {text}: {opened:?}",
                    opened = opened.err()
                );
                assert!(before.is_some(), "step {steps}, first {first}");
            }
            if done {
                break;
            }
            steps += 1;
        }
        assert!(steps > 10, "only {steps} steps, first {first}");
    }
}

/// How many generations stay can be chosen.
#[test]
fn the_number_of_generations_that_stay_can_be_chosen() {
    for keep in [0, 1, 2, 5, u32::MAX] {
        let scene = Scene::new(&tree! { dir "ws/site"; });
        for number in 1..=8 {
            publish_f(&scene, "site", &number.to_string(), keep);
            let stay = u64::from(keep.clamp(1, 8)).min(number);
            let left = scene.fs.tree().below("ws/.onionskin/directories/1").remove("owner");
            let wanted = (number + 1 - stay..=number)
                .fold(Tree::new(), |tree, number| tree.file(format!("{number}/f"), number.to_string()));
            assert_eq!(left, wanted, "keep {keep}, publish {number}");
        }
    }
}

/// Generations to which no link leads are found by `inspect`, and removed on request alone; the rest stays.
#[test]
fn generations_to_which_no_link_leads_are_found_and_freed() {
    let scene = Scene::new(&tree! { dir "ws/one"; dir "ws/two"; dir "ws/three"; });
    for name in ["one", "two", "three"] {
        publish_f(&scene, name, name, 2);
        publish_f(&scene, name, name, 2);
    }
    let links = [("one", None), ("three", None), ("d/copy", Some("../.onionskin/directories/2/1")), ("two", None)];
    let scene = relinked(&scene, &links);
    let before = scene.fs.tree();
    let found = inspect(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws").expect("it can be read");
    let places = [".onionskin/directories/1", ".onionskin/directories/3"];
    assert_eq!(verdicts(&found), places.map(|place| (Verdict::Clean, place)));
    assert!(found[0].detail.contains("one"), "{found:?}");
    assert_eq!(scene.open().recovered(), []);
    scene.ends_as("opened", &before);
    let freed = scene.open().free_generations().expect("nothing is in the way");
    assert_eq!(verdicts(&freed), places.map(|place| (Verdict::Swept, place)));
    // The last number stays taken.
    let after = before.clone().remove("ws/.onionskin/directories/1");
    let after = after.remove("ws/.onionskin/directories/3/1").remove("ws/.onionskin/directories/3/2");
    scene.ends_as("freed", &after);
    assert_eq!(scene.open().free_generations(), Ok(Vec::new()));
    publish_f(&scene, "new", "new", 2);
    assert_eq!(place_of(&scene, "new"), ".onionskin/directories/4/1");
}
