//! A program that is killed while it persists: at any moment, the next one that opens the root finds exactly the old or
//! exactly the new files, and every acknowledged change.
//!
//! This test starts itself as the program, kills it with SIGKILL at a random moment, and checks the root.
//! `ONIONSKIN_KILLS` is the total number of kills; `ONIONSKIN_SEED` repeats a choice of moments, as far as the
//! scheduler permits.

#![cfg(unix)]

mod killed;
mod owners;

use onionskin_tests::ground;

use std::env;
use std::fmt;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use killed::{ACKNOWLEDGED, BEGINS, OPENED, READY, Work, revision_of};
use onionskin_host::{Onionskin, OpenOptions};

const KILLS_DEFAULT: u64 = 1000;

/// One in this many killed programs is followed by the next program at once, without a check; the next one recovers,
/// and may be killed during the recovery.
const UNSEEN: u64 = 3;

/// A kill follows one of the first lines that the program prints: ready, opened, begins, acknowledged, begins...
const LINES: u64 = 5;

/// ... and at most this long after it, which is about the duration of a change.
const MOMENT_MICROSECONDS_MAX: u64 = 1500;

/// Asserts that files are old or new as a whole, acknowledged changes are kept, other entries are untouched, and
/// nothing is left over.
fn survives(work: Work) {
    let kills = number("ONIONSKIN_KILLS").unwrap_or(KILLS_DEFAULT).div_ceil(Work::ALL.len() as u64);
    let seed = number("ONIONSKIN_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
        u64::from(now.subsec_nanos())
    });
    let mut random = Random(seed ^ work as u64);
    let onionskin = Onionskin::load().expect("the component that is built in loads");
    let directory = ground::scratch();
    let root = directory.path().join("root");
    work.set_up(&root);
    let unmanaged = work.unmanaged(&root);
    let mut known = Known::default();
    let mut tally = Tally::default();
    for kill in 1..=kills {
        let context = format!("{work:?}, ONIONSKIN_SEED={seed}, kill {kill}");
        let moment =
            Moment { lines: random.below(LINES), then: Duration::from_micros(random.below(MOMENT_MICROSECONDS_MAX)) };
        let events = one_kill(work, &root, moment, &context);
        match events.last() {
            None => tally.opening += 1,
            Some(Event::Begins(_)) => tally.during += 1,
            Some(Event::Opened(_) | Event::Acknowledged(_)) => tally.between += 1,
        }
        for event in events {
            known.observe(event, &mut tally, &context);
        }
        if kill < kills && random.below(UNSEEN) == 0 {
            continue;
        }
        let session = onionskin.store(&root);
        let store = session.open(&OpenOptions::default()).unwrap_or_else(|error| panic!("{context}: {error}"));
        let found = store.recovered().expect("findings");
        store.close().unwrap_or_else(|error| panic!("{context}: {error}"));
        tally.recovered += u64::from(!found.is_empty());
        let now = ground::read(&root);
        let revision = revision_of(&root, &context);
        known.observe(Event::Opened(revision), &mut tally, &context);
        work.check(&root, revision, &context);
        assert_eq!(work.unmanaged(&root), unmanaged, "{context}: entries outside the change");
        assert_eq!(work.left_over(&now), ground::NONE, "{context}: nothing is left over");
        let store = session.open(&OpenOptions::default()).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(store.recovered().expect("findings"), [], "{context}: opening twice equals opening once");
        store.close().unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(ground::read(&root), now, "{context}: opening twice equals opening once");
    }
    ground::say(&format!("{work:?}: {kills} kills {tally}"));
    assert!(tally.during >= kills / 4, "{work:?}: only {} kills came during a change", tally.during);
}

/// The moment of a kill: after this many lines since the program was ready, and this much later.
struct Moment {
    lines: u64,
    then: Duration,
}

/// A line that the program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Opened(u64),
    Begins(u64),
    Acknowledged(u64),
}

impl Event {
    fn parse(line: &str, context: &str) -> Self {
        let read = || {
            let (word, revision) = line.split_once(' ')?;
            let revision = revision.parse().ok()?;
            match word {
                OPENED => Some(Self::Opened(revision)),
                BEGINS => Some(Self::Begins(revision)),
                ACKNOWLEDGED => Some(Self::Acknowledged(revision)),
                _ => None,
            }
        };
        read().unwrap_or_else(|| panic!("{context}: unexpected line of the program: {line}"))
    }
}

