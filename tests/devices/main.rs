//! What is promised holds on the filesystems of the kernel, when the power goes.
//!
//! A filesystem is mounted from a disk of ours, which notes what the kernel writes and when it asks for it to be
//! durable. Work is done on it. Then the disk is set to what a loss of power can leave: all that was durable, and
//! of the later writes those that came, or none, or some, the last of them torn between sectors. The kernel
//! recovers its filesystem from that, Onionskin opens it, and what is seen must be what was there after the last
//! step that was said to be done, or after the next one.
//!
//! This asks of real filesystems what the explorer asks of a model: that a file is synced when its sync returns,
//! and that a rename is one step.
//!
//! | promise | test |
//! |---|---|
//! | one file, directories in every way, and links: old or new, and new once it is said | [`changes_are_kept_by_ext4`], [`changes_are_kept_by_ext4_that_writes_back`], [`changes_are_kept_by_xfs`], [`changes_are_kept_by_btrfs`] |
//! | a workspace that is synced or committed: the same | [`layers_are_kept_by_ext4`], [`layers_are_kept_by_xfs`], [`layers_are_kept_by_btrfs`] |
//! | transfers of SQLite, by a program on a layered directory: the same | [`a_ledger_is_kept_by_ext4`], [`a_ledger_is_kept_by_xfs`], [`a_ledger_is_kept_by_btrfs`] |
//! | it bites: what was not synced is missed | [`what_is_not_synced_is_missed`], [`what_a_ledger_does_not_sync_is_missed`] |
//!
//! It needs the right to mount, FUSE, loop devices, and the programs that make the filesystems. Where one is
//! missing its tests say that they are left out. `ONIONSKIN_CRASH=full` tries more, `ONIONSKIN_SEED` other samples.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "what was printed is for those who look at it")]
#[path = "../guests/sqlite/src/ledger.rs"]
mod books;
mod disk;
#[path = "../programs/guests.rs"]
mod guests;
mod ledger;
#[path = "../programs/ledgers.rs"]
mod ledgers;
mod mounted;
mod work;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use disk::{Disk, Event, Image};
use fastrand::Rng;
use ledger::Ledger;
use mounted::{BTRFS, EXT4, EXT4_WRITEBACK, Kind, Mounted, XFS};
use onionskin_host::Durability;
use work::{Changes, Layers, Tree, Work};

/// What came of trying all.
struct Outcome {
    /// Disks that were tried; no two of them the same.
    tried: usize,
    /// Disks that were left while one of those was recovered.
    again: usize,
    /// Steps that were done.
    steps: usize,
    writes: usize,
    flushes: usize,
    violations: Vec<String>,
}

/// What the power leaves of the writes that were not durable.
#[derive(Clone, Copy, Debug)]
enum Left {
    All,
    None,
    /// Some, by the seed of a sample.
    Some(u64),
}

/// How much is tried.
struct Effort {
    /// Samples of each point.
    samples: u64,
    /// Writes from one point to the next.
    stride: usize,
    /// One in so many of these points is tried.
    every: usize,
    /// One in so many disks loses power again while it is recovered.
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

/// Does the work, and loses power at each point; says why where it cannot begin.
fn explore(kind: Kind, work: &dyn Work) -> Result<Outcome, String> {
    let disk = Disk::new(kind.bytes).map_err(|error| format!("no FUSE: {error}"))?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let at = directory.path();
    kind.make(&disk)?;
    let mounted = Mounted::new(kind, &disk, at)?;
    work.prepare(at).expect("it is prepared");
    // Of the beginning nothing is lost.
    mounted::sync(at)?;
    let before = disk.record();
    let mut trial = Trial { kind, work, disk: &disk, at, seen: HashSet::new() };
    let mut states = work.run(at, &mut || disk.note()).expect("nothing is in its way");
    let events = disk.recorded();
    drop(mounted);
    states.insert(0, trial.look(before.clone()).expect("what it begins with can be opened"));
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
        for how in ways(&mut rng, samples) {
            let (image, chosen) = left(&before, &events[..point], how, kind.sector_bytes);
            if !trial.seen.insert((chosen, done)) {
                continue;
            }
            outcome.tried += 1;
            let is_twice = outcome.tried.is_multiple_of(again);
            let here = format!("after {done} steps, at event {point} of {}, {how:?} of the rest came", events.len());
            if is_twice {
                disk.record();
            }
            outcome.violations.extend(trial.judge(image.clone(), allowed).map(|what| format!("{here}: {what}")));
            // The kernel recovers, and Onionskin; meanwhile the power goes again.
            let recovery = if is_twice { disk.recorded() } else { vec![] };
            for point in points(&recovery, usize::MAX) {
                let how = if rng.bool() { Left::None } else { Left::Some(rng.u64(..)) };
                let (image, _) = left(&image, &recovery[..point], how, kind.sector_bytes);
                outcome.again += 1;
                let found = trial.judge(image, allowed);
                outcome.violations.extend(
                    found.map(|what| format!("{here}; again at event {point} of the recovery, {how:?}: {what}")),
                );
            }
        }
    }
    Ok(outcome)
}

