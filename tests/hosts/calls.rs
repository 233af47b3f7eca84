//! Every typed call keeps the promise of the contract, and its receipt reports the achieved durability.

use std::{fs, io};

use onionskin_host::{
    Action, Content, DirectoryOptions, Durability, ErrorKind, Evidence, Fault, Fingerprint, Identical, NodeKind,
    Onionskin, OpenOptions, Outcome, Precondition, Publish, Receipt, Source, Step, Tier, WriteOptions,
};
use onionskin_tests::sha2::{Digest as _, Sha256};

use crate::scene::{PUBLISH, Scene, onionskin, publish, refused};

fn receipt(transaction: u64, achieved: Durability, applied: u64, bytes: u64) -> Receipt {
    Receipt { transaction, achieved, applied, bytes }
}

fn traced() -> OpenOptions {
    OpenOptions::default().trace(true)
}

/// `replace` at each durability, `replace-json`, and identical content that is kept: receipts number the changes from
/// 1.
#[test]
fn a_file_is_replaced() {
    let scene = Scene::new(&[("root/file", "old")]);
    let store = scene.open();
    for (at, durability) in [(1, Durability::Visible), (2, Durability::Data), (3, Durability::Full)] {
        let options = WriteOptions::default().durability(durability);
        let content = format!("new {at}");
        let done = store.replace("file", content.as_bytes(), &options).expect("a file can be replaced");
        assert_eq!(done, receipt(at, durability, 1, 5));
        assert_eq!(scene.text("root/file"), content);
    }
    let done = store.replace_json("new.json", "[1, 2]", &WriteOptions::default()).expect("it is JSON");
    assert_eq!(done, receipt(4, Durability::Full, 1, 6));
    assert_eq!(scene.text("root/new.json"), "[1, 2]");
    let keep = WriteOptions::default().if_identical(Identical::Keep);
    let done = store.replace("new.json", b"[1, 2]", &keep).expect("it is left alone");
    assert_eq!(done, receipt(5, Durability::Full, 0, 0));
    let done = store.replace("new.json", b"[1, 3]", &keep).expect("it is replaced");
    assert_eq!(done, receipt(6, Durability::Full, 1, 6));
    let done = store.replace("empty", b"", &WriteOptions::default()).expect("nothing is content too");
    assert_eq!(done, receipt(7, Durability::Full, 1, 0));
    assert_eq!(scene.text("root/empty"), "");
    store.close().expect("the store closes");
    scene.done();
}

/// A fingerprint has kind, size, time and, on request, the SHA-256 digest; it also serves as a precondition.
#[test]
fn a_fingerprint_is_evidence_and_precondition() {
    let scene = Scene::new(&[("root/file", "content"), ("root/dir/inner", "")]);
    scene.link("file", "root/link");
    scene.pipe("root/pipe");
    let store = scene.open();
    for (path, kind) in [("dir", NodeKind::Directory), ("link", NodeKind::Symlink), ("pipe", NodeKind::Other)] {
        for depth in [Evidence::Metadata, Evidence::Digest] {
            let found = store.fingerprint(path, depth).expect("it is there");
            assert_eq!((found.kind, found.digest), (kind, None), "{path}");
        }
    }
    let seen = store.fingerprint("file", Evidence::Metadata).expect("it is there");
    assert_eq!((seen.kind, seen.size, seen.digest.as_deref()), (NodeKind::File, 7, None));
    let modified = fs::metadata(scene.at("root/file")).and_then(|metadata| metadata.modified()).expect("it has a time");
    let modified = modified.duration_since(std::time::UNIX_EPOCH).expect("it is after 1970").as_nanos();
    assert_eq!(seen.modified.map(u128::from), Some(modified));
    let seen = store.fingerprint("file", Evidence::Digest).expect("it is there");
    assert_eq!(seen.digest.as_deref(), Some(Sha256::digest("content").as_slice()));

    for expected in [seen.clone(), Fingerprint { modified: None, ..seen.clone() }, Fingerprint { digest: None, ..seen }]
    {
        let options = WriteOptions::default().when(Precondition::Unchanged(expected));
        store.replace("other", b"unlike", &WriteOptions::default()).expect("nothing is asked");
        let error = refused("unchanged", store.replace("other", b"x", &options));
        assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::PreconditionFailed, "other"));
        assert_eq!(scene.text("root/other"), "unlike");
    }
    let seen = store.fingerprint("file", Evidence::Digest).expect("it is there");
    let options = WriteOptions::default().when(Precondition::Unchanged(seen));
    store.replace("file", b"changed", &options).expect("it is as it was");
    assert_eq!(scene.text("root/file"), "changed");
    let absent = WriteOptions::default().when(Precondition::Absent);
    store.replace("fresh", b"1", &absent).expect("the name is free");
    let single = WriteOptions::default().when(Precondition::SingleLink);
    store.replace("fresh", b"2", &single).expect("it has one name");
    assert_eq!(scene.text("root/fresh"), "2");
    store.close().expect("the store closes");
    scene.done();
}

