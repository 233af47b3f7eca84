//! Guests of an embedder import the contract, each with the roots that it is granted, and no filesystem.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use onionskin_host::wasmtime::component::{Component, Linker, Val};
use onionskin_host::wasmtime::{Engine, Store};
use onionskin_host::{GuestRoots, OpenOptions, Quota, Rights, add_to_linker, add_to_linker_async};
use onionskin_tests::guests;
use tempfile::TempDir;

use crate::ground;
use crate::runtime::runtimes;
use crate::scene::{in_time, onionskin};

/// A guest with its roots, and no other state.
struct Guest {
    roots: GuestRoots,
}

/// A place with the directories that the guest names.
fn place() -> TempDir {
    let place = ground::scratch();
    for name in ["root", "upper"] {
        std::fs::create_dir(place.path().join(name)).expect("a new directory");
    }
    ground::write(&place.path().join("lower/notes.txt"), "one\n");
    ground::write(&place.path().join("lower/gone.txt"), "gone");
    place
}

fn grants(place: &Path) -> GuestRoots {
    let at = |name: &str| place.join(name);
    onionskin()
        .guest_roots()
        .grant("/root", at("root"), Rights::WRITE)
        .grant("/upper", at("upper"), Rights::WRITE)
        .grant("/lower", at("lower"), Rights::COMMIT)
}

/// The compiled guest, which imports the contract. Other imports of its language are traps.
struct Plugin {
    engine: Engine,
    component: Component,
}

impl Plugin {
    fn read() -> Option<Self> {
        let program = guests::program("rust")?;
        let engine = Engine::default();
        let component = onionskin_host::compile(&engine, &std::fs::read(program).expect("it was built"));
        Some(Self { component: component.expect("it compiles"), engine })
    }

    fn start(&self, roots: GuestRoots) -> Store<Guest> {
        Store::new(&self.engine, Guest { roots })
    }

    /// Runs the guest in a store whose calls are futures.
    async fn run_async(&self, store: &mut Store<Guest>) -> Vec<String> {
        let mut linker = Linker::new(&self.engine);
        let added = add_to_linker_async(onionskin(), &mut linker, |guest: &mut Guest| &mut guest.roots);
        added.expect("nothing else is linked");
        linker.define_unknown_imports_as_traps(&self.component).expect("the rest of its imports");
        let instance = linker.instantiate_async(&mut *store, &self.component).await.expect("all imports are there");
        let run = instance.get_func(&mut *store, "run").expect("it exports run");
        let mut lines = [Val::Bool(false)];
        run.call_async(store, &[], &mut lines).await.expect("it ends");
        texts(lines)
    }

    /// Runs the guest, and returns its lines.
    fn run(&self, store: &mut Store<Guest>) -> Vec<String> {
        let mut linker = Linker::new(&self.engine);
        add_to_linker(onionskin(), &mut linker, |guest: &mut Guest| &mut guest.roots).expect("nothing else is linked");
        linker.define_unknown_imports_as_traps(&self.component).expect("the rest of its imports");
        let instance = linker.instantiate(&mut *store, &self.component).expect("all imports are there");
        let run = instance.get_func(&mut *store, "run").expect("it exports run");
        let mut lines = [Val::Bool(false)];
        run.call(store, &[], &mut lines).expect("it ends");
        texts(lines)
    }
}

fn texts([lines]: [Val; 1]) -> Vec<String> {
    let Val::List(lines) = lines else { panic!("no list: {lines:?}") };
    let text = |line| if let Val::String(line) = line { line } else { panic!("no text: {line:?}") };
    lines.into_iter().map(text).collect()
}

