//! Changes are committed to the topmost lower as a whole or not at all, and never overwrite a change made underneath
//! without being asked to.

use onionskin::error::ErrorKind;
use onionskin::fs::{Fs as _, Kind};
use onionskin::store::Durability;
use onionskin::workspace::glob::Select;
use onionskin::workspace::{Change, CommitOptions, OnConflict, Options, Reason, Replaced, Role, Workspace};
use onionskin_sim::{SimFs, Tree, tree};

use crate::pains::write_outside;
use crate::world::{World, options, plain, shown};

fn choice(only: &[&str], except: &[&str], conflicts: OnConflict) -> CommitOptions {
    let list = |globs: &[&str]| globs.iter().map(ToString::to_string).collect();
    CommitOptions {
        into: "/lower".to_owned(),
        paths: Select { only: list(only), except: list(except) },
        durability: Durability::Full,
        conflicts,
    }
}

fn originals() -> Tree {
    tree! { file "lower/a" = "a"; file "lower/b" = "b"; file "lower/d/x" = "x"; file "below/a" = "hidden"; }
}

#[test]
fn a_conflict_changes_nothing_unless_one_side_is_chosen() {
    for (conflicts, expected) in
        [(OnConflict::Fail, None), (OnConflict::Ours, Some("mine")), (OnConflict::Theirs, Some("theirs"))]
    {
        let world = World::new(&originals());
        let mut workspace = world.create();
        workspace.put("a", b"mine".to_vec()).expect("a file");
        workspace.put("b", b"other".to_vec()).expect("a file");
        write_outside(&world.fs, "lower/a", b"theirs");
        let before = world.lowers();
        assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["a"]);
        let answer = workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &choice(&[], &[], conflicts));
        let Some(content) = expected else {
            let error = answer.expect_err("it is in conflict");
            assert_eq!((error.kind(), error.subject()), (ErrorKind::Conflicts, "a"));
            assert_eq!(world.lowers(), before);
            assert_eq!(workspace.read("a", 0, 9).expect("a file"), b"mine");
            continue;
        };
        answer.expect("a side was chosen");
        assert_eq!(world.lowers().0.bytes("a"), Some(content.as_bytes()));
        assert_eq!(world.lowers().0.bytes("b"), Some(&b"other"[..]));
        assert_eq!(workspace.read("a", 0, 9).expect("a file"), content.as_bytes());
        assert!(workspace.changes(&Select::default(), None, 9).expect("changes can be listed").changes.is_empty());
    }
}

#[test]
fn a_part_is_committed_and_the_rest_stays() {
    let world = World::new(&originals());
    let mut workspace = world.create();
    workspace.put("a", b"new a".to_vec()).expect("a file");
    workspace.put("b", b"new b".to_vec()).expect("a file");
    workspace.rename("d", "e").expect("a directory");
    workspace.put("n/o", Vec::new()).expect_err("its directory is missing");
    let all = shown(&mut workspace);
    let receipt =
        workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &choice(&["a", "e"], &[], OnConflict::Fail));
    receipt.expect("there is no conflict");
    let after = tree! { file "a" = "new a"; file "b" = "b"; file "e/x" = "x"; };
    assert_eq!(world.lowers().0, after);
    assert_eq!(shown(&mut workspace), all);
    let rest = workspace.changes(&Select::default(), None, 9).expect("changes can be listed").changes;
    assert_eq!(rest.iter().map(|changed| changed.path.as_str()).collect::<Vec<_>>(), ["b"]);
    let receipt =
        workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &choice(&[], &["*"], OnConflict::Fail));
    assert_eq!(receipt.expect("nothing is chosen").applied, 0);
    drop(workspace);
    assert_eq!(shown(&mut world.open()), all);
}

#[test]
fn only_the_topmost_lower_takes_a_commit() {
    let world = World::new(&originals());
    let mut workspace = world.create();
    workspace.remove("a").expect("a file");
    let into = |into: &str| CommitOptions { into: into.to_owned(), ..choice(&[], &[], OnConflict::Fail) };
    for other in ["/below", "/out"] {
        let answer = workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &into(other));
        assert_eq!(answer.expect_err("it is not that").kind(), ErrorKind::InvalidArgument);
    }
    workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &into("/lower")).expect("the right one");
    assert!(world.lowers().0.get("a").is_none());
    assert_eq!(workspace.stat("a").expect_err("what is below stays hidden").kind(), ErrorKind::NotFound);
    assert!(plain(&world.lowers().1).0.contains_key("a"));
}

