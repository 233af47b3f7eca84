//! The origin map: where what a path shows comes from, as a value and as bytes.
//!
//! A record says it for a path and for all below it; the longest prefix wins, and the root shows
//! what the lowers have at their roots. A deleted path comes from *nowhere*, a directory made over a
//! deleted one is a *directory* of its own and shows nothing from below, a renamed one comes from
//! *lower* by another path, and what was written is a *file* by number. So a rename of a directory
//! is one record, however much is in it.
//!
//! Beside that the map keeps what a path of the lowers looked like when it was first touched: a
//! commit asks whether it still does.
//!
//! On the disk it is a log. A change is one frame, appended by one write: it is there or it is not.
//!
//! ```text
//! magic        8 bytes   "ONIONMAP"
//! version      u16       1; an unknown one is refused
//! files        u64       above every number of a file when this was written
//! label        text      of a checkpoint; else empty
//! count        u16       lowers that follow, the topmost first
//! lower        count x   name text, identity (u8 0|1, 16 bytes if 1)
//! proof        u8 0|1    of a map that waits for a commit: path text, seen
//! sum          u64       FNV-1a of all before
//! frame        ...       length u32 (of its records), records, sum u64
//!   1 shows    path text, origin: 0 none of its own, 1 nowhere, 2 directory, 3 file u64,
//!              4 lower text, 5 link text
//!   2 saw      path text, known u8 0|1, seen if 1
//! text         u16 length, bytes
//! seen         old as in a journal, u64 digest of all below (0: not asked)
//! ```
//!
//! A frame without records ends what was written whole, and was durable before it had its name: damage
//! there is an error. What follows was appended, and may be torn.
//!
//! Integers are little-endian. The sum of a frame begins with the sum before it, so a frame counts
//! only after the very frames it was written after. What follows the last frame that counts was torn
//! off by a loss of power, and is cut off by the next open.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::journal::{Old, Reader, put_number, put_old};
use crate::path::RelPath;

const MAGIC: [u8; 8] = *b"ONIONMAP";
const VERSION: u64 = 1;
/// Records of a map that is written anew are gathered into frames of about this size.
const FRAME_BYTES: usize = 64 << 10;

/// Where what a path shows comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is deleted, with all below.
    Nowhere,
    /// A directory of our own. Of the lowers nothing shows in it.
    Directory,
    /// A file of our own, by number.
    File(u64),
    /// What the lowers have at this path.
    Lower(RelPath),
    /// A symbolic link of our own, by its text.
    Link(String),
}

/// What a path of the lowers looked like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The entry; nothing when there was none. Of a directory its kind alone counts.
    pub entry: Old,
    /// A digest of all below a directory that was deleted or replaced; else 0.
    pub below: u64,
}

/// One line of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A path shows this, and what was recorded below it counts no more. Nothing: it shows what the
    /// longest prefix above it says.
    Shows(RelPath, Option<Origin>),
    /// A path of the lowers looked like this when it was first touched. Nothing: forget it.
    Saw(RelPath, Option<Seen>),
}

impl Record {
    /// The file that it shows.
    fn file(&self) -> Option<u64> {
        match self {
            Self::Shows(_, Some(Origin::File(number))) => Some(*number),
            _ => None,
        }
    }
}

/// A read-only directory below a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lower {
    /// The guest path it was given by.
    pub name: String,
    /// What tells it from others, where the host could say.
    pub identity: Option<u128>,
}

/// What a map says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// A number above every file in use when it was written.
    pub files: u64,
    /// The label of a checkpoint.
    pub label: String,
    /// The lowers it belongs to, the topmost first.
    pub lowers: Vec<Lower>,
    /// Of a map that waits for a commit: what the topmost lower has at this path once it is done.
    pub proof: Option<(RelPath, Seen)>,
}

/// Where the next frame goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Its offset.
    pub length: u64,
    /// The sum before it.
    pub sum: u64,
    /// How much of the map was written whole.
    pub whole: u64,
}

/// The records that count, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    entries: BTreeMap<String, Entry>,
    own: u64,
}

/// What is known of a path: as one of the merged tree, and as one of the lowers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    origin: Option<Origin>,
    seen: Option<Seen>,
}

