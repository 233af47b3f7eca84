//! A root has one owner at a time, and a takeover from a dead owner takes effect at once.

use onionskin::error::Error;
use onionskin::journal::Journal;
use onionskin::lock::Ownership;
use onionskin::persist::transaction::Publish;
use onionskin::recover::Verdict::{InUse, Quarantined, RolledForward, Swept};
use onionskin::store::{Store, WriteOptions, break_lock, inspect};
use onionskin_sim::{SimFs, Switches, Tree, operations, tree};

use crate::support::{Scene, outcome, publish, refused, verdicts};
use crate::{journal, old, opened, put};

fn plain() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/a" = "A old"; }
}

fn broken(scene: &Scene, token: &str) -> Result<(), Error> {
    break_lock(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws", token)
}

/// The lock contains the token while the store is open, excludes every other owner, and is removed afterwards.
#[test]
fn a_lock_keeps_others_out_while_the_store_is_open() {
    for hard_links in [true, false] {
        let scene = Scene::with(Switches { hard_links, ..crate::TIMELESS }, &plain());
        let store = scene.open_locked("me").expect("no owner holds it");
        let held = plain().file("ws/.onionskin/lock", "me");
        scene.ends_as("held", &held);
        for token in ["you", "me"] {
            assert_eq!(outcome(scene.open_locked(token).map(|_| ())), refused("locked", "me"), "{token}");
            scene.ends_as("held still", &held);
        }
        assert_eq!(
            outcome(opened(&scene.fs).map(|_| ())),
            refused("locked", "me"),
            "an owner by the guarantee of the host"
        );
        store.replace("a", b"A new".to_vec(), &WriteOptions::default()).expect("the owner may write");
        drop(store);
        scene.ends_as("given back", &plain().file("ws/a", "A new"));
        drop(scene.open_locked("you").expect("it is free again"));
        scene.ends_as("released again", &plain().file("ws/a", "A new"));
    }
}

/// A token is 1 to 255 bytes of printable ASCII; others are refused before any change.
#[test]
fn a_token_has_rules() {
    let long = "t".repeat(256);
    for token in ["", long.as_str(), "a\nb", "a\0b", "é", "\u{7f}"] {
        let scene = Scene::new(&plain());
        assert_eq!(outcome(scene.open_locked(token).map(|_| ())), refused("invalid-argument", token), "{token:?}");
        scene.ends_as(token, &plain());
    }
    let scene = Scene::new(&plain());
    drop(scene.open_locked(&long[1..]).expect("255 bytes are fine"));
    scene.ends_as("255 bytes", &plain());
}

/// A dead owner leaves its lock. Its draft is swept by the next owner, or reused by the owner itself.
#[test]
fn a_dead_owner_keeps_its_lock() {
    let dead = plain().file("ws/.onionskin/lock", "dead").file("ws/.onionskin/file-1", "x");
    let scene = Scene::new(&dead);
    assert_eq!(outcome(scene.open_locked("new").map(|_| ())), refused("locked", "dead"));
    let seen = inspect(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws").expect("it can be read");
    assert_eq!(verdicts(&seen), [(InUse, ".onionskin/lock"), (Swept, ".onionskin/file-1")]);
    scene.ends_as("dead", &dead);
}

/// A lock is broken with its own token only; the error names the token that was found.
#[test]
fn a_lock_is_broken_with_its_own_token_only() {
    let dead = plain().file("ws/.onionskin/lock", "dead");
    let scene = Scene::new(&dead);
    assert_eq!(outcome(broken(&scene, "wrong")), refused("locked", "dead"));
    scene.ends_as("the wrong token", &dead);
    assert_eq!(broken(&scene, "dead"), Ok(()));
    let free = plain().file("ws/.onionskin/epoch-1", "");
    scene.ends_as("broken", &free);
    assert_eq!(outcome(broken(&scene, "dead")), refused("not-found", ".onionskin/lock"));
    scene.ends_as("broken once", &free);
    drop(scene.open_locked("new").expect("it is free"));
    scene.ends_as("used", &free);
    assert_eq!(opened(&scene.fs), Ok(Vec::new()), "an epoch is no remains");
    assert_eq!(outcome(broken(&Scene::new(&plain()), "dead")), refused("not-found", ".onionskin/lock"));
}

fn decided(epoch: u64, text: &str) -> Vec<u8> {
    Journal { epoch, ..journal(vec![put("a", 0, text, old(5))]) }.encode()
}

/// A decision that the dead owner made before the takeover is completed by the next owner.
#[test]
fn a_decision_before_the_takeover_is_completed() {
    let dead = plain().file("ws/.onionskin/lock", "dead").file("ws/.onionskin/tx-7/0", "A new");
    let scene = Scene::with(crate::TIMELESS, &dead.file("ws/.onionskin/log", decided(0, "A new")));
    assert_eq!(broken(&scene, "dead"), Ok(()));
    let found = scene.open_locked("new").expect("it is free").recovered();
    assert_eq!(verdicts(&found), [(RolledForward, "."), (Swept, ".onionskin/tx-7")]);
    let after = scene.fs.tree().without(|path| path == "ws/.onionskin");
    assert_eq!(after, plain().file("ws/a", "A new"));
    assert_eq!(opened(&scene.fs), Ok(Vec::new()));
}

/// A decision that the old owner makes after the takeover is quarantined with its staging and never applied, in each
/// later epoch.
#[test]
fn a_decision_after_the_takeover_is_refused() {
    for (epochs, epoch) in [(1, 0), (2, 0), (2, 1), (1, 5)] {
        let scene = Scene::with(crate::TIMELESS, &plain());
        for _ in 0..epochs {
            std::mem::forget(scene.open_locked("dead").expect("it is free"));
            assert_eq!(broken(&scene, "dead"), Ok(()));
        }
        let log = decided(epoch, "A new");
        let tree = scene.fs.tree().file("ws/.onionskin/tx-7/0", "A new").file("ws/.onionskin/log", &log);
        scene.fs.plant(&tree);
        let found = opened(&scene.fs).expect("it can be quarantined");
        let context = format!("{epochs} takeovers, a log of epoch {epoch}");
        assert_eq!(verdicts(&found), [(Quarantined, ".onionskin/log")], "{context}");
        let mut after = plain().file("ws/.onionskin/quarantine-8/log", &log);
        after = after.file("ws/.onionskin/quarantine-8/tx-7/0", "A new");
        for number in 1..=epochs {
            after = after.file(format!("ws/.onionskin/epoch-{number}"), "");
        }
        scene.ends_as(&context, &after);
        assert_eq!(opened(&scene.fs), Ok(Vec::new()), "{context}");
    }
}

/// An owner that was replaced while it was still alive detects that at its next commit, and changes nothing.
#[test]
fn an_owner_that_lost_the_root_decides_nothing() {
    let write = |store: &Store<SimFs>| store.replace("a", b"zombie".to_vec(), &WriteOptions::default()).map(|_| ());
    let commit = |store: &Store<SimFs>| {
        let mut transaction = store.begin("d", publish(Publish::InPlace))?;
        transaction.put("z", b"zombie".to_vec())?;
        transaction.commit().map(|_| ())
    };
    for next in [None, Some("new")] {
        let scene = Scene::new(&plain());
        let zombie = scene.open_locked("zombie").expect("it is free");
        assert_eq!(broken(&scene, "zombie"), Ok(()));
        let owner = next.map(|token| scene.open_locked(token).expect("it is free"));
        let holder = next.unwrap_or_default();
        assert_eq!(outcome(write(&zombie)), refused("locked", holder), "a file");
        assert_eq!(outcome(commit(&zombie)), refused("locked", holder), "a transaction");
        scene.shows("the zombie wrote nothing", &plain());
        if let Some(owner) = &owner {
            owner.replace("a", b"owner".to_vec(), &WriteOptions::default()).expect("the owner may write");
        }
        // The zombie must not remove the lock of the new owner.
        drop(zombie);
        assert_eq!(scene.fs.tree().bytes("ws/.onionskin/lock"), next.map(str::as_bytes), "after the zombie is gone");
        drop(owner);
        scene.shows("the owner", &if next.is_some() { plain().file("ws/a", "owner") } else { plain() });
    }
}

/// A root whose recovery fails is released: no lock stays.
#[test]
fn a_root_that_cannot_be_opened_is_released() {
    let corrupt = plain().file("ws/.onionskin/log", "??");
    let scene = Scene::new(&corrupt);
    assert_eq!(outcome(scene.open_locked("me").map(|_| ())), refused("corrupt", ".onionskin/log"));
    scene.ends_as("given back", &corrupt);
    let owner = Ownership::LockFile("me".into());
    let again = Store::open(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws", &owner, false);
    assert_eq!(outcome(again.map(|_| ())), refused("corrupt", ".onionskin/log"));
}
