//! Operations that interfere with one another, or with a program that is not the owner.

use std::sync::OnceLock;

use onionskin::error::{Error, ErrorKind};
use onionskin::lock::Ownership;
use onionskin::persist::transaction::Publish;
use onionskin::store::{Store, WriteOptions};

use super::directories::{changes, durable, persist};
use super::files::{refused, replace};
use super::pointers::record;
use super::scenes::{conversations, workspace};
use super::{Action, FaultyFs, Mutation, Operation, open_as, open_faulty, same_content};
use crate::simfs::{Fault, Harm, SimFs, Switches, Verb, When};
use crate::tree;
use crate::tree::Tree;

type Done = Result<(), Error>;

fn dropped(store: &Store<FaultyFs>, publish: Publish) -> Done {
    let mut transaction = store.begin("conv", durable(publish))?;
    changes(&mut transaction)
}

/// Staged content of an undecided change when another change is acknowledged.
fn without_staging(seen: Vec<Tree>) -> Vec<Tree> {
    seen.into_iter().map(|tree| tree.without(|path| path == "ws/.onionskin")).collect()
}

pub(super) fn all() -> Vec<Operation> {
    let mut all = given_up();
    all.extend(together());
    all.extend(late());
    all
}

fn given_up() -> Vec<Operation> {
    let operation = |name, about, act| Operation::new(name, about, conversations, Action::Store(act));
    vec![
        operation("dropped-in-place", "a transaction that is given up", |store| dropped(store, Publish::InPlace)),
        operation("dropped-swap", "a transaction by swap that is given up", |store| dropped(store, Publish::Swap)),
        operation("conflict-swap", "a transaction by swap on something that is no directory", |store| {
            let mut transaction = store.begin("beside", durable(Publish::Swap))?;
            changes(&mut transaction)?;
            refused(transaction.commit().map(drop), |error| error.kind() == ErrorKind::NotDirectory)
        }),
    ]
}

fn together() -> Vec<Operation> {
    vec![
        Operation {
            stages: without_staging,
            stable: false,
            ..Operation::new(
                "interleaved",
                "a writer, a transaction and a file, begun before any is done",
                conversations,
                Action::Bare(|faulty| {
                    let store = open_faulty(faulty)?;
                    let mut writer = store.writer("beside", &WriteOptions::default())?;
                    let mut transaction = store.begin("conv", durable(Publish::InPlace))?;
                    writer.write(b"from the ".to_vec())?;
                    changes(&mut transaction)?;
                    writer.write(b"writer".to_vec())?;
                    replace(&store, "between", &WriteOptions::default())?;
                    faulty.fs().acknowledge();
                    transaction.commit()?;
                    faulty.fs().acknowledge();
                    writer.commit()?;
                    faulty.fs().acknowledge();
                    Ok(())
                }),
            )
        },
        Operation {
            stages: without_staging,
            ..Operation::new(
                "two-transactions",
                "two transactions on one directory, begun before either is done",
                conversations,
                Action::Bare(|faulty| {
                    let store = open_faulty(faulty)?;
                    let mut first = store.begin("conv", durable(Publish::InPlace))?;
                    let mut second = store.begin("conv", durable(Publish::Swap))?;
                    changes(&mut first)?;
                    second.put("second", b"second".to_vec())?;
                    first.commit()?;
                    faulty.fs().acknowledge();
                    second.commit()?;
                    faulty.fs().acknowledge();
                    Ok(())
                }),
            )
        },
        Operation {
            // The directory is made independent first, which alone counts as old.
            passes: &[independent],
            matches: |found, stage| found == stage || (*stage == workspace() && *found == independent()),
            ..Operation::new(
                "in-place-through-link",
                "a linked directory is made independent for a transaction on it",
                workspace,
                Action::Store(|store| {
                    let mut transaction = store.begin("linked", durable(Publish::InPlace))?;
                    transaction.put("inner", b"new".to_vec())?;
                    transaction.commit().map(drop)
                }),
            )
        },
    ]
}

fn independent() -> Tree {
    workspace().remove("ws/linked").file("ws/linked/inner", "inside").file("ws/linked/deep/leaf", "leaf")
}