impl Map {
    /// The record that a path goes by, and the rest of the path below it. Nothing: the lowers' roots.
    pub fn nearest<'p>(&self, path: &'p str) -> Option<(&Origin, &'p str)> {
        let mut prefix = path;
        loop {
            if let Some(origin) = self.entries.get(prefix).and_then(|entry| entry.origin.as_ref()) {
                return Some((origin, path[prefix.len()..].trim_start_matches('/')));
            }
            match prefix.rfind('/') {
                Some(end) => prefix = &prefix[..end],
                None => return None,
            }
        }
    }

    /// The record of just this path.
    pub fn origin(&self, path: &RelPath) -> Option<&Origin> {
        self.entries.get(path.as_str())?.origin.as_ref()
    }

    /// The path of the lowers that shows at a path when it has no record itself.
    pub fn inherited(&self, path: &RelPath) -> Option<RelPath> {
        let (parent, name) = path.split()?;
        match self.nearest(parent.as_str()) {
            None => Some(path.clone()),
            Some((Origin::Lower(lower), rest)) => Some(lower.join(&known(rest)).child(name)),
            Some(_) => None,
        }
    }

    /// The path of the lowers that a path stands over, whether that shows or not.
    pub fn under(&self, path: &RelPath) -> RelPath {
        match self.moved_above(path) {
            Some((lower, rest)) => lower.join(&known(rest)),
            None => path.clone(),
        }
    }

    /// Of the nearest directory above a path that was moved: where it came from, and the rest.
    fn moved_above<'p>(&self, path: &'p RelPath) -> Option<(&RelPath, &'p str)> {
        let mut above = path.parent();
        loop {
            match self.origin(&above) {
                Some(Origin::Lower(lower)) => {
                    return Some((lower, path.as_str()[above.as_str().len()..].trim_start_matches('/')));
                }
                _ if above.is_root() => return None,
                _ => above = above.parent(),
            }
        }
    }

    /// Whether what the lowers have under a path was moved elsewhere, alone or with a directory.
    /// `sources` are [`Map::sources`], sorted.
    pub fn is_moved_away(&self, path: &RelPath, sources: &[RelPath]) -> bool {
        let came_with = self.moved_above(path).map(|(lower, _)| lower);
        let mut at = self.under(path);
        loop {
            if Some(&at) == came_with {
                return false;
            }
            if sources.binary_search(&at).is_ok() {
                return true;
            }
            if at.is_root() {
                return false;
            }
            at = at.parent();
        }
    }

    /// What a path of the lowers looked like when it was first touched.
    pub fn seen(&self, lower: &RelPath) -> Option<&Seen> {
        self.entries.get(lower.as_str())?.seen.as_ref()
    }

    /// Whether something of our own, or something that was moved there, is below a path.
    pub fn has_below(&self, path: &RelPath) -> bool {
        self.origins_below(path).any(|(_, origin)| *origin != Origin::Nowhere)
    }

    /// The records below a path, in order.
    pub fn origins_below(&self, path: &RelPath) -> impl Iterator<Item = (&str, &Origin)> {
        self.below(path).filter_map(|(path, entry)| Some((path.as_str(), entry.origin.as_ref()?)))
    }

    /// Every path of the lowers that was touched, at or below one of them, in order.
    pub fn seen_within(&self, lower: &RelPath) -> impl Iterator<Item = (&str, &Seen)> {
        let here = self.entries.get_key_value(lower.as_str());
        let all = here.into_iter().chain(self.below(lower));
        all.filter_map(|(path, entry)| Some((path.as_str(), entry.seen.as_ref()?)))
    }

    /// The first path with a record after another path, or at it.
    pub fn record_after(&self, path: &str, or_at: bool) -> Option<RelPath> {
        let from = if or_at { Bound::Included(path) } else { Bound::Excluded(path) };
        let mut range = self.entries.range::<str, _>((from, Bound::Unbounded));
        range.find(|(_, entry)| entry.origin.is_some()).map(|(path, _)| known(path))
    }

    /// The paths of the lowers that were moved, in no order.
    pub fn sources(&self) -> Vec<RelPath> {
        let mut sources = Vec::new();
        for entry in self.entries.values() {
            if let Some(Origin::Lower(path)) = &entry.origin {
                sources.push(path.clone());
            }
        }
        sources
    }

    /// The paths of the lowers that were touched, in order.
    pub fn touched(&self) -> Vec<RelPath> {
        self.entries.iter().filter(|(_, entry)| entry.seen.is_some()).map(|(path, _)| known(path)).collect()
    }

    /// The names in a directory for which there is a record at them or below, sorted.
    pub fn names_in(&self, directory: &RelPath) -> Vec<String> {
        let (mut from, end) = bounds(directory);
        let start = from.len();
        let mut names: Vec<String> = Vec::new();
        while let Some((path, entry)) = self.entries.range::<str, _>((Bound::Included(&*from), end.bound())).next() {
            let name = &path[start..];
            match name.split_once('/') {
                // All that is below this name is one name.
                Some((name, _)) => {
                    from.truncate(start);
                    from.push_str(name);
                    from.push('0');
                    names.push(name.to_owned());
                }
                None => {
                    if entry.origin.is_some() {
                        names.push(name.to_owned());
                    }
                    path.clone_into(&mut from);
                    from.push('\0');
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The numbers of the files that are shown.
    pub fn files(&self) -> impl Iterator<Item = u64> {
        self.entries.values().filter_map(|entry| match entry.origin {
            Some(Origin::File(number)) => Some(number),
            _ => None,
        })
    }

    /// How many files, directories and links are our own.
    pub const fn own(&self) -> u64 {
        self.own
    }

    /// Takes records in; returns the numbers of files that are shown no more.
    pub fn apply(&mut self, records: &[Record]) -> Vec<u64> {
        let mut gone = Vec::new();
        for record in records {
            match record {
                Record::Shows(path, origin) => {
                    let old = self.set(path.as_str(), origin.clone());
                    gone.extend(old);
                    let below: Vec<String> = self.origins_below(path).map(|(path, _)| path.to_owned()).collect();
                    for path in below {
                        let old = self.set(&path, None);
                        gone.extend(old);
                    }
                }
                Record::Saw(path, seen) => {
                    self.entries.entry(path.as_str().to_owned()).or_default().seen.clone_from(seen);
                    self.tidy(path.as_str());
                }
            }
        }
        // One that moved is shown elsewhere by the same change.
        if !gone.is_empty() {
            let mut named: Vec<u64> = records.iter().filter_map(Record::file).collect();
            named.sort_unstable();
            gone.retain(|number| named.binary_search(number).is_err());
        }
        gone
    }

    /// Sets one record; returns the file that it named before.
    fn set(&mut self, path: &str, origin: Option<Origin>) -> Option<u64> {
        self.own += u64::from(is_own(origin.as_ref()));
        let old = match self.entries.get_mut(path) {
            Some(entry) => core::mem::replace(&mut entry.origin, origin),
            None => {
                if origin.is_some() {
                    self.entries.insert(path.to_owned(), Entry { origin, seen: None });
                }
                return None;
            }
        };
        self.own -= u64::from(is_own(old.as_ref()));
        self.tidy(path);
        match old {
            Some(Origin::File(number)) => Some(number),
            _ => None,
        }
    }

    fn tidy(&mut self, path: &str) {
        if self.entries.get(path).is_some_and(|entry| *entry == Entry::default()) {
            self.entries.remove(path);
        }
    }

    fn below(&self, path: &RelPath) -> impl Iterator<Item = (&String, &Entry)> {
        let (from, end) = bounds(path);
        self.entries.range::<str, _>((Bound::Included(&*from), end.bound()))
    }

    /// The whole map as bytes, and where the next frame goes.
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
        if let Some((path, seen)) = &header.proof {
            encode_text(path.as_str(), &mut out);
            encode_seen(seen, &mut out);
        }
        let mut end = End { sum: sum(SEED, &out), ..End::default() };
        put_number(&mut out, end.sum, 8);
        let mut records = Vec::new();
        for (path, Entry { origin, seen }) in &self.entries {
            if let Some(origin) = origin {
                encode_shows(path, Some(origin), &mut records);
            }
            if let Some(seen) = seen {
                encode_saw(path, Some(seen), &mut records);
            }
            if records.len() >= FRAME_BYTES {
                end.sum = encode_frame(end.sum, &core::mem::take(&mut records), &mut out);
            }
        }
        if !records.is_empty() {
            end.sum = encode_frame(end.sum, &records, &mut out);
        }
        end.sum = encode_frame(end.sum, &[], &mut out);
        (end.length, end.whole) = (out.len() as u64, out.len() as u64);
        (out, end)
    }

    /// Reads a map back. Never panics and never allocates more than the input warrants. What follows
    /// the end was torn off.
    ///
    /// # Errors
    /// What is wrong with the bytes, in words.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Header, End), &'static str> {
        let mut reader = Reader { rest: bytes, wrong: None };
        let (header, sum) = read_header(&mut reader, bytes)?;
        let mut end = End { sum, ..End::default() };
        let mut map = Self::default();
        // What was written whole is in order, and no record of it ends another: it goes in at once.
        let mut whole = Vec::new();
        loop {
            end.length = (bytes.len() - reader.rest.len()) as u64;
            let Some((records, sum)) = next_frame(&mut reader, end.sum) else {
                // No loss of power tears that part: it was durable before it had its name.
                return if end.whole == 0 { Err("it is damaged") } else { Ok((map, header, end)) };
            };
            // A frame whose sum is right was written so: what it says that we do not know is not torn.
            let mut records = Reader { rest: records, wrong: None };
            let is_last = records.rest.is_empty();
            let mut lines = Vec::new();
            while !records.rest.is_empty() {
                let (path, fact) = read_fact(&mut records);
                if end.whole == 0 {
                    add(&mut whole, path, fact);
                } else {
                    lines.push(fact.record(path));
                }
            }
            if let Some(wrong) = records.wrong {
                return Err(wrong);
            }
            if is_last && end.whole == 0 {
                map = Self::of(core::mem::take(&mut whole));
                end.whole = (bytes.len() - reader.rest.len()) as u64;
            }
            map.apply(&lines);
            end.sum = sum;
        }
    }

    fn of(entries: Vec<(String, Entry)>) -> Self {
        let own = entries.iter().filter(|(_, entry)| is_own(entry.origin.as_ref())).count() as u64;
        Self { entries: entries.into_iter().collect(), own }
    }

    /// Reads what a map says of itself.
    ///
    /// # Errors
    /// As for [`Map::decode`].
    pub fn decode_header(bytes: &[u8]) -> Result<Header, &'static str> {
        read_header(&mut Reader { rest: bytes, wrong: None }, bytes).map(|(header, _)| header)
    }
}