/// A writer takes chunks and parts of other files, and its commit publishes all of it or nothing.
#[test]
fn a_writer_streams() {
    let scene = Scene::new(&[("root/file", "old"), ("lower/original", "0123456789")]);
    let store = scene.open();
    let original = scene.at("lower/original");
    let mut writer = store.writer("file", &WriteOptions::default()).expect("a file can be replaced");
    writer.append(b"head ").expect("it grows");
    assert_eq!(writer.append_from(&original, 3, 4).expect("it grows"), 4);
    assert_eq!(writer.append_from(&original, 8, 100).expect("it grows"), 2);
    assert_eq!(writer.append_from(&original, 100, 1).expect("nothing is there"), 0);
    writer.append(b"").expect("nothing is written");
    io::copy(&mut &b" and more"[..], &mut writer).expect("it grows");
    assert_eq!(scene.text("root/file"), "old", "nothing is seen before the commit");
    let done = writer.commit().expect("it is published");
    assert_eq!(done, receipt(1, Durability::Full, 1, 20));
    assert_eq!(scene.text("root/file"), "head 345689 and more");

    let mut dropped = store.writer("file", &WriteOptions::default()).expect("a file can be replaced");
    dropped.append(b"never").expect("it grows");
    drop(dropped);
    assert_eq!(scene.text("root/file"), "head 345689 and more");
    store.close().expect("the store closes");
    scene.done();
}

