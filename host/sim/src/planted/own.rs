//! The protocol of the project with one rule broken by a [`FaultyFs`].

use onionskin::fs::{Cause, Fs};

use super::{MIXED, Planted, Search};
use crate::model::Model;
use crate::operations::{self, FaultyFs, MutatedOperation, Mutation, Operation, open_faulty};
use crate::simfs::Harm;

/// An operation, by its name.
fn operation(name: &str) -> Operation {
    let found = operations::all().into_iter().find(|operation| operation.name == name);
    found.expect("the operation is in the list")
}

fn broken(
    name: &'static str,
    description: &'static str,
    (of, run, recover): (&str, Mutation, Mutation),
    search: Search,
    shows: &'static str,
) -> Planted {
    Planted { name, description, subject: Box::new(MutatedOperation::new(operation(of), run, recover)), search, shows }
}

pub(super) fn all() -> Vec<Planted> {
    let mut all = syncs();
    all.extend(orders());
    all.extend(errors());
    all.extend(obstacles());
    all
}

fn syncs() -> Vec<Planted> {
    let any = || Search::Crashes(Model::Any);
    let skipping = |of, part| (of, Mutation::SkipSyncs(part), Mutation::None);
    vec![
        broken(
            "data-after-name",
            "a file gets its name before its content is durable: the power goes, and it is empty",
            skipping("replace", "sync-file"),
            any(),
            MIXED,
        ),
        broken(
            "name-not-durable",
            "a file is acknowledged before its name is durable: the power goes, and the old one is back",
            skipping("replace", "sync-dir"),
            any(),
            "what was acknowledged is lost",
        ),
        broken(
            "log-before-staging",
            "the log is durable before what it names: recovery cannot complete what was decided",
            skipping("in-place", "sync-file ws/.onionskin/tx-"),
            any(),
            "neither old nor new",
        ),
        broken(
            "log-not-synced",
            "the log gets its name before its content is durable: what was decided cannot be read",
            skipping("in-place", "draft-"),
            any(),
            "recovery failed",
        ),
        broken(
            "log-removed-too-early",
            "the log is removed before what it did is durable: some files are old and some are new",
            skipping("in-place", "sync-dir ws/conv"),
            any(),
            MIXED,
        ),
        broken(
            "old-removed-too-early",
            "the old directory is removed before the new one has its name for good",
            skipping("materialize-directory", "sync-dir"),
            any(),
            MIXED,
        ),
    ]
}

fn orders() -> Vec<Planted> {
    let kill = || Search::Crashes(Model::Process);
    let mut sweeps_first = operation("in-place");
    sweeps_first.reopen = |faulty| {
        sweep_staging(faulty);
        open_faulty(faulty).map(drop)
    };
    vec![
        broken(
            "removes-before-rename",
            "what a rename replaces is removed first: the process dies in between, and the file is gone",
            ("replace", Mutation::RemoveFirst, Mutation::None),
            kill(),
            MIXED,
        ),
        broken(
            "log-in-place",
            "the log is written under its final name: the process dies, and half of it is taken for a decision",
            ("in-place", Mutation::LogInPlace, Mutation::None),
            kill(),
            "recovery failed",
        ),
        Planted {
            name: "sweeps-before-log",
            description: "recovery removes staging before it reads the log that needs it: the last copy is gone",
            subject: Box::new(sweeps_first),
            search: kill(),
            shows: "neither old nor new",
        },
    ]
}

fn errors() -> Vec<Planted> {
    let io = || vec![Harm::Fail(Cause::Io)];
    vec![
        broken(
            "ignores-errors",
            "the error of a rename is dropped: what never happened is acknowledged",
            ("replace", Mutation::SwallowErrors, Mutation::None),
            Search::Faults(io()),
            "is allowed",
        ),
        broken(
            "recovery-ignores-errors",
            "recovery drops the error of a rename and goes on to remove the log",
            ("in-place", Mutation::None, Mutation::SwallowErrors),
            Search::Faults(io()),
            MIXED,
        ),
        broken(
            "retries-sync",
            "a sync that failed is made again, and says success for pages that were dropped",
            ("replace", Mutation::RetrySyncs, Mutation::None),
            Search::Faults(vec![Harm::LoseSync]),
            MIXED,
        ),
    ]
}

fn obstacles() -> Vec<Planted> {
    let io = || Search::Obstacles(vec![Cause::Io, Cause::NotPermitted]);
    vec![
        broken(
            "asks-about-nothing",
            "the question before a decision is not about the entry that is replaced: what is decided cannot be done",
            ("in-place", Mutation::AskNothing, Mutation::None),
            io(),
            "decided, though the obstacle stood before",
        ),
        broken(
            "sweep-is-fatal",
            "an open gives up where it cannot remove what nothing needs",
            ("in-place", Mutation::None, Mutation::FatalSweep),
            io(),
            "locked out",
        ),
        broken(
            "forgets-others",
            "recovery replaces what others changed after the decision",
            ("in-place", Mutation::None, Mutation::KeepNothing),
            Search::Others,
            "the work of others is lost",
        ),
    ]
}

/// Removes everything staged, regardless of the log.
fn sweep_staging(faulty: &FaultyFs) {
    let sweep = || -> Result<(), Cause> {
        let fs = faulty.fs();
        let ws = fs.open_dir(&fs.root(), "ws")?;
        let control = fs.open_dir(&ws, ".onionskin")?;
        super::remove_tree(fs, &control, "tx-1")
    };
    // Where nothing is staged there is nothing to remove.
    let _nothing_staged = sweep();
}
