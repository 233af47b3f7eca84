//! The format of the map on disk: a log. A change is one frame, appended by one write: it is complete or
//! absent.
//!
//! ```text
//! magic        8 bytes   "ONIONMAP"
//! version      u16       2; an unknown one is refused
//! files        u64       above every number of a file when this was written
//! label        text      of a checkpoint; else empty
//! count        u16       lowers that follow, the topmost first
//! lower        count x   name text, identity (u8 0|1, 16 bytes if 1)
//! proof        u8 0|1    of a map that waits for a commit: the SHA-256 of the log that decides it, 32 bytes
//! quota        2 x       u8 0|1, u64 if 1: bytes, then entries
//! sum          u64       FNV-1a of all before
//! frame        ...       length u32 (of its records), records, sum u64
//!   1 shows    path text, origin: 0 none of its own, 1 nowhere, 2 directory, 3 file u64,
//!              4 lower text, 5 link text
//!   2 saw      path text, known u8 0|1, seen if 1
//!   5 kept     path text, file u64: with what was seen of this path, a copy of its content
//!   4 was      path text, commit u64, origin: the entry of the lowers before a commit, for the checkpoints
//!              before it; lower text of the path itself: it was not kept
//!   3 synced   offset u64 of this frame, sum u64 at the end of the part that was written whole, sum
//!              u64 before this frame
//! text         u16 length, bytes
//! seen         old as in a journal, u64 digest of all below (0: not computed)
//! ```
//!
//! A frame without records ends the part that was written whole, and that was durable before the file got its
//! name: damage there is an error. The frames that follow were appended, and may be torn.
//!
//! Integers are little-endian. The sum of a frame begins with the sum before it, so a frame is valid only
//! after the exact frames that it was written after. It is computed over words of eight bytes, the last one
//! padded with zeros: each is xored into the sum, rotated left by 23 bits, and the product with a prime is
//! the sum. Every change of a single word is detected.
//!
//! Zeros after the last frame are space for the next ones. Any other bytes after the last valid frame were
//! torn by a loss of power, and are cut off by the next open. The torn part need not be at the end: a disk
//! writes pages in any order. But once the map was synced, a frame *synced* follows, alone in its frame. An
//! invalid frame before it was whole and durable: it was damaged, which is an error.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::Quota;
use super::{End, Entry, Header, Lower, Map, Origin, Record, Seen, is_own, known};
use crate::journal::{Reader, put_number, put_old};
use crate::limits::{LOWERS_MAX, PATH_BYTES_MAX};
use crate::path::RelPath;

const MAGIC: [u8; 8] = *b"ONIONMAP";
const VERSION: u64 = 2;
/// Records of a map that is written anew are gathered into frames of about this size.
const FRAME_BYTES: usize = 64 << 10;
/// An upper bound of the length of a header.
pub const HEADER_BYTES_MAX: usize = 64 + (LOWERS_MAX + 2) * (PATH_BYTES_MAX + 64);
/// The kind of the record *synced*, and its length.
const SYNCED: u8 = 3;
const SYNCED_BYTES: usize = 1 + 3 * 8;

impl Map {
    /// Encodes the whole map; returns it with its end, at which the next frame is appended.
    pub fn encode(&self, header: &Header) -> (Vec<u8>, End) {
        let mut out = Vec::new();
        out.extend(MAGIC);
        put_number(&mut out, VERSION, 2);
        put_number(&mut out, header.files, 8);
        encode_text(&header.label, &mut out);
        encode_count(header.lowers.len(), &mut out);
        for lower in &header.lowers {
            encode_text(&lower.name, &mut out);
            out.push(lower.identity.is_some().into());
            out.extend(lower.identity.iter().flat_map(|identity| identity.to_le_bytes()));
        }
        out.push(header.proof.is_some().into());
        out.extend(header.proof.iter().flatten());
        for limit in [header.quota.bytes, header.quota.entries] {
            out.push(limit.is_some().into());
            if let Some(limit) = limit {
                put_number(&mut out, limit, 8);
            }
        }
        let mut end = End { sum: sum(SEED, &out), ..End::default() };
        put_number(&mut out, end.sum, 8);
        let mut records = Vec::new();
        for (path, Entry { origin, seen, former }) in &self.entries {
            if let Some(origin) = origin {
                encode_shows(path, Some(origin), &mut records);
            }
            if let Some(seen) = seen {
                encode_saw(path, Some(seen), &mut records);
            }
            for (commit, origin) in former {
                encode_was(path, *commit, origin, &mut records);
            }
            if records.len() >= FRAME_BYTES {
                end.sum = encode_frame(end.sum, &core::mem::take(&mut records), &mut out);
            }
        }
        if !records.is_empty() {
            end.sum = encode_frame(end.sum, &records, &mut out);
        }
        end.sum = encode_frame(end.sum, &[], &mut out);
        let length = out.len() as u64;
        end = End { length, whole: length, whole_sum: end.sum, ..end };
        (out, end)
    }

