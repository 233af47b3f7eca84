//! A damaged log loses nothing: it is quarantined, or it stops recovery with everything kept, and it never causes a
//! change outside the root.

use std::fs;
use std::path::{Path, PathBuf};

use onionskin_host::{
    DirectoryOptions, Durability, ErrorKind, Fault, Faults, OpenOptions, Publish, Store, Verdict, WriteOptions,
};
use onionskin_tests::sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::ground::{self, Tree};
use crate::scene::{PUBLISH, onionskin, publish, refused};

const LOG: &str = ".onionskin/log";
const UNSYNCED: &str = ".onionskin/log-unsynced";
const DIGEST_BYTES: usize = 32;

/// The two files of the change, in the order of the log.
const MANAGED: [&str; 2] = ["d/alpha.txt", "d/gamma.txt"];

/// Every fifth bit is flipped; 5 does not divide 8, so that every position within a byte is covered.
const BITS_STEP: usize = 5;

/// A root in which a change was decided but not completed, and its log.
struct Decided {
    directory: TempDir,
    name: &'static str,
    log: Vec<u8>,
}

impl Decided {
    /// Crashes at later and later calls until the log exists and `wanted` accepts the contents of the files.
    fn new(options: DirectoryOptions, wanted: fn(&[String; 2]) -> bool) -> Self {
        let name = if options.durability == Durability::Visible { UNSYNCED } else { LOG };
        for call in 1..100 {
            let directory = ground::scratch();
            let root = directory.path().join("root");
            for (file, content) in [(MANAGED[0], "old"), (MANAGED[1], "old"), ("d/note", "not managed")] {
                ground::write(&root.join(file), content);
            }
            ground::write(&directory.path().join("outside1"), "outside");
            let session = onionskin().store(&root).faults(&Faults::counting(Fault::TrapBefore(call)));
            let store = session.open(&OpenOptions::default()).expect("the root opens");
            let mut change = store.begin("d", &options).expect("a directory");
            let _crash = MANAGED
                .iter()
                .try_for_each(|file| change.put(file.trim_start_matches("d/"), b"new"))
                .and_then(|()| change.commit());
            drop(store);
            if let Ok(log) = fs::read(root.join(name))
                && wanted(&managed(&root))
            {
                return Self { directory, name, log };
            }
        }
        panic!("{options:?}: no crash leaves such a root");
    }

    fn in_place(wanted: fn(&[String; 2]) -> bool) -> Self {
        Self::new(publish(Publish::InPlace), wanted)
    }

    /// Copies the root to a new place, with this log.
    fn with(&self, log: &[u8]) -> Case {
        let directory = ground::scratch();
        ground::copy(self.directory.path(), directory.path());
        let case = Case { directory, name: self.name, log: log.to_vec() };
        fs::write(case.root().join(self.name), log).expect("the log can be written");
        case
    }

    /// Returns the log with one bit flipped, for several hundred bits.
    fn flipped(&self) -> impl Iterator<Item = (usize, Vec<u8>)> {
        (0..self.log.len() * 8).step_by(BITS_STEP).map(|bit| {
            let mut log = self.log.clone();
            log[bit / 8] ^= 1 << (bit % 8);
            (bit, log)
        })
    }

    /// Returns the log with one text replaced by another of the same length, and a valid digest.
    fn forged(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        assert_eq!(from.len(), to.len(), "{to:?} must have the length of {from:?}");
        let at = self.log.windows(from.len()).position(|window| window == from).expect("it is in the log");
        self.forged_at(at, to)
    }

    fn forged_at(&self, at: usize, to: &[u8]) -> Vec<u8> {
        let mut log = self.log[..self.log.len() - DIGEST_BYTES].to_vec();
        log[at..at + to.len()].copy_from_slice(to);
        let digest = Sha256::digest(&log);
        log.extend_from_slice(&digest);
        log
    }
}

/// A root with a log that the test wrote.
struct Case {
    directory: TempDir,
    name: &'static str,
    log: Vec<u8>,
}

/// The outcome of an open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opened {
    /// The log was quarantined, and the files have their old content.
    Quarantined,
    /// Recovery stopped, and nothing changed.
    Stopped,
    /// The log was parked with its staging, and nothing else changed.
    Parked,
}

impl Case {
    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn tree(&self) -> Tree {
        ground::read(self.directory.path())
    }

