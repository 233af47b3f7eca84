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
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use killed::{ACKNOWLEDGED, READY, Work, revision_of};
use onionskin_host::{Onionskin, OpenOptions};

const KILLS_DEFAULT: u64 = 200;

/// One in so many killed programs is followed by the next one at once, which recovers and may be
/// killed while it does.
const UNSEEN: u64 = 3;

/// A kill comes at most so long after the component is loaded.
const MOMENT_MICROSECONDS_MAX: u64 = 25_000;

/// Old or new, whole; what was acknowledged; what is not part of the change; and nothing left over.
fn survives(work: Work) {
    let kills = number("ONIONSKIN_KILLS").unwrap_or(KILLS_DEFAULT).div_ceil(Work::ALL.len() as u64);
    let seed = number("ONIONSKIN_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
        u64::from(now.subsec_nanos())
    });
    println!("{work:?}: {kills} kills, ONIONSKIN_SEED={seed}");
    let mut random = Random(seed ^ work as u64);
    let onionskin = Onionskin::load().expect("the component that is built in loads");
    let directory = ground::scratch();
    let root = directory.path().join("root");
    work.set_up(&root);
    let unmanaged = work.unmanaged(&root);
    let (mut acknowledged, mut changes, mut in_flight) = (0, 0, 0);
    for kill in 1..=kills {
        let what = format!("{work:?}, ONIONSKIN_SEED={seed}, kill {kill}");
        let before = acknowledged;
        acknowledged = one_kill(work, &root, Duration::from_micros(random.below(MOMENT_MICROSECONDS_MAX)), &what)
            .max(acknowledged);
        changes += acknowledged - before;
        if kill < kills && random.below(UNSEEN) == 0 {
            continue;
        }
        let session = onionskin.session(&root);
        let store = session.open(&OpenOptions::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = store.recovered().expect("findings");
        store.close().unwrap_or_else(|error| panic!("{what}: {error}"));
        in_flight += u64::from(!found.is_empty());
        let now = ground::read(&root);
        let revision = revision_of(&root, &what);
        assert!(
            (acknowledged..=acknowledged + 1).contains(&revision),
            "{what}: {acknowledged} was acknowledged and {revision} is there"
        );
        work.check(&root, revision, &what);
        assert_eq!(work.unmanaged(&root), unmanaged, "{what}: what is not part of the change");
        assert_eq!(work.left_over(&now), ground::NONE, "{what}: nothing is left over");
        let store = session.open(&OpenOptions::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(store.recovered().expect("findings"), [], "{what}: opening twice equals opening once");
        store.close().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(ground::read(&root), now, "{what}: opening twice equals opening once");
        acknowledged = revision;
    }
    println!("{work:?}: {changes} changes acknowledged, {in_flight} kills left something to recover");
    assert!(changes >= kills / 4, "{work:?}: only {changes} changes: the kills come too early to mean anything");
}

/// Starts the program, kills it, and returns the last change that it acknowledged.
fn one_kill(work: Work, root: &Path, moment: Duration, what: &str) -> u64 {
    let mut program = Program::start(work, root);
    let first = program.lines.next().and_then(Result::ok);
    assert!(first.as_deref().is_some_and(|line| line.ends_with(READY)), "{what}: the program starts: {first:?}");
    thread::sleep(moment);
    program.child.kill().expect("it can be killed");
    let mut last = 0;
    for line in program.lines.by_ref() {
        let line = line.expect("it is text");
        let told = line.strip_prefix(ACKNOWLEDGED).unwrap_or_else(|| panic!("{what}: the program says: {line}"));
        last = told.parse().unwrap_or_else(|_| panic!("{what}: the program says: {line}"));
    }
    let status = program.child.wait().expect("it has ended");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{what}: it ran until it was killed");
    last
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
