//! Preconditions are checked immediately before the change, and a failed check changes nothing.

use onionskin::error::{Error, ErrorKind, Fingerprint};
use onionskin::fs::{Fs as _, Kind};
use onionskin::journal;
use onionskin::path::RelPath;
use onionskin::persist::transaction::Publish;
use onionskin::store::{Durability, Precondition, Store, WriteOptions};
use onionskin_sim::{SimFs, Switches, Tree, tree};

use crate::support::intercept::InterceptFs;
use crate::support::{Outcome, PUBLISH, Scene, check, check_with, on_condition, outcome, publish, receipt, refused};

fn before() -> Tree {
    tree! {
        dir "lower";
        file "ws/file" = "old";
        file "ws/shared" = "both";
        same "ws/twin" = "ws/shared";
        symlink "ws/link" = "file";
        dir "ws/dir";
    }
}

fn looks(size: u64, modified: Option<u64>, digest: Option<&[u8]>) -> Precondition {
    let digest = digest.map(journal::digest);
    Precondition::Unchanged(Fingerprint { kind: Kind::File, size, modified, digest })
}

#[track_caller]
fn case(context: &str, path: &str, when: Precondition, expected: Outcome<()>) {
    let after = if expected.is_ok() { before().file(format!("ws/{path}"), "new") } else { before() };
    let options = on_condition(when);
    let by_replace = |store: &Store<SimFs>| store.replace(path, b"new".to_vec(), &options).map(|_| ());
    check(&format!("{context}, replace"), &before(), by_replace, expected.clone(), &after);
    let by_writer = |store: &Store<SimFs>| {
        let mut writer = store.writer(path, &options)?;
        writer.write(b"new".to_vec())?;
        writer.commit().map(|_| ())
    };
    check(&format!("{context}, writer"), &before(), by_writer, expected, &after);
}

/// `absent`: a free name is accepted. An existing entry, a link included, is refused with `already-exists`.
#[test]
fn absent_requires_a_free_name() {
    case("free", "new", Precondition::Absent, Ok(()));
    case("taken", "file", Precondition::Absent, refused("already-exists", "file"));
    case("a link", "link", Precondition::Absent, refused("already-exists", "link"));
}

/// `absent` also holds on filesystems without hard links.
#[test]
fn absent_needs_no_hard_links() {
    let switches = Switches { hard_links: false, ..Switches::default() };
    let options = on_condition(Precondition::Absent);
    let act = |store: &Store<SimFs>| store.replace("new", b"new".to_vec(), &options);
    let tree = tree! { file "ws/file" = "old"; };
    check_with(switches, "free", &tree, act, Ok(receipt(Durability::Full, 1, 3)), &tree.clone().file("ws/new", "new"));
    let act = |store: &Store<SimFs>| store.replace("file", b"new".to_vec(), &options);
    check_with(switches, "taken", &tree, act, refused("already-exists", "file"), &tree);
}

/// `single-link`: the path must exist and have exactly one name.
#[test]
fn single_link_requires_an_independent_file() {
    case("one name", "file", Precondition::SingleLink, Ok(()));
    case("two names", "shared", Precondition::SingleLink, refused("hard-linked", "shared"));
    case("no name", "new", Precondition::SingleLink, refused("not-found", "new"));
}

/// `unchanged`: every part of the fingerprint that is given must match; parts that are left out are not compared.
#[test]
fn unchanged_compares_the_parts_that_are_given() {
    let scene = Scene::new(&before());
    let (_, modified) = scene.inode("ws/file");
    let modified = modified.expect("this filesystem reports times");
    case("size", "file", looks(3, None, None), Ok(()));
    case("size and time", "file", looks(3, Some(modified), None), Ok(()));
    case("size and digest", "file", looks(3, None, Some(b"old")), Ok(()));
    case("all", "file", looks(3, Some(modified), Some(b"old")), Ok(()));
    let changed = || refused("precondition-failed", "file");
    case("another size", "file", looks(4, None, None), changed());
    case("another time", "file", looks(3, Some(modified + 1), None), changed());
    case("another digest", "file", looks(3, None, Some(b"odd")), changed());
    case("another digest, right time", "file", looks(3, Some(modified), Some(b"odd")), changed());
    case("gone", "new", looks(3, None, None), refused("not-found", "new"));
}