/// A frame of records, and the sum after it.
pub fn frame(before: u64, records: &[Record]) -> (Vec<u8>, u64) {
    let mut lines = Vec::new();
    for record in records {
        match record {
            Record::Shows(path, origin) => encode_shows(path.as_str(), origin.as_ref(), &mut lines),
            Record::Saw(path, seen) => encode_saw(path.as_str(), seen.as_ref(), &mut lines),
        }
    }
    let mut out = Vec::new();
    let sum = encode_frame(before, &lines, &mut out);
    (out, sum)
}

/// The paths strictly below a directory, as bounds of their texts.
fn bounds(directory: &RelPath) -> (String, After) {
    let mut from = String::from(directory.as_str());
    if directory.is_root() {
        return (from, After(None));
    }
    let mut end = from.clone();
    from.push('/');
    // The letter after the slash.
    end.push('0');
    (from, After(Some(end)))
}

/// An end that may be open.
struct After(Option<String>);

impl After {
    fn bound(&self) -> Bound<&str> {
        self.0.as_deref().map_or(Bound::Unbounded, Bound::Excluded)
    }
}

/// A path that is a part of one, or was read from a map.
fn known(text: &str) -> RelPath {
    if text.is_empty() {
        return RelPath::ROOT;
    }
    RelPath::parse_any(text).unwrap_or_else(|_| {
        // Names that a lower has may break the rules for those of a caller: a backslash.
        text.split('/').filter(|name| !name.is_empty()).fold(RelPath::ROOT, |path, name| path.child(name))
    })
}

