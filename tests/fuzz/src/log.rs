//! The intent log and the intent: one format.

use arbitrary::{Arbitrary, Result, Unstructured};
use onionskin::control;
use onionskin::fs::Kind;
use onionskin::journal::{ByPath, Change, Damage, Journal, LINK_LENGTH, Old, OldEntry, Op, digest};
use onionskin::path::{RelPath, is_reserved};

use crate::names::path_of_record;

const DIGEST_BYTES: usize = 32;

/// Reads the bytes as they are, and as the body of a log whose digest is right.
pub(crate) fn any_bytes(bytes: &[u8]) {
    read(bytes);
    read(&sealed(bytes));
}

/// Appends the digest of a log.
pub(crate) fn sealed(body: &[u8]) -> Vec<u8> {
    [body, &digest(body)].concat()
}

fn read(bytes: &[u8]) {
    match Journal::decode(bytes) {
        Ok(journal) => {
            let encoded = journal.encode();
            if encoded != bytes {
                assert!(holds_an_older_record(&journal, bytes, &encoded), "{journal:?} is encoded in two ways");
                assert_eq!(Journal::decode(&encoded).as_ref(), Ok(&journal));
            }
            leads_nowhere_else(&journal);
        }
        Err(Damage::Digest(journal)) => {
            let body = &bytes[..bytes.len() - DIGEST_BYTES];
            assert_eq!(Journal::decode(&sealed(body)), Ok(journal), "only the digest is wrong");
        }
        Err(Damage::Unreadable(why)) => assert!(!why.is_empty()),
    }
}

/// Checks whether the difference comes from records of kind 5, which are read and no longer written: each is a number
/// shorter.
fn holds_an_older_record(journal: &Journal, bytes: &[u8], encoded: &[u8]) -> bool {
    let is_older = |op: &&Op| matches!(op.change, Change::Pointer { generation, oldest, .. } if oldest == generation.saturating_sub(1));
    let most = journal.ops.iter().filter(is_older).count();
    encoded.len() > bytes.len()
        && (encoded.len() - bytes.len()).is_multiple_of(8)
        && (encoded.len() - bytes.len()) / 8 <= most
}

/// Asserts that no path leads out of the root, and none to a record.
fn leads_nowhere_else(journal: &Journal) {
    let named = ByPath::of(journal);
    for op in &journal.ops {
        assert!(!op.path.is_root() && control::may_change(&op.path), "{}", op.path);
        assert_eq!(RelPath::parse_record(op.path.as_str()).as_ref(), Ok(&op.path));
        let ours = op.path.components().filter(|name| is_reserved(name)).count();
        let generation = op.path.is_within(&control::entry(control::DIRECTORIES)) && op.path.depth() > 4;
        assert!(ours == 0 || (ours == 1 && generation), "{}", op.path);
        let made = Op { path: op.path.clone(), change: Change::MakeDir };
        assert_eq!(named.makes(&op.path), journal.ops.contains(&made));
    }
}

/// Encodes a log that the bytes describe, and decodes it.
pub(crate) fn any_log(bytes: &[u8]) {
    let Ok(journal) = log_of(&mut Unstructured::new(bytes)) else { return };
    let encoded = journal.encode();
    assert_eq!(Journal::decode(&encoded), Ok(journal));
    if let Some(cut) = encoded.len().checked_sub(1 + usize::from(bytes.first().copied().unwrap_or_default())) {
        assert!(Journal::decode(&encoded[..cut]).is_err());
    }
}

fn log_of(from: &mut Unstructured<'_>) -> Result<Journal> {
    let (unsynced, epoch, transaction) = Arbitrary::arbitrary(from)?;
    let mut ops = Vec::new();
    for _ in 0..from.int_in_range(0..=12)? {
        let path = path_of_record(from)?;
        if control::may_change(&path) {
            ops.push(Op { path, change: change_of(from)? });
        }
    }
    Ok(Journal { unsynced, kept: from.arbitrary()?, epoch, transaction, ops })
}

fn change_of(from: &mut Unstructured<'_>) -> Result<Change> {
    Ok(match from.int_in_range(0..=5)? {
        0 => Change::Put {
            staged: from.arbitrary()?,
            length: if from.arbitrary()? { LINK_LENGTH } else { from.arbitrary()? },
            digest: from.arbitrary()?,
            old: old_of(from)?,
        },
        1 => Change::Delete { old: old_of(from)? },
        2 => Change::MakeDir,
        3 => Change::Switch,
        4 => Change::RemoveDir,
        _ => Change::Pointer { directory: from.arbitrary()?, generation: from.arbitrary()?, oldest: from.arbitrary()? },
    })
}

pub(crate) fn old_of(from: &mut Unstructured<'_>) -> Result<Old> {
    let kind = match from.int_in_range(0..=4)? {
        0 => return Ok(None),
        1 => Kind::File,
        2 => Kind::Directory,
        3 => Kind::Symlink,
        _ => Kind::Other,
    };
    Ok(Some(OldEntry { kind, size: from.arbitrary()?, modified: from.arbitrary()? }))
}

/// Returns the bodies of logs with every kind of record.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let path = |text| RelPath::parse_record(text).expect("a good path");
    let old = Some(OldEntry { kind: Kind::File, size: 7, modified: Some(9) });
    let changes = [
        Change::Put { staged: 0, length: 6, digest: Some(digest(b"staged")), old },
        Change::Put { staged: 1, length: LINK_LENGTH, digest: None, old: None },
        Change::Delete { old },
        Change::MakeDir,
        Change::Switch,
        Change::Pointer { directory: 1, generation: 2, oldest: 1 },
        Change::RemoveDir,
    ];
    let ops = |changes: &[Change]| {
        let paths = ["file", "a/b", ".onionskin/directories/1/2/f", "a", "l", "d", "e"];
        paths.iter().zip(changes).map(|(at, change)| Op { path: path(at), change: change.clone() }).collect()
    };
    let logs = (0..=changes.len()).map(|count| {
        let journal = Journal {
            unsynced: count % 2 == 1,
            kept: count % 3 == 1,
            epoch: count as u64,
            transaction: 1,
            ops: ops(&changes[..count]),
        };
        journal.encode()
    });
    let mut seeds: Vec<Vec<u8>> = logs.map(|log| log[..log.len() - DIGEST_BYTES].to_vec()).collect();
    // A record of kind 5 has no number of the oldest generation.
    let mut older =
        Journal { unsynced: false, kept: false, epoch: 0, transaction: 1, ops: ops(&changes[5..6]) }.encode();
    older.truncate(older.len() - DIGEST_BYTES - 8);
    older[32] = 5;
    seeds.push(older);
    seeds
}
