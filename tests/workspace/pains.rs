//! Problems that users of other overlays report, each as a test that it does not occur here. The explorer covers
//! problems with power losses, such as empty files and unsynced directories: see the suite `crash`.

use onionskin::error::{Error, ErrorKind};
use onionskin::fs::Fs as _;
use onionskin::store::Durability;
use onionskin::workspace::glob::Select;
use onionskin::workspace::{Change, CommitOptions, OnConflict, Options, Quota, Workspace};
use onionskin_sim::{Fault, Harm, SimFs, Tree, Verb, When, tree};

use crate::model::Node;
use crate::world::{World, options, plain, shown};

fn kind<T>(answer: Result<T, Error>) -> Option<ErrorKind> {
    answer.err().map(|error| error.kind())
}

fn many(count: usize) -> Tree {
    (0..count).fold(tree! { dir "lower/many"; }, |tree, number| tree.file(format!("lower/many/{number:05}"), "x"))
}

/// "A read-only base changed by a write through a symlinked or hard-linked entry."
#[test]
fn no_write_reaches_an_original_by_a_link() {
    let world = World::new(&tree! {
        file "lower/real/x" = "truth";
        same "lower/twin" = "lower/real/x";
        symlink "lower/linked" = "real";
        symlink "lower/link" = "real/x";
    });
    let before = world.lowers();
    let mut workspace = world.create();
    assert_eq!(kind(workspace.write("linked/x", 0, b"!".to_vec())), Some(ErrorKind::SymlinkRefused));
    assert_eq!(kind(workspace.put("link", b"!".to_vec())), Some(ErrorKind::SymlinkRefused));
    workspace.put("twin", b"mine".to_vec()).expect("a hard link is a file");
    assert_eq!(workspace.read("real/x", 0, 9).expect("its other name"), b"truth");
    assert_eq!(world.lowers(), before);
    assert_eq!(world.fs.intrusions(), []);
}

/// "Deleted files that come back after a remount."
#[test]
fn a_deleted_tree_stays_deleted() {
    let world = World::new(&tree! { file "lower/d/sub/x" = "x"; file "below/d/y" = "y"; file "below/z" = "z"; });
    let mut workspace = world.create();
    assert_eq!(workspace.remove_tree("d").expect("it is there"), 4);
    workspace.remove("z").expect("it is there");
    drop(workspace);
    let mut workspace = world.open();
    assert_eq!(shown(&mut workspace).0.len(), 0);
    assert_eq!(kind(workspace.stat("d/sub/x")), Some(ErrorKind::NotFound));
    workspace.make_directory("d").expect("the name is free");
    assert_eq!(shown(&mut workspace).0.into_iter().collect::<Vec<_>>(), [("d".to_owned(), Node::Directory)]);
}

/// "A directory rename that fails (EXDEV) or loses children."
#[test]
fn a_directory_of_thousands_is_renamed_by_one_record() {
    let world = World::new(&many(2000));
    let mut workspace = world.create();
    let map = |world: &World| world.fs.tree().bytes("upper/.onionskin/workspace/map").expect("a map").len();
    let (length, calls) = (map(&world), world.fs.counts().calls);
    workspace.rename("many", "moved").expect("the new name is free");
    assert!(map(&world) - length < 200, "{} bytes", map(&world) - length);
    assert!(world.fs.counts().calls - calls < 40, "{} calls", world.fs.counts().calls - calls);
    assert_eq!(workspace.list("moved", Some("00997"), 2).expect("a directory")[1].name, "00999");
    assert_eq!(shown(&mut workspace).0.len(), 2001);
}

