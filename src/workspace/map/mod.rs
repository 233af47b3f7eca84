//! The origin map: the source of the content that each path shows. On disk it is a log: see `log`.
//!
//! A record names the source of a path and of all paths below it; the longest prefix applies, and the root
//! shows the roots of the lowers. A deleted path comes from *nowhere*, a directory created over a deleted one
//! is a *directory* of the workspace that hides the lowers, a renamed entry comes from *lower* by another
//! path, and written content is a *file* by number. So a rename of a directory is one record, regardless of
//! how many entries it contains.
//!
//! The map also keeps the state of a path of the lowers when it was first touched: a commit checks whether it
//! is unchanged.

mod log;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

use super::Quota;
use crate::fs::Kind;
use crate::journal::{Digest, Old, OldEntry};
use crate::order;
use crate::path::RelPath;

pub use log::{HEADER_BYTES_MAX, SEED, frame, sum, synced};

/// The source of the content that a path shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the path is deleted, with all paths below it.
    Nowhere,
    /// A directory of the workspace. The lowers are hidden in it.
    Directory,
    /// A file of the upper, by number.
    File(u64),
    /// The entry of the lowers at this path.
    Lower(RelPath),
    /// A symbolic link of the workspace, by its text.
    Link(String),
}

/// The state of a path of the lowers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The entry; absent when there was none. For a directory only the kind is significant.
    pub entry: Old,
    /// A sum of the content of a file or link, or of all below a directory, that is hidden; 0 where it was not
    /// computed.
    pub below: u64,
    /// The file of the upper that has a copy of the content, from which both sides of a merge began. It is not
    /// synced: where the sum of the copy is not `below`, there is none.
    pub kept: Option<u64>,
}

impl Seen {
    /// A state of which only the entry is known.
    pub const fn of(entry: Old) -> Self {
        Self { entry, below: 0, kept: None }
    }

    /// Returns the state of a directory, of which neither size nor time has a meaning.
    pub const fn directory() -> Self {
        Self::of(Some(OldEntry { kind: Kind::Directory, size: 0, modified: None }))
    }
}

/// One line of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A path shows this origin, and earlier records below it are void. `None`: the longest prefix above the
    /// path applies.
    Shows(RelPath, Option<Origin>),
    /// A path of the lowers had this state when it was first touched. `None`: forget the state.
    Saw(RelPath, Option<Seen>),
    /// A path of the lowers was this before the commit of this number. It is kept for the checkpoints before the
    /// commit. An origin in the lowers stands for an entry that was not kept.
    Was(RelPath, u64, Origin),
}

impl Record {
    /// Returns the path that it is about.
    pub(super) const fn path(&self) -> &RelPath {
        match self {
            Self::Shows(path, _) | Self::Saw(path, _) | Self::Was(path, ..) => path,
        }
    }

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
    /// The guest path by which it was granted.
    pub name: String,
    /// The identity that distinguishes it from other directories, where the host provides one.
    pub identity: Option<u128>,
}

/// The header of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// A number above every file in use when the map was written.
    pub files: u64,
    /// The label of a checkpoint.
    pub label: String,
    /// The lowers that the map belongs to, the topmost first.
    pub lowers: Vec<Lower>,
    /// For a map that waits for a commit: the digest of the log by which the topmost lower decides it.
    pub proof: Option<Digest>,
    /// The limits of the workspace.
    pub quota: Quota,
}

/// The position of the next frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Its offset.
    pub length: u64,
    /// The sum before it.
    pub sum: u64,
    /// The length of the part that was written whole.
    pub whole: u64,
    /// The sum at the end of that part.
    pub whole_sum: u64,
}

/// The valid records, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    entries: BTreeMap<String, Entry>,
    own: u64,
    /// The number of names of each file that has more than one.
    linked: BTreeMap<u64, u64>,
}

/// The records of a path: as a path of the merged tree, and as one of the lowers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    origin: Option<Origin>,
    seen: Option<Seen>,
    /// The origins before commits, by the numbers of these.
    former: Vec<(u64, Origin)>,
}

impl Entry {
    /// Adds the copy of a content to what was seen of it.
    const fn keep(&mut self, number: u64) {
        if let Some(seen) = &mut self.seen {
            seen.kept = Some(number);
        }
    }
}

impl Map {
    /// Returns the record that applies to a path, and the rest of the path below it. `None`: the roots of the
    /// lowers apply.
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