    /// Decodes a map. Never panics and never allocates more than the input warrants. Bytes after the end were
    /// torn off.
    ///
    /// # Errors
    /// A description of the defect.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Header, End), &'static str> {
        let mut reader = Reader { rest: bytes, wrong: None };
        let (header, sum) = read_header(&mut reader, bytes)?;
        let mut end = End { sum, ..End::default() };
        let mut map = Self::default();
        // The part that was written whole is sorted, and no record in it replaces another: it is inserted at
        // once.
        let mut whole = Vec::new();
        loop {
            end.length = (bytes.len() - reader.rest.len()) as u64;
            let Some((records, sum)) = next_frame(&mut reader, end.sum) else {
                // No loss of power tears durable bytes: the part that was durable before the file got its
                // name, and the part that was synced.
                if end.whole == 0 || was_synced_after(bytes, end) {
                    return Err("it is damaged");
                }
                map.count_names();
                return Ok((map, header, end));
            };
            // A frame with a valid sum was written as it is: an unknown record in it is not torn.
            let mut records = Reader { rest: records, wrong: None };
            let is_last = records.rest.is_empty();
            while !records.rest.is_empty() {
                let Some((path, fact)) = read_fact(&mut records) else { continue };
                match fact {
                    fact if end.whole == 0 => add(&mut whole, path, fact),
                    // The files that it releases are irrelevant here.
                    Fact::Shows(origin) => drop(map.show(path, origin)),
                    Fact::Saw(seen) => drop(map.see(path, seen)),
                    Fact::Kept(number) => map.entries.get_mut(path).into_iter().for_each(|entry| entry.keep(number)),
                    Fact::Was(commit, origin) => map.keep_former(path, commit, origin),
                }
            }
            if let Some(wrong) = records.wrong {
                return Err(wrong);
            }
            let length = (bytes.len() - reader.rest.len()) as u64;
            if is_last && end.whole == 0 {
                map = Self::of(core::mem::take(&mut whole));
                (end.whole, end.whole_sum) = (length, sum);
            }
            end.sum = sum;
        }
    }

    fn of(entries: Vec<(String, Entry)>) -> Self {
        let entries = entries.into_iter().filter(|(_, entry)| *entry != Entry::default());
        let entries = entries.collect::<BTreeMap<_, _>>();
        let own = entries.values().filter(|entry| is_own(entry.origin.as_ref())).count() as u64;
        Self { entries, own, ..Self::default() }
    }

    /// Decodes the header of a map.
    ///
    /// # Errors
    /// As for [`Map::decode`].
    pub fn decode_header(bytes: &[u8]) -> Result<Header, &'static str> {
        read_header(&mut Reader { rest: bytes, wrong: None }, bytes).map(|(header, _)| header)
    }
}

/// Builds a frame of records, and the sum after it.
pub fn frame(before: u64, records: &[Record]) -> (Vec<u8>, u64) {
    let mut lines = Vec::new();
    for record in records {
        match record {
            Record::Shows(path, origin) => encode_shows(path.as_str(), origin.as_ref(), &mut lines),
            Record::Saw(path, seen) => encode_saw(path.as_str(), seen.as_ref(), &mut lines),
            Record::Was(path, commit, origin) => encode_was(path.as_str(), *commit, origin, &mut lines),
        }
    }
    let mut out = Vec::new();
    let sum = encode_frame(before, &lines, &mut out);
    (out, sum)
}

/// A frame that says that all before it is durable, and the sum after it.
pub fn synced(end: End) -> (Vec<u8>, u64) {
    let mut out = Vec::new();
    let sum = encode_frame(end.sum, &synced_record(end.length, end.whole_sum, end.sum), &mut out);
    (out, sum)
}