/// Every call of a transaction, in each publish mode; a dropped transaction leaves nothing.
#[test]
fn a_transaction_changes_many_paths() {
    for mode in PUBLISH {
        let files =
            [("root/d/put", "old"), ("root/d/gone", "x"), ("root/d/from", "moved"), ("root/d/sub/kept", "kept")];
        let scene = Scene::new(&files);
        ground_file(&scene, "lower/original", "of the original");
        let store = scene.open();
        let mut change = store.begin("d", &publish(mode)).expect("a directory");
        change.put("put", b"ne").expect("staged");
        change.append("put", b"w").expect("staged");
        change.put_file("new/copy", scene.at("lower/original")).expect("staged");
        change.remove("gone").expect("staged");
        change.rename("from", "to").expect("staged");
        change.put("twice", b"first").expect("staged");
        change.put("twice", b"last").expect("the last call wins");
        assert_eq!(scene.text("root/d/put"), "old", "nothing is seen before the commit");
        let done = change.commit().expect("it is published");
        assert_eq!((done.transaction, done.achieved), (1, Durability::Full), "{mode:?}");
        assert_eq!(done.applied, 6, "{mode:?}: put, new/copy, gone, from, to, twice");
        let now = ["put", "new/copy", "to", "twice", "sub/kept"].map(|name| scene.text(&format!("root/d/{name}")));
        assert_eq!(now, ["new", "of the original", "moved", "last", "kept"], "{mode:?}");
        for gone in ["gone", "from"] {
            assert!(!scene.at(format!("root/d/{gone}")).exists(), "{mode:?}: {gone}");
        }
        let before = scene.tree();
        let mut dropped = store.begin("d", &publish(mode)).expect("a directory");
        dropped.put("put", b"never").expect("staged");
        dropped.remove("to").expect("staged");
        drop(dropped);
        assert_eq!(scene.tree(), before, "{mode:?}: a dropped transaction leaves nothing");
        let empty = store.begin("d", &publish(mode)).expect("a directory").commit().expect("there is nothing to do");
        assert_eq!((empty.transaction, empty.applied, empty.bytes), (2, 0, 0), "{mode:?}");
        store.close().expect("the store closes");
        match mode {
            Publish::InPlace | Publish::Swap => scene.done(),
            Publish::Pointer => {
                let ours = scene.tree().into_keys().filter(|path| path.starts_with(".onionskin"));
                let mut kept: Vec<String> = ours.map(|path| path.to_string_lossy().into_owned()).collect();
                kept.sort_unstable();
                assert!(kept.iter().skip(2).all(|path| path.starts_with(".onionskin/directories/1")), "{kept:?}");
                scene.done_keeping(&kept.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
    }
}

fn ground_file(scene: &Scene, name: &str, content: &str) {
    crate::ground::write(&scene.at(name), content);
}

/// `.` names the root itself, and a missing directory is created, in every mode.
#[test]
fn a_transaction_creates_its_directory() {
    let scene = Scene::new(&[("root/file", "old")]);
    let store = scene.open();
    let mut change = store.begin(".", &DirectoryOptions::default()).expect("the root");
    change.put("file", b"new").expect("staged");
    change.put("a/b/deep", b"deep").expect("staged");
    change.commit().expect("it is published");
    for (at, mode) in [Publish::InPlace, Publish::Swap].into_iter().enumerate() {
        let name = format!("parents-{at}/made");
        let mut change = store.begin(&name, &publish(mode)).expect("a new directory");
        change.put("file", b"made").expect("staged");
        change.commit().expect("it is published");
        assert_eq!(scene.text(&format!("root/{name}/file")), "made", "{mode:?}");
    }
    assert_eq!([scene.text("root/file"), scene.text("root/a/b/deep")], ["new", "deep"]);
    store.close().expect("the store closes");
    scene.done();
}

/// On request the steps are recorded until they are taken, and exactly one step of a plan is the commit point.
#[test]
fn steps_are_reported_once() {
    let scene = Scene::new(&[]);
    let store = scene.session().open(&traced()).expect("the root opens");
    assert_eq!(store.steps().expect("steps").len(), 0, "a clean root needs none");
    store.replace("file", b"content", &WriteOptions::default()).expect("a new file");
    let steps = store.steps().expect("steps");
    let actions: Vec<Action> = steps.iter().map(|step| step.action).collect();
    let (create, sync) = (Action::Create, Action::SyncDirectory);
    let keep = Action::SetAttributes;
    assert_eq!(actions, [Action::MakeDirectory, create, Action::Write, keep, Action::SyncFile, Action::Rename, sync]);
    let deciding: Vec<&Step> = steps.iter().filter(|step| step.commits).collect();
    assert_eq!(deciding.len(), 1);
    assert_eq!((deciding[0].action, deciding[0].path.as_str()), (Action::Rename, "file"));
    assert_eq!(deciding[0].origin.as_deref(), Some(steps[1].path.as_str()), "the created file gets the name");
    assert_eq!(steps[2].bytes, 7);
    assert!(steps.iter().all(|step| !step.why.is_empty()), "every step has its reason");
    assert_eq!(store.steps().expect("steps").len(), 0, "they were taken");
    store.close().expect("the store closes");
    let quiet = scene.open();
    quiet.replace("file", b"other", &WriteOptions::default()).expect("a file can be replaced");
    assert_eq!(quiet.steps().expect("steps").len(), 0, "tracing is off unless asked for");
    quiet.close().expect("the store closes");
    scene.done();
}

/// `materialize` keeps or replaces content, and leaves independent files alone.
#[test]
fn a_link_is_materialized() {
    let scene = Scene::new(&[("lower/a", "of a"), ("lower/b", "of b"), ("root/own", "own"), ("root/there", "there")]);
    scene.absolute("lower/a", "root/kept");
    scene.absolute("lower/b", "root/replaced");
    scene.link("there", "root/relative");
    scene.link("nowhere", "root/named");
    let store = scene.open();
    let keep = |path: &str| store.materialize(path, &Source::LinkTarget, &Content::Keep).expect("it is granted");
    assert_eq!(keep("kept"), receipt(1, Durability::Full, 1, 4));
    assert_eq!(keep("kept"), receipt(2, Durability::Full, 0, 0));
    assert_eq!(keep("own"), receipt(3, Durability::Full, 0, 0));
    assert_eq!(keep("relative"), receipt(4, Durability::Full, 1, 5));
    let new = Content::Replace(b"new".to_vec());
    let done = store.materialize("replaced", &Source::LinkTarget, &new).expect("nothing is copied");
    assert_eq!(done, receipt(5, Durability::Full, 1, 3));
    let source = Source::Path(scene.at("lower/b"));
    let done = store.materialize("named", &source, &Content::Keep).expect("the source is named");
    assert_eq!(done, receipt(6, Durability::Full, 1, 4));
    for (name, content) in [("kept", "of a"), ("replaced", "new"), ("relative", "there"), ("named", "of b")] {
        let path = scene.at(format!("root/{name}"));
        assert!(fs::symlink_metadata(&path).expect("it is there").is_file(), "{name}");
        assert_eq!(fs::read_to_string(path).expect("it is text"), content, "{name}");
    }
    store.close().expect("the store closes");
    scene.done();
}

/// A linked directory becomes an independent one; the receipt counts its entries, and the bytes of content only.
#[test]
fn a_linked_directory_is_materialized() {
    let scene = Scene::new(&[("lower/d/a", "of a"), ("lower/d/sub/b", "of b")]);
    scene.link("sub/b", "lower/d/inner");
    scene.absolute("lower/d", "root/d");
    let store = scene.open();
    let done = store.materialize("d", &Source::LinkTarget, &Content::Keep).expect("it is granted");
    assert_eq!(done, receipt(1, Durability::Full, 5, 8), "d, a, inner, sub and sub/b; 8 bytes in all");
    store.close().expect("the store closes");
    assert!(fs::symlink_metadata(scene.at("root/d")).expect("it is there").is_dir());
    assert_eq!(["a", "sub/b", "inner"].map(|name| scene.text(&format!("root/d/{name}"))), ["of a", "of b", "of b"]);
    scene.done();
}

/// `inspect` predicts the findings of the next open and changes nothing; after the open the root is clean.
#[test]
fn inspect_predicts_the_findings_of_the_next_open() {
    let mut findings_total = 0;
    for call in 1..=40 {
        let scene = Scene::with(Fault::TrapBefore(call), &[("root/d/a", "old"), ("root/d/b", "old")]);
        let store = scene.open();
        let staged = store.begin("d", &publish(Publish::InPlace)).and_then(|mut change| {
            change.put("a", b"new")?;
            change.put("b", b"new")?;
            change.commit()
        });
        drop(store);
        let before = scene.tree();
        let session = onionskin().store(scene.root());
        let foreseen = session.inspect().expect("the root can be looked at");
        assert_eq!(scene.tree(), before, "call {call}: inspection changes nothing");
        let store = session.open(&OpenOptions::default()).expect("the root opens");
        let found = store.recovered().expect("findings");
        store.close().expect("the store closes");
        let foreseen_paths: Vec<_> = foreseen.iter().map(|it| (it.path.as_str(), it.verdict)).collect();
        // An open continues where one round of recovery uncovers more.
        assert!(found.len() >= foreseen.len(), "call {call}: {found:?} against {foreseen:?}");
        for (finding, path) in found.iter().zip(foreseen_paths) {
            assert_eq!((finding.path.as_str(), finding.verdict), path, "call {call}");
        }
        findings_total += found.len();
        assert_eq!(session.inspect().expect("the root can be looked at").len(), 0, "call {call}: the root is clean");
        assert_eq!(scene.text("root/d/a"), scene.text("root/d/b"), "call {call}: both or neither");
        scene.done();
        if staged.is_ok() {
            break;
        }
    }
    assert!(findings_total > 10, "crashes leave something to find");
}

/// `probe` reports the abilities of the filesystem and leaves nothing; `limits` are the same with or without an open
/// store.
#[test]
fn a_root_is_probed() {
    let scene = Scene::new(&[("root/file", "content")]);
    let before = scene.tree();
    let found = scene.session().probe().expect("the root can be probed");
    assert_eq!((found.tier, found.reason.as_str()), (Tier::Durable, ""));
    let abilities = [found.symlinks, found.hard_links, found.directory_sync, found.case_sensitive];
    assert_eq!(abilities, [Some(true); 4], "a filesystem of Linux");
    assert_eq!(scene.tree(), before);
    let limits = scene.session().limits().expect("limits");
    let store = scene.open();
    let open_limits = store.limits().expect("limits");
    assert_eq!(format!("{limits:?}"), format!("{open_limits:?}"));
    assert_eq!((limits.path_bytes, limits.name_bytes, limits.depth), (4095, 255, 128));
    store.close().expect("the store closes");
    scene.done();
}

/// `Faults` records every call of the filesystem: its name, its path, and its result.
#[test]
fn calls_are_recorded() {
    let scene = Scene::new(&[]);
    let store = scene.open();
    store.replace("file", b"content", &WriteOptions::default()).expect("a new file");
    store.close().expect("the store closes");
    let calls = scene.faults().calls();
    let changes: Vec<_> = calls.iter().filter(|call| call.mutating.is_some()).collect();
    let numbers: Vec<_> = changes.iter().filter_map(|call| call.mutating).collect();
    assert_eq!(numbers, (1..=scene.faults().mutating()).collect::<Vec<_>>(), "each has its number");
    assert!(changes.iter().all(|call| call.outcome == Outcome::Done), "{changes:?}");
    let written: u64 = changes.iter().filter(|call| call.name == "write").map(|call| call.bytes).sum();
    assert_eq!(written, 7);
    let rename = changes.iter().find(|call| call.name == "rename-at").expect("the file gets its name");
    assert_eq!(rename.other.as_deref(), Some("/root/file"));
    assert!(rename.to_string().starts_with("rename-at .onionskin/"), "{rename}");
    assert!(!scene.faults().fired(), "no fault was requested");
    scene.done();
}

/// The component can be compiled ahead of time and loaded as machine code, or cached in a directory of the caller.
#[test]
#[allow(unsafe_code, reason = "machine code is given to the builder, made by the same builder")]
fn the_component_can_be_compiled_ahead() {
    let code = Onionskin::builder().precompile().expect("it compiles");
    let directory = crate::ground::scratch();
    let cache = directory.path().join("cache");
    let cached = || Onionskin::builder().component(onionskin_host::COMPONENT).cache_directory(&cache).build();
    // SAFETY: the bytes come from `precompile` in this process.
    let ahead = unsafe { Onionskin::builder().precompiled(&code) }.build();
    for loaded in [ahead, cached(), cached()] {
        let loaded = loaded.expect("it loads");
        let store = loaded.store(directory.path()).open(&OpenOptions::default()).expect("the root opens");
        store.replace("file", b"content", &WriteOptions::default()).expect("a new file");
        store.close().expect("the store closes");
    }
    let names = fs::read_dir(&cache).expect("the cache was made").map(|entry| entry.expect("it can be read").path());
    let compiled = names.filter(|name| name.extension().is_some_and(|suffix| suffix == "cwasm"));
    assert_eq!(compiled.count(), 1, "the second start used the entry of the first");
}