    fn open(&self) -> Result<Store, onionskin_host::Error> {
        onionskin().store(self.root()).open(&OpenOptions::default())
    }

    /// Opens the root, which must either quarantine the log or stop with everything kept; in both cases nothing of the
    /// log is applied and it is not lost. An inspection before the open must report the same.
    fn open_with_bad_log(&self, context: &str) -> Opened {
        let before = self.tree();
        let faults = Faults::counting(Fault::None);
        let session = onionskin().store(self.root()).faults(&faults);
        let foreseen = session.inspect();
        assert_eq!(self.tree(), before, "{context}: inspection changes nothing");
        let expected = match session.open(&OpenOptions::default()) {
            Ok(store) => {
                let found = store.recovered().expect("findings");
                let first = found.first().unwrap_or_else(|| panic!("{context}: a bad log is a finding"));
                let foreseen = foreseen.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(foreseen.first(), Some(first), "{context}: inspection reports the same");
                store.replace("usable", b"yes", &WriteOptions::default()).unwrap_or_else(|e| panic!("{context}: {e}"));
                store.close().expect("the store closes");
                if first.verdict == Verdict::Parked {
                    self.check_kept(&before, "parked-", context);
                    Opened::Parked
                } else {
                    assert_eq!((first.path.as_str(), first.verdict), (self.name, Verdict::Quarantined), "{context}");
                    self.check_kept(&before, self.name.trim_start_matches(".onionskin/"), context);
                    Opened::Quarantined
                }
            }
            Err(error) => {
                let error = refused::<()>(context, Err(error));
                assert_eq!(error.kind, ErrorKind::Corrupt, "{context}: {}", error.message);
                assert_eq!(refused(context, foreseen), error, "{context}: inspection reports the same");
                assert!(error.message.contains(&error.subject), "{context}: {}", error.message);
                assert_eq!(ground::difference(&before, &self.tree()), ground::NONE, "{context}: all is kept");
                Opened::Stopped
            }
        };
        assert_eq!(faults.opened_for_writing(), [""; 0], "{context}");
        expected
    }

    /// Asserts that the log is among the records under such a name, unchanged, and that all other entries are unchanged.
    fn check_kept(&self, before: &Tree, name: &str, context: &str) {
        let now = self.tree();
        let digest = blake3::hash(&self.log);
        let kept = now.iter().any(|(path, entry)| {
            let last = path.file_name().unwrap_or_default().to_string_lossy();
            let is_ours = path.starts_with("root/.onionskin")
                && (last == name || last.starts_with("parked-") && name == "parked-");
            is_ours && matches!(entry, ground::Entry::File { digest: found, .. } if *found == digest)
        });
        assert!(kept, "{context}: the log is not lost");
        for (path, entry) in before.iter().filter(|(path, _)| !path.starts_with("root/.onionskin")) {
            assert_eq!(now.get(path), Some(entry), "{context}: {}", path.display());
        }
    }
}

fn managed(root: &Path) -> [String; 2] {
    MANAGED.map(|name| fs::read_to_string(root.join(name)).unwrap_or_default())
}

fn all_old(now: &[String; 2]) -> bool {
    now == &["old", "old"]
}

fn half_new(now: &[String; 2]) -> bool {
    now == &["new", "old"]
}

/// The starting points of these tests are valid: their own, undamaged log completes them.
#[test]
fn an_undamaged_log_is_completed() {
    for mode in [Publish::InPlace, Publish::Swap, Publish::Pointer] {
        let decided = Decided::new(publish(mode), all_old);
        let case = decided.with(&decided.log);
        case.open().and_then(Store::close).unwrap_or_else(|error| panic!("{mode:?}: {error}"));
        assert_eq!(managed(&case.root()), ["new", "new"], "{mode:?}");
        assert_eq!(fs::read_to_string(case.root().join("d/note")).ok().as_deref(), Some("not managed"));
    }
    let decided = Decided::in_place(half_new);
    let case = decided.with(&decided.log);
    case.open().and_then(Store::close).expect("it is completed");
    assert_eq!(managed(&case.root()), ["new", "new"]);
    assert_eq!(ground::ours(&ground::read(&case.root())), ground::NONE);
}