/// A commit moves content that only this workspace has, and copies content that a checkpoint or a fork shares.
#[test]
fn a_commit_moves_only_unshared_content() {
    let world = World::new(&tree! { file "lower/own" = "original"; });
    let mut workspace = world.create();
    workspace.put("forked", b"forked".to_vec()).expect("a new file");
    let elsewhere = Options { upper: "/fork".to_owned(), ..options() };
    let fork = workspace.fork(world.fs.clone(), &world.preopens(), &elsewhere).expect("an empty directory");
    workspace.put("kept", b"kept".to_vec()).expect("a new file");
    workspace.checkpoint("").expect("there is room");
    workspace.put("own", b"own".to_vec()).expect("a file");
    let identities = |directory: &str| -> Vec<(String, u128)> {
        let (dir, name) = world.fs.walk(&world.fs.root(), directory, false).expect("its parent is there");
        let dir = world.fs.open_dir(&dir, &name).expect("a directory");
        let files =
            world.fs.list(&dir).expect("changes can be listed").into_iter().filter(|(_, kind)| *kind == Kind::File);
        files.map(|(name, _)| (name.clone(), world.fs.identity_of(&dir, &name).expect("a file"))).collect()
    };
    let before = identities("upper/.onionskin/workspace/files");
    let choice = choice(&[], &[], OnConflict::Fail);
    workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &choice).expect("no conflicts");
    let given =
        |(name, identity): &(String, u128)| before.iter().any(|(_, known)| known == identity).then(|| name.clone());
    let lower = identities("lower");
    assert_eq!(lower.iter().filter_map(given).collect::<Vec<_>>(), ["own"]);
    assert_eq!(lower.len(), 3);
    drop(fork);
    assert_eq!(world.fs.intrusions(), []);
}

/// Commits the chosen paths of a workspace, and returns the topmost lower.
fn committed(world: &World, workspace: &mut Workspace<SimFs>, only: &[&str], except: &[&str]) -> Tree {
    let choice = choice(only, except, OnConflict::Fail);
    workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &choice).expect("there is no conflict");
    world.lowers().0
}

fn listed(workspace: &mut Workspace<SimFs>, only: &[&str], except: &[&str]) -> Vec<(String, Change, Role)> {
    let paths = choice(only, except, OnConflict::Fail).paths;
    let page = workspace.changes(&paths, None, 99).expect("changes can be listed");
    page.changes.into_iter().map(|changed| (changed.path, changed.change, changed.role)).collect()
}

/// An excepted file in a new directory stays, and the directory comes along with the others.
#[test]
fn an_excepted_file_in_a_new_directory_stays() {
    let world = World::new(&Tree::new());
    let mut workspace = world.create();
    workspace.make_directory("new").expect("the name is free");
    workspace.put("new/secret.env", b"s".to_vec()).expect("a new file");
    workspace.put("new/code.rs", b"c".to_vec()).expect("a new file");
    let all = shown(&mut workspace);
    assert_eq!(
        listed(&mut workspace, &["new/code.rs"], &[]),
        [("new".to_owned(), Change::Added, Role::Along), ("new/code.rs".to_owned(), Change::Added, Role::Chosen)]
    );
    assert_eq!(committed(&world, &mut workspace, &[], &["**/*.env"]), tree! { file "new/code.rs" = "c"; });
    assert_eq!(shown(&mut workspace), all);
    drop(workspace);
    let mut workspace = world.open();
    assert_eq!(listed(&mut workspace, &[], &[]), [("new/secret.env".to_owned(), Change::Added, Role::Chosen)]);
}

/// A directory that is made anew, or deleted, keeps what is excepted, and says that it stays.
#[test]
fn an_excepted_file_keeps_its_directory() {
    let world = World::new(&tree! { file "lower/d/keep" = "k"; file "lower/d/go" = "g"; });
    let mut workspace = world.create();
    workspace.remove_tree("d").expect("a directory");
    assert_eq!(
        listed(&mut workspace, &[], &["d/keep"]),
        [
            ("d".to_owned(), Change::Deleted, Role::Stays(Reason::Excepted)),
            ("d/go".to_owned(), Change::Deleted, Role::Chosen)
        ]
    );
    assert_eq!(committed(&world, &mut workspace, &[], &["d/keep"]), tree! { file "d/keep" = "k"; });
    workspace.stat("d").expect_err("it is deleted in the workspace");
    workspace.make_directory("d").expect("the name is free");
    assert_eq!(committed(&world, &mut workspace, &[], &["d/keep"]), tree! { file "d/keep" = "k"; });
    assert_eq!(workspace.list("d", None, 9).expect("a directory"), []);
    assert_eq!(committed(&world, &mut workspace, &[], &[]), tree! { dir "d"; });
}