/// What a sum begins with.
pub const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, which sees every change of a single byte. The sum of two pieces is that of the whole.
pub fn sum(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
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
    let sum = sum(before, &out[start..]);
    put_number(out, sum, 8);
    sum
}

/// The records of the next frame that counts, and the sum after it.
fn next_frame<'b>(reader: &mut Reader<'b>, before: u64) -> Option<(&'b [u8], u64)> {
    let all = reader.rest;
    let mut ahead = Reader { rest: all, wrong: None };
    let length = ahead.number(4) as usize;
    let records = ahead.bytes(length);
    let stored = ahead.number(8);
    if ahead.wrong.is_some() || sum(before, &all[..4 + length]) != stored {
        return None;
    }
    reader.rest = ahead.rest;
    Some((records, stored))
}

/// The header at the start of some bytes, and the sum after it.
fn read_header(reader: &mut Reader<'_>, bytes: &[u8]) -> Result<(Header, u64), &'static str> {
    if reader.bytes(MAGIC.len()) != MAGIC {
        reader.refuse("it is not the map of a workspace");
    }
    if reader.number(2) != VERSION {
        reader.refuse("it is of a version this build does not know");
    }
    let mut header = Header { files: reader.number(8), label: reader.text().to_owned(), ..Header::default() };
    for _ in 0..reader.number(2) {
        // Not one more than the bytes hold, whatever they say.
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
        header.proof = Some((known(read_path(reader)), read_seen(reader)));
    }
    let sum = sum(SEED, &bytes[..bytes.len() - reader.rest.len()]);
    if reader.number(8) != sum {
        reader.refuse("its header is damaged");
    }
    reader.wrong.map_or(Ok((header, sum)), Err)
}

/// What a record says of its path.
enum Fact {
    Shows(Option<Origin>),
    Saw(Option<Seen>),
}

impl Fact {
    fn record(self, path: &str) -> Record {
        match self {
            Self::Shows(origin) => Record::Shows(known(path), origin),
            Self::Saw(seen) => Record::Saw(known(path), seen),
        }
    }
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
        }
    }
}