fn synced_record(offset: u64, whole_sum: u64, before: u64) -> Vec<u8> {
    let mut record = Vec::from([SYNCED]);
    for number in [offset, whole_sum, before] {
        put_number(&mut record, number, 8);
    }
    record
}

/// Checks whether a frame *synced* follows the valid frames. Stale blocks of an older map have other offsets
/// or another sum.
fn was_synced_after(bytes: &[u8], end: End) -> bool {
    (end.length as usize + 1..bytes.len().saturating_sub(SYNCED_BYTES + 11)).any(|at| {
        // The first bytes rule out most positions.
        if bytes[at..at + 5] != [SYNCED_BYTES as u8, 0, 0, 0, SYNCED] {
            return false;
        }
        let mut record = Reader { rest: &bytes[at + 5..], wrong: None };
        let (offset, whole_sum, before) = (record.number(8), record.number(8), record.number(8));
        let mut frame = Reader { rest: &bytes[at..], wrong: None };
        (offset, whole_sum) == (at as u64, end.whole_sum) && next_frame(&mut frame, before).is_some()
    })
}

/// The initial value of a sum.
pub const SEED: u64 = 0xcbf2_9ce4_8422_2325;

const PRIME: u64 = 0x0100_0000_01b3;

/// Computes FNV-1a, which detects every change of a single byte. The sum of two pieces is that of the whole.
pub fn sum(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Computes the sum of a frame, a word at a time: every open reads every byte of the map.
fn sum_words(seed: u64, bytes: &[u8]) -> u64 {
    let (words, last) = bytes.as_chunks::<8>();
    let mut rest = [0; 8];
    rest[..last.len()].copy_from_slice(last);
    let add = |sum: u64, word: &[u8; 8]| (sum ^ u64::from_le_bytes(*word)).rotate_left(23).wrapping_mul(PRIME);
    add(words.iter().fold(seed, add), &rest)
}

fn encode_count(count: usize, out: &mut Vec<u8>) {
    debug_assert!(count <= usize::from(u16::MAX), "texts and lists have limits below that");
    put_number(out, count as u64, 2);
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    encode_count(text.len(), out);
    out.extend(text.as_bytes());
}

fn encode_shows(path: &str, origin: Option<&Origin>, out: &mut Vec<u8>) {
    out.push(1);
    encode_text(path, out);
    encode_origin(origin, out);
}

fn encode_was(path: &str, commit: u64, origin: &Origin, out: &mut Vec<u8>) {
    out.push(4);
    encode_text(path, out);
    put_number(out, commit, 8);
    encode_origin(Some(origin), out);
}

fn encode_origin(origin: Option<&Origin>, out: &mut Vec<u8>) {
    match origin {
        None => out.push(0),
        Some(Origin::Nowhere) => out.push(1),
        Some(Origin::Directory) => out.push(2),
        Some(Origin::File(number)) => {
            out.push(3);
            put_number(out, *number, 8);
        }
        Some(Origin::Lower(path)) => {
            out.push(4);
            encode_text(path.as_str(), out);
        }
        Some(Origin::Link(text)) => {
            out.push(5);
            encode_text(text, out);
        }
    }
}

fn encode_saw(path: &str, seen: Option<&Seen>, out: &mut Vec<u8>) {
    out.push(2);
    encode_text(path, out);
    out.push(seen.is_some().into());
    if let Some(seen) = seen {
        encode_seen(seen, out);
    }
    if let Some(kept) = seen.and_then(|seen| seen.kept) {
        out.push(5);
        encode_text(path, out);
        put_number(out, kept, 8);
    }
}

fn encode_seen(seen: &Seen, out: &mut Vec<u8>) {
    put_old(out, &seen.entry);
    put_number(out, seen.below, 8);
}

fn encode_frame(before: u64, records: &[u8], out: &mut Vec<u8>) -> u64 {
    let start = out.len();
    debug_assert!(u32::try_from(records.len()).is_ok(), "a change is far smaller");
    put_number(out, records.len() as u64, 4);
    out.extend(records);
    let sum = sum_words(before, &out[start..]);
    put_number(out, sum, 8);
    sum
}

/// Returns the records of the next valid frame, and the sum after it.
fn next_frame<'b>(reader: &mut Reader<'b>, before: u64) -> Option<(&'b [u8], u64)> {
    let all = reader.rest;
    let mut ahead = Reader { rest: all, wrong: None };
    let length = ahead.number(4) as usize;
    let records = ahead.bytes(length);
    let stored = ahead.number(8);
    if ahead.wrong.is_some() || sum_words(before, &all[..4 + length]) != stored {
        return None;
    }
    reader.rest = ahead.rest;
    Some((records, stored))
}