/// A flipped bit in the log of a change that has not begun: it is never applied.
#[test]
fn a_flipped_bit_before_the_first_step_changes_nothing() {
    for mode in PUBLISH {
        let decided = Decided::new(publish(mode), all_old);
        let (mut stopped, mut aside) = (0, 0);
        for (bit, log) in decided.flipped() {
            match decided.with(&log).open_with_bad_log(&format!("{mode:?}, bit {bit}")) {
                Opened::Stopped => stopped += 1,
                Opened::Parked => panic!("{mode:?}, bit {bit}: a damaged log is not parked"),
                Opened::Quarantined => aside += 1,
            }
        }
        println!("{mode:?}: {stopped} stopped, {aside} quarantined");
        assert!(stopped > 20 && aside > 20, "{mode:?}: {stopped} stopped, {aside} quarantined");
    }
}

/// A flipped bit in the log of a change that is half applied: recovery stops, and with the undamaged log it continues.
#[test]
fn a_flipped_bit_half_way_stops_with_everything_kept() {
    let decided = Decided::in_place(half_new);
    for (bit, log) in decided.flipped() {
        let case = decided.with(&log);
        assert_eq!(case.open_with_bad_log(&format!("bit {bit}")), Opened::Stopped, "bit {bit}");
        if bit % 40 == 0 {
            fs::write(case.root().join(LOG), &decided.log).expect("the log can be put right");
            case.open().and_then(Store::close).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
            assert_eq!(managed(&case.root()), ["new", "new"], "bit {bit}");
            assert_eq!(ground::ours(&ground::read(&case.root())), ground::NONE, "bit {bit}");
        }
    }
}

/// A log that was never synced may have any content after a power loss: it is quarantined.
#[test]
fn a_flipped_bit_in_an_unsynced_log_quarantines_it() {
    let options = DirectoryOptions::default().durability(Durability::Visible);
    let decided = Decided::new(options, all_old);
    for (bit, log) in decided.flipped() {
        assert_eq!(decided.with(&log).open_with_bad_log(&format!("bit {bit}")), Opened::Quarantined, "bit {bit}");
    }
}

/// Cut at any length, extended, emptied, or no log at all.
#[test]
fn a_cut_or_foreign_log_stops_with_everything_kept() {
    for wanted in [all_old, half_new] {
        let decided = Decided::in_place(wanted);
        let mut logs: Vec<Vec<u8>> = (0..decided.log.len()).step_by(3).map(|cut| decided.log[..cut].to_vec()).collect();
        logs.push([decided.log.as_slice(), b"\0"].concat());
        logs.push([decided.log.as_slice(), &decided.log].concat());
        logs.push(vec![0; decided.log.len()]);
        logs.push(vec![0xff; decided.log.len()]);
        logs.push(b"not a log".repeat(100));
        for (at, log) in logs.iter().enumerate() {
            let expected = decided.with(log).open_with_bad_log(&format!("log {at} of {} bytes", log.len()));
            assert_eq!(expected, Opened::Stopped, "log {at}");
        }
    }
}

/// The way out that the message names works: once the log is moved away, the root opens.
#[test]
fn a_log_that_stops_recovery_can_be_moved_away() {
    let decided = Decided::in_place(all_old);
    let case = decided.with(b"nonsense");
    assert_eq!(case.open_with_bad_log("nonsense"), Opened::Stopped);
    fs::rename(case.root().join(LOG), case.directory.path().join("log")).expect("it can be moved");
    case.open().and_then(Store::close).expect("the root opens");
    assert_eq!(managed(&case.root()), ["old", "old"]);
    assert_eq!(ground::ours(&ground::read(&case.root())), ground::NONE);
}

/// A log with a valid digest that names a path outside the root, or a reserved one.
#[test]
fn a_forged_path_leads_nowhere() {
    let forged: [&[u8]; 12] = [
        b"../outside1",
        b"d/../../out",
        b"/tmp/outsid",
        b"//../outsid",
        b"./alpha.txt",
        b"d/./pha.txt",
        b"d//lpha.txt",
        b"d/alpha.tx/",
        b"d/alpha.tx\0",
        b"d/alpha.t\xff\xff",
        b".onionskin1",
        b".ONIONSKIN1",
    ];
    for wanted in [all_old, half_new] {
        let decided = Decided::in_place(wanted);
        for path in forged {
            let context = String::from_utf8_lossy(path).into_owned();
            let case = decided.with(&decided.forged(MANAGED[0].as_bytes(), path));
            assert_eq!(case.open_with_bad_log(&context), Opened::Stopped, "{context}");
        }
    }
}

