//! Components that an embedder runs in stores of its own find layered directories in place of a filesystem; the changes
//! are listed, committed and discarded by calls of the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use onionskin_host::run::{GuestLayers, LayeredComponent, LayersView};
use onionskin_host::wasmtime::component::{Linker, ResourceTable};
use onionskin_host::wasmtime::{Config, Engine, Store};
use onionskin_host::{
    ChangeKind, CommitOptions, Error, ErrorKind, Fault, Faults, Kind, Quota, Resolution, Select, WorkspaceBuilder,
};
use onionskin_tests::{guests, layers, plain};
use tempfile::TempDir;
use wasmtime_wasi::p2::bindings::{Command, CommandPre, sync};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::ground;
use crate::runtime::runtimes;
use crate::scene::{in_time, onionskin};

const PRINTED_BYTES: usize = 1 << 20;

/// The state of an embedder's store.
struct Plugin {
    wasi: WasiCtx,
    table: ResourceTable,
    layers: GuestLayers,
}

impl WasiView for Plugin {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl LayersView for Plugin {
    fn layers(&mut self) -> &mut GuestLayers {
        &mut self.layers
    }
}

/// A guest on the engine of an embedder, whose epochs are ticks of a second.
struct Guest {
    engine: Engine,
    component: LayeredComponent,
}

impl Guest {
    fn read(name: &'static str) -> Option<Self> {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        let program = fs::read(guests::program(name)?).expect("it was built");
        let engine = ENGINE.get_or_init(|| Engine::new(Config::new().epoch_interruption(true)).expect("an engine"));
        let component = LayeredComponent::compile(engine, &program).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        Some(Self { engine: engine.clone(), component })
    }

    fn store(&self, layers: GuestLayers, arguments: &[&str]) -> (Store<Plugin>, MemoryOutputPipe) {
        let out = MemoryOutputPipe::new(PRINTED_BYTES);
        let mut wasi = WasiCtxBuilder::new();
        wasi.arg("program").args(arguments).stdout(out.clone());
        // The embedder's own directories are none of the guest's.
        wasi.preopened_dir("/", "/", FsPerms::ReadOnly).expect("the root can be read");
        let plugin = Plugin { wasi: wasi.build(), table: ResourceTable::new(), layers };
        let mut store = Store::new(&self.engine, plugin);
        store.set_epoch_deadline(u64::MAX >> 1);
        (store, out)
    }