/// Reads the header at the start of the bytes; returns it with the sum after it.
fn read_header(reader: &mut Reader<'_>, bytes: &[u8]) -> Result<(Header, u64), &'static str> {
    if reader.bytes(MAGIC.len()) != MAGIC {
        reader.refuse("it is not the map of a workspace");
    }
    if reader.number(2) != VERSION {
        reader.refuse("it is of a version this build does not know");
    }
    let mut header = Header { files: reader.number(8), label: reader.text().to_owned(), ..Header::default() };
    for _ in 0..reader.number(2) {
        // No more lowers than the bytes hold, regardless of the count.
        if reader.wrong.is_some() {
            break;
        }
        let name = reader.text().to_owned();
        let identity = if reader.flag() {
            let (low, high) = (reader.number(8), reader.number(8));
            Some(u128::from(high) << 64 | u128::from(low))
        } else {
            None
        };
        header.lowers.push(Lower { name, identity });
    }
    if reader.flag() {
        header.proof = Some(reader.digest());
    }
    let mut limit = || if reader.flag() { Some(reader.number(8)) } else { None };
    header.quota = Quota { bytes: limit(), entries: limit() };
    let sum = sum(SEED, &bytes[..bytes.len() - reader.rest.len()]);
    if reader.number(8) != sum {
        reader.refuse("its header is damaged");
    }
    reader.wrong.map_or(Ok((header, sum)), Err)
}

/// The statement of a record about its path.
enum Fact {
    Shows(Option<Origin>),
    Saw(Option<Seen>),
    Kept(u64),
    Was(u64, Origin),
}

/// Adds a fact to entries in the order of their paths.
fn add(entries: &mut Vec<(String, Entry)>, path: &str, fact: Fact) {
    if entries.last().is_none_or(|(last, _)| last != path) {
        entries.push((path.to_owned(), Entry::default()));
    }
    if let Some((_, entry)) = entries.last_mut() {
        match fact {
            Fact::Shows(origin) => entry.origin = origin,
            Fact::Saw(seen) => entry.seen = seen,
            Fact::Kept(number) => entry.keep(number),
            Fact::Was(commit, origin) => entry.former.push((commit, origin)),
        }
    }
}

/// Reads the next record; returns `None` for a record that concerns no path.
fn read_fact<'b>(reader: &mut Reader<'b>) -> Option<(&'b str, Fact)> {
    let kind = reader.number(1);
    if kind == u64::from(SYNCED) {
        reader.bytes(SYNCED_BYTES - 1);
        return None;
    }
    let path = read_path(reader);
    let fact = match kind {
        1 => Fact::Shows(read_origin(reader)),
        2 => Fact::Saw(reader.flag().then(|| read_seen(reader))),
        4 => {
            let commit = reader.number(8);
            Fact::Was(commit, read_origin(reader).unwrap_or(Origin::Nowhere))
        }
        5 => Fact::Kept(reader.number(8)),
        _ => {
            reader.refuse("an unknown kind of record");
            Fact::Saw(None)
        }
    };
    if path.is_empty() && matches!(fact, Fact::Shows(Some(_)) | Fact::Was(..)) {
        reader.refuse("the root shows something other than the lowers");
    }
    Some((path, fact))
}

fn read_origin(reader: &mut Reader<'_>) -> Option<Origin> {
    match reader.number(1) {
        0 => None,
        1 => Some(Origin::Nowhere),
        2 => Some(Origin::Directory),
        3 => Some(Origin::File(reader.number(8))),
        4 => Some(Origin::Lower(known(read_path(reader)))),
        5 => Some(Origin::Link(reader.text().to_owned())),
        _ => {
            reader.refuse("an unknown origin");
            None
        }
    }
}

fn read_seen(reader: &mut Reader<'_>) -> Seen {
    Seen { entry: reader.old(), below: reader.number(8), kept: None }
}