/// A log with a valid digest whose path passes a link or names a directory: nothing is written through it.
#[test]
fn a_forged_path_passes_no_link() {
    let decided = Decided::in_place(all_old);
    for (text, absolute) in [("../lower", false), ("lower", true), ("d", false)] {
        let case = decided.with(&decided.forged(MANAGED[0].as_bytes(), b"linkd/f.txt"));
        ground::write(&case.directory.path().join("lower/f.txt"), "original");
        let text = if absolute { case.directory.path().join(text) } else { text.into() };
        std::os::unix::fs::symlink(&text, case.root().join("linkd")).expect("a new link");
        let before = case.tree();
        let store = case.open().unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let found = store.recovered().expect("findings");
        assert_eq!(found.first().map(|finding| finding.verdict), Some(Verdict::Parked), "{text:?}: {found:?}");
        assert!(found[0].detail.contains("linkd"), "{text:?}: {found:?}");
        store.close().expect("it closes");
        let is_staging = |path: &Path| path.starts_with("root/.onionskin/tx-1") || path.ends_with(LOG);
        let kept = before.iter().filter(|(path, _)| !is_staging(path));
        let now = case.tree();
        assert!(kept.clone().all(|(path, entry)| now.get(path) == Some(entry)), "{text:?}: all is kept");
    }
    let case = decided.with(&decided.forged(MANAGED[0].as_bytes(), b"d/directory"));
    fs::create_dir(case.root().join("d/directory")).expect("a new directory");
    assert_eq!(case.open_with_bad_log("a directory in the way"), Opened::Parked);
}

/// Forged numbers under a valid digest: an unknown version, another transaction, a wrong count of records, and a future
/// epoch.
#[test]
fn forged_numbers_are_detected() {
    let decided = Decided::in_place(all_old);
    let (version, epoch, transaction, count) = (8, 12, 20, 28);
    for (context, at, bytes, expected) in [
        ("version", version, vec![2, 0], Opened::Stopped),
        ("flags", version + 2, vec![4, 0], Opened::Stopped),
        ("epoch", epoch, 5_u64.to_le_bytes().to_vec(), Opened::Quarantined),
        ("transaction", transaction, 999_u64.to_le_bytes().to_vec(), Opened::Parked),
        ("count", count, u32::MAX.to_le_bytes().to_vec(), Opened::Stopped),
        ("fewer", count, 1_u32.to_le_bytes().to_vec(), Opened::Stopped),
    ] {
        assert_eq!(decided.with(&decided.forged_at(at, &bytes)).open_with_bad_log(context), expected, "{context}");
    }
}

/// A log larger than any valid one exceeds a limit, and does not exhaust the memory of the component.
#[test]
fn a_huge_log_is_refused() {
    let decided = Decided::in_place(all_old);
    let case = decided.with(b"");
    let log = fs::File::options().write(true).open(case.root().join(LOG)).expect("it can be written");
    log.set_len(65 << 20).expect("it can grow");
    drop(log);
    let error = refused("huge", case.open());
    assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::LimitExceeded, LOG), "{}", error.message);
    assert_eq!(managed(&case.root()), ["old", "old"]);
}

/// Staged content is missing or changed: the decision is parked unless the path already has its new content.
#[test]
fn missing_or_changed_staging_parks_with_everything_kept() {
    for (wanted, expected) in [(all_old as fn(&[String; 2]) -> bool, true), (half_new, false)] {
        let decided = Decided::in_place(wanted);
        for content in [None, Some("NEW"), Some("longer than it was")] {
            let case = decided.with(&decided.log);
            let staged = case.root().join(".onionskin/tx-1/0");
            match content {
                None => fs::remove_file(&staged).expect("it is there"),
                Some(content) => fs::write(&staged, content).expect("it can be written"),
            }
            if expected {
                assert_eq!(case.open_with_bad_log(&format!("{content:?}")), Opened::Parked);
            } else {
                case.open().and_then(Store::close).unwrap_or_else(|error| panic!("{content:?}: {error}"));
                assert_eq!(managed(&case.root()), ["new", "new"], "{content:?}: its file was there already");
            }
        }
    }
}