    /// Runs it in a blocking store.
    fn run(&self, layers: GuestLayers, arguments: &[&str]) -> (bool, String) {
        let (mut store, out) = self.store(layers, arguments);
        let mut linker = Linker::new(&self.engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("nothing else is linked");
        let pre = self.component.instantiate_pre(&linker).expect("all imports are there");
        let command = sync::CommandPre::new(pre).and_then(|pre| pre.instantiate(&mut store)).expect("it starts");
        let ended = command.wasi_cli_run().call_run(&mut store);
        (is_success(ended), printed(&out))
    }

    async fn start(&self, store: &mut Store<Plugin>) -> Command {
        let mut linker = Linker::new(&self.engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("nothing else is linked");
        let pre = self.component.instantiate_pre(&linker).expect("all imports are there");
        CommandPre::new(pre).expect("it is a command").instantiate_async(store).await.expect("it starts")
    }

    /// Runs it in a store whose calls are futures.
    async fn run_async(&self, layers: GuestLayers, arguments: &[&str]) -> (bool, String) {
        let (mut store, out) = self.store(layers, arguments);
        let command = self.start(&mut store).await;
        let ended = command.wasi_cli_run().call_run(&mut store).await;
        (is_success(ended), printed(&out))
    }
}

/// Returns whether a guest ended with success.
///
/// # Panics
/// If it trapped.
fn is_success(ended: wasmtime::Result<Result<(), ()>>) -> bool {
    match ended {
        Ok(ended) => ended.is_ok(),
        Err(error) if error.is::<I32Exit>() => false,
        Err(error) => panic!("{error:?}"),
    }
}

fn printed(out: &MemoryOutputPipe) -> String {
    String::from_utf8(out.contents().to_vec()).expect("it prints UTF-8")
}

/// A project, and places for the changes of two guests.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(ground::scratch());
        for name in ["first", "second"] {
            fs::create_dir(place.at(name)).expect("a new directory");
        }
        ground::write(&place.at("project/other"), "other");
        ground::write(&place.at("project/text"), "one\ntwo\nthree\nfour\nfive\n");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn changes(&self, name: &str) -> WorkspaceBuilder {
        onionskin().workspace(self.at(name)).lower(self.at("project"))
    }

    fn text(&self) -> String {
        fs::read_to_string(self.at("project/text")).expect("it is there")
    }
}

fn layered(changes: &WorkspaceBuilder) -> GuestLayers {
    GuestLayers::new().layer("/data", changes).expect("the workspace opens")
}

fn listed(changes: &WorkspaceBuilder) -> Vec<(String, ChangeKind)> {
    let mut workspace = changes.open().expect("the guest is gone");
    let changes = workspace.changes(&Select::default()).expect("they can be listed");
    workspace.close().expect("it closes");
    changes.into_iter().map(|change| (change.path, change.what)).collect()
}

fn bytes_below(directory: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).expect("it is there").len();
    layers::tree(directory)
        .keys()
        .map(|name| directory.join(name))
        .filter(|it| it.is_file())
        .map(|it| length(&it))
        .sum()
}

/// The project stays as it is until the host commits, and as it was where the host discards.
#[test]
fn changes_are_committed_or_discarded_by_the_host() {
    let Some(guest) = Guest::read("greedy") else { return };
    let place = Place::new();
    let before = ground::read(&place.at("project"));
    let expected = [("other".to_owned(), ChangeKind::Deleted), ("note".to_owned(), ChangeKind::Added)];

    let changes = place.changes("first");
    assert!(guest.run(layered(&changes), &["note", "/data", "0"]).0);
    assert_eq!(listed(&changes), expected);
    assert_eq!(ground::difference(&before, &ground::read(&place.at("project"))), ground::NONE);
    changes.open().expect("it is free").discard().expect("it is discarded");
    assert_eq!(ground::read(&place.at("first")).len(), 0, "the upper directory is empty");

    for (_, runtime) in runtimes() {
        runtime.block_on(async {
            let layers = layered(&changes);
            assert!(guest.run_async(layers, &["note", "/data", "0"]).await.0);
            let workspace = changes.open_async().await.expect("the guest is gone");
            let found = workspace.changes(&Select::default()).await.expect("they can be listed");
            assert_eq!(found.len(), 2);
            workspace.discard().await.expect("it is discarded");
        });
    }
    assert_eq!(ground::difference(&before, &ground::read(&place.at("project"))), ground::NONE);

    assert!(guest.run(layered(&changes), &["note", "/data", "0"]).0);
    let mut workspace = changes.open().expect("it is free");
    workspace.commit(place.at("project"), &CommitOptions::default()).expect("nothing is in the way");
    workspace.close().expect("it closes");
    assert!(place.at("project/note").exists() && !place.at("project/other").exists());
}

/// While a guest has its directories, they can be looked at and have no other owner.
#[test]
fn a_guest_is_the_owner_of_its_workspace() {
    let Some(guest) = Guest::read("greedy") else { return };
    let place = Place::new();
    let changes = place.changes("first");
    let layers = layered(&changes);
    assert!(matches!(changes.open(), Err(Error::Locked { .. })));
    assert!(matches!(GuestLayers::new().layer("/data", &changes), Err(Error::Locked { .. })));
    let mut seen = changes.observe().expect("it can be looked at");
    assert_eq!(seen.changes(&Select::default()).expect("there are none").len(), 0);
    assert!(guest.run(layers, &["replace", "/data/text", "two", "zwei"]).0);
    assert_eq!(listed(&changes), [("text".to_owned(), ChangeKind::Modified)]);
}

/// Of two guests that change the same line, the second has a conflict; of other lines, they are merged.
#[test]
fn two_guests_conflict_or_are_merged() {
    let Some(guest) = Guest::read("greedy") else { return };
    for (word, is_merged) in [("two", false), ("five", true)] {
        let place = Place::new();
        let [first, second] = ["first", "second"].map(|name| place.changes(name));
        let (ours, theirs) = (layered(&first), layered(&second));
        assert!(guest.run(ours, &["replace", "/data/text", "two", "zwei"]).0);
        assert!(guest.run(theirs, &["replace", "/data/text", word, "other"]).0);
        let commit = |changes: &WorkspaceBuilder, resolution: Option<Resolution>| {
            let mut workspace = changes.open()?;
            if let Some(resolution) = resolution {
                workspace.refresh(&Select::default(), resolution)?;
            }
            workspace.commit(place.at("project"), &CommitOptions::default())?;
            workspace.close()
        };
        commit(&first, None).expect("it is the first");
        let refused = commit(&second, None).expect_err("the project has changed");
        assert_eq!(refused.kind(), Kind::Contract(ErrorKind::Conflicts), "{refused}");
        let merged = commit(&second, Some(Resolution::Merge));
        assert_eq!(merged.is_ok(), is_merged, "{word}: {merged:?}");
        let expected = if is_merged { "one\nzwei\nthree\nfour\nother\n" } else { "one\nzwei\nthree\nfour\nfive\n" };
        assert_eq!(place.text(), expected, "{word}");
    }
}

/// A guest has its layers and no other directory: neither those of the embedder nor those of another guest.
#[test]
fn a_guest_has_no_other_directory() {
    let (Some(guest), Some(other)) = (Guest::read("greedy"), Guest::read("files")) else { return };
    let place = Place::new();
    let (ended, lines) = guest.run(layered(&place.changes("first")), &["look", "/data", "/data#upper", "/data#lower"]);
    assert!(ended, "{lines}");
    assert!(lines.contains("/data Ok([\"other\", \"text\"])"), "{lines}");
    for hidden in ["/", ", /etc", "/data#upper", "/data#lower"] {
        assert!(lines.contains(&format!("{hidden} Err(NotFound)")), "{hidden}: {lines}");
    }
    // A linker has the directories of the component that it links, and of no other.
    let mut linker = Linker::<Plugin>::new(&guest.engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("nothing else is linked");
    guest.component.instantiate_pre(&linker).expect("all imports are there");
    let composed = other.component.component();
    let error = linker.instantiate_pre(composed).err().expect("its directories are not linked");
    assert!(format!("{error:#}").contains("onionskin:layer/"), "{error:#}");
}

/// Every call of `std::fs` has the result of a plain directory, also in a store whose calls are futures.
#[test]
fn calls_have_the_results_of_a_plain_directory() {
    let (Some(guest), Some(program)) = (Guest::read("files"), guests::program("files")) else { return };
    let ground = layers::Ground::of_files();
    let host = plain::Host::new(&fs::read(program).expect("it was built"), &ground.at("top"));
    let _compiled_by_the_program = fs::remove_file(ground.at("top/program.wasm"));
    let expected = host.run(&[(ground.at("plain"), "/data")], &["/data"], "").out;
    for (flavour, runtime) in runtimes() {
        let upper = ground.at(flavour);
        fs::create_dir(&upper).expect("a new directory");
        let changes = onionskin().workspace(&upper).lowers([ground.at("top"), ground.at("base")]);
        let (_, lines) = runtime.block_on(guest.run_async(layered(&changes), &["/data"]));
        let differing: Vec<_> =
            expected.lines().zip(lines.lines()).filter(|(plain, layered)| plain != layered).collect();
        assert!(differing.is_empty() && expected.len() == lines.len(), "{flavour}: {differing:#?}");
        ground.assert_lowers_stay();
    }
}

/// A quota holds in both kinds of stores, and a write beyond it fails.
#[test]
fn a_quota_is_kept() {
    let Some(guest) = Guest::read("greedy") else { return };
    const MOST: u64 = 1 << 20;
    for kind in ["fill", "extend", "nameless"] {
        let place = Place::new();
        let quota = Quota { bytes: Some(MOST), entries: None };
        let [blocking, futures] = ["first", "second"].map(|name| place.changes(name).quota(quota));
        let (ended, lines) = guest.run(layered(&blocking), &[kind, "/data"]);
        assert!(!ended, "{kind}: {lines}");
        let [(_, current), _] = runtimes();
        let (_, others) = current.block_on(guest.run_async(layered(&futures), &[kind, "/data"]));
        assert_eq!(lines, others, "{kind}");
        for name in ["first", "second"] {
            let bytes = bytes_below(&place.at(name));
            assert!(bytes <= MOST, "{kind} in {name}: {bytes}");
        }
    }
    let place = Place::new();
    let few = place.changes("first").quota(Quota { bytes: None, entries: Some(20) });
    assert!(!guest.run(layered(&few), &["many", "/data"]).0);
    assert!(listed(&few).len() <= 20);
}

/// A guest whose future is dropped, in the middle of its work, is a crash: its workspace is free, and whole.
#[test]
fn a_dropped_guest_leaves_what_a_crash_leaves() {
    let Some(guest) = Guest::read("greedy") else { return };
    in_time(move || {
        for (flavour, runtime) in runtimes() {
            for wait in [0, 1, 5, 20] {
                let place = Place::new();
                let changes = place.changes("first");
                runtime.block_on(async {
                    let (mut store, _) = guest.store(layered(&changes), &["again", "/data"]);
                    // A guest gives way at each tick, where a future can be dropped.
                    store.set_epoch_deadline(1);
                    store.epoch_deadline_async_yield_and_update(1);
                    let engine = guest.engine.clone();
                    let ticks = std::thread::spawn(move || {
                        for _ in 0..400 {
                            std::thread::sleep(Duration::from_micros(200));
                            engine.increment_epoch();
                        }
                    });
                    let run = async {
                        let command = guest.start(&mut store).await;
                        command.wasi_cli_run().call_run(&mut store).await
                    };
                    let _dropped_or_ended = tokio::time::timeout(Duration::from_millis(wait), run).await;
                    drop(store);
                    let workspace =
                        changes.open_async().await.unwrap_or_else(|error| panic!("{flavour} {wait}: {error}"));
                    workspace.changes(&Select::default()).await.expect("they can be listed");
                    workspace.discard().await.expect("it is discarded");
                    ticks.join().expect("it ends");
                });
                assert_eq!(fs::read(place.at("project/other")).expect("it is there"), b"other");
            }
        }
    });
}

/// A guest that is stopped before any of its calls leaves a workspace that opens, old or new.
#[test]
fn a_guest_is_stopped_before_every_call() {
    let Some(guest) = Guest::read("greedy") else { return };
    for call in 1.. {
        let place = Place::new();
        let faults = Faults::new(Fault::TrapBefore(call));
        let changes = place.changes("first");
        let watched = changes.clone().faults(&faults);
        let Ok(layers) = GuestLayers::new().layer("/data", &watched) else { continue };
        let (mut store, _) = guest.store(layers, &["replace", "/data/text", "two", "zwei"]);
        let mut linker = Linker::new(&guest.engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("nothing else is linked");
        let pre = guest.component.instantiate_pre(&linker).and_then(sync::CommandPre::new).expect("it links");
        if let Ok(command) = pre.instantiate(&mut store) {
            let _stopped_or_ended = command.wasi_cli_run().call_run(&mut store);
        }
        drop(store);
        let found = listed(&changes);
        assert!(found.len() <= 1, "{call}: {found:?}");
        if !faults.fired() {
            assert!(call > 3, "only {call} calls were counted");
            return;
        }
    }
}
