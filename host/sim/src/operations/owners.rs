//! Operations on ownership, and the probe for the abilities of a host.

use std::sync::OnceLock;

use onionskin::error::{Error, ErrorKind};
use onionskin::persist::transaction::Publish;
use onionskin::probe::{Tier, probe};
use onionskin::store::{WriteOptions, break_lock, inspect};

use super::directories::{changes, durable, persist};
use super::files::{refused, replace};
use super::interplay::{is_locked, killed_after, open_locked, wrong};
use super::scenes::{conversations, workspace};
use super::{Action, FaultyFs, Operation, grants_of, open_faulty};
use crate::simfs::{Switches, Verb};
use crate::tree::Tree;

type Done = Result<(), Error>;

pub(super) const TOKEN: &str = "owner-1";

/// A tree that is planted with a log has other times than those in the log.
const TIMELESS: Switches = Switches { times: false, ..Switches::PLAIN };

pub(super) fn all() -> Vec<Operation> {
    let mut all = locks();
    all.extend(takeovers());
    all.extend(questions());
    all
}

/// Recovers as an operator does after a crash: breaks the lock of the dead owner, if it is held, and opens.
pub(super) fn after_death(seize: impl Fn(&str) -> Done, open: impl FnOnce() -> Done) -> Done {
    let answer = match seize(TOKEN) {
        // A lock file with a partial token: the error names the token to expect.
        Err(error) if error.kind() == ErrorKind::Locked => seize(error.subject()),
        answer => answer,
    };
    match answer {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => open(),
    }
}

fn take_over(faulty: &FaultyFs) -> Done {
    after_death(|token| seize(faulty, token), || open_faulty(faulty).map(drop))
}

fn seize(faulty: &FaultyFs, token: &str) -> Done {
    break_lock(faulty.clone(), &grants_of(faulty), "/ws", token)
}

/// Returns the tree without the epoch, the lock and their directory, which a takeover leaves behind and which
/// are not compared. That the lock is free was checked when the root was opened.
fn bare(tree: &Tree) -> Tree {
    let tree = tree.without(|path| path.starts_with("ws/.onionskin/epoch-") || path == "ws/.onionskin/lock");
    let holds = tree.iter().any(|(path, _)| path.starts_with(b"ws/.onionskin/"));
    if holds { tree } else { tree.remove("ws/.onionskin") }
}

/// Returns an operation of an owner with a lock file.
fn locked(name: &'static str, about: &'static str, scene: fn() -> Tree, act: fn(&FaultyFs) -> Done) -> Operation {
    Operation {
        endless: true,
        reopen: take_over,
        matches: |found, stage| bare(found) == bare(stage),
        ..Operation::new(name, about, scene, Action::Bare(act))
    }
}

fn locks() -> Vec<Operation> {
    let open_and_close = |faulty: &FaultyFs| open_locked(faulty, TOKEN).map(drop);
    vec![
        locked("lock", "a root is taken by a lock file, and given back", workspace, open_and_close),
        locked("", "the same without hard links", workspace, open_and_close).without_links("lock-no-links"),
        Operation {
            stable: false,
            ..locked("lock-replace", "a file under a lock file", workspace, |faulty| {
                replace(&open_locked(faulty, TOKEN)?, "file", &WriteOptions::default())
            })
        },
        locked("lock-in-place", "a transaction under a lock file", conversations, |faulty| {
            let store = open_locked(faulty, TOKEN)?;
            let mut transaction = store.begin("conv", durable(Publish::InPlace))?;
            changes(&mut transaction)?;
            transaction.commit().map(drop)
        }),
        locked("lock-held", "a second owner is kept out", workspace, |faulty| {
            let _first = open_locked(faulty, TOKEN)?;
            refused(open_locked(faulty, "owner-2").map(drop), is_locked)?;
            refused(open_faulty(faulty).map(drop), is_locked)
        }),
    ]
}

fn takeovers() -> Vec<Operation> {
    vec![
        locked("break-lock", "the lock of a dead owner is broken", dead_before, |faulty| seize(faulty, TOKEN)),
        Operation {
            // Whichever part of the takeover is lost: the decided transaction is completed, once.
            stages: |_| vec![decided()],
            switches: TIMELESS,
            ..locked("break-lock-decided", "a lock is broken over a decision", dead_after, |faulty| {
                seize(faulty, TOKEN)
            })
        },
        locked("lost-owner", "an owner that lost the root decides nothing", conversations, |faulty| {
            let store = open_locked(faulty, TOKEN)?;
            let mut transaction = store.begin("conv", durable(Publish::InPlace))?;
            changes(&mut transaction)?;
            seize(faulty, TOKEN)?;
            refused(transaction.commit().map(drop), is_locked)?;
            refused(replace(&store, "beside", &WriteOptions::default()), is_locked)
        }),
    ]
}

fn decided() -> Tree {
    conversations().file("ws/conv/metadata.json", "{\"v\":2}").file("ws/conv/events.json", "[1,2]")
}

fn under_lock(faulty: &FaultyFs) -> Done {
    let store = open_locked(faulty, TOKEN)?;
    let mut transaction = store.begin("conv", durable(Publish::InPlace))?;
    changes(&mut transaction)?;
    transaction.commit().map(drop)
}

/// Returns a tree whose owner died before the commit point: only its lock is left.
fn dead_before() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    LEFT.get_or_init(|| killed_after(&conversations(), Verb::RemoveFile, "/lock-", under_lock)).clone()
}

/// Returns a tree whose owner died just after the commit point.
fn dead_after() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    LEFT.get_or_init(|| killed_after(&conversations(), Verb::Rename, "/log", under_lock)).clone()
}

fn questions() -> Vec<Operation> {
    vec![
        Operation::new(
            "probe",
            "each call is tried, and nothing is left",
            workspace,
            Action::Bare(|faulty| {
                let abilities = probe(faulty.clone(), &grants_of(faulty), "/ws")?;
                if abilities.tier == Tier::Durable { Ok(()) } else { Err(wrong(&abilities.reason)) }
            }),
        ),
        Operation {
            stages: |seen| seen.into_iter().map(|tree| tree.without(|path| path == "ws/.onionskin")).collect(),
            stable: false,
            ..Operation::new(
                "probe-in-use",
                "the same beside an open store that works on",
                workspace,
                Action::Bare(|faulty| {
                    let store = open_faulty(faulty)?;
                    let mut writer = store.writer("file", &WriteOptions::default())?;
                    probe(faulty.clone(), &grants_of(faulty), "/ws")?;
                    writer.write(b"written on".to_vec())?;
                    writer.commit().map(drop)
                }),
            )
        },
        locked("inspect", "a look that changes nothing", dead_before, |faulty| {
            let found = inspect(faulty.clone(), &grants_of(faulty), "/ws")?;
            if found.is_empty() { Err(wrong("what is left")) } else { Ok(()) }
        }),
        Operation::new(
            "open",
            "a root is opened and closed",
            conversations,
            Action::Bare(|faulty| open_faulty(faulty).map(drop)),
        ),
        Operation {
            stages: |_| vec![decided()],
            switches: TIMELESS,
            ..Operation::new(
                "recover",
                "a decision that was left is completed",
                left_decided,
                Action::Bare(|faulty| open_faulty(faulty).map(drop)),
            )
        },
    ]
}

fn left_decided() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    let run = |faulty: &FaultyFs| persist(&open_faulty(faulty)?, Publish::InPlace);
    LEFT.get_or_init(|| killed_after(&conversations(), Verb::Rename, "/log", run)).clone()
}