/// The other end of a rename comes along; what else was in its directory does not.
#[test]
fn a_renamed_file_takes_only_its_other_end_along() {
    let world = World::new(&tree! { file "lower/a/f" = "1"; file "lower/a/g" = "2"; });
    let mut workspace = world.create();
    workspace.rename("a/f", "f").expect("a file");
    workspace.remove_tree("a").expect("a directory");
    let renamed = ("f".to_owned(), Change::Renamed("a/f".to_owned()), Role::Chosen);
    for end in ["f", "a/f"] {
        assert_eq!(listed(&mut workspace, &[end], &[]), std::slice::from_ref(&renamed));
    }
    assert_eq!(committed(&world, &mut workspace, &["f"], &[]), tree! { file "f" = "1"; file "a/g" = "2"; });
    assert_eq!(listed(&mut workspace, &[], &[]), [("a".to_owned(), Change::Deleted, Role::Chosen)]);
    assert_eq!(committed(&world, &mut workspace, &[], &[]), tree! { file "f" = "1"; });
}

/// Part of a moved directory: what is excepted stays at its former path in the lower, and moved in the workspace.
#[test]
fn a_part_of_a_moved_directory_is_committed() {
    let world = World::new(&tree! { file "lower/d/x" = "x"; file "lower/d/y" = "y"; });
    let mut workspace = world.create();
    workspace.rename("d", "e").expect("a directory");
    let all = shown(&mut workspace);
    let after = committed(&world, &mut workspace, &[], &["e/x"]);
    assert_eq!(after, tree! { file "d/x" = "x"; file "e/y" = "y"; });
    assert_eq!(shown(&mut workspace), all);
    assert_eq!(committed(&world, &mut workspace, &[], &[]), tree! { file "e/x" = "x"; file "e/y" = "y"; });
}

/// Whoever changed `d/new` has seen that `d` is a directory.
#[test]
fn an_entry_in_the_place_of_a_directory_with_changes_is_a_conflict() {
    for (act, theirs) in [("file", tree! { file "d" = "precious"; }), ("nothing", Tree::new())] {
        let world = World::new(&tree! { dir "lower/d"; });
        let mut workspace = world.create();
        workspace.put("d/new", b"n".to_vec()).expect("a new file");
        world.empty("lower");
        if act == "file" {
            let (dir, name) = world.fs.walk(&world.fs.root(), "lower/d", false).expect("its directory is there");
            let file = world.fs.create_file(&dir, &name).expect("the name is free");
            world.fs.write(&file, 0, b"precious").expect("there is room");
        }
        assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["d"], "{act}");
        let choice = |conflicts| choice(&[], &[], conflicts);
        let preopens = world.preopens_to_commit();
        let answer = workspace.commit(world.fs.clone(), &preopens, &choice(OnConflict::Fail));
        assert_eq!(answer.expect_err("it is in conflict").kind(), ErrorKind::Conflicts);
        assert_eq!(world.lowers().0, theirs);
        workspace.commit(world.fs.clone(), &preopens, &choice(OnConflict::Theirs)).expect("a side was chosen");
        assert_eq!(world.lowers().0, theirs);
        assert_eq!(listed(&mut workspace, &[], &[]), []);
    }
}

/// The entry that a rename writes over is shown.
#[test]
fn a_review_shows_what_is_written_over() {
    let world = World::new(&tree! { file "lower/draft" = "d"; file "lower/final" = "precious"; });
    let mut workspace = world.create();
    workspace.rename("draft", "final").expect("a file");
    let changes = workspace.changes(&Select::default(), None, 9).expect("listed").changes;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].replaced, Some(Replaced { kind: Kind::File, size: 8 }));
}

/// What both sides did alike is no conflict, and no change any more.
#[test]
fn an_equal_change_on_both_sides_vanishes() {
    let world = World::new(&originals());
    let mut workspace = world.create();
    workspace.put("a", b"same".to_vec()).expect("a file");
    workspace.remove("b").expect("a file");
    write_outside(&world.fs, "lower/a", b"same");
    let (dir, name) = world.fs.walk(&world.fs.root(), "lower/b", false).expect("its directory is there");
    world.fs.remove_file(&dir, &name).expect("it is there");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
    assert_eq!(listed(&mut workspace, &[], &[]), []);
}

