//! The promises hold on filesystems of the kernel when power is lost.
//!
//! A filesystem is mounted from a disk in memory that records writes and flushes. Work is done on it. Then the disk is
//! set to each content that a power loss can leave: all durable writes, and of the later ones all, none, or some, the
//! last of them torn between sectors. The kernel recovers its filesystem from that content, Onionskin opens its root,
//! and the result must be the state after the last acknowledged step or the one after it.
//!
//! This checks on real filesystems the assumptions of the explorer's model: a file is durable when its sync returns,
//! and a rename is one step.
//!
//! | promise | test |
//! |---|---|
//! | one file, directories in every mode, and links: old or new, and new once acknowledged | [`changes_are_kept_by_ext4`], [`changes_are_kept_by_ext4_that_writes_back`], [`changes_are_kept_by_xfs`], [`changes_are_kept_by_btrfs`] |
//! | a workspace that is synced or committed: the same | [`layers_are_kept_by_ext4`], [`layers_are_kept_by_xfs`], [`layers_are_kept_by_btrfs`] |
//! | SQLite transfers by a program on a layered directory: the same | [`a_ledger_is_kept_by_ext4`], [`a_ledger_is_kept_by_xfs`], [`a_ledger_is_kept_by_btrfs`] |
//! | the test can fail: a loss of unsynced content is detected | [`a_missing_sync_is_detected`], [`a_missing_sync_of_sqlite_is_detected`] |
//!
//! It needs the right to mount, FUSE, loop devices, and the `mkfs` programs. Where one is missing the tests report that
//! they are skipped. `ONIONSKIN_CRASH=full` explores more, `ONIONSKIN_SEED` chooses other samples.

#![cfg(target_os = "linux")]

mod disk;
mod ledger;
mod mounted;
mod work;

use onionskin_tests::{ledger as oracle, ledgers};

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use disk::{Disk, Event, Image};
use ledger::Ledger;
use mounted::{BTRFS, EXT4, EXT4_WRITEBACK, Kind, Mounted, XFS};
use onionskin_host::Durability;
use onionskin_tests::fastrand::Rng;
use work::{Changes, Layers, Tree, Work};

/// The outcome of an exploration.
struct Outcome {
    /// The number of distinct crash states.
    tried: usize,
    /// The number of crash states left by a second power loss, during the recovery of one of those.
    again: usize,
    /// The number of steps that were done.
    steps: usize,
    writes: usize,
    flushes: usize,
    violations: Vec<String>,
}

/// The part of the writes since the last flush that a power loss leaves.
#[derive(Clone, Copy, Debug)]
enum Left {
    All,
    None,
    /// Some of them, chosen by this seed.
    Some(u64),
}

/// The bounds of an exploration.
struct Effort {
    /// Samples for each crash point.
    samples: u64,
    /// Writes from one crash point to the next.
    stride: usize,
    /// One in this many of these crash points is explored.
    every: usize,
    /// One in this many crash states loses power again during its recovery.
    again: usize,
}

fn is_full() -> bool {
    std::env::var("ONIONSKIN_CRASH").is_ok_and(|value| value == "full")
}

fn effort() -> Effort {
    if is_full() {
        Effort { samples: 4, stride: 1, every: 1, again: 4 }
    } else {
        Effort { samples: 1, stride: 8, every: 2, again: 50 }
    }
}

