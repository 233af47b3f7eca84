//! Every failure is a typed error with a path, and names the state left behind.

use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use onionskin_host::{
    Cause, Content, DirectoryOptions, Error, ErrorCode, ErrorKind, Evidence, Fault, Fingerprint, NodeKind, OpenOptions,
    Precondition, Publish, Source, Store, SymlinkPolicy, Trap, WriteOptions,
};

use crate::ground;
use crate::scene::{PUBLISH, Scene, error_of, onionskin, publish, refused};

/// The header of a database file.
const DATABASE: &[u8] = b"SQLite format 3\0 and so on";

fn links(symlinks: SymlinkPolicy) -> WriteOptions {
    WriteOptions::default().symlinks(symlinks)
}

fn when(when: Precondition) -> WriteOptions {
    WriteOptions::default().when(when)
}

/// A scene with one obstacle of every kind.
fn obstacles() -> Scene {
    let files = [
        ("lower/original", "original"),
        ("lower/d/inner", "inner"),
        ("root/file", "content"),
        ("root/dir/inner", "inner"),
        ("root/odd/inner", "inner"),
        ("root/base.db-wal", "the log of another database"),
    ];
    let scene = Scene::new(&files);
    scene.odd_name("root/odd");
    scene.pipe("root/pipe");
    scene.hard_link("lower/original", "root/hard");
    scene.absolute("lower/d", "root/absolute");
    scene.link("../lower/original", "root/out");
    scene.link("../elsewhere/original", "root/beyond");
    scene.link("dir/../file", "root/dots");
    scene.link("loop-b", "root/loop-a");
    scene.link("loop-a", "root/loop-b");
    scene
}

type Action = fn(&Store) -> Result<(), Error>;

const LIST_BYTES_MAX: usize = 16 << 20;

/// A call, and the kind and subject of the error that it must return.
const REFUSED: &[(Action, ErrorKind, &str)] = &[
    (|it| put(it, "odd", Publish::Swap), ErrorKind::IllegalName, "odd"),
    (|it| put(it, "odd", Publish::Pointer), ErrorKind::IllegalName, "odd"),
    (|it| put(it, "file", Publish::InPlace), ErrorKind::NotDirectory, "file"),
    (|it| put(it, "absolute", Publish::InPlace), ErrorKind::LinkUnreadable, "absolute"),
    (|it| it.begin(".", &publish(Publish::Swap)).map(drop), ErrorKind::InvalidArgument, "."),
    (
        |it| it.begin("dir", &DirectoryOptions::default())?.append("inner", b"x"),
        ErrorKind::InvalidArgument,
        "dir/inner",
    ),
    (|it| it.begin("dir", &DirectoryOptions::default())?.remove("none"), ErrorKind::NotFound, "dir/none"),
    (|it| it.begin(".", &DirectoryOptions::default())?.remove("dir"), ErrorKind::IsDirectory, "dir"),
    (|it| it.begin(".", &DirectoryOptions::default())?.rename("dir", "x"), ErrorKind::IsDirectory, "dir"),
    (|it| it.fingerprint("none", Evidence::Metadata).map(drop), ErrorKind::NotFound, "none"),
    (|it| it.fingerprint("absolute/inner", Evidence::Metadata).map(drop), ErrorKind::SymlinkRefused, "absolute"),
    (|it| it.replace("none/x", b"x", &WriteOptions::default()).map(drop), ErrorKind::NotFound, "none"),
    (|it| it.replace("file", b"x", &when(Precondition::Absent)).map(drop), ErrorKind::AlreadyExists, "file"),
    (|it| it.replace("file/x", b"x", &WriteOptions::default()).map(drop), ErrorKind::NotDirectory, "file"),
    (|it| it.replace("dir", b"x", &WriteOptions::default()).map(drop), ErrorKind::IsDirectory, "dir"),
    (|it| it.replace("pipe", b"x", &WriteOptions::default()).map(drop), ErrorKind::NotAFile, "pipe"),
    (|it| it.replace("out", b"x", &links(SymlinkPolicy::Refuse)).map(drop), ErrorKind::SymlinkRefused, "out"),
    (|it| it.replace("out", b"x", &links(SymlinkPolicy::FollowWithin)).map(drop), ErrorKind::SymlinkEscapes, "out"),
    (|it| it.replace("dots", b"x", &links(SymlinkPolicy::FollowWithin)).map(drop), ErrorKind::Unsupported, "dots"),
    (|it| it.replace("loop-a", b"x", &links(SymlinkPolicy::FollowWithin)).map(drop), ErrorKind::SymlinkLoop, "loop-"),
    (|it| it.replace("hard", b"x", &when(Precondition::SingleLink)).map(drop), ErrorKind::HardLinked, "hard"),
    (|it| it.replace("file", b"x", &when(unlike())).map(drop), ErrorKind::PreconditionFailed, "file"),
    (|it| it.replace("base.db", DATABASE, &WriteOptions::default()).map(drop), ErrorKind::HotJournal, "base.db-wal"),
    (|it| it.replace("file", &too_long(), &WriteOptions::default()).map(drop), ErrorKind::LimitExceeded, "file"),
    (|it| it.replace_json("file", "{\"a\":", &WriteOptions::default()).map(drop), ErrorKind::InvalidJson, "file"),
    (|it| it.materialize("dir", &Source::LinkTarget, &Content::Keep).map(drop), ErrorKind::IsDirectory, "dir"),
    (|it| it.materialize("pipe", &Source::LinkTarget, &Content::Keep).map(drop), ErrorKind::NotAFile, "pipe"),
    (|it| it.materialize("none", &Source::LinkTarget, &Content::Keep).map(drop), ErrorKind::NotFound, "none"),
    (|it| it.materialize("beyond", &Source::LinkTarget, &Content::Keep).map(drop), ErrorKind::SymlinkEscapes, "beyond"),
];