/// The revision that must be present according to the lines: the last one acknowledged or found, or the next one if
/// that was begun.
#[derive(Default)]
struct Known {
    revision: u64,
    begun: bool,
}

impl Known {
    fn observe(&mut self, event: Event, tally: &mut Tally, context: &str) {
        let next = self.revision + 1;
        match event {
            Event::Opened(found) => {
                let expected = self.revision..=self.revision + u64::from(self.begun);
                assert!(expected.contains(&found), "{context}: {found} is there and not {expected:?}");
                if self.begun {
                    *(if found == next { &mut tally.new } else { &mut tally.old }) += 1;
                }
                *self = Self { revision: found, begun: false };
            }
            Event::Begins(revision) => {
                assert_eq!(revision, next, "{context}: one after the other");
                self.begun = true;
            }
            Event::Acknowledged(revision) => {
                assert!(self.begun && revision == next, "{context}: {revision} is acknowledged");
                *self = Self { revision, begun: false };
                tally.acknowledged += 1;
            }
        }
    }
}

/// The moments that the kills hit, and their outcomes.
#[derive(Default)]
struct Tally {
    /// Kills while the root was opened, and recovered if that was due.
    opening: u64,
    /// Kills during a change...
    during: u64,
    /// ... after which the old revision was present, ...
    old: u64,
    /// ... or the new one.
    new: u64,
    /// Kills between two changes.
    between: u64,
    /// Opens after a kill that had something to recover.
    recovered: u64,
    /// Changes that were acknowledged before the kills.
    acknowledged: u64,
}
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { opening, during, old, new, between, recovered, acknowledged } = self;
        write!(
            f,
            "after {acknowledged} changes: {opening} while opening, {during} during a change ({old} old, {new} new), \
             {between} between two; {recovered} left something to recover"
        )
    }
}

/// Starts the program, kills it, and returns the lines that it printed about its changes.
fn one_kill(work: Work, root: &Path, moment: Moment, context: &str) -> Vec<Event> {
    let mut program = Program::start(work, root);
    let mut next = || program.lines.next().map(|line| line.expect("it is text"));
    let first = next();
    assert!(first.as_deref().is_some_and(|line| line.ends_with(READY)), "{context}: the program starts: {first:?}");
    let mut lines: Vec<String> = (0..moment.lines).map_while(|_| next()).collect();
    thread::sleep(moment.then);
    program.child.kill().expect("it can be killed");
    lines.extend(std::iter::from_fn(next));
    let status = program.child.wait().expect("it has ended");
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9),
        "{context}: it ran until it was killed"
    );
    lines.iter().map(|line| Event::parse(line, context)).collect()
}

/// This test binary, running as the program that is killed.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(work: Work, root: &Path) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program has a path"))
            .args(["--exact", "the_program_that_is_killed", "--quiet", "--nocapture"])
            .env(killed::ROOT, root)
            .env(killed::WORK, work.name())
            .env("ONIONSKIN_CACHE_DIR", ground::cache())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        // The first lines are the output of the test harness.
        for line in lines.by_ref() {
            if line.expect("it is text").starts_with("running 1 test") {
                break;
            }
        }
        Self { child, lines }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Needed after a failed test only; otherwise the child has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has no effect when it runs as a test.
#[test]
fn the_program_that_is_killed() {
    if let (Some(root), Ok(work)) = (env::var_os(killed::ROOT), env::var(killed::WORK)) {
        Work::named(&work).persist_for_ever(Path::new(&root));
    }
}

#[test]
fn a_killed_program_that_replaces_a_file() {
    survives(Work::Replace);
}

#[test]
fn a_killed_program_that_publishes_in_place() {
    survives(Work::InPlace);
}

#[test]
fn a_killed_program_that_swaps() {
    survives(Work::Swap);
}

#[test]
fn a_killed_program_that_publishes_by_pointer() {
    survives(Work::Pointer);
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}: must be a number")))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