fn seed() -> u64 {
    std::env::var("ONIONSKIN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Does the work, and loses power at each crash point; returns the reason if it cannot begin.
fn explore(kind: Kind, work: &dyn Work) -> Result<Outcome, String> {
    let disk = Disk::new(kind.bytes).map_err(|error| format!("no FUSE: {error}"))?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let at = directory.path();
    kind.make(&disk)?;
    let mounted = Mounted::new(kind, &disk, at)?;
    work.prepare(at).expect("the work can be prepared");
    // The initial state is durable.
    mounted::sync(at)?;
    let before = disk.record();
    let mut trial = Trial { kind, work, disk: &disk, at, seen: HashSet::new() };
    let mut states = work.run(at, &mut || disk.note()).expect("the work succeeds without a fault");
    let events = disk.recorded();
    drop(mounted);
    states.insert(0, trial.look(before.clone()).expect("the initial state can be opened"));
    let mut outcome = Outcome {
        tried: 0,
        again: 0,
        steps: states.len() - 1,
        writes: events.iter().filter(|event| matches!(event, Event::Write { .. })).count(),
        flushes: events.iter().filter(|event| matches!(event, Event::Flush)).count(),
        violations: vec![],
    };
    let Effort { samples, stride, every, again } = effort();
    let mut rng = Rng::with_seed(seed());
    for point in points(&events, stride).into_iter().step_by(every) {
        let done = events[..point].iter().filter(|event| matches!(event, Event::Note)).count();
        let allowed = &states[done..states.len().min(done + 2)];
        for left in ways(&mut rng, samples) {
            let (image, chosen) = crash_state(&before, &events[..point], left, kind.sector_bytes);
            if !trial.seen.insert((chosen, done)) {
                continue;
            }
            outcome.tried += 1;
            let is_twice = outcome.tried.is_multiple_of(again);
            let here = format!("after {done} steps, at event {point} of {}, {left:?} of the rest came", events.len());
            if is_twice {
                disk.record();
            }
            outcome
                .violations
                .extend(trial.judge(image.clone(), allowed).map(|violation| format!("{here}: {violation}")));
            // The kernel and Onionskin recover; meanwhile power is lost again.
            let recovery = if is_twice { disk.recorded() } else { vec![] };
            for point in points(&recovery, usize::MAX) {
                let left = if rng.bool() { Left::None } else { Left::Some(rng.u64(..)) };
                let (image, _) = crash_state(&image, &recovery[..point], left, kind.sector_bytes);
                outcome.again += 1;
                let found = trial.judge(image, allowed);
                outcome.violations.extend(
                    found.map(|violation| {
                        format!("{here}; again at event {point} of the recovery, {left:?}: {violation}")
                    }),
                );
            }
        }
    }
    Ok(outcome)
}

/// Returns the crash points: before each flush and each note, at the end, and at some of the writes.
fn points(events: &[Event], stride: usize) -> Vec<usize> {
    let is_point = |at: usize| events.get(at).is_none_or(|event| !matches!(event, Event::Write { .. }));
    (0..=events.len()).filter(|at| is_point(*at) || at.is_multiple_of(stride)).collect()
}

fn ways(rng: &mut Rng, samples: u64) -> Vec<Left> {
    let some = (0..samples).map(|_| Left::Some(rng.u64(..)));
    [Left::All, Left::None].into_iter().chain(some).collect()
}

/// The number of durable events, and the later writes that were kept, with their lengths.
type Chosen = (usize, Vec<usize>);

/// Returns a disk after a power loss, and the choice that distinguishes it from others.
fn crash_state(before: &Image, events: &[Event], left: Left, sector_bytes: usize) -> (Image, Chosen) {
    let durable = events.iter().rposition(|event| matches!(event, Event::Flush)).map_or(0, |at| at + 1);
    let mut image = before.clone();
    let mut rng = Rng::with_seed(if let Left::Some(seed) = left { seed } else { 0 });
    let mut came = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let Event::Write { at, data } = event else { continue };
        let length = match left {
            _ if number < durable => data.len(),
            Left::All => data.len(),
            Left::None => 0,
            // Half of the writes, and of every fourth of those the first sectors only.
            Left::Some(_) if rng.bool() => 0,
            Left::Some(_) if rng.u8(..4) == 0 => rng.usize(..=data.len() / sector_bytes) * sector_bytes,
            Left::Some(_) => data.len(),
        };
        image.write(*at, &data[..length]);
        if number >= durable && length > 0 {
            came.extend([number, length]);
        }
    }
    (image, (durable, came))
}

struct Trial<'a> {
    kind: Kind,
    work: &'a dyn Work,
    disk: &'a Disk,
    at: &'a Path,
    seen: HashSet<(Chosen, usize)>,
}

impl Trial<'_> {
    /// Returns the violation in the recovered state, if there is one.
    fn judge(&self, image: Image, allowed: &[Tree]) -> Option<String> {
        match self.look(image) {
            Ok(found) if allowed.contains(&found) => None,
            Ok(found) => Some(difference(&allowed[0], &found)),
            Err(why) => Some(why),
        }
    }

    /// Returns the state after the kernel recovered its filesystem and Onionskin the root.
    fn look(&self, image: Image) -> Result<Tree, String> {
        self.disk.load(image);
        let mounted = Mounted::new(self.kind, self.disk, self.at)?;
        let seen = self.work.recovered(self.at).map_err(|error| error.to_string());
        drop(mounted);
        seen
    }
}

