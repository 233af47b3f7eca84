//! A root has one owner at a time.

use std::thread;
use std::time::{Duration, Instant};

use onionskin_host::trust::Distrust;
use onionskin_host::{
    Error, ErrorKind, Fault, Onionskin, OpenOptions, Ownership, Publish, Store, Trap, Verdict, WriteOptions,
};

use crate::ground;
use crate::runtime::runtimes;
use crate::scene::{Scene, error_of, onionskin, publish, refused, run};

/// A time in which an owner is not done.
const SHORT: Duration = Duration::from_millis(50);

/// A time in which it is done on any machine.
const LONG: Duration = Duration::from_secs(120);

fn owner(token: &str) -> OpenOptions {
    OpenOptions::default().owner(Ownership::LockFile(token.to_owned()))
}

fn write(store: &Store, content: &str) -> Result<(), Error> {
    store.replace("file", content.as_bytes(), &WriteOptions::default()).map(drop)
}

/// Of two sessions on one root the second is refused at once, by name, until the first is closed.
#[test]
fn a_second_session_is_refused() {
    let scene = Scene::new(&[("root/file", "old")]);
    let first = scene.open();
    let second = onionskin().store(scene.root());
    for result in [second.open(&OpenOptions::default()).map(drop), second.probe().map(drop)] {
        let error = error_of("second", result);
        assert!(matches!(&error, Error::Locked { root, .. } if *root == scene.root()), "{error:?}");
        assert_eq!(error.kind().as_str(), "locked");
    }
    let found = second.inspect().expect("an inspection changes nothing");
    assert_eq!(found.first().map(|finding| finding.verdict), Some(Verdict::InUse));
    write(&first, "new").expect("the first goes on");
    first.close().expect("the store closes");
    let store = second.open(&OpenOptions::default()).expect("the root is free");
    write(&store, "newer").expect("it is the owner");
    store.close().expect("the store closes");
    assert_eq!(scene.text("root/file"), "newer");
    scene.done();
}

/// One that waits gets the root when its owner is done; and one that waits for too short a time is refused, with the
/// process of the owner.
#[test]
fn one_that_waits_gets_its_turn() {
    let scene = Scene::new(&[("root/file", "old")]);
    let first = scene.open();
    let second = onionskin().store(scene.root());
    let start = Instant::now();
    let error = error_of("for a moment", second.clone().wait(SHORT).open(&OpenOptions::default()));
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    let Error::Locked { holder, .. } = &error else { panic!("{error:?}") };
    let own = std::process::id();
    assert!(holder.as_ref().is_none_or(|holder| holder.process == own), "{error:?}");
    if cfg!(target_os = "linux") && holder.is_some() {
        assert!(error.to_string().contains(&format!("process {own} (")), "{error}");
    }
    thread::scope(|scope| {
        let waits = scope.spawn(|| second.clone().wait(LONG).open(&OpenOptions::default()).and_then(Store::close));
        thread::sleep(SHORT);
        write(&first, "new").expect("the first goes on");
        first.close().expect("the store closes");
        waits.join().expect("no panic").expect("the root is free");
    });
    assert_eq!(scene.text("root/file"), "new");
    scene.done();
}

/// Futures wait, too, and leave the owner the calls that it needs to come to its end.
#[test]
fn futures_that_wait_take_no_call_of_the_owner() {
    for (name, runtime) in runtimes() {
        let place = ground::scratch();
        ground::write(&place.path().join("file"), "old");
        let few = Onionskin::builder().calls_at_once(1).build().expect("the component loads");
        runtime.block_on(async {
            let builder = few.store(place.path()).wait(LONG);
            let first = builder.open_async(&OpenOptions::default()).await.expect("the root is free");
            let waiting = tokio::spawn(async move { builder.open_async(&OpenOptions::default()).await });
            // It has begun to wait.
            tokio::time::sleep(SHORT).await;
            first.replace("file", "new", &WriteOptions::default()).await.expect("the call is made");
            first.close().await.unwrap_or_else(|error| panic!("{name}: {error}"));
            let second = waiting.await.expect("no panic").unwrap_or_else(|error| panic!("{name}: {error}"));
            second.close().await.expect("it closes");
        });
        assert_eq!(std::fs::read_to_string(place.path().join("file")).expect("it is there"), "new", "{name}");
    }
}

/// The same root under another name is the same root.
#[test]
fn another_name_of_the_root_is_refused() {
    let scene = Scene::new(&[]);
    scene.absolute("root", "alias");
    let first = scene.open();
    let second = onionskin().store(scene.at("alias"));
    assert!(matches!(error_of("alias", second.open(&OpenOptions::default())), Error::Locked { .. }));
    first.close().expect("the store closes");
    second.open(&OpenOptions::default()).and_then(Store::close).expect("the root is free");
    scene.done();
}