fn text(place: &TempDir, name: &str) -> String {
    std::fs::read_to_string(place.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Two guests at once, with other directories under the same names; each changes its own.
#[test]
fn two_guests_have_their_own_roots() {
    let Some(plugin) = Plugin::read() else { return };
    let (first, second) = (place(), place());
    ground::write(&second.path().join("lower/notes.txt"), "other\n");
    let mut stores = [&first, &second].map(|place| plugin.start(grants(place.path())));
    let lines = stores.each_mut().map(|store| plugin.run(store));
    for (place, lines, notes) in [(&first, &lines[0], "one\ntwo\n"), (&second, &lines[1], "other\ntwo\n")] {
        assert!(lines.iter().all(|line| !line.starts_with("failed")), "{lines:#?}");
        assert_eq!(lines.last().map(String::as_str), Some(&*format!("notes.txt: {notes}")), "{lines:#?}");
        assert_eq!(text(place, "root/a.txt"), "hello");
        assert_eq!((text(place, "root/d/one"), text(place, "root/d/two")), ("1".to_owned(), "22".to_owned()));
        assert_eq!(
            (text(place, "lower/notes.txt"), text(place, "lower/new.txt")),
            (notes.to_owned(), "new".to_owned())
        );
        assert!(!place.path().join("lower/gone.txt").exists());
    }
}

/// A root has one owner, whoever it is: the embedder and a guest exclude each other.
#[test]
fn a_root_has_one_owner() {
    let Some(plugin) = Plugin::read() else { return };
    let place = place();
    let held = onionskin().store(place.path().join("root")).open(&OpenOptions::default()).expect("the root opens");
    let lines = plugin.run(&mut plugin.start(grants(place.path())));
    assert_eq!(lines, ["failed: /root: another owner has this root open"]);
    held.close().expect("the store closes");
    let mut store = plugin.start(grants(place.path()));
    let lines = plugin.run(&mut store);
    assert!(lines.last().is_some_and(|line| line.starts_with("notes.txt")), "{lines:#?}");
    drop(store);
    let free = onionskin().store(place.path().join("root")).open(&OpenOptions::default());
    free.expect("a guest that is dropped holds no root").close().expect("the store closes");
}

/// A call that needs a right of a directory is refused without it, and changes nothing.
#[test]
fn rights_are_by_grant() {
    let Some(plugin) = Plugin::read() else { return };
    let cases = [
        ("/root", Rights::READ, "failed: /root: it is not granted for writing"),
        ("/root", Rights::COMMIT, "failed: /root: it is not granted for writing"),
        ("/upper", Rights::READ, "failed: /upper: it is not granted for writing"),
        ("/lower", Rights::READ, "failed: /lower: it is not granted for commits"),
        ("/lower", Rights::WRITE, "failed: /lower: it is not granted for commits"),
    ];
    for (name, rights, expected) in cases {
        let place = place();
        let mut roots = onionskin().guest_roots();
        for (granted, usual) in [("/root", Rights::WRITE), ("/upper", Rights::WRITE), ("/lower", Rights::COMMIT)] {
            let directory = place.path().join(granted.trim_start_matches('/'));
            roots = roots.grant(granted, directory, if granted == name { rights } else { usual });
        }
        let before = ground::read(&place.path().join(name.trim_start_matches('/')));
        let lines = plugin.run(&mut plugin.start(roots));
        assert_eq!(lines.last().map(String::as_str), Some(expected), "{name} {rights:?}: {lines:#?}");
        let after = ground::read(&place.path().join(name.trim_start_matches('/')));
        assert_eq!(ground::difference(&before, &after), ground::NONE, "{name} {rights:?}");
    }
    let place = place();
    let lines = plugin.run(&mut plugin.start(onionskin().guest_roots().grant("/other", place.path(), Rights::WRITE)));
    assert_eq!(lines, ["failed: /root: no granted directory has this name"]);
}

/// A quota is of its grant: a guest that exceeds one fails there.
#[test]
fn a_quota_is_by_grant() {
    let Some(plugin) = Plugin::read() else { return };
    for (most, is_enough) in [(0, false), (1 << 20, true)] {
        let place = place();
        let quota = Quota { bytes: Some(most), entries: None };
        let roots = onionskin()
            .guest_roots()
            .grant_with_quota("/root", place.path().join("root"), Rights::WRITE, quota)
            .grant("/upper", place.path().join("upper"), Rights::WRITE)
            .grant("/lower", place.path().join("lower"), Rights::COMMIT);
        let lines = plugin.run(&mut plugin.start(roots));
        let has_failed = lines.iter().any(|line| line.starts_with("failed"));
        assert_eq!(has_failed, !is_enough, "{most}: {lines:#?}");
        assert_eq!(place.path().join("root/a.txt").exists(), is_enough, "{most}");
    }
}

/// In stores whose calls are futures, many guests run on one thread of a runtime.
#[test]
fn guests_run_as_futures() {
    let Some(plugin) = Plugin::read() else { return };
    let places: [TempDir; 8] = std::array::from_fn(|_| place());
    let plugin = Arc::new(plugin);
    for (flavour, runtime) in runtimes() {
        runtime.block_on(async {
            let run = |place: &TempDir| {
                let (plugin, roots) = (plugin.clone(), grants(place.path()));
                tokio::spawn(async move { plugin.run_async(&mut plugin.start(roots)).await })
            };
            for task in places.each_ref().map(run) {
                let lines = task.await.expect("it does not panic");
                let failed = lines.iter().any(|line| line.starts_with("failed"));
                // The upper directory has a workspace already, on the other flavour.
                assert_eq!(failed, flavour != "current_thread", "{flavour}: {lines:#?}");
            }
        });
    }
    for place in &places {
        assert_eq!((text(place, "root/a.txt"), text(place, "lower/new.txt")), ("hello".to_owned(), "new".to_owned()));
    }
}

/// A guest whose future is dropped, at any moment, is a crash: its roots are free, and old or new.
#[test]
fn a_dropped_guest_is_a_crash() {
    let Some(plugin) = Plugin::read() else { return };
    in_time(move || {
        for (flavour, runtime) in runtimes() {
            runtime.block_on(async {
                for wait in (0..6000).step_by(300).map(Duration::from_micros) {
                    let place = place();
                    let mut store = plugin.start(grants(place.path()));
                    let _dropped_or_ended = tokio::time::timeout(wait, plugin.run_async(&mut store)).await;
                    drop(store);
                    let root = onionskin().store(place.path().join("root"));
                    let opened = root.open_async(&OpenOptions::default()).await;
                    let opened = opened.unwrap_or_else(|error| panic!("{flavour} after {wait:?}: {error}"));
                    opened.close().await.expect("it closes");
                    let both = ["root/d/one", "root/d/two"].map(|name| place.path().join(name).exists());
                    assert_eq!(both[0], both[1], "{flavour} after {wait:?}");
                    let notes = text(&place, "lower/notes.txt");
                    assert!(["one\n", "one\ntwo\n"].contains(&&*notes), "{flavour} after {wait:?}: {notes}");
                }
            });
        }
    });
}