/// Describes the first difference between two trees.
fn difference(wanted: &Tree, found: &Tree) -> String {
    let paths = wanted.keys().chain(found.keys().filter(|path| !wanted.contains_key(*path)));
    let differing = paths.filter(|path| wanted.get(*path) != found.get(*path)).map(|path| {
        let describe = |tree: &Tree| match tree.get(path) {
            Some(content) if content.len() < 200 => format!("{:?}", String::from_utf8_lossy(content)),
            Some(content) => format!("{} bytes", content.len()),
            None => "nothing".to_owned(),
        };
        format!("{path}: {} before, {} now", describe(wanted), describe(found))
    });
    differing.collect::<Vec<_>>().join("; ")
}

/// Explores the work, and prints the outcome or the reason why it was skipped.
fn tried(context: &str, kind: Kind, work: &dyn Work) -> Option<Outcome> {
    // One exploration at a time: a program that another test starts briefly has the files of this one open, and a
    // filesystem with an open file stays mounted.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match explore(kind, work) {
        Ok(outcome) => {
            let Outcome { tried, again, steps, writes, flushes, violations } = &outcome;
            println!(
                "{context} on {}: {steps} steps, {writes} writes, {flushes} flushes; {tried} disks, {again} left by a \
                 recovery, {} violations",
                kind.name,
                violations.len()
            );
            Some(outcome)
        }
        Err(why) => {
            onionskin_tests::skip(&format!("{context} on {}: {why}", kind.name));
            None
        }
    }
}

fn holds(context: &str, kind: Kind, work: &dyn Work) {
    if let Some(outcome) = tried(context, kind, work) {
        assert!(outcome.violations.is_empty(), "{}, seed {}\n{}", kind.name, seed(), outcome.violations.join("\n"));
    }
}

const DURABLE: Changes = Changes { durability: Durability::Full };

#[test]
fn changes_are_kept_by_ext4() {
    holds("changes", EXT4, &DURABLE);
}

#[test]
fn changes_are_kept_by_ext4_that_writes_back() {
    holds("changes", EXT4_WRITEBACK, &DURABLE);
}

#[test]
fn changes_are_kept_by_xfs() {
    holds("changes", XFS, &DURABLE);
}

#[test]
fn changes_are_kept_by_btrfs() {
    holds("changes", BTRFS, &DURABLE);
}

#[test]
fn layers_are_kept_by_ext4() {
    holds("layers", EXT4, &Layers);
}

#[test]
fn layers_are_kept_by_xfs() {
    holds("layers", XFS, &Layers);
}

#[test]
fn layers_are_kept_by_btrfs() {
    holds("layers", BTRFS, &Layers);
}

/// Journal modes, each with the setting that syncs the end of a transaction.
const JOURNALS: [(&str, &str); 3] = [("delete", "extra"), ("truncate", "full"), ("persist", "full")];

/// With one of the journal modes, or with all in a full run.
fn ledger_is_kept(kind: Kind, one: usize) {
    let tried = if is_full() { &JOURNALS[..] } else { &JOURNALS[one..=one] };
    for (journal, synchronous) in tried {
        if let Some(ledger) = Ledger::new(journal, synchronous) {
            holds(&format!("SQLite, layered, {journal}, {synchronous}"), kind, &ledger);
        }
    }
}

#[test]
fn a_ledger_is_kept_by_ext4() {
    ledger_is_kept(EXT4, 0);
}

#[test]
fn a_ledger_is_kept_by_xfs() {
    ledger_is_kept(XFS, 1);
}

#[test]
fn a_ledger_is_kept_by_btrfs() {
    ledger_is_kept(BTRFS, 2);
}

/// SQLite does not sync the directory after the journal was removed, which ends a transaction here.
#[test]
fn a_missing_sync_of_sqlite_is_detected() {
    let Some(ledger) = Ledger::new("delete", "full") else { return };
    let Some(outcome) = tried("SQLite, layered, delete, full", EXT4, &ledger) else { return };
    assert!(!outcome.violations.is_empty(), "no violation was found");
    for violation in &outcome.violations {
        assert!(violation.ends_with(" now") && violation.contains("transfers: "), "{violation}");
    }
}

/// With `visible` nothing is synced, and acknowledged steps are lost.
#[test]
fn a_missing_sync_is_detected() {
    let Some(outcome) = tried("changes that are not synced", EXT4, &Changes { durability: Durability::Visible }) else {
        return;
    };
    assert!(!outcome.violations.is_empty(), "no violation was found");
}
