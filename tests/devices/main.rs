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
//! | it bites: what was not synced is missed | [`what_is_not_synced_is_missed`] |
//!
//! It needs the right to mount, FUSE, loop devices, and the programs that make the filesystems. Where one is
//! missing its tests say that they are left out. `ONIONSKIN_CRASH=full` tries more, `ONIONSKIN_SEED` other samples.

#![cfg(target_os = "linux")]

mod disk;
mod mounted;
mod work;

use std::collections::HashSet;
use std::path::Path;

use disk::{Disk, Event, Image};
use fastrand::Rng;
use mounted::{BTRFS, EXT4, EXT4_WRITEBACK, Kind, Mounted, XFS};
use onionskin_host::Durability;
use work::{Changes, Layers, Tree, Work};

/// What came of trying all.
struct Outcome {
    /// Disks that were tried; no two of them the same.
    tried: usize,
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

/// How many samples each point gets, and how many writes lie between points.
fn effort() -> (u64, usize) {
    let is_full = std::env::var("ONIONSKIN_CRASH").is_ok_and(|value| value == "full");
    if is_full { (4, 1) } else { (1, 8) }
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
    mounted::sync()?;
    let before = disk.record();
    let mut trial = Trial { kind, work, disk: &disk, at, seen: HashSet::new() };
    let mut states = vec![];
    work.run(at, &mut |tree| {
        disk.note();
        states.push(tree);
    })
    .expect("nothing is in its way");
    let events = disk.recorded();
    drop(mounted);
    states.insert(0, trial.look(before.clone()).expect("what it begins with can be opened"));
    let mut outcome = Outcome {
        tried: 0,
        steps: states.len() - 1,
        writes: events.iter().filter(|event| matches!(event, Event::Write { .. })).count(),
        flushes: events.iter().filter(|event| matches!(event, Event::Flush)).count(),
        violations: vec![],
    };
    let (samples, stride) = effort();
    let mut rng = Rng::with_seed(seed());
    for point in 0..=events.len() {
        let is_edge = point == events.len() || !matches!(events[point], Event::Write { .. });
        if !is_edge && point % stride != 0 {
            continue;
        }
        let done = events[..point].iter().filter(|event| matches!(event, Event::Note)).count();
        let some = (0..samples).map(|_| Left::Some(rng.u64(..)));
        for how in [Left::All, Left::None].into_iter().chain(some) {
            let (image, chosen) = left(&before, &events[..point], how, kind.sector_bytes);
            if !trial.seen.insert((chosen, done)) {
                continue;
            }
            outcome.tried += 1;
            let allowed = &states[done..states.len().min(done + 2)];
            let found = trial.look(image);
            if !found.as_ref().is_ok_and(|found| allowed.contains(found)) {
                let what = found.map_or_else(|why| why, |found| difference(&allowed[0], &found));
                outcome.violations.push(format!(
                    "{}: after {done} steps, at event {point} of {}, {how:?} of what was not durable: {what}",
                    kind.name,
                    events.len()
                ));
            }
        }
    }
    Ok(outcome)
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
    match explore(kind, work) {
        Ok(outcome) => {
            let Outcome { tried, steps, writes, flushes, violations } = &outcome;
            let bad = violations.len();
            println!(
                "{what} on {}: {steps} steps, {writes} writes, {flushes} flushes; {tried} disks, {bad} violations",
                kind.name
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
        assert!(outcome.violations.is_empty(), "seed {}\n{}", seed(), outcome.violations.join("\n"));
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

/// With `visible` nothing is synced, and what is said to be done is lost.
#[test]
fn what_is_not_synced_is_missed() {
    let Some(outcome) = tried("changes that are not synced", EXT4, &Changes { durability: Durability::Visible }) else {
        return;
    };
    assert!(!outcome.violations.is_empty(), "nothing was found");
}