fn is_own(origin: Option<&Origin>) -> bool {
    matches!(origin, Some(Origin::Directory | Origin::File(_) | Origin::Link(_)))
}

fn read_fact<'b>(reader: &mut Reader<'b>) -> (&'b str, Fact) {
    let kind = reader.number(1);
    let path = read_path(reader);
    let fact = match kind {
        1 => Fact::Shows(match reader.number(1) {
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
        }),
        2 => Fact::Saw(reader.flag().then(|| read_seen(reader))),
        _ => {
            reader.refuse("an unknown kind of record");
            Fact::Saw(None)
        }
    };
    (path, fact)
}

fn read_seen(reader: &mut Reader<'_>) -> Seen {
    Seen { entry: reader.old(), below: reader.number(8) }
}

/// A path that cannot leave the root, whatever else its names are.
fn read_path<'b>(reader: &mut Reader<'b>) -> &'b str {
    let text = reader.text();
    if !text.is_empty() && text.split('/').any(|name| matches!(name, "" | "." | "..")) {
        reader.refuse("it names a path outside the root");
        return "";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Kind;
    use crate::journal::OldEntry;
    use alloc::vec;

    fn path(text: &str) -> RelPath {
        if text.is_empty() { RelPath::ROOT } else { RelPath::parse(text).expect("a good path") }
    }

    fn shows(at: &str, origin: Origin) -> Record {
        Record::Shows(path(at), Some(origin))
    }

    fn header() -> Header {
        let lower = |name: &str, identity| Lower { name: name.to_owned(), identity };
        Header {
            files: 9,
            label: "before".to_owned(),
            lowers: vec![lower("/a", Some(7)), lower("/b", None)],
            proof: Some((path("x"), seen())),
        }
    }

    fn seen() -> Seen {
        Seen { entry: Some(OldEntry { kind: Kind::File, size: 3, modified: Some(5) }), below: 11 }
    }

    fn sample() -> Vec<Record> {
        vec![
            shows("a", Origin::Lower(path("b"))),
            shows("a/x", Origin::File(4)),
            shows("a/y", Origin::Nowhere),
            shows("a-b", Origin::Link("elsewhere".to_owned())),
            shows("d", Origin::Directory),
            shows("d/e/f", Origin::File(5)),
            Record::Saw(path("b/x"), Some(seen())),
            Record::Saw(path("d"), Some(Seen { entry: None, below: 0 })),
        ]
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
    fn the_longest_prefix_wins_and_siblings_that_sort_between_do_not_matter() {
        let mut map = Map::default();
        map.apply(&sample());
        let nearest = |at| map.nearest(at).map(|(origin, rest)| (origin.clone(), rest.to_owned()));
        assert_eq!(nearest("a/z/w"), Some((Origin::Lower(path("b")), "z/w".to_owned())));
        assert_eq!(nearest("a/y"), Some((Origin::Nowhere, String::new())));
        assert_eq!(nearest("c"), None);
        assert_eq!(map.names_in(&RelPath::ROOT), ["a", "a-b", "b", "d"]);
        assert_eq!(map.names_in(&path("a")), ["x", "y"]);
        assert_eq!(map.inherited(&path("a/z")), Some(path("b/z")));
        assert_eq!(map.inherited(&path("d/z")), None);
        assert_eq!(map.under(&path("a/z")), path("b/z"));
        assert_eq!(map.under(&path("d/z")), path("d/z"));
        assert_eq!(map.under(&path("a")), path("a"));
    }

    #[test]
    fn a_record_ends_what_was_recorded_below_and_tells_which_files_are_gone() {
        let mut map = Map::default();
        map.apply(&sample());
        assert_eq!(map.own(), 4);
        let mut moved = map.clone();
        let records = [
            Record::Shows(path("a"), Some(Origin::Nowhere)),
            shows("c", Origin::Lower(path("b"))),
            shows("c/x", Origin::File(4)),
        ];
        assert_eq!(moved.apply(&records), [0; 0]);
        assert_eq!(moved.origin(&path("c/x")), Some(&Origin::File(4)));
        assert_eq!(map.apply(&[Record::Shows(RelPath::ROOT, None)]), [4, 5]);
        assert_eq!(map.own(), 0);
        assert_eq!(map.seen(&path("b/x")), Some(&seen()), "what was seen stays");
    }
}