/// Where power is lost: before each flush and each note, at the end, and at some of the writes.
fn points(events: &[Event], stride: usize) -> Vec<usize> {
    let is_point = |at: usize| events.get(at).is_none_or(|event| !matches!(event, Event::Write { .. }));
    (0..=events.len()).filter(|at| is_point(*at) || at.is_multiple_of(stride)).collect()
}

fn ways(rng: &mut Rng, samples: u64) -> Vec<Left> {
    let some = (0..samples).map(|_| Left::Some(rng.u64(..)));
    [Left::All, Left::None].into_iter().chain(some).collect()
}

/// How much is durable, and which later writes came, with how many of their bytes.
type Chosen = (usize, Vec<usize>);

/// A disk as the power leaves it, and by what it differs from others.
fn left(before: &Image, events: &[Event], how: Left, sector_bytes: usize) -> (Image, Chosen) {
    let durable = events.iter().rposition(|event| matches!(event, Event::Flush)).map_or(0, |at| at + 1);
    let mut image = before.clone();
    let mut rng = Rng::with_seed(if let Left::Some(seed) = how { seed } else { 0 });
    let mut came = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let Event::Write { at, data } = event else { continue };
        let length = match how {
            _ if number < durable => data.len(),
            Left::All => data.len(),
            Left::None => 0,
            // Half of them, and of every fourth of those the first sectors alone.
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
    /// What is wrong with what is seen, if anything is.
    fn judge(&self, image: Image, allowed: &[Tree]) -> Option<String> {
        match self.look(image) {
            Ok(found) if allowed.contains(&found) => None,
            Ok(found) => Some(difference(&allowed[0], &found)),
            Err(why) => Some(why),
        }
    }

    /// What is seen once the kernel has recovered its filesystem, and Onionskin the root.
    fn look(&self, image: Image) -> Result<Tree, String> {
        self.disk.load(image);
        let mounted = Mounted::new(self.kind, self.disk, self.at)?;
        let seen = self.work.recovered(self.at).map_err(|error| error.to_string());
        drop(mounted);
        seen
    }
}

/// Where two trees differ, for people.
fn difference(wanted: &Tree, found: &Tree) -> String {
    let paths = wanted.keys().chain(found.keys().filter(|path| !wanted.contains_key(*path)));
    let differing = paths.filter(|path| wanted.get(*path) != found.get(*path)).map(|path| {
        let told = |tree: &Tree| match tree.get(path) {
            Some(content) if content.len() < 200 => format!("{:?}", String::from_utf8_lossy(content)),
            Some(content) => format!("{} bytes", content.len()),
            None => "nothing".to_owned(),
        };
        format!("{path}: {} before, {} now", told(wanted), told(found))
    });
    differing.collect::<Vec<_>>().join("; ")
}

/// Tries it, and says what came of it, or why it is left out.
fn tried(what: &str, kind: Kind, work: &dyn Work) -> Option<Outcome> {
    // One at a time: a program that another test starts has its files open, for a moment, and a filesystem with an
    // open file stays mounted.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match explore(kind, work) {
        Ok(outcome) => {
            let Outcome { tried, again, steps, writes, flushes, violations } = &outcome;
            println!(
                "{what} on {}: {steps} steps, {writes} writes, {flushes} flushes; {tried} disks, {again} left by a \
                 recovery, {} violations",
                kind.name,
                violations.len()
            );
            Some(outcome)
        }
        Err(why) => {
            println!("LEFT OUT: {what} on {}: {why}", kind.name);
            None
        }
    }
}

fn holds(what: &str, kind: Kind, work: &dyn Work) {
    if let Some(outcome) = tried(what, kind, work) {
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

/// What ends a transaction is synced with each of these.
const JOURNALS: [(&str, &str); 3] = [("delete", "extra"), ("truncate", "full"), ("persist", "full")];

/// With one of the journals, or with all where more is tried.
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

/// SQLite does not sync the directory here when the journal was removed, which is what ends a transaction.
#[test]
fn what_a_ledger_does_not_sync_is_missed() {
    let Some(ledger) = Ledger::new("delete", "full") else { return };
    let Some(outcome) = tried("SQLite, layered, delete, full", EXT4, &ledger) else { return };
    assert!(!outcome.violations.is_empty(), "nothing was found");
    for violation in &outcome.violations {
        assert!(violation.ends_with(" now") && violation.contains("transfers: "), "{violation}");
    }
}

/// With `visible` nothing is synced, and what is said to be done is lost.
#[test]
fn what_is_not_synced_is_missed() {
    let Some(outcome) = tried("changes that are not synced", EXT4, &Changes { durability: Durability::Visible }) else {
        return;
    };
    assert!(!outcome.violations.is_empty(), "nothing was found");
}