/// "Opening for write without writing makes a copy."
#[test]
fn only_a_write_copies_and_a_truncation_does_not() {
    // Of a text a merge needs a copy.
    let world = World::new(&tree! { file "lower/large" = vec![0; 4096]; });
    let mut workspace = world.create();
    workspace.read("large", 0, 10).expect("a file");
    workspace.stat("large").expect("a file");
    workspace.write("large", 9, Vec::new()).expect("nothing is written");
    let files = |world: &World| world.fs.tree().below("upper/.onionskin/workspace/files");
    workspace.set_size("large", 0).expect("a file");
    let reads = world.fs.calls().iter().filter(|call| call.verb == Verb::Read).count();
    let bytes: usize = files(&world).iter().filter_map(|(path, _)| files(&world).bytes(path).map(<[u8]>::len)).sum();
    assert_eq!(bytes, 0);
    assert!(reads < 10, "{reads} reads");
    assert_eq!(workspace.stat("large").expect("a file").size, 0);
}

/// "A change summary cut at 60 that hid every deletion", and "a change log that dropped renames".
#[test]
fn changes_are_listed_completely_and_deletions_first() {
    let world = World::new(&many(150).file("lower/d/x", "x").file("lower/same", "same"));
    let mut workspace = world.create();
    workspace.put("added", b"a".to_vec()).expect("a new file");
    workspace.rename("d", "e").expect("a directory");
    workspace.put("e/x", b"changed".to_vec()).expect("a file");
    workspace.put("same", b"same".to_vec()).expect("a file");
    for number in 0..150 {
        workspace.remove(&format!("many/{number:05}")).expect("a file");
    }
    let (mut listed, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = workspace.changes(&Select::default(), after.as_deref(), 60).expect("changes");
        listed.extend(page.changes.into_iter().map(|changed| (changed.path, changed.change)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(listed[..150].iter().all(|(_, change)| *change == Change::Deleted));
    let rest: Vec<_> = listed[150..].iter().map(|(path, change)| (path.as_str(), change.clone())).collect();
    let expected = [("added", Change::Added), ("e", Change::Renamed("d".to_owned())), ("e/x", Change::Modified)];
    assert_eq!(rest, expected);
}

/// "Restore that deleted untracked work."
#[test]
fn a_restore_can_be_undone() {
    let world = World::new(&tree! { file "lower/a" = "a"; });
    let mut workspace = world.create();
    let first = workspace.checkpoint("first").expect("kept");
    workspace.put("work", b"untracked".to_vec()).expect("a new file");
    workspace.write("a", 0, b"A".to_vec()).expect("a file");
    let after = shown(&mut workspace);
    let before = workspace.restore(first).expect("it is kept");
    assert_eq!(shown(&mut workspace), plain(&world.lowers().0));
    workspace.restore(before).expect("it was kept just now");
    assert_eq!(shown(&mut workspace), after);
}

/// "Disk full that truncates": a change fails as a whole, and the workspace can still be discarded.
#[test]
fn a_full_disk_loses_nothing_and_permits_a_discard() {
    let world = World::new(&tree! { file "lower/a" = "original"; });
    let mut workspace = world.create();
    workspace.put("own", b"own".to_vec()).expect("a new file");
    let before = shown(&mut workspace);
    world.fs.harm(Fault::sticky(When::Call(0), Harm::Full));
    assert_eq!(kind(workspace.write("a", 0, b"A".to_vec())), Some(ErrorKind::NotCommitted));
    assert_eq!(kind(workspace.append("own", b"more".to_vec())), Some(ErrorKind::NotCommitted));
    assert_eq!(shown(&mut workspace), before);
    workspace.discard().expect("nothing is written for it");
    assert_eq!(world.fs.tree().below("upper"), Tree::new());
}

/// "Finder and Explorer put their files everywhere": such a file in an upper stops nothing, and stays.
#[test]
fn strays_in_an_upper_stop_nothing() {
    for stray in [".DS_Store", "Thumbs.db", "@eaDir/inside"] {
        let places = ["", ".onionskin/", ".onionskin/workspace/", ".onionskin/workspace/files/"];
        let strays = places.iter().fold(Tree::new(), |tree, place| tree.file(format!("{place}{stray}"), "stray"));
        let mut tree = tree! { file "lower/a" = "original"; };
        for (path, node) in strays.iter() {
            tree = tree.with([b"upper/", path].concat(), node.clone());
        }
        let world = World::new(&tree);
        for round in 0..2 {
            let mut workspace = world.create();
            workspace.put("a", b"changed".to_vec()).expect("a file");
            workspace.checkpoint("kept").expect("there is room");
            drop(workspace);
            let mut workspace = world.open();
            assert_eq!(workspace.read("a", 0, 9).expect("a file"), b"changed", "{stray}, round {round}");
            workspace.discard().expect("nothing is in the way");
            assert_eq!(world.fs.tree().below("upper"), strays, "{stray}, round {round}");
            assert_eq!(kind(world.try_open()), Some(ErrorKind::NotFound), "{stray}, round {round}");
        }
        assert_eq!(world.fs.tree().below("upper"), strays, "{stray}");
    }
}

/// Quotas are checked before any change.
#[test]
fn a_quota_refuses_before_anything_changes() {
    let world = World::new(&tree! { file "lower/a" = "12345678"; });
    drop(world.create());
    let quota = Quota { bytes: Some(10), entries: Some(2) };
    let options = Options { quota, ..options() };
    let mut workspace = Workspace::open(world.fs.clone(), &world.preopens(), &options).expect("it is there");
    workspace.write("a", 0, b"A".to_vec()).expect("eight bytes");
    let before = world.fs.tree();
    assert_eq!(kind(workspace.put("b", b"123".to_vec())), Some(ErrorKind::LimitExceeded));
    assert_eq!(kind(workspace.append("a", b"123".to_vec())), Some(ErrorKind::LimitExceeded));
    assert_eq!(world.fs.tree(), before);
    workspace.make_directory("d").expect("the second entry");
    assert_eq!(kind(workspace.make_directory("e")), Some(ErrorKind::LimitExceeded));
    workspace.remove("a").expect("deleting is always possible");
    workspace.sync().expect("its space is given back");
    workspace.put("b", b"1234567890".to_vec()).expect("there is room again");
}

/// A limit that was set when a workspace was created applies to every later open, until it is changed.
#[test]
fn a_quota_is_remembered() {
    let world = World::new(&tree! { file "lower/a" = "12345678"; });
    let quota = Quota { bytes: Some(10), entries: None };
    let options = Options { quota, ..options() };
    drop(Workspace::create(world.fs.clone(), &world.preopens(), &options).expect("an empty upper"));
    let mut workspace = world.open();
    workspace.put("b", b"12345".to_vec()).expect("five bytes");
    assert_eq!(kind(workspace.write("a", 0, b"A".to_vec())), Some(ErrorKind::LimitExceeded));
    workspace.set_quota(Quota { bytes: Some(13), entries: Some(2) }).expect("another limit");
    drop(workspace);
    let mut workspace = world.open();
    assert_eq!(workspace.quota(), Quota { bytes: Some(13), entries: Some(2) });
    workspace.write("a", 0, b"A".to_vec()).expect("thirteen bytes");
    assert_eq!(kind(workspace.make_directory("d")), Some(ErrorKind::LimitExceeded));
    workspace.set_quota(Quota::default()).expect("no limits");
    drop(workspace);
    world.open().make_directory("d").expect("there are no limits");
}

/// "Orphan temps by the thousand filling disks": the draft of a large file is not visible, counts for the quota, and is
/// removed by the next open.
#[test]
fn an_abandoned_draft_is_invisible_and_removed() {
    let world = World::new(&tree! { file "lower/a" = "a"; });
    let mut workspace = world.create();
    let before = shown(&mut workspace);
    for _ in 0..50 {
        let draft = workspace.draft(None, vec![7; 100]).expect("a draft");
        workspace.draft(Some(draft), vec![8; 100]).expect("more of it");
    }
    assert_eq!(kind(workspace.put_draft(999, "b")), Some(ErrorKind::NotFound));
    assert_eq!(shown(&mut workspace), before);
    drop(workspace);
    let mut workspace = world.open();
    assert_eq!(workspace.recovered().len(), 1, "{:?}", workspace.recovered());
    assert_eq!(shown(&mut workspace), before);
    assert_eq!(world.fs.tree().below("upper/.onionskin/workspace/files"), Tree::new());
    let draft = workspace.draft(None, b"given up".to_vec()).expect("a draft");
    workspace.drop_draft(draft).expect("it is there");
    assert_eq!(world.fs.tree().below("upper/.onionskin/workspace/files"), Tree::new());
}

/// "Everything 0600 or +x lost after an atomic write": an entry that is only moved keeps its inode, and with it mode
/// and owner, in a commit too.
#[test]
fn a_commit_of_a_moved_file_keeps_the_inode() {
    let world = World::new(&tree! { file "lower/tool" = "x"; same "lower/twin" = "lower/tool"; dir "lower/bin"; });
    let mut workspace = world.create();
    workspace.rename("tool", "bin/tool").expect("a file");
    let options = CommitOptions {
        into: "/lower".to_owned(),
        paths: Select::default(),
        durability: Durability::Full,
        conflicts: OnConflict::Fail,
    };
    workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &options).expect("the new name is free");
    let after = tree! { dir "bin"; file "bin/tool" = "x"; same "twin" = "bin/tool"; };
    assert_eq!(world.lowers().0, after);
}

/// Damage to durable content is an error, with everything kept, even if undamaged changes follow it.
#[test]
fn damage_in_the_middle_of_the_map_is_reported() {
    let world = World::new(&tree! { file "lower/a" = "a"; });
    let mut workspace = world.create();
    let map = "upper/.onionskin/workspace/map";
    let length = |world: &World| world.fs.tree().bytes(map).expect("a map").len();
    let start = length(&world);
    workspace.put("first", b"1".to_vec()).expect("a new file");
    workspace.remove("a").expect("a file");
    workspace.sync().expect("durable");
    let durable = length(&world);
    workspace.make_directory("later").expect("a name");
    drop(workspace);
    let bytes = world.fs.tree().bytes(map).expect("a map").to_vec();
    for at in start..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let changed = World::new(&world.fs.tree().file(map, &damaged));
        let before = changed.fs.tree();
        match changed.try_open() {
            Err(error) => {
                assert!(at < durable, "byte {at} was not durable");
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert_eq!(changed.fs.tree(), before, "everything is kept");
            }
            Ok(mut workspace) => {
                // The last durable record says that everything before it is durable.
                assert!(at + 37 >= durable, "byte {at} was durable");
                assert_eq!(kind(workspace.stat("later")), Some(ErrorKind::NotFound));
                assert_eq!(workspace.read("first", 0, 9).expect("it was synced"), b"1");
                assert_eq!(kind(workspace.stat("a")), Some(ErrorKind::NotFound));
            }
        }
    }
}

/// Opening does not read the lower directories, whatever their size.
#[test]
fn opening_does_not_depend_on_the_lowers() {
    let calls = |tree: &Tree| {
        let world = World::new(tree);
        let mut workspace = world.create();
        workspace.rename("many", "moved").expect("a directory");
        drop(workspace);
        let before = world.fs.counts().calls;
        drop(world.open());
        world.fs.counts().calls - before
    };
    assert_eq!(calls(&many(1)), calls(&many(500)));
}

/// A workspace belongs to its lower directories, and records its format.
#[test]
fn other_lowers_and_unknown_formats_are_refused() {
    let world = World::new(&tree! { file "lower/a" = "a"; });
    let mut workspace = world.create();
    workspace.put("own", b"own".to_vec()).expect("a new file");
    drop(workspace);
    let listed = onionskin::workspace::describe(world.fs.clone(), &world.preopens(), "/upper");
    assert_eq!(listed.expect("it can be described"), ["/lower", "/below"]);
    let open = |lowers: &[&str], moved| {
        let lowers = lowers.iter().map(ToString::to_string).collect();
        Workspace::open(world.fs.clone(), &world.preopens(), &Options { lowers, moved, ..options() }).map(drop)
    };
    open(&[], false).expect("it remembers them");
    assert_eq!(kind(open(&["/below", "/lower"], false)), Some(ErrorKind::PreconditionFailed));
    assert_eq!(kind(open(&["/lower"], false)), Some(ErrorKind::PreconditionFailed));
    open(&["/below", "/lower"], true).expect("on request");
    let map = "upper/.onionskin/workspace/map";
    let bytes = world.fs.tree().bytes(map).expect("a map").to_vec();
    let mut unknown = bytes.clone();
    unknown[8] = 9;
    let changed = World::new(&world.fs.tree().file(map, &unknown));
    let before = changed.fs.tree();
    assert_eq!(kind(changed.try_open()), Some(ErrorKind::Corrupt));
    assert_eq!(changed.fs.tree(), before, "everything is kept");
    let missing = World::new(&world.fs.tree().remove(map));
    let before = missing.fs.tree();
    assert_eq!(kind(missing.try_open()), Some(ErrorKind::Corrupt));
    assert_eq!(missing.fs.tree(), before, "content without a map is kept");
}

/// Content that two workspaces share by link is copied by the first of them to write.
#[test]
fn a_fork_and_its_origin_do_not_see_each_other() {
    let world = World::new(&tree! { file "lower/a" = "a"; });
    let mut workspace = world.create();
    workspace.put("own", b"shared".to_vec()).expect("a new file");
    let options = Options { upper: "/fork".to_owned(), ..options() };
    let mut fork = workspace.fork(world.fs.clone(), &world.preopens(), &options).expect("an empty directory");
    workspace.write("own", 0, b"S".to_vec()).expect("a file");
    assert_eq!(fork.read("own", 0, 9).expect("a file"), b"shared");
    fork.write("own", 0, b"F".to_vec()).expect("a file");
    assert_eq!(workspace.read("own", 0, 9).expect("a file"), b"Shared");
    assert_eq!(world.fs.intrusions(), []);
}

/// Where the lower changed under an unmodified path the new content is visible.
#[test]
fn changes_of_a_lower_are_visible_at_unmodified_paths() {
    let world = World::new(&tree! { file "lower/a" = "a"; file "lower/d/b" = "b"; });
    let mut workspace = world.create();
    workspace.put("d/own", b"own".to_vec()).expect("a new file");
    write_outside(&world.fs, "lower/a", b"another");
    assert_eq!(workspace.read("a", 0, 9).expect("a file"), b"another");
    world.empty("lower");
    assert_eq!(shown(&mut workspace).0.keys().collect::<Vec<_>>(), ["d", "d/own"]);
}

/// Replaces a file as another program would.
pub(crate) fn write_outside(fs: &SimFs, path: &str, bytes: &[u8]) {
    let (dir, name) = fs.walk(&fs.root(), path, false).expect("its directory is there");
    fs.remove_file(&dir, &name).expect("it is there");
    let file = fs.create_file(&dir, &name).expect("the name is free");
    fs.write(&file, 0, bytes).expect("there is room");
}

/// Found by random operations: a file that was moved back to its path, after the directory around it had been moved
/// away, was missing in the list of changes.
#[test]
fn a_file_moved_back_into_a_new_directory_is_listed() {
    let world = World::new(&tree! { file "lower/a/x" = "x"; file "lower/a/y" = "y"; });
    let mut workspace = world.create();
    workspace.rename("a", "b").expect("a directory");
    workspace.make_directory("a").expect("the name is free");
    workspace.rename("b/x", "a/x").expect("a file");
    let listed = workspace.changes(&Select::default(), None, 9).expect("listed").changes;
    let listed: Vec<_> = listed.into_iter().map(|changed| (changed.path, changed.change)).collect();
    let renamed = |source: &str| Change::Renamed(source.to_owned());
    // The lower has `a` and `a/x` already.
    let expected = [("b", Change::Added), ("b/y", renamed("a/y"))];
    assert_eq!(listed, expected.map(|(path, change)| (path.to_owned(), change)));
}
