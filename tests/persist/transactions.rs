//! A transaction applies its calls in each publish mode, and the last call on a path wins.

use onionskin::error::Error;
use onionskin::persist::transaction::{DirectoryOptions, Publish, Transaction};
use onionskin::store::{Durability, Store};
use onionskin_sim::{SimFs, Switches, Tree, tree};

use crate::support::{DATABASE, Outcome, PUBLISH, Scene, WAL, outcome, publish, receipt, refused};

/// The directory `d`, and entries beside it that no transaction touches.
fn before() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "ws/beside" = "not part of it";
        file "ws/d/a" = "A";
        file "ws/d/b" = "B";
        file "ws/d/sub/c" = "C";
        file "ws/d/sub/deep/kept" = "K";
        symlink "ws/d/link" = "a";
    }
}

type Calls = fn(&mut Transaction<SimFs>) -> Result<(), Error>;

/// Runs the calls and the commit in every mode, and asserts the resulting directory.
#[track_caller]
fn check(context: &str, before: &Tree, calls: Calls, expected: &Outcome<(u64, u64)>, after: &Tree) {
    for mode in PUBLISH {
        let context = format!("{context}, {mode:?}");
        let scene = Scene::new(before);
        let store = scene.open();
        let answer = run(&store, mode, calls);
        drop(store);
        let words = answer.as_ref().err().map(ToString::to_string);
        assert_eq!(&outcome(answer), expected, "{context}: outcome of the calls, message: {words:?}");
        if mode == Publish::Pointer && expected.is_ok() {
            assert!(scene.fs.tree().get("ws/d").is_some_and(|node| matches!(node, onionskin_sim::Node::Symlink(_))));
            let shown = scene.fs.tree().below("ws/.onionskin/directories/1/1");
            let wanted = after.below("ws/d");
            assert!(shown == wanted, "{context}: - is expected, + is found\n{}", wanted.diff(&shown));
            let around = |tree: &Tree| tree.without(|path| path == "ws/d" || path == "ws/.onionskin");
            assert_eq!(around(&scene.fs.tree()), around(after), "{context}: around the directory");
            assert_eq!(scene.fs.intrusions(), [], "{context}");
        } else {
            scene.ends_as(&context, after);
        }
        let again = scene.open();
        assert_eq!(again.recovered(), [], "{context}: nothing is left to recover");
    }
}

fn run(store: &Store<SimFs>, mode: Publish, calls: Calls) -> Result<(u64, u64), Error> {
    let mut transaction = store.begin("d", publish(mode))?;
    calls(&mut transaction)?;
    let done = transaction.commit()?;
    assert_eq!(done.achieved, Durability::Full, "{mode:?}");
    Ok((done.applied, done.bytes))
}

/// Put, append, put from a file, remove and rename, alone and combined.
#[test]
fn each_call_has_its_documented_effect() {
    let put: Calls = |t| t.put("a", b"new".to_vec());
    check("put", &before(), put, &Ok((1, 3)), &before().file("ws/d/a", "new"));
    let append: Calls = |t| {
        t.put("big", b"one ".to_vec())?;
        t.append("big", b"two ".to_vec())?;
        t.append("big", Vec::new())?;
        t.append("big", b"three".to_vec())
    };
    check("append", &before(), append, &Ok((1, 13)), &before().file("ws/d/big", "one two three"));
    let put_file: Calls = |t| t.put_file("b", "/lower/original");
    check("put_file", &before(), put_file, &Ok((1, 12)), &before().file("ws/d/b", "ground truth"));
    let put_file_and_append: Calls = |t| {
        t.put_file("b", "/lower/original")?;
        t.append("b", b"!".to_vec())
    };
    check("put_file, append", &before(), put_file_and_append, &Ok((1, 13)), &before().file("ws/d/b", "ground truth!"));
    let remove: Calls = |t| t.remove("sub/c");
    check("remove", &before(), remove, &Ok((1, 0)), &before().remove("ws/d/sub/c"));
    let remove_link: Calls = |t| t.remove("link");
    check("remove a link", &before(), remove_link, &Ok((1, 0)), &before().remove("ws/d/link"));
    let rename: Calls = |t| t.rename("a", "renamed");
    check("rename", &before(), rename, &Ok((2, 0)), &before().remove("ws/d/a").file("ws/d/renamed", "A"));
    let over: Calls = |t| t.rename("a", "b");
    check("rename over", &before(), over, &Ok((2, 0)), &before().remove("ws/d/a").file("ws/d/b", "A"));
    let empty: Calls = |t| t.put("a", Vec::new());
    check("empty file", &before(), empty, &Ok((1, 0)), &before().file("ws/d/a", ""));
}