/// A checkpoint shows what it showed, whatever was committed since: as changes against the lower as it is now.
#[test]
fn a_checkpoint_comes_back_after_a_commit() {
    let world = World::new(&tree! { file "lower/a" = "v0"; file "lower/d/x" = "x"; symlink "lower/l" = "a"; });
    let mut workspace = world.create();
    workspace.rename("d/x", "d/y").expect("a file");
    let kept = shown(&mut workspace);
    let number = workspace.checkpoint("before").expect("there is room");
    workspace.put("a", b"v1".to_vec()).expect("a file");
    workspace.rename("d", "e").expect("a directory");
    workspace.put("e/new", b"new".to_vec()).expect("a new file");
    workspace.remove("l").expect("a link");
    committed(&world, &mut workspace, &[], &[]);
    workspace.restore(number).expect("all can come back");
    assert_eq!(shown(&mut workspace), kept);
    drop(workspace);
    let mut workspace = world.open();
    assert_eq!(shown(&mut workspace), kept);
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
    let after = committed(&world, &mut workspace, &[], &[]);
    assert_eq!(after, tree! { file "a" = "v0"; file "d/y" = "x"; symlink "l" = "a"; });
    for kept in workspace.checkpoints().expect("they can be listed") {
        workspace.drop_checkpoint(kept.number).expect("it is there");
    }
    assert_eq!(world.fs.tree().below("upper/.onionskin/workspace/files"), Tree::new(), "nothing is kept any more");
}

/// What an export cannot carry is listed with the reason, and left out by the caller; it stops nothing else.
#[test]
fn what_cannot_be_exported_is_listed_and_left_out() {
    let world = World::new(&Tree::new().file("lower/d/x", "1").other("lower/d/ipc"));
    let mut workspace = world.create();
    workspace.put("d/x", b"2".to_vec()).expect("a file");
    let left = workspace.left_out().expect("they can be listed");
    assert_eq!(
        left.iter().map(|left| (left.path.as_str(), left.reason)).collect::<Vec<_>>(),
        [("d/ipc", Reason::Special)]
    );
    let preopens = world.preopens();
    let export = |workspace: &mut Workspace<SimFs>, without: &[String]| {
        workspace.export(world.fs.clone(), &preopens, "/out", without, Durability::Full).map(drop)
    };
    export(&mut workspace, &[]).expect_err("a socket cannot be carried");
    assert_eq!(world.fs.tree().below("out").without(|path| path.ends_with(".onionskin")), Tree::new());
    export(&mut workspace, &["d/ipc".to_owned()]).expect("the rest can");
    assert_eq!(world.fs.tree().below("out").without(|path| path.ends_with(".onionskin")), tree! { file "d/x" = "2"; });
}

/// A name that is not UTF-8 keeps its own directory where it is, aloud, and stops nothing else.
#[test]
fn a_name_that_is_not_text_stops_nothing_else() {
    let bad = |directory: &str| [directory.as_bytes(), b"/bad\xff"].concat();
    let lowers = tree! {
        file "lower/d/x" = "x";
        file "lower/d/deep/z" = "z";
        file "lower/a" = "a";
        file "lower/gone/y" = "y";
    };
    let world = World::new(&lowers.clone().file(bad("lower/d/deep"), "bad"));
    let mut workspace = world.create();
    workspace.put("a", b"mine".to_vec()).expect("a file");
    workspace.rename("d", "moved").expect("a directory");
    workspace.remove_tree("gone").expect("a directory");
    write_outside(&world.fs, "lower/gone/y", b"changed since");
    let listed = listed(&mut workspace, &[], &[]);
    let stays = Role::Stays(Reason::IllegalName);
    let find = |path: &str| listed.iter().find(|(known, ..)| known == path).map(|(_, _, role)| *role);
    assert_eq!((find("a"), find("moved")), (Some(Role::Chosen), Some(stays)), "{listed:?}");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["gone"]);
    let how = choice(&[], &["gone"], OnConflict::Fail);
    workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &how).expect("the rest is carried out");
    let tree = world.fs.tree().below("lower").without(|path| path.ends_with(".onionskin"));
    let expected = lowers.below("lower").file("a", "mine").file(bad("d/deep"), "bad").file("gone/y", "changed since");
    assert_eq!(tree, expected);
    for path in ["moved/x", "moved/deep/z"] {
        assert_eq!(workspace.stat(path).expect("it stays in the workspace").size, 1);
    }
}
