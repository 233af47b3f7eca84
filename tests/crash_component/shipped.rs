//! Operations of the component, each paired with the equivalent operation of the core.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use onionskin_host::{
    Content, DirectoryOptions, Durability, Error, ErrorKind, Onionskin, OpenOptions, Precondition, Publish, Source,
    Store, StoreBuilder, SymlinkPolicy, WriteOptions,
};
use onionskin_lab::simulated::Disk;
use onionskin_sim::explore::{Class, Failure, Subject};
use onionskin_sim::operations::{self, Operation};
use onionskin_sim::{Recording, SimFs, Switches, Tree};

type Done = Result<(), Error>;

/// An operation, done by the component.
pub(crate) struct Shipped {
    pub(crate) native: Operation,
    act: fn(&Store) -> Done,
    pub(crate) recoveries: AtomicU64,
}

/// Returns the component, which is compiled once.
fn onionskin() -> &'static Onionskin {
    static LOADED: OnceLock<Onionskin> = OnceLock::new();
    LOADED.get_or_init(|| Onionskin::load().expect("the embedded component loads"))
}

/// Returns a builder with the grants of every scene.
pub(crate) fn session(fs: &SimFs) -> StoreBuilder {
    onionskin().store("ws").filesystem(Disk::new(fs)).lower("lower")
}

/// The operations under test: each call of the contract that makes a change, in each publish mode.
pub(crate) fn all() -> Vec<Shipped> {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut natives = operations::all();
    let shipped = CHOICE.iter().filter(|(name, _)| name.contains(&only)).map(|(name, act)| {
        let native = natives.iter().position(|native| native.name == *name);
        let native = natives.swap_remove(native.expect("every choice is an operation of the core"));
        Shipped { native, act: *act, recoveries: AtomicU64::new(0) }
    });
    shipped.collect()
}

