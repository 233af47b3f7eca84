//! Many processes change one root in turns, and are killed at any moment: each change that was acknowledged is there
//! once, and none is built on a state that another one had replaced.
//!
//! A process reads files without the lock, waits for the root, and commits under the condition that these files are as it
//! read them. It counts in a file of all, counts in a file of its own, and moves something between two accounts. So the
//! sum of the accounts is constant, the count of all is the sum of the counts of each, and the count of each is that of
//! its acknowledged changes, or one more if it was killed.
//!
//! `ONIONSKIN_TURNS` is the number of acknowledged changes, and `ONIONSKIN_OWNERS` that of the processes at once.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use onionskin_host::{
    DirectoryOptions, Durability, Error, ErrorKind, Fingerprint, Kind, NodeKind, Onionskin, OpenOptions, Precondition,
};
use onionskin_tests::sha2::{Digest as _, Sha256};

use crate::killed::{ROOT, say};
use crate::{Random, ground, number};

/// The environment variable of a process: its number.
const OWNER: &str = "ONIONSKIN_KILLED_OWNER";

const TURNS_DEFAULT: u64 = 400;
const OWNERS_DEFAULT: u64 = 20;

/// One in this many acknowledged changes is followed by a kill.
const KILLS: u64 = 8;

const ACCOUNTS: u64 = 5;
const FUNDS: u64 = 100;

/// Longer than all others need for a turn each.
const WAIT: Duration = Duration::from_secs(120);

#[test]
fn processes_that_take_turns_lose_nothing() {
    let turns = number("ONIONSKIN_TURNS").unwrap_or(TURNS_DEFAULT);
    let owners = number("ONIONSKIN_OWNERS").unwrap_or(OWNERS_DEFAULT);
    let seed = number("ONIONSKIN_SEED").unwrap_or(1);
    let mut random = Random(seed);
    let directory = ground::scratch();
    let root = directory.path().join("root");
    ground::write(&root.join("count"), "0");
    (0..ACCOUNTS).for_each(|account| ground::write(&root.join(format!("account-{account}")), FUNDS.to_string()));
    (0..owners).for_each(|owner| ground::write(&root.join(format!("by-{owner}")), "0"));

    let (sender, acknowledged) = channel();
    let mut running: Vec<Child> = (0..owners).map(|owner| start(&root, owner, &sender)).collect();
    let (mut counts, mut kills) = (vec![Count::default(); owners as usize], 0);
    for _ in 0..turns {
        note(&acknowledged, &mut counts);
        if random.below(KILLS) == 0 {
            let victim = random.below(owners) as usize;
            kills += 1;
            counts[victim].kills += 1;
            running[victim].kill().expect("it can be killed");
            running[victim].wait().expect("it has ended");
            running[victim] = start(&root, victim as u64, &sender);
        }
    }
    for child in &mut running {
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
    }
    counts.iter_mut().for_each(|count| count.kills += 1);
    // What was printed before the kill is still on its way.
    drop(sender);
    acknowledged.iter().for_each(|owner: u64| counts[owner as usize].acknowledged += 1);

    let store = Onionskin::load().and_then(|it| it.store(&root).open(&OpenOptions::default())).expect("it opens");
    store.close().expect("it closes");
    let context = format!("ONIONSKIN_SEED={seed}, {owners} processes, {kills} kills");
    let read = |name: String| value(&root, &name).unwrap_or_else(|| panic!("{context}: {name} is no number"));
    let mut sum = 0;
    for (owner, count) in counts.iter().enumerate() {
        let (now, Count { acknowledged, kills }) = (read(format!("by-{owner}")), *count);
        // A process that was killed may have made a change that it did not report.
        assert!((acknowledged..=acknowledged + kills).contains(&now), "{context}: {now} by {owner}, of {count:?}");
        assert!(acknowledged > 0, "{context}: process {owner} had no turn");
        sum += now;
    }
    assert_eq!(read("count".to_owned()), sum, "{context}: a change was lost, or made twice");
    let funds: u64 = (0..ACCOUNTS).map(|account| read(format!("account-{account}"))).sum();
    assert_eq!(funds, ACCOUNTS * FUNDS, "{context}: two changes were mixed");
    ground::say(&format!("{owners} processes: {sum} changes, {kills} kills"));
}

/// The changes of one process that it reported, and the times that it was killed.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    acknowledged: u64,
    kills: u64,
}

fn note(acknowledged: &Receiver<u64>, counts: &mut [Count]) {
    let owner = acknowledged.recv_timeout(WAIT).expect("one of them gets its turn");
    counts[owner as usize].acknowledged += 1;
}

/// Starts a process, and reports each change that it acknowledges.
fn start(root: &Path, owner: u64, acknowledged: &Sender<u64>) -> Child {
    let mut child = Command::new(env::current_exe().expect("this program has a path"))
        .args(["--exact", "owners::the_process_that_takes_turns", "--quiet", "--nocapture"])
        .env(ROOT, root)
        .env(OWNER, owner.to_string())
        .env("ONIONSKIN_CACHE_DIR", ground::cache())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let acknowledged = acknowledged.clone();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok).filter(|line| line == DONE) {
            drop(line);
            let _the_test_may_have_failed = acknowledged.send(owner);
        }
    });
    child
}

/// The line of a process after each change.
const DONE: &str = "done";

/// Has no effect when it runs as a test.
#[test]
fn the_process_that_takes_turns() {
    let (Some(root), Some(owner)) = (env::var_os(ROOT), number(OWNER)) else { return };
    let (root, mut random) = (Path::new(&root), Random(owner ^ u64::from(std::process::id())));
    let onionskin = Onionskin::load().expect("the component that is built in loads");
    loop {
        match turn(&onionskin, root, owner, &mut random) {
            Ok(()) => say(DONE),
            // Others were faster: it reads again.
            Err(error) if error.kind() == Kind::Contract(ErrorKind::PreconditionFailed) => {}
            Err(error) => panic!("process {owner}: {error}"),
        }
    }
}

/// Makes one change to what it has read before, and waits for its turn to do so.
fn turn(onionskin: &Onionskin, root: &Path, owner: u64, random: &mut Random) -> Result<(), Error> {
    let from = random.below(ACCOUNTS);
    let to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
    let names = ["count".to_owned(), format!("by-{owner}"), format!("account-{from}"), format!("account-{to}")];
    let Some(old) = names.iter().map(|name| value(root, name)).collect::<Option<Vec<u64>>>() else { return Ok(()) };
    let moved = u64::from(old[2] > 0);
    let new = [old[0] + 1, old[1] + 1, old[2] - moved, old[3] + moved];
    let store = onionskin.store(root).wait(WAIT).open(&OpenOptions::default())?;
    let mut change = store.begin(".", &DirectoryOptions::default().durability(Durability::Visible))?;
    for ((name, old), new) in names.iter().zip(old).zip(new) {
        let text = old.to_string();
        let (size, digest) = (text.len() as u64, Some(Sha256::digest(&text).to_vec()));
        let when = Fingerprint { kind: NodeKind::File, size, modified: None, digest };
        change.expect(name, &Precondition::Unchanged(when))?;
        change.put(name, new.to_string().as_bytes())?;
    }
    change.commit()?;
    // The lock is released before others learn of the change.
    store.close()
}

fn value(root: &Path, name: &str) -> Option<u64> {
    fs::read_to_string(root.join(name)).ok()?.parse().ok()
}