/// Entries that another program adds to a directory while it is being switched. The scene is the state after a killed
/// owner, with the entries in the former directory; the operation opens it.
fn late() -> Vec<Operation> {
    let open = Action::Bare(|faulty| open_faulty(faulty).map(drop));
    // A scene has other times than the log of the run that made it.
    let timeless = Switches { times: false, ..Switches::default() };
    vec![
        Operation {
            switches: timeless,
            stages: |_| vec![switched()],
            matches: same_content,
            ..Operation::new("late-swap", "entries that came while a directory was switched", late_swap, open)
        },
        Operation {
            switches: timeless,
            stages: |_| vec![switched()],
            matches: same_content,
            ..Operation::new("", "the same without hard links", late_swap, open)
        }
        .without_links("late-swap-no-links"),
        Operation {
            switches: timeless,
            stages: |_| vec![pointed()],
            matches: same_content,
            ..Operation::new("late-pointer", "entries that came before the first generation", late_pointer, open)
        },
    ]
}

fn switched() -> Tree {
    tree! {
        dir "lower";
        file "ws/conv/metadata.json" = "{\"v\":2}";
        file "ws/conv/events.json" = "[1,2]";
        file "ws/conv/QUERY_MESSAGE.md" = "unmanaged";
        file "ws/conv/notes/deep.txt" = "unmanaged too";
        file "ws/conv/notes/late.txt" = "late";
        file "ws/conv/new/late.txt" = "late, too";
        symlink "ws/conv/latest" = "events.json";
        file "ws/beside" = "nobody's business";
    }
}

fn pointed() -> Tree {
    let conv = switched().below("ws/conv");
    let mut tree = switched().remove("ws/conv").symlink("ws/conv", ".onionskin/directories/1/1");
    tree = tree.file("ws/.onionskin/directories/1/owner", record("conv", 1));
    for (path, node) in conv.iter() {
        let path = [b"ws/.onionskin/directories/1/1/", path].concat();
        tree = tree.with(path, node.clone());
    }
    tree
}

fn late_swap() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    LEFT.get_or_init(|| with_late_entries(Publish::Swap)).clone()
}

fn late_pointer() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    LEFT.get_or_init(|| with_late_entries(Publish::Pointer)).clone()
}

fn with_late_entries(publish: Publish) -> Tree {
    let left = killed_after(&conversations(), Verb::Rename, ".old", |faulty| persist(&open_faulty(faulty)?, publish));
    left.file("ws/.onionskin-1.old/notes/late.txt", "late").file("ws/.onionskin-1.old/new/late.txt", "late, too")
}

/// Returns the state after a process was killed right after the first such call on a path that contains this text.
pub(super) fn killed_after(scene: &Tree, verb: Verb, part: &str, run: impl Fn(&FaultyFs) -> Done) -> Tree {
    let attempt = |death: Option<u32>| {
        let fs = SimFs::holding(scene);
        if let Some(call) = death {
            fs.harm(Fault::once(When::Call(call), Harm::Die));
        }
        (run(&FaultyFs::new(&fs, &Mutation::None)), fs)
    };
    let (whole, fs) = attempt(None);
    whole.expect("nothing is in its way");
    let to = |call: &crate::simfs::Call| call.to.as_ref().unwrap_or(&call.place).to_string();
    let calls = fs.calls();
    let last = calls.iter().position(|call| call.verb == verb && call.result.is_ok() && to(call).contains(part));
    let last = last.expect("the run makes such a call");
    let (killed, fs) = attempt(u32::try_from(last + 1).ok());
    assert!(killed.is_err(), "it was killed");
    fs.tree()
}

/// An error of an owner that has lost the root.
pub(super) fn is_locked(error: &Error) -> bool {
    error.kind() == ErrorKind::Locked
}

/// Opens as the owner of a lock file.
pub(super) fn open_locked(faulty: &FaultyFs, token: &str) -> Result<Store<FaultyFs>, Error> {
    open_as(faulty, &Ownership::LockFile(token.to_owned()))
}

/// A failure of the scene itself, where the store reports none.
pub(super) fn wrong(what: &str) -> Error {
    Error::invalid_argument(what, "is not as the scene expects")
}