fn put(store: &Store, directory: &str, mode: Publish) -> Result<(), Error> {
    let mut change = store.begin(directory, &publish(mode))?;
    change.put("new", b"x")?;
    change.commit().map(drop)
}

fn unlike() -> Precondition {
    Precondition::Unchanged(Fingerprint { kind: NodeKind::File, size: 1, modified: None, digest: None })
}

fn too_long() -> Vec<u8> {
    vec![b'x'; LIST_BYTES_MAX + 1]
}

/// Each obstacle causes its error, which names the path, and nothing changes; the store stays usable.
#[test]
fn every_obstacle_has_its_error() {
    for (at, (act, kind, subject)) in REFUSED.iter().enumerate() {
        let scene = obstacles();
        let before = scene.tree();
        let store = scene.open();
        let result = act(&store);
        let context = format!("case {at}, {kind:?} of {subject:?}");
        let whole = error_of(&context, result);
        let Error::Guest { error, .. } = &whole else { panic!("{context}: {whole:?}") };
        assert_eq!(error.kind, *kind, "{context}: {}", error.message);
        assert!(error.subject.starts_with(subject), "{context}: it is about {}", error.subject);
        assert!(error.message.contains(subject), "{context}: {}", error.message);
        assert_eq!(error.cause, None, "{context}: the filesystem did not fail");
        assert!(whole.source().is_some() && whole.to_string().contains(&error.subject), "{context}: {whole}");
        let path = if subject.is_empty() { scene.root() } else { error.subject.clone().into() };
        assert_eq!(whole.path(), path, "{context}");
        store
            .replace("file", b"content", &WriteOptions::default())
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        store.close().expect("the store closes");
        assert_eq!(ground::difference(&before, &scene.tree()), ground::NONE, "{context}");
        scene.done();
    }
}