/// Missing directories are created at any depth as files need them, and a directory that would get no file is not
/// created.
#[test]
fn missing_directories_are_created() {
    let calls: Calls = |t| {
        t.put("x/y/z/one", b"1".to_vec())?;
        t.put("x/two", b"2".to_vec())?;
        t.put("sub/new/three", b"3".to_vec())
    };
    let after = before().file("ws/d/x/y/z/one", "1").file("ws/d/x/two", "2").file("ws/d/sub/new/three", "3");
    check("nested", &before(), calls, &Ok((3, 3)), &after);
    let calls: Calls = |t| {
        t.put("x/y", b"1".to_vec())?;
        t.remove("x/y")?;
        t.put("a", b"2".to_vec())
    };
    check("taken back", &before(), calls, &Ok((1, 3 - 1)), &before().file("ws/d/a", "2"));
}

/// The last call on a path wins: earlier calls on it leave no trace.
#[test]
fn the_last_call_on_a_path_wins() {
    let put_twice: Calls = |t| {
        t.put("a", b"first".to_vec())?;
        t.put("b", b"other".to_vec())?;
        t.put("a", b"last".to_vec())
    };
    let after = before().file("ws/d/a", "last").file("ws/d/b", "other");
    check("put, put", &before(), put_twice, &Ok((2, 14)), &after);
    let put_remove: Calls = |t| {
        t.put("a", b"first".to_vec())?;
        t.remove("a")
    };
    check("put, remove", &before(), put_remove, &Ok((1, 5)), &before().remove("ws/d/a"));
    let remove_put: Calls = |t| {
        t.remove("a")?;
        t.put("a", b"last".to_vec())
    };
    check("remove, put", &before(), remove_put, &Ok((1, 4)), &before().file("ws/d/a", "last"));
    let put_rename: Calls = |t| {
        t.put("fresh", b"1".to_vec())?;
        t.append("fresh", b"2".to_vec())?;
        t.rename("fresh", "b")
    };
    check("put, rename", &before(), put_rename, &Ok((1, 2)), &before().file("ws/d/b", "12"));
    let rename_put: Calls = |t| {
        t.rename("a", "moved")?;
        t.put("a", b"new".to_vec())
    };
    let after = before().file("ws/d/moved", "A").file("ws/d/a", "new");
    check("rename, put", &before(), rename_put, &Ok((2, 3)), &after);
    let exchange: Calls = |t| {
        t.rename("a", "t")?;
        t.rename("b", "a")?;
        t.rename("t", "b")
    };
    check("exchange", &before(), exchange, &Ok((2, 0)), &before().file("ws/d/a", "B").file("ws/d/b", "A"));
    let there_and_back: Calls = |t| {
        t.rename("a", "t")?;
        t.rename("t", "a")
    };
    check("there and back", &before(), there_and_back, &Ok((1, 0)), &before());
    let onto_itself: Calls = |t| {
        t.put("b", b"new".to_vec())?;
        t.rename("b", "b")
    };
    check("onto itself", &before(), onto_itself, &Ok((1, 3)), &before().file("ws/d/b", "new"));
}

/// A file may become a directory; a renamed file may move below its own former name.
#[test]
fn a_file_becomes_a_directory() {
    let calls: Calls = |t| {
        t.remove("a")?;
        t.put("a/inside", b"1".to_vec())?;
        t.put("a/below/it", b"2".to_vec())
    };
    let after = before().remove("ws/d/a").file("ws/d/a/inside", "1").file("ws/d/a/below/it", "2");
    check("remove, put below", &before(), calls, &Ok((3, 2)), &after);
    let calls: Calls = |t| t.rename("a", "a/was");
    check("rename below itself", &before(), calls, &Ok((2, 0)), &before().remove("ws/d/a").file("ws/d/a/was", "A"));
}

/// A removed link is gone: a directory may take its place, and its target, whether file, directory or nothing, is
/// neither copied nor in the way.
#[test]
fn a_removed_link_gives_way_to_a_directory() {
    let calls: Calls = |t| {
        t.remove("link")?;
        t.put("link/inside", b"1".to_vec())
    };
    for target in ["a", "sub", "nowhere", "/lower/original", "../../lower"] {
        let tree = before().symlink("ws/d/link", target);
        let after = before().remove("ws/d/link").file("ws/d/link/inside", "1");
        check(&format!("a link to {target}"), &tree, calls, &Ok((2, 1)), &after);
    }
}

/// Of two names of one inode, one may be renamed over the other, and one name is left.
#[test]
fn a_name_is_renamed_over_another_name_of_its_file() {
    let tree = before().same("ws/d/twin", "ws/d/a");
    let calls: Calls = |t| t.rename("a", "twin");
    check("rename over twin", &tree, calls, &Ok((2, 0)), &before().remove("ws/d/a").file("ws/d/twin", "A"));
}

/// A put on a link to a file inside the directory replaces the link and leaves the file.
#[test]
fn a_put_on_a_link_replaces_the_link() {
    let calls: Calls = |t| t.put("link", b"new".to_vec());
    check("put on a link", &before(), calls, &Ok((1, 3)), &before().file("ws/d/link", "new"));
}