/// A writer or a transaction keeps the root locked after its store is closed.
#[test]
fn work_in_progress_keeps_the_root() {
    let scene = Scene::new(&[("root/file", "old")]);
    let second = onionskin().store(scene.root());
    let is_free = || second.open(&OpenOptions::default()).and_then(Store::close).is_ok();
    let store = scene.open();
    let mut writer = store.writer("file", &WriteOptions::default()).expect("a file can be replaced");
    let mut change = store.begin("d", &publish(Publish::Swap)).expect("a directory");
    store.close().expect("the store closes");
    assert!(!is_free(), "a writer is open");
    writer.append(b"new").expect("it grows");
    writer.commit().expect("it is published");
    assert!(!is_free(), "a transaction is open");
    change.put("x", b"new").expect("staged");
    change.commit().expect("it is published");
    assert!(is_free(), "nothing is open");
    assert_eq!([scene.text("root/file"), scene.text("root/d/x")], ["new", "new"]);
    scene.done();
}

/// A program that starts others continuously is not blocked by its own lock: once a store is closed the root is free,
/// even if a child process briefly inherits the descriptor.
#[test]
fn a_program_that_starts_others_can_open_again() {
    let scene = Scene::new(&[]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    scene.session().limits().expect("limits");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(run(&mut std::process::Command::new("true")), "it runs");
            }
        });
        let session = onionskin().store(scene.root());
        let opened = (0..300).try_for_each(|_| session.open(&OpenOptions::default()).and_then(Store::close));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        opened.expect("the root is free");
    });
    scene.done();
}

/// Calls from several threads on one store are serialized.
#[test]
fn threads_share_a_store() {
    let scene = Scene::new(&[]);
    let store = scene.open();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for at in 0..5 {
                    let content = format!("{thread} {at}");
                    let path = format!("file-{thread}");
                    store
                        .replace(&path, content.as_bytes(), &WriteOptions::default())
                        .expect("every thread has its own file");
                }
            });
        }
    });
    store.close().expect("the store closes");
    assert_eq!([0, 1, 2, 3].map(|thread| scene.text(&format!("root/file-{thread}"))), ["0 4", "1 4", "2 4", "3 4"]);
    scene.done();
}

/// A lock file excludes all other owners and names the present one to them, including those that rely on the host; it
/// is removed at the end.
#[test]
fn a_lock_file_holds_the_root() {
    let scene = Scene::new(&[("root/file", "old")]);
    let first = scene.session().open(&owner("alpha")).expect("the root opens");
    assert_eq!(scene.text("root/.onionskin/lock"), "alpha");
    let second = onionskin().store(scene.root());
    for options in [owner("beta"), owner("alpha"), OpenOptions::default()] {
        let error = refused(&options, second.open(&options));
        assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::Locked, "alpha"), "{}", error.message);
    }
    let found = second.inspect().expect("an inspection changes nothing");
    assert_eq!(found.first().map(|finding| finding.verdict), Some(Verdict::InUse));
    write(&first, "new").expect("the first goes on");
    let mut change = first.begin("d", &publish(Publish::InPlace)).expect("a directory");
    change.put("x", b"new").expect("staged");
    change.commit().expect("it is published");
    first.close().expect("the store closes");
    second.open(&owner("beta")).and_then(Store::close).expect("the root is free");
    assert_eq!([scene.text("root/file"), scene.text("root/d/x")], ["new", "new"]);
    scene.done();
}

/// A token is 1 to 255 bytes of printable ASCII.
#[test]
fn a_token_is_checked() {
    let scene = Scene::new(&[]);
    for token in ["", "new\nline", "nul\0", "ümlaut", &"t".repeat(256)] {
        let error = refused(token, scene.session().open(&owner(token)));
        assert_eq!(error.kind, ErrorKind::InvalidArgument, "{token:?}: {}", error.message);
        assert_eq!(scene.tree().len(), 0, "{token:?}");
    }
    for token in ["t", "host:42/7f3a", &"t".repeat(255)] {
        let store = scene.session().open(&owner(token)).unwrap_or_else(|error| panic!("{token:?}: {error}"));
        store.close().expect("the store closes");
    }
    scene.done();
}

