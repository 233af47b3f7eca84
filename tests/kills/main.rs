//! A program that is killed while it persists: whatever the moment, the next one that opens the root
//! finds exactly the old or exactly the new files, and what was acknowledged.
//!
//! This test starts itself as the program, kills it with SIGKILL at a random moment, and looks.
//! `ONIONSKIN_KILLS` is how often, in all; `ONIONSKIN_SEED` repeats a choice of moments, as far as
//! the scheduler lets it.

#![cfg(unix)]

#[path = "../hosts/ground.rs"]
mod ground;
mod killed;

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

/// One in so many killed programs is followed by the next one at once, which recovers and may be
/// killed while it does.
const UNSEEN: u64 = 3;

/// A kill comes after one of the first lines that the program says: ready, opened, begins,
/// acknowledged, begins...
const LINES: u64 = 5;

/// ... and at most so long after that: about as long as a change takes.
const MOMENT_MICROSECONDS_MAX: u64 = 1500;

/// Old or new, whole; what was acknowledged; what is not part of the change; and nothing left over.
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
        let what = format!("{work:?}, ONIONSKIN_SEED={seed}, kill {kill}");
        let moment =
            Moment { lines: random.below(LINES), then: Duration::from_micros(random.below(MOMENT_MICROSECONDS_MAX)) };
        let told = one_kill(work, &root, moment, &what);
        match told.last() {
            None => tally.opening += 1,
            Some(Said::Begins(_)) => tally.during += 1,
            Some(Said::Opened(_) | Said::Acknowledged(_)) => tally.between += 1,
        }
        for said in told {
            known.hear(said, &mut tally, &what);
        }
        if kill < kills && random.below(UNSEEN) == 0 {
            continue;
        }
        let session = onionskin.session(&root);
        let store = session.open(&OpenOptions::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = store.recovered().expect("findings");
        store.close().unwrap_or_else(|error| panic!("{what}: {error}"));
        tally.recovered += u64::from(!found.is_empty());
        let now = ground::read(&root);
        let revision = revision_of(&root, &what);
        known.hear(Said::Opened(revision), &mut tally, &what);
        work.check(&root, revision, &what);
        assert_eq!(work.unmanaged(&root), unmanaged, "{what}: what is not part of the change");
        assert_eq!(work.left_over(&now), ground::NONE, "{what}: nothing is left over");
        let store = session.open(&OpenOptions::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(store.recovered().expect("findings"), [], "{what}: opening twice equals opening once");
        store.close().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(ground::read(&root), now, "{what}: opening twice equals opening once");
    }
    ground::say(&format!("{work:?}: {kills} kills {tally}"));
    assert!(tally.during >= kills / 4, "{work:?}: only {} kills came during a change", tally.during);
}

/// When a program is killed: so many lines after it said that it is ready, and this much later.
struct Moment {
    lines: u64,
    then: Duration,
}

/// A line of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Opened(u64),
    Begins(u64),
    Acknowledged(u64),
}

impl Said {
    fn parse(line: &str, what: &str) -> Self {
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
        read().unwrap_or_else(|| panic!("{what}: the program says: {line}"))
    }
}

/// What must be there, going by what was said: this revision, which was acknowledged or seen, or the
/// next one, if that was begun.
#[derive(Default)]
struct Known {
    revision: u64,
    begun: bool,
}

impl Known {
    fn hear(&mut self, said: Said, tally: &mut Tally, what: &str) {
        let next = self.revision + 1;
        match said {
            Said::Opened(found) => {
                let expected = self.revision..=self.revision + u64::from(self.begun);
                assert!(expected.contains(&found), "{what}: {found} is there and not {expected:?}");
                if self.begun {
                    *(if found == next { &mut tally.new } else { &mut tally.old }) += 1;
                }
                *self = Self { revision: found, begun: false };
            }
            Said::Begins(revision) => {
                assert_eq!(revision, next, "{what}: one after the other");
                self.begun = true;
            }
            Said::Acknowledged(revision) => {
                assert!(self.begun && revision == next, "{what}: {revision} is acknowledged");
                *self = Self { revision, begun: false };
                tally.acknowledged += 1;
            }
        }
    }
}

/// What the kills hit, and what came of it.
#[derive(Default)]
struct Tally {
    /// While the root was opened, and recovered where there was something to recover.
    opening: u64,
    /// While a change was made...
    during: u64,
    /// ... which then had not happened, ...
    old: u64,
    /// ... or had.
    new: u64,
    /// Between two changes.
    between: u64,
    /// The next to look had something to recover.
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

/// Starts the program, kills it, and returns what it said of its changes.
fn one_kill(work: Work, root: &Path, moment: Moment, what: &str) -> Vec<Said> {
    let mut program = Program::start(work, root);
    let mut next = || program.lines.next().map(|line| line.expect("it is text"));
    let first = next();
    assert!(first.as_deref().is_some_and(|line| line.ends_with(READY)), "{what}: the program starts: {first:?}");
    let mut lines: Vec<String> = (0..moment.lines).map_while(|_| next()).collect();
    thread::sleep(moment.then);
    program.child.kill().expect("it can be killed");
    lines.extend(std::iter::from_fn(next));
    let status = program.child.wait().expect("it has ended");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{what}: it ran until it was killed");
    lines.iter().map(|line| Said::parse(line, what)).collect()
}

/// This test, as the program that is killed.
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
        // What the test harness says comes first.
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
        // After a failed test; it has ended in all other cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing when it is run as a test.
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
