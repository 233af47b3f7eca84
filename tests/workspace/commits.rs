//! Changes are committed to the topmost lower as a whole or not at all, and never overwrite a change made underneath
//! without being asked to.

use onionskin::error::ErrorKind;
use onionskin::fs::{Fs as _, Kind};
use onionskin::store::Durability;
use onionskin::workspace::glob::Select;
use onionskin::workspace::{CommitOptions, OnConflict, Options};
use onionskin_sim::{Tree, tree};

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