/// The message names the exceeded limit with its value, and the position of a JSON error.
#[test]
fn a_message_names_the_limit_and_the_position() {
    let scene = Scene::new(&[]);
    let store = scene.open();
    let long = refused("long", store.replace("file", &too_long(), &WriteOptions::default()));
    assert!(long.message.contains(&LIST_BYTES_MAX.to_string()), "{}", long.message);
    let mut writer = store.writer("file", &WriteOptions::default()).expect("a new file");
    assert_eq!(refused("long", writer.append(&too_long())).kind, ErrorKind::LimitExceeded);
    drop(writer);
    let json = refused("json", store.replace_json("file", "{\n\"a\" 1}", &WriteOptions::default()));
    assert!(json.message.contains("line 2"), "{}", json.message);
    store.close().expect("the store closes");
    scene.done();
}

/// Copies a file that another program changes at each write of the copy; returns the number of changes.
fn copy_while(change: impl Fn(&Path, u64) + Send + 'static) -> u64 {
    let scene = Scene::new(&[("moving/source", "0")]);
    scene.absolute("moving/source", "root/link");
    let source = scene.at("moving/source");
    let changing = source.clone();
    let (count, counted) = (Arc::new(AtomicU64::new(0)), scene.faults().clone());
    let counter = Arc::clone(&count);
    let faults = counted.on_write(move |_| change(&changing, counter.fetch_add(1, Ordering::Relaxed)));
    let store = scene.session().lower(scene.at("moving")).faults(&faults).open(&OpenOptions::default());
    let store = store.expect("the root opens");
    let error = refused("conflict", store.materialize("link", &Source::LinkTarget, &Content::Keep));
    assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::Conflicts, "source"));
    store.close().expect("the store closes");
    assert_eq!(fs::read_link(scene.at("root/link")).ok(), Some(source), "the link stays");
    scene.done();
    count.load(Ordering::Relaxed)
}

/// A source that changes each time it is read is a conflict, and the link stays.
#[test]
fn a_source_that_keeps_changing_is_a_conflict() {
    let times = copy_while(|source, time| fs::write(source, format!("{}", time % 10)).expect("it can be written"));
    assert_eq!(times, 2, "it is read twice");
}

/// A source that grows while it is read, such as the log of a running program, does not keep the copy going as long as
/// it grows.
#[test]
fn a_source_that_keeps_growing_is_a_conflict() {
    const GROWS_MAX: u64 = 1000;
    let times = copy_while(|source, time| {
        if time < GROWS_MAX {
            let mut file = fs::File::options().append(true).open(source).expect("it is there");
            file.write_all(b"+").expect("it can grow");
        }
    });
    assert!(times < 10, "the copy followed {times} changes");
}

type Change = Box<dyn Fn(&Store) -> Result<(), Error>>;

/// Every way to make one change to `d`.
fn changes() -> Vec<(String, Change)> {
    let mut all: Vec<(String, Change)> = vec![
        ("replace".into(), Box::new(|it| it.replace("d/a", b"new", &WriteOptions::default()).map(drop))),
        (
            "writer".into(),
            Box::new(|it| {
                let mut writer = it.writer("d/a", &WriteOptions::default())?;
                writer.append(b"n")?;
                writer.append(b"ew")?;
                writer.commit().map(drop)
            }),
        ),
        (
            "materialize".into(),
            Box::new(|it| it.materialize("d/a", &Source::LinkTarget, &Content::Replace(b"new".to_vec())).map(drop)),
        ),
    ];
    for mode in PUBLISH {
        all.push((
            format!("{mode:?}"),
            Box::new(move |it| {
                let mut change = it.begin("d", &publish(mode))?;
                change.put("a", b"new")?;
                change.commit().map(drop)
            }),
        ));
    }
    all
}

/// The kinds of error whose outcome only the next open can determine.
const LATER: [ErrorKind; 2] = [ErrorKind::NeedsRecovery, ErrorKind::OutcomeUnknown];