    /// Returns the record of exactly this path.
    pub fn origin(&self, path: &RelPath) -> Option<&Origin> {
        self.entries.get(path.as_str())?.origin.as_ref()
    }

    /// Returns the path of the lowers that a path shows when it has no record itself.
    pub fn inherited(&self, path: &RelPath) -> Option<RelPath> {
        let (parent, name) = path.split()?;
        match self.nearest(parent.as_str()) {
            None => Some(path.clone()),
            Some((Origin::Lower(lower), rest)) => Some(lower.join(&known(rest)).child(name)),
            Some(_) => None,
        }
    }

    /// Returns the path of the lowers that lies under a path, whether it is shown or hidden.
    pub fn under(&self, path: &RelPath) -> RelPath {
        match self.moved_above(path) {
            Some((lower, rest)) => lower.join(&known(rest)),
            None => path.clone(),
        }
    }

    /// Returns the old path of the nearest moved directory above a path, and the rest of the path.
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

    /// Returns the state of a path of the lowers when it was first touched.
    pub fn seen(&self, lower: &RelPath) -> Option<&Seen> {
        self.entries.get(lower.as_str())?.seen.as_ref()
    }

    /// Checks whether an entry of the workspace, or one that was moved there, is below a path.
    pub fn has_below(&self, path: &RelPath) -> bool {
        self.origins_below(path).any(|(_, origin)| *origin != Origin::Nowhere)
    }

    /// Returns the records below a path, in order.
    pub fn origins_below(&self, path: &RelPath) -> impl Iterator<Item = (&str, &Origin)> {
        self.below(path.as_str()).filter_map(|(path, entry)| Some((path.as_str(), entry.origin.as_ref()?)))
    }

    /// Checks whether changes were made in what the lowers have at a path: it was a directory.
    pub fn was_directory(&self, path: &RelPath) -> bool {
        self.origin(path).is_none() && self.has_below(path) && self.moved_above(path).is_none()
    }

    /// Returns the records below a path, in order, for changes of the map.
    pub fn recorded_below(&self, path: &RelPath) -> Vec<(RelPath, Origin)> {
        self.origins_below(path).map(|(path, origin)| (known(path), origin.clone())).collect()
    }

    /// Returns the records below a directory that is one for these alone, in order, and further ones for the directories
    /// on the way to them: those that it needs once no entry of the lowers shows in it.
    pub fn with_directories(&self, top: &RelPath) -> Vec<(RelPath, Origin)> {
        let mut all = Vec::new();
        let mut last = "";
        for (path, origin) in self.origins_below(top) {
            let is_there = *origin != Origin::Nowhere;
            for (end, _) in path.match_indices('/').filter(|(end, _)| is_there && *end > top.as_str().len()) {
                match self.nearest(&path[..end]) {
                    Some((Origin::Directory, "")) => {}
                    // Below it there are those of the lowers.
                    Some((_, "")) => break,
                    _ if last.starts_with(&path[..=end]) => {}
                    _ => all.push((known(&path[..end]), Origin::Directory)),
                }
            }
            if is_there {
                last = path;
            }
            all.push((known(path), origin.clone()));
        }
        all
    }

    /// Lists every path of the lowers that was touched, at or below the given one, in order.
    pub fn seen_within(&self, lower: &RelPath) -> impl Iterator<Item = (&str, &Seen)> {
        let here = self.entries.get_key_value(lower.as_str());
        let all = here.into_iter().chain(self.below(lower.as_str()));
        all.filter_map(|(path, entry)| Some((path.as_str(), entry.seen.as_ref()?)))
    }