/// The error of a failed comparison names the present state of the path.
#[test]
fn a_failed_comparison_names_the_present_state() {
    let scene = Scene::new(&before());
    let (_, modified) = scene.inode("ws/file");
    let store = scene.open();
    let options = on_condition(looks(9, None, Some(b"nine")));
    let answer = store.replace("file", b"new".to_vec(), &options);
    let now = Fingerprint { kind: Kind::File, size: 3, modified, digest: Some(journal::digest(b"old")) };
    assert_eq!(answer, Err(Error::precondition_failed(&RelPath::ROOT.child("file"), now)));
    drop(store);
    scene.ends_as("a failed comparison", &before());
}

/// The store accepts a fingerprint that it returned, and detects a change made in between.
#[test]
fn a_returned_fingerprint_is_accepted_until_a_change() {
    for with_digest in [true, false] {
        let scene = Scene::new(&before());
        let store = scene.open();
        let seen = store.fingerprint("file", with_digest).expect("the file is there");
        let options = on_condition(Precondition::Unchanged(seen));
        let first = store.replace("file", b"NEW".to_vec(), &options);
        assert_eq!(first, Ok(receipt(Durability::Full, 1, 3)), "digest: {with_digest}");
        let second = store.replace("file", b"no!".to_vec(), &options);
        assert!(
            matches!(&second, Err(error) if error.kind() == ErrorKind::PreconditionFailed),
            "digest: {with_digest}: {second:?}"
        );
        drop(store);
        scene.ends_as("a fingerprint", &before().file("ws/file", "NEW"));
    }
}

/// A precondition is checked even when the content is identical and would not be written.
#[test]
fn a_condition_counts_for_identical_content_too() {
    for (when, path, kind) in [
        (Precondition::Absent, "file", "already-exists"),
        (looks(3, None, Some(b"odd")), "file", "precondition-failed"),
        (looks(4, None, None), "file", "precondition-failed"),
    ] {
        let options = WriteOptions { keep_identical: true, ..on_condition(when) };
        let act = |store: &Store<SimFs>| store.replace(path, b"old".to_vec(), &options);
        check(&format!("{options:?}"), &before(), act, refused(kind, path), &before());
    }
}