/// A failure at any call leaves the state that its kind promises, and names a path and the cause; after an error whose
/// outcome only the next open can determine, the store accepts no further changes.
#[test]
fn a_failing_disk_is_reported_with_path_and_cause() {
    for (name, change) in changes() {
        let mut kinds = Vec::new();
        for call in 1..100 {
            let context = format!("{name}, call {call}");
            let scene = Scene::with(Fault::FailAt(call, ErrorCode::InsufficientSpace), &[("root/d/a", "old")]);
            let store = scene.open();
            let result = change(&store);
            let mut expected = vec!["new"];
            if let Err(error) = result {
                let error = refused::<()>(&context, Err(error));
                assert_eq!(error.cause, Some(Cause::InsufficientSpace), "{context}: {}", error.message);
                assert!(!error.subject.is_empty() && error.message.contains(&error.subject), "{context}: {error:?}");
                let again = store.replace("d/a", b"old", &WriteOptions::default());
                if error.kind == ErrorKind::NotCommitted {
                    expected = vec!["old"];
                    again.unwrap_or_else(|error| panic!("{context}: the call may be made again: {error}"));
                } else {
                    assert!(
                        LATER.contains(&error.kind),
                        "{context}: {:?} is not the kind of a filesystem failure",
                        error.kind
                    );
                    assert_eq!(refused(&context, again).kind, error.kind, "{context}: no further changes");
                    if error.kind == ErrorKind::OutcomeUnknown {
                        expected.push("old");
                    }
                }
                kinds.push(error.kind);
            }
            store.close().unwrap_or_else(|error| panic!("{context}: {error}"));
            scene.recover();
            let now = scene.text("root/d/a");
            assert!(expected.contains(&now.as_str()), "{context}: {now} and not {expected:?}");
            let ended = !scene.faults().fired();
            finish(scene, &name);
            if ended {
                break;
            }
        }
        assert!(kinds.contains(&ErrorKind::NotCommitted), "{name}: {kinds:?}");
        assert!(kinds.iter().any(|kind| LATER.contains(kind)), "{name}: {kinds:?}");
    }
}

/// Generations stay; every other record is gone.
fn finish(scene: Scene, name: &str) {
    let ours = ground::ours(&scene.tree());
    let kept: Vec<&str> = ours.iter().filter_map(|path| path.to_str()).collect();
    if name.ends_with("Pointer") {
        let generations = |path: &&str| *path == ".onionskin" || path.starts_with(".onionskin/directories");
        assert!(kept.iter().all(generations), "{kept:?}");
        scene.done_keeping(&kept);
    } else {
        scene.done();
    }
}

/// A crash is reported with its call; the instance accepts no further calls, and a new one recovers the root.
#[test]
fn a_crash_is_reported_and_ends_the_instance() {
    let scene = Scene::with(Fault::TrapBefore(3), &[("root/file", "old")]);
    let store = scene.open();
    let crash = error_of("crash", store.replace("file", b"new", &WriteOptions::default()));
    assert_eq!((crash.kind().as_str(), crash.path()), ("injected-crash", scene.root()));
    let Error::Trap { trap: Trap::Injected { call: 3, what: context }, .. } = &crash else { panic!("{crash:?}") };
    assert!(context.starts_with("write .onionskin/"), "{context}");
    let after = error_of("after", store.fingerprint("file", Evidence::Metadata));
    assert!(matches!(after, Error::Trap { trap: Trap::Stopped, .. }), "{after:?}");
    assert_eq!(after.kind().as_str(), "stopped");
    drop(store);
    let locked = onionskin().store(scene.root()).open(&OpenOptions::default()).expect("the lock went with it");
    assert_eq!(locked.recovered().expect("findings").len(), 1);
    locked.close().expect("the store closes");
    assert_eq!(scene.text("root/file"), "old");
    scene.done();
}

/// A foreign name among the records is never removed: the root does not open.
#[test]
fn foreign_names_are_kept() {
    let scene = Scene::new(&[("root/.onionskin/mine", "precious"), ("root/file", "old")]);
    let before = scene.tree();
    for result in [scene.session().open(&OpenOptions::default()).map(drop), scene.session().inspect().map(drop)] {
        let error = refused("foreign", result);
        assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::Corrupt, ".onionskin/mine"));
    }
    assert_eq!(scene.tree(), before);
    scene.done_keeping(&[".onionskin", ".onionskin/mine"]);
}