/// A path that cannot leave the root, whatever else its names are.
fn read_path<'b>(reader: &mut Reader<'b>) -> &'b str {
    let text = reader.text();
    if !text.is_empty() && RelPath::parse_record(text).is_err() {
        reader.refuse("it names a path that no root can hold");
        return "";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::{sample, shows};
    use super::*;
    use alloc::vec;

    fn header() -> Header {
        let lower = |name: &str, identity| Lower { name: name.to_owned(), identity };
        Header {
            files: 9,
            label: "before".to_owned(),
            lowers: vec![lower("/a", Some(7)), lower("/b", None)],
            proof: Some([7; 32]),
            quota: Quota { bytes: Some(1 << 20), entries: None },
        }
    }

    #[test]
    fn what_is_written_reads_back_in_one_piece_and_frame_by_frame() {
        let mut map = Map::default();
        let (mut bytes, mut end) = map.encode(&header());
        for record in sample() {
            let (piece, sum) = frame(end.sum, core::slice::from_ref(&record));
            bytes.extend(&piece);
            end = End { length: bytes.len() as u64, sum, ..end };
            map.apply(&[record]);
        }
        assert_eq!(Map::decode(&bytes), Ok((map.clone(), header(), end)));
        let (whole, end) = map.encode(&header());
        assert_eq!(Map::decode(&whole), Ok((map, header(), end)));
    }

    #[test]
    fn a_torn_tail_leaves_the_frames_before_it_and_a_damaged_header_leaves_nothing() {
        let mut map = Map::default();
        let (mut bytes, mut end) = map.encode(&header());
        let start = bytes.len();
        let mut stages = vec![(bytes.len(), map.clone())];
        for record in sample() {
            let (piece, sum) = frame(end.sum, core::slice::from_ref(&record));
            bytes.extend(&piece);
            end.sum = sum;
            map.apply(&[record]);
            stages.push((bytes.len(), map.clone()));
        }
        for length in 0..bytes.len() {
            let read = Map::decode(&bytes[..length]);
            match stages.iter().rev().find(|(end, _)| *end <= length) {
                Some((end, map)) => {
                    let (found, _, found_end) = read.expect("the header is whole");
                    assert_eq!((&found, found_end.length), (map, *end as u64), "cut to {length}");
                }
                None => assert!(read.is_err(), "cut to {length}"),
            }
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let last = &stages.iter().rev().find(|(end, _)| *end <= bit / 8);
            match (Map::decode(&flipped), last) {
                (Ok((found, _, _)), Some((_, map))) => assert_eq!(found, *map, "bit {bit}"),
                (Err(_), None) => assert!(bit / 8 < start, "bit {bit}"),
                (read, _) => panic!("bit {bit}: {read:?}"),
            }
        }
    }

    #[test]
    fn damage_before_what_was_synced_is_no_torn_tail() {
        let mut map = Map::default();
        let (mut bytes, mut end) = map.encode(&header());
        let add = |bytes: &mut Vec<u8>, end: &mut End, (piece, sum): (Vec<u8>, u64)| {
            bytes.extend(piece);
            (end.length, end.sum) = (bytes.len() as u64, sum);
        };
        for record in sample() {
            let piece = frame(end.sum, core::slice::from_ref(&record));
            add(&mut bytes, &mut end, piece);
            map.apply(&[record]);
        }
        let before = end;
        add(&mut bytes, &mut end, synced(before));
        let synced_at = end;
        add(&mut bytes, &mut end, frame(synced_at.sum, &[shows("later", Origin::Nowhere)]));
        let whole = map.clone();
        map.apply(&[shows("later", Origin::Nowhere)]);
        assert_eq!(Map::decode(&bytes), Ok((map.clone(), header(), end)));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = Map::decode(&flipped);
            if bit as u64 / 8 < before.length {
                assert!(read.is_err(), "bit {bit}");
            } else {
                let (found, _, found_end) = read.expect("only what was not synced is wrong");
                let last = if bit as u64 / 8 < synced_at.length { before } else { synced_at };
                assert_eq!((&found, found_end), (&whole, last), "bit {bit}");
            }
        }
        // A stale block of another map does not belong to this one.
        let other = Header { files: 10, ..header() };
        let (mut torn, end) = Map::default().encode(&other);
        torn.extend(vec![0; before.length as usize - torn.len()]);
        torn.extend(&bytes[before.length as usize..]);
        assert_eq!(Map::decode(&torn), Ok((Map::default(), other, end)));
    }
}
