//! Calls that are futures: they block no thread of a runtime, and one that is dropped in the middle of its call is a crash
//! at that call, no more.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use onionskin_host::{
    AsyncStore, AsyncWorkspace, CommitOptions, Content, Error, Fault, Faults, Kind, Onionskin, OpenOptions, Publish,
    Select, Source, Trap, WriteOptions,
};

use crate::ground;
use crate::runtime::runtimes;
use crate::scene::{PUBLISH, in_time, onionskin, publish};

/// Holds the component at one mutating call until the gate is opened.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
    was_reached: AtomicBool,
}

impl Gate {
    /// Returns a gate at the mutating call of this number, and the faults that hold the component there.
    fn at(call: u64) -> (Arc<Self>, Faults) {
        let gate = Arc::new(Self::default());
        let held = gate.clone();
        let faults = Faults::counting(Fault::None).on_mutating(move |number| {
            if number == call {
                held.hold();
            }
        });
        (gate, faults)
    }

    fn hold(&self) {
        self.was_reached.store(true, Ordering::SeqCst);
        let mut is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_open {
            is_open = self.changed.wait(is_open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn open(&self) {
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn was_reached(&self) -> bool {
        self.was_reached.load(Ordering::SeqCst)
    }
}

/// Polls a future until it is ready, or until a condition holds, and drops it. Returns its output, if it was ready.
async fn until<F: Future>(future: F, holds: impl Fn() -> bool) -> Option<F::Output> {
    let mut future = pin!(future);
    loop {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        if holds() {
            return None;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

async fn open(root: &Path) -> AsyncStore {
    onionskin().store(root).open_async(&OpenOptions::default()).await.expect("the root opens")
}

fn is_cancelled<T: std::fmt::Debug>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(error @ Error::Trap { trap: Trap::Cancelled, .. }) if error.kind() == Kind::Cancelled)
}

/// Every kind of call, on both flavours, in a task that was spawned: the futures are `Send`.
#[test]
fn every_call_is_a_future() {
    in_time(|| {
        for (flavour, runtime) in runtimes() {
            let place = ground::scratch();
            let at = |name: &str| place.path().join(name);
            for (path, content) in [("root/file", "old"), ("lower/original", "original"), ("base/kept", "old")] {
                ground::write(&at(path), content);
            }
            for name in ["upper", "forked", "exported"] {
                std::fs::create_dir(at(name)).expect("a new directory");
            }
            std::os::unix::fs::symlink(at("lower/original"), at("root/link")).expect("a new link");
            let path = place.path().to_owned();
            let work = async move {
                use_store(&path).await?;
                use_workspace(&path).await
            };
            runtime.block_on(async { tokio::spawn(work).await }).expect("the task ends").expect(flavour);
            let text = |name: &str| std::fs::read_to_string(at(name)).expect("it is there");
            assert_eq!((text("root/file"), text("root/link")), ("new".to_owned(), "original".to_owned()), "{flavour}");
            assert_eq!((text("root/streamed"), text("base/kept")), ("streamed".to_owned(), "more".to_owned()));
            assert_eq!((text("exported/kept"), text("root/d/a")), ("more".to_owned(), "Publish::Pointer".to_owned()));
        }
    });
}

async fn use_store(place: &Path) -> Result<(), Error> {
    let builder = onionskin().store(place.join("root")).lower(place.join("lower"));
    let store = builder.open_async(&OpenOptions::default()).await?;
    assert_eq!((store.recovered().await?.len(), store.steps().await?.len()), (0, 0));
    assert!(store.limits().await?.chunk_bytes > 0);
    store.replace("file", "new", &WriteOptions::default()).await?;
    store.replace_json("json", "{}", &WriteOptions::default()).await?;
    store.materialize("link", &Source::LinkTarget, &Content::Keep).await?;
    let mut writer = store.writer("streamed", &WriteOptions::default()).await?;
    writer.append("stream").await?;
    writer.append(*b"ed").await?;
    writer.commit().await?;
    drop(store.writer("dropped", &WriteOptions::default()).await?);
    for mode in PUBLISH {
        let mut change = store.begin("d", &publish(mode)).await?;
        change.put("a", format!("{mode:?}")).await?;
        change.put_file("b", place.join("lower/original")).await?;
        change.commit().await?;
    }
    drop(store.begin("d", &publish(Publish::InPlace)).await?);
    assert_eq!(store.free_generations().await?.len(), 0);
    store.close().await
}

async fn use_workspace(place: &Path) -> Result<(), Error> {
    let builder = onionskin().workspace(place.join("upper")).lower(place.join("base"));
    let workspace = builder.create_async().await?;
    workspace.put("kept", "changed").await?;
    workspace.close().await?;
    let workspace = onionskin().workspace(place.join("upper")).open_async().await?;
    assert_eq!(workspace.read("kept", 0, 100).await?, b"changed");
    assert_eq!(workspace.changes(&Select::default()).await?.len(), 1);
    let forked: AsyncWorkspace = workspace.fork(place.join("forked")).await?;
    forked.put("kept", "more").await?;
    forked.export(place.join("exported"), onionskin_host::Durability::Full).await?;
    forked.commit(place.join("base"), &CommitOptions::default()).await?;
    forked.discard().await?;
    workspace.discard().await
}

/// A future that is dropped at any call of the component on the filesystem is a crash there: the next call says so, the
/// root is free, and the next open, which waits for the call, completes the change or undoes it.
#[test]
fn a_dropped_future_is_a_crash_at_its_call() {
    in_time(|| {
        for (flavour, runtime) in runtimes() {
            for mode in PUBLISH {
                let (mut old, mut new) = (0, 0);
                // Every call on one flavour, and on the other enough to see that it is the same.
                let step = if flavour == "current_thread" { 1 } else { 4 };
                for call in (1..).step_by(step) {
                    let context = format!("{flavour}, {mode:?}, call {call}");
                    let root = ground::scratch();
                    ground::write(&root.path().join("d/a"), "old");
                    ground::write(&root.path().join("d/b"), "old");
                    let was_reached = runtime.block_on(dropped_at(call, mode, root.path(), &context));
                    let read = |name: &str| std::fs::read_to_string(root.path().join("d").join(name));
                    let now = [read("a"), read("b")].map(|it| it.unwrap_or_else(|error| panic!("{context}: {error}")));
                    assert!(now == ["old", "old"] || now == ["new", "new"], "{context}: {now:?}");
                    if !was_reached {
                        assert_eq!(now, ["new", "new"], "{context}");
                        break;
                    }
                    if now == ["old", "old"] { old += 1 } else { new += 1 }
                }
                println!("{flavour}, {mode:?}: old {old}, new {new}");
                assert!(old > 2 && new > 0, "{flavour}, {mode:?}: old {old}, new {new}");
            }
        }
    });
}

/// Changes a directory, drops the future at a call, and recovers. Returns whether the call was reached.
async fn dropped_at(call: u64, mode: Publish, root: &Path, context: &str) -> bool {
    let (gate, faults) = Gate::at(call);
    let builder = onionskin().store(root).faults(&faults);
    let store = builder.open_async(&OpenOptions::default()).await.expect("the root opens");
    let change = async {
        let mut change = store.begin("d", &publish(mode)).await?;
        change.put("a", "new").await?;
        change.put("b", "new").await?;
        change.commit().await
    };
    let ended = until(change, || gate.was_reached()).await;
    let was_reached = ended.is_none();
    if let Some(result) = ended {
        result.unwrap_or_else(|error| panic!("{context}: {error}"));
        // Closing may make calls, too.
        gate.open();
        store.close().await.expect("the store closes");
        return was_reached;
    }
    // The next open begins while the call is still held, and waits for it.
    let opener = thread::spawn({
        let gate = gate.clone();
        move || {
            thread::sleep(Duration::from_millis(2));
            gate.open();
        }
    });
    let next = open(root).await;
    for _ in 0..2 {
        let result = store.replace("other", "never", &WriteOptions::default()).await;
        assert!(is_cancelled(&result), "{context}: {result:?}");
    }
    opener.join().expect("it ends");
    // The next call may be counted, and fails before it is made.
    assert!(faults.mutating() <= call + 1, "{context}: {} calls", faults.mutating());
    let mut again = next.begin("e", &publish(mode)).await.expect("the root can be changed");
    again.put("c", "again").await.expect("staged");
    again.commit().await.expect("it is published");
    next.close().await.expect("the store closes");
    drop(store);
    assert!(!root.join("other").exists(), "{context}");
    was_reached
}

/// The same for a workspace, whose commit writes to its lower.
#[test]
fn a_dropped_commit_is_a_crash_at_its_call() {
    in_time(|| {
        let (_, runtime) = runtimes().into_iter().next().expect("there are two");
        let (mut old, mut new) = (0, 0);
        for call in (1..).step_by(3) {
            let place = ground::scratch();
            let (base, upper) = (place.path().join("base"), place.path().join("upper"));
            for name in ["a", "b"] {
                ground::write(&base.join(name), "old");
            }
            std::fs::create_dir(&upper).expect("a new directory");
            let was_reached = runtime.block_on(async {
                let (gate, faults) = Gate::at(call);
                let builder = onionskin().workspace(&upper).lower(&base);
                let workspace = builder.create_async().await.expect("a new workspace");
                workspace.put("a", "new").await.expect("it is written");
                workspace.put("b", "new").await.expect("it is written");
                workspace.close().await.expect("it closes");
                let builder = onionskin().workspace(&upper).faults(&faults);
                let workspace = builder.open_async().await.expect("it opens");
                let options = CommitOptions::default();
                let commit = workspace.commit(&base, &options);
                let ended = until(commit, || gate.was_reached()).await;
                gate.open();
                if let Some(result) = ended {
                    result.unwrap_or_else(|error| panic!("call {call}: {error}"));
                    return false;
                }
                let next = workspace.sync().await;
                assert!(is_cancelled(&next), "call {call}: {next:?}");
                let again = onionskin().workspace(&upper).open_async().await;
                let again = again.unwrap_or_else(|error| panic!("call {call}: {error}"));
                assert_eq!(again.read("a", 0, 9).await.expect("it is there"), b"new", "call {call}");
                again.close().await.expect("it closes");
                true
            });
            let now = ["a", "b"].map(|name| std::fs::read_to_string(base.join(name)).expect("it is there"));
            assert!(now == ["old", "old"] || now == ["new", "new"], "call {call}: {now:?}");
            if !was_reached {
                break;
            }
            if now == ["old", "old"] { old += 1 } else { new += 1 }
        }
        println!("old {old}, new {new}");
        assert!(old > 3 && new > 0, "old {old}, new {new}");
    });
}

/// A future that is dropped while it waits for a thread, or for its turn, makes no call and stops nothing.
#[test]
fn a_call_that_has_not_begun_is_not_made() {
    in_time(|| {
        for (flavour, runtime) in runtimes() {
            runtime.block_on(async {
                let onionskin = Onionskin::builder().calls_at_once(1).build().expect("it loads");
                let (busy, waiting) = (ground::scratch(), ground::scratch());
                let (gate, faults) = Gate::at(1);
                let options = OpenOptions::default();
                let held = onionskin.store(busy.path()).faults(&faults).open_async(&options).await.expect("it opens");
                let store = onionskin.store(waiting.path()).open_async(&options).await.expect("it opens");
                let (held, write) = (Arc::new(held), WriteOptions::default());
                let running = tokio::spawn({
                    let (held, write) = (held.clone(), write.clone());
                    async move { held.replace("file", "held", &write).await.map(drop) }
                });
                while !gate.was_reached() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let in_a_moment = Duration::from_millis(20);
                let late = tokio::time::timeout(in_a_moment, store.replace("file", "never", &write)).await;
                assert!(late.is_err(), "{flavour}: one call runs at once");
                let late = tokio::time::timeout(in_a_moment, held.replace("file", "never", &write)).await;
                assert!(late.is_err(), "{flavour}: the calls of a store take turns");
                gate.open();
                running.await.expect("the task ends").unwrap_or_else(|error| panic!("{flavour}: {error}"));
                for (store, root, content) in [(&store, &waiting, None), (&*held, &busy, Some("held"))] {
                    let file = std::fs::read_to_string(root.path().join("file")).ok();
                    assert_eq!(file.as_deref(), content, "{flavour}");
                    store.replace("file", "next", &write).await.expect("the store goes on");
                }
            });
        }
    });
}

/// Tasks that share a store take turns in the order in which they came, and all their changes are there.
#[test]
fn tasks_take_turns() {
    in_time(|| {
        for (flavour, runtime) in runtimes() {
            let root = ground::scratch();
            runtime.block_on(async {
                let store = open(root.path()).await;
                let calls = (0..16_u64).map(|number| {
                    let store = &store;
                    async move {
                        let text = number.to_string();
                        let receipt = store.replace("file", text, &WriteOptions::default()).await;
                        assert_eq!(receipt.expect("it is written").transaction, number + 1, "{flavour}");
                    }
                });
                let mut calls: Vec<_> = calls.map(Box::pin).collect();
                // All are polled in their order until each is ready.
                poll_fn(|context| {
                    calls.retain_mut(|call| call.as_mut().poll(context).is_pending());
                    if calls.is_empty() { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                drop(calls);
                store.close().await.expect("the store closes");
            });
            assert_eq!(std::fs::read_to_string(root.path().join("file")).expect("it is there"), "15", "{flavour}");
        }
    });
}

/// A store that is dropped inside a runtime is closed in the background, and the next open waits for that.
#[test]
fn a_dropped_store_frees_its_root() {
    in_time(|| {
        for (_, runtime) in runtimes() {
            let root = ground::scratch();
            runtime.block_on(async {
                for _ in 0..50 {
                    let store = open(root.path()).await;
                    let writer = store.writer("file", &WriteOptions::default()).await.expect("a writer");
                    drop(store);
                    drop(writer);
                }
                open(root.path()).await.close().await.expect("the store closes");
            });
            assert_eq!(ground::ours(&ground::read(root.path())), ground::NONE);
        }
    });
}
