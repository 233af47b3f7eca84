//! Writes that the grants or the filesystem do not permit are refused with an error that says so.

use onionskin::error::Error;
use onionskin::fs::{Cause, Fs as _};
use onionskin::journal::{Change, Journal, Op};
use onionskin::lock::Ownership;
use onionskin::path::RelPath;
use onionskin::persist::transaction::Transaction;
use onionskin::probe::{Tier, probe};
use onionskin::recover::Verdict;
use onionskin::store::{Preopens, Store};
use onionskin_sim::{SimFs, Tree, operations, tree};

use crate::CALLS;
use crate::support::{Scene, cause, kind, outcome, refused, verdicts};

fn plain() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "ws/file" = "old";
        symlink "ws/link" = "file";
        file "ws/real/f" = "old";
        symlink "ws/linked" = "real";
    }
}

/// Grants `/ws` for reading only.
fn read_only(fs: &SimFs) -> Preopens<SimFs> {
    let mut preopens = operations::preopens(fs);
    let dir = fs.open_dir(&fs.root(), "ws").expect("the root of the store");
    preopens.entries[0].1 = std::rc::Rc::new(dir.read_only());
    preopens
}

/// A root that is granted for reading only can be opened and read; every change fails with `read-only`, and nothing
/// changes.
#[test]
fn a_read_only_grant_refuses_every_change() {
    let mut wrong = Vec::new();
    for (name, call) in CALLS {
        for path in ["link", "linked/f"] {
            // Materializing an independent file needs no change unless its parent is a link.
            let scene = Scene::new(&plain());
            let store = Store::open(scene.fs.clone(), &read_only(&scene.fs), "/ws", &Ownership::Host, false);
            let store = store.expect("nothing is to be recovered");
            assert_eq!(store.fingerprint("file", true).map(|seen| seen.size), Ok(3));
            match call(&store, path) {
                Ok(()) => wrong.push(format!("{name} {path} succeeded")),
                Err(error) if kind(&error) != "read-only" => {
                    wrong.push(format!("{name} {path}: {}: {error}", kind(&error)))
                }
                Err(_) => {}
            }
            drop(store);
            scene.ends_as(&format!("{name} {path}"), &plain());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A filesystem that is mounted read-only refuses every change, and the error names the reason.
#[test]
fn a_read_only_mount_refuses_every_change() {
    for (name, call) in CALLS {
        let scene = Scene::new(&plain());
        scene.fs.set_read_only("ws");
        let store = scene.open();
        let error = call(&store, "link").expect_err("nothing can change");
        let why = (kind(&error), cause(&error));
        let good = matches!(why, ("read-only", _) | ("not-committed", Some(Cause::ReadOnly)));
        assert!(good, "{name}: {why:?}: {error}");
        drop(store);
        scene.ends_as(name, &plain());
    }
}

/// A read-only directory inside the root is refused before the commit point, and named.
#[test]
fn a_read_only_directory_inside_the_root_is_refused() {
    let mut wrong = Vec::new();
    for (name, call) in CALLS.iter().filter(|(name, _)| !name.starts_with("materialize")) {
        let scene = Scene::new(&plain());
        scene.fs.set_read_only("ws/real");
        let store = scene.open();
        match call(&store, "real/f") {
            Ok(()) => wrong.push(format!("{name} succeeded")),
            Err(error) => {
                let why = (kind(&error), cause(&error));
                if !matches!(why, ("read-only", _) | ("not-committed", Some(Cause::ReadOnly))) {
                    wrong.push(format!("{name}: {why:?}: {error}"));
                }
                assert!(error.to_string().contains("real"), "{name}: {error}");
            }
        }
        drop(store);
        let found = scene.fs.tree();
        if found != plain() {
            wrong.push(format!("{name} changed\n{}", plain().diff(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Removals, renames and new directories in it are refused before the commit point as well: the next open finds no
/// remains.
#[test]
fn a_change_of_names_in_a_read_only_directory_is_refused_before_the_commit_point() {
    type Calls = fn(&mut Transaction<SimFs>) -> Result<(), Error>;
    let cases: [(&str, Calls); 3] = [
        ("remove", |t| t.remove("real/f")),
        ("rename", |t| t.rename("real/f", "moved")),
        ("new directory", |t| t.put("real/new/f", b"new".to_vec())),
    ];
    let mut wrong = Vec::new();
    for (context, calls) in cases {
        let scene = Scene::new(&plain());
        scene.fs.set_read_only("ws/real");
        let answer = crate::in_root(&scene.open(), calls);
        let opened = operations::open(&scene.fs).map(|store| store.recovered());
        let good = matches!(answer.as_ref().map_err(kind), Err("read-only" | "not-committed"));
        if !good || opened != Ok(Vec::new()) || scene.fs.tree() != plain() {
            wrong.push(format!("{context}: {answer:?}, then {opened:?}\n{}", plain().diff(&scene.fs.tree())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A read-only root can be opened, with remains that cannot be removed as findings; with a decision that cannot be
/// completed, opening fails with `read-only`.
#[test]
fn a_read_only_root_with_remains_opens_and_one_with_a_decision_does_not() {
    let open = |scene: &Scene| Store::open(scene.fs.clone(), &read_only(&scene.fs), "/ws", &Ownership::Host, false);
    for remains in ["tx-1/0", "file-1", "draft-1"] {
        let tree = plain().file(format!("ws/.onionskin/{remains}"), "x");
        let scene = Scene::new(&tree);
        let found = open(&scene).map(|store| store.recovered()).expect("remains lock nobody out");
        let place = format!(".onionskin/{}", remains.trim_end_matches("/0"));
        assert_eq!(verdicts(&found), [(Verdict::Left, &*place)], "{found:?}");
        scene.ends_as(remains, &tree);
    }
    let ops = vec![Op { path: RelPath::parse("new").expect("a good path"), change: Change::MakeDir }];
    let log = Journal { unsynced: false, kept: false, epoch: 0, transaction: 1, ops }.encode();
    let tree = plain().file("ws/.onionskin/log", log);
    let scene = Scene::new(&tree);
    assert_eq!(outcome(open(&scene).map(drop)), refused("read-only", ".onionskin"));
    scene.ends_as("a decision", &tree);
    let scene = Scene::new(&plain().dir("ws/.onionskin"));
    let open = Store::open(scene.fs.clone(), &read_only(&scene.fs), "/ws", &Ownership::Host, false);
    assert_eq!(open.map(|store| store.recovered()), Ok(Vec::new()));
    scene.ends_as("nothing to recover", &plain().dir("ws/.onionskin"));
}

/// A probe of a read-only root reports `refused` with the reason, and leaves nothing.
#[test]
fn a_probe_of_a_read_only_root_reports_the_reason() {
    let scene = Scene::new(&plain());
    let found = probe(scene.fs.clone(), &read_only(&scene.fs), "/ws").expect("a probe reports, it does not fail");
    assert_eq!((found.tier, found.symlinks, found.hard_links), (Tier::Refused, None, None));
    assert!(found.reason.contains("read"), "{}", found.reason);
    scene.ends_as("a probe", &plain());
    let full = probe(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws").expect("an answer");
    assert_eq!(full.tier, Tier::Durable, "{}", full.reason);
    scene.ends_as("a probe of a read-only root", &plain());
}
