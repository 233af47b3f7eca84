//! Dropped writers and transactions leave nothing behind, and several may be in progress at once.

use onionskin::persist::transaction::Publish;
use onionskin::store::{Durability, Receipt, WriteOptions};
use onionskin_sim::{Tree, tree};

use crate::support::{PUBLISH, Scene, publish};

fn before() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/file" = "old"; file "ws/d/a" = "A"; file "ws/d/b" = "B"; }
}

/// A dropped writer leaves nothing, at any point of its life.
#[test]
fn a_dropped_writer_leaves_nothing() {
    for pieces in 0..3 {
        let scene = Scene::new(&before());
        let store = scene.open();
        let mut writer = store.writer("file", &WriteOptions::default()).expect("a file");
        for _ in 0..pieces {
            writer.write(b"piece".to_vec()).expect("staged");
        }
        drop(writer);
        drop(store);
        scene.ends_as(&format!("dropped after {pieces} pieces"), &before());
    }
}

/// A dropped transaction leaves nothing, at any point of its life and in any mode.
#[test]
fn a_dropped_transaction_leaves_nothing() {
    for mode in PUBLISH {
        for calls in 0..5 {
            let scene = Scene::new(&before());
            let store = scene.open();
            let mut transaction = store.begin("d", publish(mode)).expect("a directory");
            for call in 0..calls {
                match call {
                    0 => transaction.put("a", b"new".to_vec()),
                    1 => transaction.append("a", b"er".to_vec()),
                    2 => transaction.put_file("x/y", "/lower/original"),
                    _ => transaction.rename("b", "c"),
                }
                .expect("staged");
            }
            drop(transaction);
            drop(store);
            scene.ends_as(&format!("{mode:?}, dropped after {calls} calls"), &before());
        }
    }
}

/// Writers and transactions may outlive the store that created them.
#[test]
fn work_in_progress_may_outlive_its_store() {
    let scene = Scene::new(&before());
    let store = scene.open();
    let mut writer = store.writer("file", &WriteOptions::default()).expect("a file");
    let mut transaction = store.begin("d", publish(Publish::InPlace)).expect("a directory");
    drop(store);
    writer.write(b"new".to_vec()).expect("staged");
    transaction.put("a", b"new".to_vec()).expect("staged");
    assert_eq!(writer.commit().map(|done| done.bytes), Ok(3));
    assert_eq!(transaction.commit().map(|done| done.bytes), Ok(3));
    scene.ends_as("outlived", &before().file("ws/file", "new").file("ws/d/a", "new"));
}

/// Several writers, on one path and on many, each publish their own content: the last commit on a path wins as a whole.
#[test]
fn writers_are_independent() {
    let scene = Scene::new(&before());
    let store = scene.open();
    let options = WriteOptions::default();
    let names = ["file", "file", "other", "d/a"];
    let mut writers: Vec<_> = names.iter().map(|name| store.writer(name, &options).expect("a file")).collect();
    for round in 0..3 {
        for (index, writer) in writers.iter_mut().enumerate() {
            writer.write(format!("{index}{round} ").into_bytes()).expect("staged");
        }
    }
    let dropped = writers.remove(3);
    for (number, writer) in (1..).zip(writers.into_iter().rev()) {
        let done = Receipt { transaction: number, achieved: Durability::Full, applied: 1, bytes: 9 };
        assert_eq!(writer.commit(), Ok(done));
    }
    drop(dropped);
    drop(store);
    scene.ends_as("writers", &before().file("ws/file", "00 01 02 ").file("ws/other", "20 21 22 "));
}

/// Transactions in all modes, writers and single writes, begun together and ended in every order: each is applied as a
/// whole, and the dropped ones have no effect.
#[test]
fn transactions_and_writers_may_be_interleaved() {
    for first in 0..3 {
        for dropped in [None, Some(0), Some(1), Some(2)] {
            let context = format!("first {first}, dropped {dropped:?}");
            let scene = Scene::new(&before());
            let store = scene.open();
            let mut works: Vec<_> = ["d", "e", "f"]
                .iter()
                .zip([Publish::InPlace, Publish::Swap, Publish::InPlace])
                .map(|(name, mode)| Some(store.begin(name, publish(mode)).expect("a directory")))
                .collect();
            let mut writer = store.writer("file", &WriteOptions::default()).expect("a file");
            for round in 0..2 {
                for work in works.iter_mut().flatten() {
                    work.put(&format!("put-{round}"), format!("{round}").into_bytes()).expect("staged");
                    work.append(&format!("put-{round}"), b"!".to_vec()).expect("staged");
                }
                writer.write(b"w".to_vec()).expect("staged");
                store.replace("between", b"1".to_vec(), &WriteOptions::default()).expect("replaced");
            }
            let mut after = before().file("ws/between", "1").file("ws/file", "ww");
            for step in 0..3 {
                let index = (first + step) % 3;
                let work = works[index].take().expect("ended once");
                if dropped == Some(index) {
                    drop(work);
                    continue;
                }
                assert_eq!(work.commit().map(|done| (done.applied, done.bytes)), Ok((2, 4)), "{context}");
                let name = ["d", "e", "f"][index];
                after = after.file(format!("ws/{name}/put-0"), "0!").file(format!("ws/{name}/put-1"), "1!");
            }
            assert_eq!(writer.commit().map(|done| done.bytes), Ok(2), "{context}");
            drop(store);
            scene.ends_as(&context, &after);
        }
    }
}

/// Of two transactions on one path each commits against the state that it finds, and the later one wins as a whole.
#[test]
fn transactions_on_one_path_commit_one_after_the_other() {
    for mode in [Publish::InPlace, Publish::Swap] {
        let scene = Scene::new(&before());
        let store = scene.open();
        let mut one = store.begin("d", publish(mode)).expect("a directory");
        let mut two = store.begin("d", publish(mode)).expect("a directory");
        one.put("a", b"one".to_vec()).expect("staged");
        two.put("a", b"two".to_vec()).expect("staged");
        one.put("only-one", b"1".to_vec()).expect("staged");
        two.remove("b").expect("staged");
        assert_eq!(two.commit().map(|done| done.applied), Ok(2), "{mode:?}");
        assert_eq!(one.commit().map(|done| done.applied), Ok(2), "{mode:?}");
        drop(store);
        let after = before().file("ws/d/a", "one").file("ws/d/only-one", "1").remove("ws/d/b");
        scene.ends_as(&format!("{mode:?}"), &after);
    }
}
