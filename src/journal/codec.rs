//! The intent log, as bytes.
//!
//! ```text
//! magic        8 bytes   "ONIONSKN"
//! version      u16       1; an unknown version is refused
//! flags        u16       bit 0: content was not synced (durability `visible`)
//!                        bit 1: the record stays when the decision is complete, as `done-N`
//! epoch        u64       epoch of the owner that wrote the log
//! transaction  u64       names the staging directory tx-N
//! count        u32       number of records that follow
//! record       count x   kind u8, path (u16 length, bytes), then by kind:
//!   1 put        staged u32, length u64 (of a symbolic link 2^64 - 1), digest (u8 0|1, 32 bytes if 1), old
//!   2 delete     old
//!   3 make-dir   -
//!   4 switch     -         the sibling prepared for this path takes its place
//!   5 pointer    directory u64, generation u64; the two newest generations stay. No longer written
//!   6 remove-dir -         the directory is removed, unless it holds an unexpected entry
//!   7 pointer    directory u64, generation u64, oldest u64: the oldest generation that stays
//!   old          kind u8 (0 absent, 1 file, 2 directory, 3 symlink, 4 other), size u64,
//!                modified (u8 0|1, u64 if 1)
//! digest       32 bytes  SHA-256 of all preceding bytes
//! ```
//!
//! Integers are little-endian. Paths are relative to the root of the store.

use alloc::vec::Vec;

use super::{Change, DIGEST_BYTES, Damage, Digest, Journal, Old, OldEntry, Op, digest};
use crate::control;
use crate::fs::Kind;
use crate::limits::RECORDS_MAX;
use crate::path::RelPath;

const MAGIC: [u8; 8] = *b"ONIONSKN";
const VERSION: u64 = 1;
const FLAG_UNSYNCED: u64 = 1;
const FLAG_KEPT: u64 = 2;

impl Journal {
    /// Encodes the journal, including its digest.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 64 * self.ops.len());
        out.extend_from_slice(&MAGIC);
        put_number(&mut out, VERSION, 2);
        put_number(&mut out, u64::from(self.unsynced) * FLAG_UNSYNCED + u64::from(self.kept) * FLAG_KEPT, 2);
        put_number(&mut out, self.epoch, 8);
        put_number(&mut out, self.transaction, 8);
        put_number(&mut out, self.ops.len() as u64, 4);
        for op in &self.ops {
            put_op(&mut out, op);
        }
        let digest = digest(&out);
        out.extend_from_slice(&digest);
        out
    }

    /// Reads a journal back. Never panics and never allocates more than the input warrants.
    ///
    /// # Errors
    ///
    /// The damage to the bytes; with the decoded content if only the digest is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let body_length = bytes.len().checked_sub(DIGEST_BYTES).ok_or(Damage::Unreadable("it is too short"))?;
        let (body, stored) = bytes.split_at(body_length);
        let mut reader = Reader { rest: body, wrong: None };
        let journal = reader.journal();
        if let Some(why) = reader.wrong {
            return Err(Damage::Unreadable(why));
        }
        if digest(body) == stored { Ok(journal) } else { Err(Damage::Digest(journal)) }
    }
}

/// Appends the low `length` bytes of a number; the limits rule out larger numbers.
pub(crate) fn put_number(out: &mut Vec<u8>, number: u64, length: usize) {
    out.extend_from_slice(&number.to_le_bytes()[..length]);
}

fn put_op(out: &mut Vec<u8>, op: &Op) {
    let kind = match op.change {
        Change::Put { .. } => 1,
        Change::Delete { .. } => 2,
        Change::MakeDir => 3,
        Change::Switch => 4,
        Change::Pointer { .. } => 7,
        Change::RemoveDir => 6,
    };
    put_number(out, kind, 1);
    let path = op.path.as_str().as_bytes();
    put_number(out, path.len() as u64, 2);
    out.extend_from_slice(path);
    match &op.change {
        Change::Put { staged, length, digest, old } => {
            put_number(out, u64::from(*staged), 4);
            put_number(out, *length, 8);
            put_number(out, digest.is_some().into(), 1);
            out.extend_from_slice(digest.as_ref().map_or(&[], |digest| digest));
            put_old(out, old);
        }
        Change::Delete { old } => put_old(out, old),
        Change::MakeDir | Change::RemoveDir | Change::Switch => {}
        Change::Pointer { directory, generation, oldest } => {
            for number in [directory, generation, oldest] {
                put_number(out, *number, 8);
            }
        }
    }
}

pub(crate) fn put_old(out: &mut Vec<u8>, old: &Old) {
    let (kind, size, modified) = match old {
        None => (0, 0, None),
        Some(old) => {
            let kind = match old.kind {
                Kind::File => 1,
                Kind::Directory => 2,
                Kind::Symlink => 3,
                Kind::Other => 4,
            };
            (kind, old.size, old.modified)
        }
    };
    put_number(out, kind, 1);
    put_number(out, size, 8);
    put_number(out, modified.is_some().into(), 1);
    if let Some(time) = modified {
        put_number(out, time, 8);
    }
}

/// The bytes still to be read, and the first error found in them. After an error, every read returns an empty
/// value.
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) wrong: Option<&'static str>,
}

impl<'a> Reader<'a> {
    pub(crate) fn refuse(&mut self, why: &'static str) {
        self.wrong.get_or_insert(why);
        self.rest = &[];
    }