/// The lock of a dead owner stays until a caller breaks it with its token; then the root opens, and the old owner, if
/// it is alive after all, can commit nothing more.
#[test]
fn a_lock_is_broken_with_its_own_token_only() {
    let scene = Scene::new(&[("root/file", "old")]);
    let zombie = scene.session().open(&owner("zombie")).expect("the root opens");
    let mut change = zombie.begin("d", &publish(Publish::InPlace)).expect("a directory");
    change.put("x", b"of the zombie").expect("staged");
    let mut writer = zombie.writer("file", &WriteOptions::default()).expect("a file can be replaced");
    writer.append(b"of the zombie").expect("it grows");
    let session = onionskin().store(scene.root());
    let wrong = refused("wrong token", session.break_lock("someone"));
    assert_eq!((wrong.kind, wrong.subject.as_str()), (ErrorKind::Locked, "zombie"));
    session.break_lock("zombie").expect("the token is right");
    let none = refused("no lock", session.break_lock("zombie"));
    assert_eq!((none.kind, none.subject.as_str()), (ErrorKind::NotFound, ".onionskin/lock"));

    for (call, result) in [
        ("replace", write(&zombie, "of the zombie")),
        ("writer", writer.commit().map(drop)),
        ("transaction", change.commit().map(drop)),
    ] {
        assert_eq!(refused(call, result).kind, ErrorKind::Locked, "{call}");
    }
    drop(zombie);
    let heir = session.open(&owner("heir")).expect("the root is free");
    write(&heir, "of the heir").expect("it is the owner");
    heir.close().expect("the store closes");
    assert_eq!(scene.text("root/file"), "of the heir");
    assert!(!scene.at("root/d").exists());
    scene.done_keeping(&[".onionskin", ".onionskin/epoch-1"]);
}

/// A crash at any call of an owner with a lock file leaves its token, or the root is free; after the lock is broken,
/// the root opens with the old or the new files.
#[test]
fn the_lock_of_a_crashed_owner_is_broken() {
    let (mut held, mut old, mut new) = (0, 0, 0);
    for call in 1..100 {
        let context = format!("call {call}");
        let scene = Scene::with(Fault::TrapBefore(call), &[("root/d/a", "old"), ("root/d/b", "old")]);
        let result = scene.session().open(&owner("dead")).and_then(|store| {
            let mut change = store.begin("d", &publish(Publish::InPlace))?;
            change.put("a", b"new")?;
            change.put("b", b"new")?;
            change.commit()?;
            store.close()
        });
        if let Err(error) = &result {
            assert!(matches!(error, Error::Trap { trap: Trap::Injected { .. }, .. }), "{context}: {error}");
        }
        let session = onionskin().store(scene.root());
        match session.open(&owner("heir")) {
            Ok(store) => store.close().expect("the store closes"),
            Err(error) => {
                let error = refused::<()>(&context, Err(error));
                assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::Locked, "dead"), "{context}");
                held += 1;
                session.break_lock("dead").unwrap_or_else(|error| panic!("{context}: {error}"));
                session
                    .open(&owner("heir"))
                    .and_then(Store::close)
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
            }
        }
        let now = [scene.text("root/d/a"), scene.text("root/d/b")];
        assert!(now == ["old", "old"] || now == ["new", "new"], "{context}: {now:?}");
        if now == ["old", "old"] {
            old += 1
        } else {
            new += 1
        }
        let ended = result.is_ok();
        let ours = ground::ours(&scene.tree());
        let kept: Vec<&str> = ours.iter().filter_map(|path| path.to_str()).collect();
        assert!(kept.is_empty() || kept == [".onionskin", ".onionskin/epoch-1"], "{context}: {kept:?}");
        scene.done_keeping(&kept);
        if ended {
            break;
        }
    }
    println!("held {held}, old {old}, new {new}");
    assert!(held > 10 && old > 5 && new > 5, "held {held}, old {old}, new {new}");
}

/// A log in a directory that every user may write is not carried out, unless the caller trusts all. An inspection reads it.
#[cfg(unix)]
#[test]
fn records_that_another_user_could_have_written_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let scene = Scene::new(&[("root/file", "old"), ("root/.onionskin/tx-1/0", "planted")]);
    drop(scene.session());
    let place = scene.at("root/.onionskin");
    let allow = |mode| std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    allow(0o777);
    let session = onionskin().store(scene.root());
    for result in [session.open(&OpenOptions::default()).map(drop), session.probe().map(drop)] {
        let error = error_of("untrusted", result);
        assert!(matches!(&error, Error::Untrusted { path, why: Distrust::Writable } if *path == place), "{error:?}");
        assert!(error.to_string().contains(&place.display().to_string()), "{error}");
    }
    assert_eq!(session.inspect().expect("it changes nothing").len(), 1);
    assert_eq!(scene.text("root/.onionskin/tx-1/0"), "planted", "nothing was carried out");
    session.clone().trust_all().open(&OpenOptions::default()).and_then(Store::close).expect("all are trusted");
    assert!(!place.exists(), "the remains are swept");
    scene.done();
}

/// An inspection keeps no owner out, and is kept out by none.
#[test]
fn inspections_and_owners_do_not_keep_each_other_out() {
    let scene = Scene::new(&[("root/file", "old")]);
    drop(scene.session());
    let session = onionskin().store(scene.root());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        let inspector = threads.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                session.inspect().expect("an inspection needs no lock");
            }
        });
        for number in 0..100 {
            let store = onionskin().store(scene.root()).open(&OpenOptions::default());
            let store = store.unwrap_or_else(|error| panic!("open {number}: {error}"));
            store.close().expect("the store closes");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        inspector.join().expect("it does not panic");
    });
    scene.done();
}