/// Impossible calls are refused with the path, relative to the root, and change nothing.
#[test]
fn impossible_calls_are_refused_and_named() {
    let cases: [(&str, Calls, Outcome<_>); 12] = [
        ("remove what is not there", |t| t.remove("none"), refused("not-found", "d/none")),
        ("remove below what is not there", |t| t.remove("none/x"), refused("not-found", "d/none/x")),
        ("remove a directory", |t| t.remove("sub"), refused("is-directory", "d/sub")),
        ("rename what is not there", |t| t.rename("none", "x"), refused("not-found", "d/none")),
        ("rename a directory", |t| t.rename("sub", "x"), refused("is-directory", "d/sub")),
        ("rename onto a directory", |t| t.rename("a", "sub"), refused("is-directory", "d/sub")),
        ("put on a directory", |t| t.put("sub", b"1".to_vec()), refused("is-directory", "d/sub")),
        ("put below a file", |t| t.put("a/x", b"1".to_vec()), refused("not-directory", "d/a")),
        ("remove twice", |t| t.remove("a").and_then(|()| t.remove("a")), refused("not-found", "d/a")),
        ("rename what was removed", |t| t.remove("a").and_then(|()| t.rename("a", "x")), refused("not-found", "d/a")),
        (
            "append to another",
            |t| t.put("a", vec![1]).and_then(|()| t.append("b", vec![2])),
            refused("invalid-argument", "d/b"),
        ),
        ("append to nothing", |t| t.append("a", vec![2]), refused("invalid-argument", "d/a")),
    ];
    let mut wrong = Vec::new();
    for (context, calls, expected) in cases {
        for mode in PUBLISH {
            let scene = Scene::new(&before());
            let store = scene.open();
            let answer = outcome(run(&store, mode, calls));
            drop(store);
            scene.ends_as(context, &before());
            if answer != expected {
                wrong.push(format!("{context}, {mode:?}: expected {expected:?}, found {answer:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file and an entry below it cannot both be put.
#[test]
fn a_path_cannot_be_a_file_and_a_directory() {
    for mode in PUBLISH {
        for order in [["x", "x/y"], ["x/y", "x"]] {
            let scene = Scene::new(&before());
            let store = scene.open();
            let mut transaction = store.begin("d", publish(mode)).expect("a directory");
            for path in order {
                transaction.put(path, b"1".to_vec()).expect("staged without a check");
            }
            assert_eq!(outcome(transaction.commit()), refused("not-directory", "d/x"), "{mode:?}, {order:?}");
            drop(store);
            scene.ends_as("a file and a directory", &before());
        }
    }
}

/// A transaction without changes has no effect, and its receipt counts none.
#[test]
fn an_empty_transaction_does_nothing() {
    for mode in PUBLISH {
        for directory in ["d", "new/one"] {
            let scene = Scene::new(&before());
            let store = scene.open();
            let mutations = scene.fs.counts().mutations;
            let transaction = store.begin(directory, publish(mode)).expect("a directory");
            assert_eq!(transaction.commit(), Ok(receipt(Durability::Full, 0, 0)), "{mode:?}");
            assert_eq!(scene.fs.counts().mutations, mutations, "{mode:?}: calls that change something");
            drop(store);
            scene.ends_as("an empty transaction", &before());
        }
    }
}

/// The receipt reports the achieved durability: `full` for `data` and `full`, less where the host cannot sync a
/// directory.
#[test]
fn a_receipt_reports_the_achieved_durability() {
    use Durability::{Data, Full, Visible};
    let mut wrong = Vec::new();
    for directory_sync in [true, false] {
        for (asked, achieved) in [(Visible, Visible), (Data, Full), (Full, Full)] {
            let achieved = if directory_sync { achieved } else { achieved.min(Data) };
            for mode in PUBLISH {
                let switches = Switches { directory_sync, ..Switches::default() };
                let scene = Scene::with(switches, &before());
                let store = scene.open();
                let options = DirectoryOptions { durability: asked, ..publish(mode) };
                let mut transaction = store.begin("d", options).expect("a directory");
                transaction.put("a", b"new".to_vec()).expect("staged");
                let found = transaction.commit().expect("published").achieved;
                if found != achieved {
                    wrong.push(format!(
                        "{mode:?}, sync: {directory_sync}, asked {asked:?}: {found:?}, not {achieved:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A database and its journal move together or not at all, in a transaction too.
#[test]
fn a_database_is_not_put_beside_a_stale_journal() {
    let tree = before().file("ws/d/index.db", "another database").file("ws/d/index.db-wal", WAL);
    let alone: Calls = |t| t.put("index.db", DATABASE.to_vec());
    let together: Calls = |t| {
        t.put("index.db", DATABASE.to_vec())?;
        t.remove("index.db-wal")
    };
    let after = before().file("ws/d/index.db", DATABASE);
    check("together", &tree, together, &Ok((2, DATABASE.len() as u64)), &after);
    check("alone", &tree, alone, &refused("hot-journal", "d/index.db-wal"), &tree);
}