    pub(crate) fn bytes(&mut self, length: usize) -> &'a [u8] {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            self.refuse("it is cut off");
            return &[];
        };
        self.rest = rest;
        taken
    }

    /// Reads a number of `length` bytes.
    pub(crate) fn number(&mut self, length: usize) -> u64 {
        self.bytes(length).iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub(crate) fn flag(&mut self) -> bool {
        let flag = self.number(1);
        if flag > 1 {
            self.refuse("a flag is neither 0 nor 1");
        }
        flag == 1
    }

    pub(crate) fn text(&mut self) -> &'a str {
        let length = self.number(2) as usize;
        core::str::from_utf8(self.bytes(length)).unwrap_or_else(|_| {
            self.refuse("a path is not UTF-8");
            ""
        })
    }

    fn path(&mut self) -> RelPath {
        let text = self.text();
        // A forged path cannot leave the root, nor name anything of ours but what a generation holds.
        let path = RelPath::parse_record(text).unwrap_or_default();
        if path.is_root() {
            self.refuse("it names a path that no root can hold");
        } else if !control::may_change(&path) {
            self.refuse("it names a path that is not for it to change");
        }
        path
    }

    pub(crate) fn digest(&mut self) -> Digest {
        // Less than that is a mistake that was noted.
        self.bytes(DIGEST_BYTES).try_into().unwrap_or_default()
    }

    pub(crate) fn old(&mut self) -> Old {
        let kind = match self.number(1) {
            0 => None,
            1 => Some(Kind::File),
            2 => Some(Kind::Directory),
            3 => Some(Kind::Symlink),
            4 => Some(Kind::Other),
            _ => {
                self.refuse("an unknown kind of entry");
                None
            }
        };
        let size = self.number(8);
        let modified = self.flag().then(|| self.number(8));
        if kind.is_none() && (size, modified) != (0, None) {
            self.refuse("an absent entry has a length or a time");
        }
        kind.map(|kind| OldEntry { kind, size, modified })
    }

    fn op(&mut self) -> Op {
        let kind = self.number(1);
        let path = self.path();
        let change = match kind {
            1 => Change::Put {
                staged: self.number(4) as u32,
                length: self.number(8),
                digest: self.flag().then(|| self.digest()),
                old: self.old(),
            },
            2 => Change::Delete { old: self.old() },
            3 => Change::MakeDir,
            4 => Change::Switch,
            6 => Change::RemoveDir,
            5 => {
                let (directory, generation) = (self.number(8), self.number(8));
                Change::Pointer { directory, generation, oldest: generation.saturating_sub(1) }
            }
            7 => Change::Pointer { directory: self.number(8), generation: self.number(8), oldest: self.number(8) },
            _ => {
                self.refuse("an unknown kind of record");
                Change::MakeDir
            }
        };
        Op { path, change }
    }

    fn journal(&mut self) -> Journal {
        if self.bytes(MAGIC.len()) != MAGIC {
            self.refuse("it is not an Onionskin log");
        }
        if self.number(2) != VERSION {
            self.refuse("it is of a version this build does not know");
        }
        let flags = self.number(2);
        if flags > FLAG_UNSYNCED | FLAG_KEPT {
            self.refuse("it has unknown flags");
        }
        let (epoch, transaction, count) = (self.number(8), self.number(8), self.number(4));
        if count > RECORDS_MAX as u64 {
            self.refuse("it has more entries than the limit");
        }
        let mut ops = Vec::new();
        for _ in 0..count {
            // Stop when the bytes end, even if the header promises more records.
            if self.wrong.is_some() {
                break;
            }
            ops.push(self.op());
        }
        if !self.rest.is_empty() {
            self.refuse("bytes follow its last record");
        }
        Journal { unsynced: flags & FLAG_UNSYNCED != 0, kept: flags & FLAG_KEPT != 0, epoch, transaction, ops }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn sample() -> Journal {
        let path = |text| RelPath::parse(text).expect("a good path");
        let old = Some(OldEntry { kind: Kind::File, size: 7, modified: Some(9) });
        Journal {
            unsynced: true,
            kept: true,
            epoch: 3,
            transaction: 12,
            ops: vec![
                Op { path: path("a"), change: Change::Put { staged: 1, length: 5, digest: Some([7; 32]), old } },
                Op { path: path("b"), change: Change::Put { staged: 2, length: 6, digest: None, old: None } },
                Op { path: path("c/d"), change: Change::Delete { old } },
                Op { path: path("e"), change: Change::MakeDir },
                Op { path: path("f"), change: Change::Switch },
                Op { path: path("g"), change: Change::Pointer { directory: 1, generation: 2, oldest: 1 } },
                Op { path: path("h"), change: Change::RemoveDir },
            ],
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(Journal::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn every_cut_is_unreadable_and_every_flipped_bit_is_seen() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert!(Journal::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Journal::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_forged_path_is_refused_though_its_digest_is_right() {
        let mut journal = sample();
        journal.ops.truncate(1);
        let mut bytes = journal.encode();
        let start = 8 + 2 + 2 + 8 + 8 + 4 + 1 + 2;
        for forged in [b'/', 0] {
            bytes[start] = forged;
            let body = bytes.len() - 32;
            let right = digest(&bytes[..body]);
            bytes[body..].copy_from_slice(&right);
            assert_eq!(Journal::decode(&bytes), Err(Damage::Unreadable("it names a path that no root can hold")));
        }
    }
}