    /// Lists the names in a directory that have a record at them or below them, sorted.
    pub fn names_in(&self, directory: &RelPath) -> Vec<String> {
        let start = below(directory.as_str());
        let mut from = start.clone();
        let mut names: Vec<String> = Vec::new();
        while let Some((path, entry)) = self.entries.range::<str, _>((Bound::Included(&*from), Bound::Unbounded)).next()
            && let Some(name) = path.strip_prefix(&*start)
        {
            match name.split_once('/') {
                // All paths below this name count as one name.
                Some((name, _)) => {
                    from.truncate(start.len());
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
        order::sort(&mut names);
        names.dedup();
        names
    }

    /// Returns the numbers of the files that are shown, or kept for checkpoints or merges.
    pub fn files(&self) -> impl Iterator<Item = u64> {
        let former = self.entries.values().flat_map(|entry| entry.former.iter().map(|(_, origin)| origin));
        let originals = self.entries.values().filter_map(|entry| entry.seen.as_ref()?.kept);
        self.shown_files().chain(former.filter_map(number)).chain(originals)
    }

    fn shown_files(&self) -> impl Iterator<Item = u64> {
        self.entries.values().filter_map(|entry| entry.origin.as_ref().and_then(number))
    }

    /// Lists the paths of the lowers that commits from this number on have changed, with what they were before the
    /// first of these, in order.
    pub fn former_since(&self, commit: u64) -> Vec<(RelPath, Origin)> {
        let first = |entry: &Entry| {
            let later = entry.former.iter().filter(|(number, _)| *number >= commit);
            later.min_by_key(|(number, _)| *number).map(|(_, origin)| origin.clone())
        };
        self.entries.iter().filter_map(|(path, entry)| Some((known(path), first(entry)?))).collect()
    }

    /// Returns the records of what paths of the lowers were before commits.
    pub fn former(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for (path, entry) in &self.entries {
            records
                .extend(entry.former.iter().map(|(commit, origin)| Record::Was(known(path), *commit, origin.clone())));
        }
        records
    }

    /// Forgets what paths were before the commits below a number; returns whether there was something.
    pub fn forget_former(&mut self, below: u64) -> bool {
        let mut has_changed = false;
        self.entries.retain(|_, entry| {
            let count = entry.former.len();
            entry.former.retain(|(commit, _)| *commit >= below);
            has_changed |= entry.former.len() < count;
            *entry != Entry::default()
        });
        has_changed
    }

    /// Lists the paths of the merged tree that show a path of the lowers by inheritance or by a move.
    pub fn showing(&self, lower: &RelPath) -> Vec<RelPath> {
        let mut paths = Vec::new();
        let shows = |path: &RelPath| match self.nearest(path.as_str()) {
            None => path == lower,
            Some((Origin::Lower(source), rest)) => source.join(&known(rest)) == *lower,
            Some(_) => false,
        };
        paths.extend(Some(lower.clone()).filter(shows));
        for (path, origin) in self.origins_below(&RelPath::ROOT) {
            if let Origin::Lower(source) = origin
                && let Some(rest) = lower.below(source)
            {
                paths.extend(Some(known(path).join(&rest)).filter(shows));
            }
        }
        order::sort(&mut paths);
        paths.dedup();
        paths
    }

    /// How many names a file has that is shown.
    pub fn names_of(&self, number: u64) -> u64 {
        self.linked.get(&number).copied().unwrap_or(1)
    }

    /// Lists the paths that show a file, in order. All records are visited: for a file with several names.
    pub fn paths_of(&self, number: u64) -> Vec<RelPath> {
        let is_it = |(_, entry): &(&String, &Entry)| entry.origin == Some(Origin::File(number));
        self.entries.iter().filter(is_it).map(|(path, _)| known(path)).collect()
    }

    /// Counts the files, directories and links that the workspace has created.
    pub const fn own(&self) -> u64 {
        self.own
    }

    /// Applies records; returns the numbers of the files that are no longer shown.
    pub fn apply(&mut self, records: &[Record]) -> Vec<u64> {
        let mut gone = Vec::new();
        for record in records {
            match record {
                Record::Shows(path, origin) => gone.extend(self.show(path.as_str(), origin.clone())),
                Record::Saw(path, seen) => gone.extend(self.see(path.as_str(), seen.clone())),
                Record::Was(path, commit, origin) => self.keep_former(path.as_str(), *commit, origin.clone()),
            }
        }
        let mut named: Vec<u64> = records.iter().filter_map(Record::file).collect();
        if !named.is_empty() {
            named.sort_unstable();
            // A file that was moved is shown elsewhere by the same change.
            gone.retain(|number| match named.binary_search(number) {
                Ok(index) => {
                    named.remove(index);
                    false
                }
                Err(_) => true,
            });
        }
        // A file with a further name is still shown, too.
        gone.retain(|number| self.unlink(*number));
        gone
    }

    /// Creates a map from records.
    pub fn from_records(records: &[Record]) -> Self {
        let mut map = Self::default();
        map.apply(records);
        map.count_names();
        map
    }

    /// Records that a file has got one more name.
    pub fn link(&mut self, number: u64) {
        *self.linked.entry(number).or_insert(1) += 1;
    }

    /// Removes one name of a file; returns whether it was the last.
    fn unlink(&mut self, number: u64) -> bool {
        match self.linked.get_mut(&number) {
            Some(2) => self.linked.remove(&number).is_none(),
            Some(names) => {
                *names -= 1;
                false
            }
            None => true,
        }
    }

    /// Counts the names of all files of a decoded map.
    fn count_names(&mut self) {
        let mut files: Vec<u64> = self.shown_files().collect();
        files.sort_unstable();
        self.linked.clear();
        for pair in files.windows(2) {
            if pair[0] == pair[1] {
                self.link(pair[0]);
            }
        }
    }

    /// Sets one record; returns the file that it named before.
    fn set(&mut self, path: &str, origin: Option<Origin>) -> Option<u64> {
        self.own += u64::from(is_own(origin.as_ref()));
        let old = match self.entries.get_mut(path) {
            Some(entry) => core::mem::replace(&mut entry.origin, origin),
            None => {
                if origin.is_some() {
                    self.entries.insert(path.to_owned(), Entry { origin, ..Entry::default() });
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

    /// Makes a path show an origin, and voids the records below it; returns the files that were named there
    /// before.
    fn show(&mut self, path: &str, origin: Option<Origin>) -> Vec<u64> {
        let mut gone = Vec::from_iter(self.set(path, origin));
        let below: Vec<String> =
            self.below(path).filter(|(_, entry)| entry.origin.is_some()).map(|(path, _)| path.to_owned()).collect();
        gone.extend(below.iter().filter_map(|path| self.set(path, None)));
        gone
    }

    /// Records the state of a path of the lowers; returns the copy that was kept with its former state.
    fn see(&mut self, path: &str, seen: Option<Seen>) -> Option<u64> {
        let kept = seen.as_ref().and_then(|seen| seen.kept);
        let former = core::mem::replace(&mut self.entries.entry(path.to_owned()).or_default().seen, seen);
        self.tidy(path);
        former?.kept.filter(|former| kept != Some(*former))
    }

    fn keep_former(&mut self, path: &str, commit: u64, origin: Origin) {
        self.entries.entry(path.to_owned()).or_default().former.push((commit, origin));
    }

    fn tidy(&mut self, path: &str) {
        if self.entries.get(path).is_some_and(|entry| *entry == Entry::default()) {
            self.entries.remove(path);
        }
    }

    /// Returns the records of the paths strictly below another, in order.
    fn below(&self, path: &str) -> impl Iterator<Item = (&String, &Entry)> {
        let start = below(path);
        let from = (Bound::Included(&*start), Bound::Unbounded);
        self.entries.range::<str, _>(from).take_while(move |(path, _)| path.starts_with(&start))
    }
}

/// Returns the number of the file of an origin.
fn number(origin: &Origin) -> Option<u64> {
    match origin {
        Origin::File(number) => Some(*number),
        _ => None,
    }
}

/// Returns the common prefix of the paths strictly below another.
fn below(path: &str) -> String {
    let mut start = String::from(path);
    if !start.is_empty() {
        start.push('/');
    }
    start
}

/// A path that is a part of one, or was read from a map.
pub(super) fn known(text: &str) -> RelPath {
    if text.is_empty() {
        return RelPath::ROOT;
    }
    RelPath::parse_record(text).unwrap_or_else(|_| {
        // Names that a lower has may break the rules for those of a caller: a backslash.
        text.split('/').filter(|name| !name.is_empty()).fold(RelPath::ROOT, |path, name| path.child(name))
    })
}

fn is_own(origin: Option<&Origin>) -> bool {
    matches!(origin, Some(Origin::Directory | Origin::File(_) | Origin::Link(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Kind;
    use crate::journal::OldEntry;
    use alloc::vec;

    pub(super) fn path(text: &str) -> RelPath {
        if text.is_empty() { RelPath::ROOT } else { RelPath::parse(text).expect("a good path") }
    }

    pub(super) fn shows(at: &str, origin: Origin) -> Record {
        Record::Shows(path(at), Some(origin))
    }

    pub(super) fn seen() -> Seen {
        Seen { entry: Some(OldEntry { kind: Kind::File, size: 3, modified: Some(5) }), below: 11, kept: Some(6) }
    }

    pub(super) fn sample() -> Vec<Record> {
        vec![
            shows("a", Origin::Lower(path("b"))),
            shows("a/x", Origin::File(4)),
            shows("a/y", Origin::Nowhere),
            shows("a-b", Origin::Link("elsewhere".to_owned())),
            shows("d", Origin::Directory),
            shows("d/e/f", Origin::File(5)),
            Record::Saw(path("b/x"), Some(seen())),
            Record::Saw(path("d"), Some(Seen::of(None))),
        ]
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
