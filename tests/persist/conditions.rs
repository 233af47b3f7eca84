//! Preconditions are checked immediately before the change, and a failed check changes nothing.

use onionskin::error::{Error, ErrorKind, Fingerprint};
use onionskin::fs::Kind;
use onionskin::journal;
use onionskin::path::RelPath;
use onionskin::store::{Durability, Precondition, Store, WriteOptions};
use onionskin_sim::{SimFs, Switches, Tree, tree};

use crate::support::{Outcome, Scene, check, check_with, on_condition, receipt, refused};

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