/// The conditions of a transaction, on paths that it changes and on others, in each way to publish: all hold and it is
/// committed, or nothing changes and the error names those that do not.
#[test]
fn a_transaction_has_conditions() {
    let old = || looks(3, None, Some(b"old"));
    /// The name of a case, its conditions, the outcome, and the begin of the message.
    type Case<'a> = (&'a str, Vec<(&'a str, Precondition)>, Outcome<()>, &'a str);
    let cases: [Case<'_>; 9] = [
        ("none", vec![], Ok(()), ""),
        ("all hold", vec![("a", old()), ("b", old()), ("new", Precondition::Absent)], Ok(()), ""),
        ("nothing is known", vec![("a", Precondition::None), ("none", Precondition::None)], Ok(()), ""),
        ("below what is not there", vec![("x/y/z", Precondition::Absent)], Ok(()), ""),
        ("a name is taken", vec![("a", Precondition::Absent)], refused("precondition-failed", "d/a"), "d/a"),
        ("not there", vec![("x/y", old())], refused("precondition-failed", "d/x/y"), "d/x/y"),
        ("of one name", vec![("twin", Precondition::SingleLink)], refused("precondition-failed", "d/twin"), "d/twin"),
        (
            "several",
            vec![("b", looks(4, None, None)), ("a", looks(3, None, Some(b"new"))), ("sub/c", old())],
            refused("precondition-failed", "d/a"),
            "d/a: is not as it was expected to be, nor is d/b, d/sub/c; nothing was changed, look at it and try again",
        ),
        ("the last one counts", vec![("a", Precondition::Absent), ("a", old())], Ok(()), ""),
    ];
    let before = tree! {
        file "lower/original" = "ground truth";
        file "ws/d/a" = "old";
        file "ws/d/b" = "old";
        file "ws/d/sub/c" = "other";
        same "ws/d/twin" = "ws/d/sub/c";
    };
    for mode in PUBLISH {
        for (context, conditions, expected, message) in &cases {
            let context = format!("{context}, {mode:?}");
            let scene = Scene::new(&before);
            let store = scene.open();
            let mut transaction = store.begin("d", publish(mode)).expect("a directory");
            transaction.put("a", b"newer".to_vec()).expect("staged");
            for (path, when) in conditions {
                transaction.expect(path, when.clone()).expect("a path");
            }
            let committed = transaction.commit();
            if let Err(error) = &committed {
                assert!(error.to_string().starts_with(message), "{context}: {error}");
                drop(store);
                scene.ends_as(&context, &before);
            } else {
                // The next one reads what this one published.
                let mut second = store.begin("d", publish(mode)).expect("a directory");
                second.put("b", b"second".to_vec()).expect("staged");
                second.expect("a", looks(5, None, Some(b"newer"))).expect("a path");
                assert_eq!(outcome(second.commit().map(|_| ())), Ok(()), "{context}");
                let mut third = store.begin("d", publish(mode)).expect("a directory");
                third.put("b", b"third".to_vec()).expect("staged");
                third.expect("b", old()).expect("a path");
                assert_eq!(outcome(third.commit().map(|_| ())), refused("precondition-failed", "d/b"), "{context}");
            }
            assert_eq!(outcome(committed.map(|_| ())), *expected, "{context}");
        }
    }
}

/// A transaction that changes nothing checks its conditions all the same.
#[test]
fn a_transaction_without_changes_checks_its_conditions() {
    let act = |store: &Store<SimFs>| {
        let mut transaction = store.begin(".", publish(Publish::InPlace))?;
        transaction.expect("file", looks(4, None, None))?;
        transaction.commit().map(|_| ())
    };
    check("only a condition", &before(), act, refused("precondition-failed", "file"), &before());
}

/// A condition is checked as the last step before the decision: what another program changes while the transaction is
/// prepared is noticed.
#[test]
fn a_condition_is_checked_just_before_the_decision() {
    for mode in PUBLISH {
        let scene = Scene::new(&tree! { dir "lower"; file "ws/d/a" = "old"; file "ws/d/read" = "old"; });
        let fs = InterceptFs::on(&scene.fs);
        let mut reads = 0;
        fs.at_read_of("read", 2, move |fs| {
            reads += 1;
            if reads == 2 {
                let ws = fs.open_dir(&fs.root(), "ws").expect("a directory");
                let directory = fs.open_dir(&ws, "d").expect("a directory");
                fs.remove_file(&directory, "read").expect("it is there");
                let file = fs.create_file(&directory, "read").expect("a new file");
                fs.write(&file, 0, b"of others").expect("it is written");
            }
        });
        let store = fs.open().expect("an open");
        let mut transaction = store.begin("d", publish(mode)).expect("a directory");
        transaction.put("a", b"new".to_vec()).expect("staged");
        transaction.expect("read", looks(3, None, Some(b"old"))).expect("a path");
        let error = transaction.commit().expect_err("it has changed");
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{mode:?}: {error}");
        drop(store);
        let after = tree! { dir "lower"; file "ws/d/a" = "old"; file "ws/d/read" = "of others"; };
        scene.ends_as(&format!("{mode:?}"), &after);
    }
}
