//! The calls block, and may be made from any thread: inside an asynchronous runtime they neither panic nor
//! wait for each other for ever.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use onionskin_host::{
    CommitOptions, Content, DirectoryOptions, Error, Fault, Faults, OpenOptions, Select, Source, Store, Trap,
    WriteOptions,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::ground;
use crate::scene::{PUBLISH, in_time, onionskin, publish};

/// Directories for one test: `root`, `lower`, `base` and `upper`.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(ground::scratch());
        for (path, content) in [("root/file", "old"), ("lower/original", "original"), ("base/kept", "old")] {
            ground::write(&place.at(path), content);
        }
        fs::create_dir(place.at("upper")).expect("a new directory");
        symlink(place.at("lower/original"), place.at("root/link")).expect("a new link");
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// One runtime of each flavour, with its name.
pub(crate) fn runtimes() -> [(&'static str, Runtime); 2] {
    let current = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let multi = Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime");
    [("current_thread", current), ("multi_thread", multi)]
}

/// Every kind of call on a store.
fn use_store(place: &Place) -> Result<(), Error> {
    let builder = onionskin().store(place.at("root")).lower(place.at("lower"));
    builder.probe()?;
    builder.inspect()?;
    let store = builder.open(&OpenOptions::default())?;
    store.replace("file", b"new", &WriteOptions::default())?;
    store.materialize("link", &Source::LinkTarget, &Content::Keep)?;
    let mut writer = store.writer("streamed", &WriteOptions::default())?;
    std::io::copy(&mut &b"streamed"[..], &mut writer).expect("it grows");
    writer.commit()?;
    drop(store.writer("dropped", &WriteOptions::default())?);
    for mode in PUBLISH {
        let mut change = store.begin("d", &publish(mode))?;
        change.put("a", format!("{mode:?}").as_bytes())?;
        change.put_file("b", place.at("lower/original"))?;
        change.commit()?;
    }
    drop(store.begin("d", &DirectoryOptions::default())?);
    store.close()
}

/// Every kind of call on a workspace.
fn use_workspace(place: &Place) -> Result<(), Error> {
    let mut workspace = onionskin().workspace(place.at("upper")).lower(place.at("base")).create()?;
    workspace.put("kept", b"changed")?;
    workspace.sync()?;
    workspace.close()?;
    let mut workspace = onionskin().workspace(place.at("upper")).open()?;
    assert_eq!(workspace.changes(&Select::default())?.len(), 1);
    workspace.commit(place.at("base"), &CommitOptions::default())?;
    workspace.discard()
}

/// In a task, in a task that was spawned, on a thread for blocking calls, and where two tasks share a store.
#[test]
fn calls_inside_a_runtime() {
    in_time(|| {
        for (flavour, runtime) in runtimes() {
            let [here, spawned, blocking] = [(); 3].map(|()| Place::new());
            let work = move |place: Place| {
                use_store(&place).unwrap_or_else(|error| panic!("{flavour}: {error}"));
                use_workspace(&place).unwrap_or_else(|error| panic!("{flavour}: {error}"));
                assert_eq!(place.text("root/file"), "new", "{flavour}");
                assert_eq!(place.text("base/kept"), "changed", "{flavour}");
            };
            runtime.block_on(async {
                work(here);
                tokio::spawn(async move { work(spawned) }).await.expect("the task ends");
                tokio::task::spawn_blocking(move || work(blocking)).await.expect("the thread ends");
            });
        }
    });
}

/// Tasks that share a store take turns, and each change is there.
#[test]
fn tasks_share_a_store() {
    in_time(|| {
        for (flavour, runtime) in runtimes() {
            let place = Place::new();
            let store =
                Arc::new(onionskin().store(place.at("root")).open(&OpenOptions::default()).expect("the root opens"));
            runtime.block_on(async {
                let write = |number: usize| {
                    let store = store.clone();
                    tokio::spawn(async move {
                        let name = format!("file-{number}");
                        store.replace(&name, name.as_bytes(), &WriteOptions::default()).map(drop)
                    })
                };
                for task in (0..16).map(write).collect::<Vec<_>>() {
                    task.await.expect("the task ends").unwrap_or_else(|error| panic!("{flavour}: {error}"));
                }
            });
            Arc::into_inner(store).map(Store::close).expect("the last one").expect("the store closes");
            for number in 0..16 {
                assert_eq!(place.text(&format!("root/file-{number}")), format!("file-{number}"), "{flavour}");
            }
        }
    });
}

/// A call that is stopped inside a runtime is an error as it is outside.
#[test]
fn a_crash_inside_a_runtime_is_an_error() {
    for (flavour, runtime) in runtimes() {
        let place = Place::new();
        runtime.block_on(async {
            let faults = Faults::counting(Fault::TrapBefore(2));
            let builder = onionskin().store(place.at("root")).faults(&faults);
            let done = builder
                .open(&OpenOptions::default())
                .and_then(|store| store.replace("file", b"new", &WriteOptions::default()).map(drop));
            assert!(matches!(done, Err(Error::Trap { trap: Trap::Injected { .. }, .. })), "{flavour}: {done:?}");
            let store = onionskin().store(place.at("root")).open(&OpenOptions::default()).expect("it recovers");
            store.close().expect("the store closes");
        });
        assert_eq!(place.text("root/file"), "old", "{flavour}");
    }
}