type Choice = (&'static str, fn(&Store) -> Done);

const CHOICE: &[Choice] = &[
    ("replace", |store| replace(store, "file", &WriteOptions::default())),
    ("replace-new", |store| replace(store, "real/deep/new", &WriteOptions::default())),
    ("replace-json", |store| store.replace_json("file", "{\"a\": [1, 2]}", &WriteOptions::default()).map(drop)),
    ("replace-hard-link", |store| replace(store, "shared", &WriteOptions::default())),
    ("replace-follow", |store| replace(store, "link", &WriteOptions::default().symlinks(SymlinkPolicy::FollowWithin))),
    ("replace-through-link", |store| replace(store, "linked/inner", &WriteOptions::default())),
    ("replace-absent", |store| replace(store, "fresh", &WriteOptions::default().when(Precondition::Absent))),
    ("replace-absent-no-links", |store| replace(store, "fresh", &WriteOptions::default().when(Precondition::Absent))),
    ("replace-data", |store| replace(store, "file", &WriteOptions::default().durability(Durability::Data))),
    ("writer", |store| {
        let mut writer = store.writer("file", &WriteOptions::default())?;
        writer.append(b"one ")?;
        writer.append_from("lower/original", 7, 5)?;
        writer.commit().map(drop)
    }),
    ("writer-dropped", |store| store.writer("file", &WriteOptions::default())?.append(b"never seen")),
    ("materialize", |store| materialize(store, "absolute", Some("lower/original"))),
    ("materialize-hard-link", |store| materialize(store, "other-name", None)),
    ("materialize-database", |store| materialize(store, "index.db", Some("lower/index.db"))),
    ("materialize-directory", |store| materialize(store, "linked", None)),
    ("refused-unreadable", |store| match materialize(store, "absolute", None) {
        Err(Error::Guest { error, .. }) if error.kind == ErrorKind::LinkUnreadable => Ok(()),
        answer => answer,
    }),
    ("in-place", |store| persist(store, "conv", Publish::InPlace)),
    ("in-place-no-links", |store| persist(store, "conv", Publish::InPlace)),
    ("in-place-new", |store| persist(store, "a/conv", Publish::InPlace)),
    ("in-place-reshape", |store| reshape(store, Publish::InPlace)),
    ("in-place-copy", |store| {
        let mut transaction = store.begin("real", &durable(Publish::InPlace))?;
        transaction.put_file("copied", "lower/original")?;
        transaction.append("copied", b", and more")?;
        transaction.rename("inner", "deep/leaf")?;
        transaction.commit().map(drop)
    }),
    ("swap", |store| persist(store, "conv", Publish::Swap)),
    ("swap-reshape", |store| reshape(store, Publish::Swap)),
    ("pointer-first", |store| persist(store, "conv", Publish::Pointer)),
    ("pointer", |store| persist(store, "conv", Publish::Pointer)),
    ("dropped-swap", |store| {
        let mut transaction = store.begin("conv", &durable(Publish::Swap))?;
        changes(&mut transaction)
    }),
];

fn replace(store: &Store, path: &str, options: &WriteOptions) -> Done {
    store.replace(path, b"new content", options).map(drop)
}

fn materialize(store: &Store, path: &str, origin: Option<&str>) -> Done {
    let origin = origin.map_or(Source::LinkTarget, |path| Source::Path(path.into()));
    store.materialize(path, &origin, &Content::Keep).map(drop)
}

fn durable(publish: Publish) -> DirectoryOptions {
    DirectoryOptions::default().publish(publish)
}

fn changes(transaction: &mut onionskin_host::Transaction) -> Done {
    transaction.put("metadata.json", b"{\"v\":2}")?;
    transaction.put("events.json", b"[1,")?;
    transaction.append("events.json", b"2]")
}

fn persist(store: &Store, path: &str, publish: Publish) -> Done {
    let mut transaction = store.begin(path, &durable(publish))?;
    changes(&mut transaction)?;
    transaction.commit().map(drop)
}

fn reshape(store: &Store, publish: Publish) -> Done {
    let mut transaction = store.begin("conv", &durable(publish))?;
    transaction.remove("thing")?;
    transaction.put("thing/inside", b"now a directory")?;
    transaction.remove("goes")?;
    transaction.rename("old-name", "new-name")?;
    transaction.commit().map(drop)
}

impl Shipped {
    /// The operation itself, on an open store.
    pub(crate) fn act(&self, store: &Store) -> Done {
        (self.act)(store)
    }
}

/// Records a run.
pub(crate) fn record(subject: &dyn Subject) -> Recording {
    let fs = SimFs::with_switches(subject.switches());
    subject.setup(&fs);
    fs.settle();
    fs.restart();
    subject.run(&fs).unwrap_or_else(|failure| panic!("{}: {failure}", subject.name()));
    fs.recording()
}

fn failed(error: Error) -> Failure {
    let class = match &error {
        Error::Guest { error, .. } => match error.kind {
            ErrorKind::NeedsRecovery => Class::NeedsRecovery,
            ErrorKind::OutcomeUnknown => Class::OutcomeUnknown,
            _ => Class::NotCommitted,
        },
        _ => Class::Other,
    };
    Failure::new(class, error)
}

impl Subject for Shipped {
    fn name(&self) -> String {
        self.native.name()
    }

    fn switches(&self) -> Switches {
        self.native.switches()
    }

    fn setup(&self, fs: &SimFs) {
        self.native.setup(fs);
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        let store = session(fs).open(&OpenOptions::default()).map_err(failed)?;
        self.act(&store).and_then(|()| store.close()).map_err(failed)
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        self.recoveries.fetch_add(1, Ordering::Relaxed);
        session(fs).open(&OpenOptions::default()).and_then(Store::close).map_err(failed)
    }

    fn stages(&self, seen: Vec<Tree>) -> Vec<Tree> {
        self.native.stages(seen)
    }

    fn matches(&self, found: &Tree, stage: &Tree) -> bool {
        self.native.matches(found, stage)
    }
}
