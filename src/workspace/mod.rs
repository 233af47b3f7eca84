//! Workspaces: a writable upper directory over read-only lowers, and the merged tree that they show.
//!
//! Originals do not change: all writes go to the upper, the root of a store of its own. There the contents of
//! files are stored by number, and one [`map`] names the source of each path. A change stages its content,
//! not yet visible, and then appends one record: that is its commit point, so each change is atomic when the
//! process dies, and nothing has to be undone. An open ignores and removes content that the map does not
//! name.
//!
//! Under power loss, the record that lets new content replace an original, or earlier content, is written
//! after that content was synced: an original is never masked by a short file. All other changes are durable
//! with [`Workspace::sync`], and a loss of power before it leaves a prefix of the changes of names; content
//! written in place may be there in part.

mod change;
mod checkpoint;
mod choice;
mod commit;
mod conflict;
#[cfg(any(not(target_family = "wasm"), feature = "overlay"))]
mod content;
mod difference;
mod discard;
mod draft;
mod export;
mod former;
pub mod glob;
mod layout;
mod lower;
pub mod map;
mod merge;
mod observe;
mod proof;
mod rebase;
mod refresh;
mod review;
mod sync;
mod target;
mod view;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::error::{CommitPhase, Error, ErrorKind, Limit};
use crate::exec::{Executor, Trace};
use crate::fs::{Fs, Kind, Stat};
use crate::limits::{LOWERS_MAX, MAP_BYTES_MAX, PATH_BYTES_MAX};
use crate::lock::Ownership;
use crate::path::{At, PathRule, RelPath, is_reserved};
use crate::plan::Plan;
use crate::recover::{Finding, Verdict};
use crate::store::{Preopens, State, Store};
use map::{End, HEADER_BYTES_MAX, Header, Lower, Map};
use observe::Observed;

pub use checkpoint::Checkpoint;
pub use commit::{CommitOptions, OnConflict};
pub use discard::abandon;
pub use export::LeftOut;
#[cfg(any(not(target_family = "wasm"), feature = "overlay"))]
pub(crate) use map::{Origin, sum};
pub use refresh::Resolution;
pub use review::{Change, Changed, Page, Reason, Replaced, Role};
#[cfg(any(not(target_family = "wasm"), feature = "overlay"))]
pub(crate) use view::Place;
pub use view::{Entry, Layer, Node};

/// The limits of a workspace; an absent limit is not enforced. Checked before any change is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of its files, including those of checkpoints and those that are not yet removed.
    pub bytes: Option<u64>,
    /// Files, directories and links that it has created.
    pub entries: Option<u64>,
}

impl Quota {
    /// Returns the smaller of both limits.
    fn and(self, other: Self) -> Self {
        let least = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { bytes: least(self.bytes, other.bytes), entries: least(self.entries, other.entries) }
    }
}

/// The options of an open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The guest path of the upper directory.
    pub upper: String,
    /// The guest paths of the lowers, the topmost first. Empty: those recorded in the workspace.
    pub lowers: Vec<String>,
    /// The mechanism that excludes a second owner.
    pub owner: Ownership,
    /// The limits. A new workspace records them; an existing one is held to them in addition to those it has
    /// recorded.
    pub quota: Quota,
    /// Accepts the lowers even if they have been moved.
    pub moved: bool,
    /// Whether the executed steps are recorded.
    pub trace: bool,
}

/// An open workspace.
pub struct Workspace<F: Fs> {
    /// The store whose root is the upper.
    state: State<F>,
    /// The guest path of the upper, and the mechanism that excludes other owners.
    upper: String,
    owner: Ownership,
    /// The present guest paths of the lowers, and their places.
    places: Vec<String>,
    lowers: Vec<At>,
    header: Header,
    map: Map,
    /// The position of the next record.
    end: End,
    /// The length of the map file: zeros may follow the end of the map, as space for records.
    room: u64,
    /// The position before which all records are durable.
    synced: u64,
    /// Whether a part of the map was appended by an earlier owner, whose syncs may have failed.
    is_inherited: bool,
    files: Files,
    quota: Quota,
    findings: Vec<Finding>,
    /// The entries of the lowers in the directory that is being listed page by page.
    listing: Option<(RelPath, Vec<(String, Kind)>)>,
    /// The list of changes that is being read page by page, and the paths chosen for it.
    reviewed: Option<(glob::Select, Vec<Changed>)>,
    /// What the lowers were found to have, during this call.
    looked: Vec<(RelPath, Option<(At, Stat)>)>,
    /// Set where it is read beside its owner.
    observed: Option<Observed<F>>,
}

/// The state of the contents, by number.
#[derive(Debug, Default)]
struct Files {
    /// The next number.
    next: u64,
    /// The number below which files may belong to a checkpoint: they are copied before they are written.
    frozen: u64,
    /// Files written since the last sync; sorted.
    dirty: Vec<u64>,
    /// Files open for a stream, which may write at any time: they always count as written; sorted.
    streamed: Vec<u64>,
    /// Files created since the last sync at paths that showed nothing, so that their names may be lost;
    /// sorted.
    fresh: Vec<u64>,
    /// Empty files with durable names, for contents to come; the next one last.
    spare: Vec<u64>,
    /// The number of spare files to prepare: doubled each time that they were used up.
    spares: usize,
    /// Files that are no longer named, by a record that may still be lost.
    gone: Vec<u64>,
    /// Files that are durably no longer named, and not removed yet.
    left: Vec<u64>,
    /// Drafts, and their lengths.
    drafts: Vec<(u64, u64)>,
    /// The total length in bytes; counted where it is limited.
    bytes: u64,
}

impl Files {
    /// Returns the files that may have been written since the last sync.
    fn written(&self) -> Vec<u64> {
        let mut written = [self.dirty.as_slice(), &self.streamed].concat();
        written.sort_unstable();
        written.dedup();
        written
    }
}

/// A map for the state after a commit that can be neither adopted nor removed now.
struct Waits {
    /// Whether the commit was decided.
    is_done: bool,
    error: Error,
}

impl<F: Fs + Clone> Workspace<F> {
    /// Creates an empty workspace in the directory `options.upper`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when there is one; [`ErrorKind::InvalidArgument`] without lowers; as for
    /// [`Workspace::open`].
    pub fn create(fs: F, preopens: &Preopens<F>, options: &Options) -> Result<Self, Error> {
        let mut state = Store::open(fs.clone(), preopens, &options.upper, &options.owner, options.trace)?.into_state();
        let mut lowers = Vec::new();
        for name in &options.lowers {
            let at = state.source(name)?;
            let identity = state.exec.identity(&at).map_err(|error| error.about(name))?;
            lowers.push(Lower { name: name.clone(), identity });
        }
        check_lowers(&mut state.exec, &lowers)?;
        let found = layout::look(&mut state.exec)?;
        if found.map {
            return Err(ErrorKind::AlreadyExists.of(&options.upper));
        }
        check_map_is_there(&found)?;
        if found.exists {
            state.run(found.clear())?;
        }
        let mut plan = begin(&state, &found);
        found.make_files(&mut plan);
        let (bytes, _) = Map::default().encode(&Header { lowers, quota: options.quota, ..Header::default() });
        plan.append(publish(bytes, layout::map()));
        state.run(plan).map_err(|error| undecided(&mut state, error))?;
        // The workspace exists: only reading it can fail.
        Self::attach(state, fs, preopens, options).map_err(|error| error.with_kind(ErrorKind::NeedsRecovery))
    }

    /// Opens the workspace in the directory `options.upper`: takes ownership, then finishes or removes incomplete
    /// changes that a crash left. The size of the lowers does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; [`ErrorKind::PreconditionFailed`] for other lowers than
    /// those it was created over; [`ErrorKind::Corrupt`] with all content kept; as for [`Store::open`].
    pub fn open(fs: F, preopens: &Preopens<F>, options: &Options) -> Result<Self, Error> {
        let state = Store::open(fs.clone(), preopens, &options.upper, &options.owner, options.trace)?.into_state();
        Self::attach(state, fs, preopens, options)
    }

    /// Opens the workspace of an open store.
    fn attach(state: State<F>, fs: F, preopens: &Preopens<F>, options: &Options) -> Result<Self, Error> {
        Self::attach_after(state, fs, preopens, options, None)
    }

    /// As [`Workspace::attach`], after a commit whose waiting map cannot be handled now.
    fn attach_after(
        mut state: State<F>,
        fs: F,
        preopens: &Preopens<F>,
        options: &Options,
        waits: Option<Waits>,
    ) -> Result<Self, Error> {
        let current = if waits.as_ref().is_some_and(|waits| waits.is_done) { layout::next() } else { layout::map() };
        let found = layout::look(&mut state.exec)?;
        if !found.map {
            check_map_is_there(&found)?;
            if found.exists {
                // What cannot be removed counts for nothing, and is tried again at the next open.
                let _removed_at_the_next_open = state.run(found.clear());
            }
            return Err(ErrorKind::NotFound.of(&options.upper).because("there is no workspace in it"));
        }
        let bytes = read_map(&mut state.exec, &current)?;
        let (map, header, end) = Map::decode(&bytes).map_err(|what| damaged(&current, what))?;
        let mut files = Files { next: header.files.max(1), ..Files::default() };
        files.next = map.files().chain(found.files.last().copied()).fold(files.next, |next, used| next.max(used + 1));
        let mut unread = None;
        for number in &found.checkpoints {
            files.frozen = match read_header(&mut state.exec, &layout::checkpoint(*number)) {
                Ok(header) => files.frozen.max(header.files),
                Err(error) if error.kind() == ErrorKind::Corrupt => return Err(error),
                Err(error) => {
                    unread = Some((layout::checkpoint(*number), error));
                    // It may name any of them.
                    files.next
                }
            };
        }
        // Commits are numbered after the checkpoints before them.
        files.next = files.next.max(files.frozen);
        let (places, lowers) = lowers_of(&mut state, &header, options)?;
        // Space for further records is not torn.
        let is_torn = bytes[end.length as usize..].iter().any(|byte| *byte != 0);
        let (quota, findings) = (options.quota.and(header.quota), state.take_findings());
        let (upper, owner) = (options.upper.clone(), options.owner.clone());
        let mut workspace = Self {
            state,
            upper,
            owner,
            places,
            lowers,
            header,
            map,
            is_inherited: end.length > end.whole,
            synced: end.whole,
            end,
            room: bytes.len() as u64,
            files,
            quota,
            findings,
            listing: None,
            reviewed: None,
            looked: Vec::new(),
            observed: None,
        };
        if found.next && waits.is_none() {
            let (is_done, obstacle) = workspace.settle_commit(fs.clone(), preopens)?;
            let Self { state, findings, .. } = workspace;
            let is_settled = obstacle.is_none();
            let waits = obstacle.map(|error| Waits { is_done, error });
            let mut workspace = Self::attach_after(state, fs, preopens, options, waits)?;
            workspace.findings.splice(0..0, findings);
            if is_settled && is_done {
                workspace.find(Verdict::RolledForward, "a commit was decided, and the workspace goes on from there");
            } else if is_settled {
                workspace.find(Verdict::Swept, "a commit was prepared and never decided");
            }
            return Ok(workspace);
        }
        match waits {
            Some(Waits { is_done: true, error }) => {
                let detail = format!(
                    "a commit was decided and is complete, but its map cannot take its place: {}; the workspace can be \
                     read, and discarded, and the next open tries again",
                    error.clause()
                );
                workspace.find(Verdict::Parked, &detail);
                workspace.count_bytes()?;
                workspace.state.fail(error);
                return Ok(workspace);
            }
            Some(Waits { is_done: false, error }) => {
                workspace.leave(
                    &layout::next(),
                    "is of a commit that was never decided and cannot be removed now",
                    &error,
                );
            }
            None => {}
        }
        if let Some((path, error)) = unread {
            workspace.leave(&path, "cannot be read now", &error);
        }
        workspace.recover(&found, is_torn)?;
        Ok(workspace)
    }
}

impl<F: Fs> Workspace<F> {
    /// Cuts off torn bytes, and removes files that are not needed. One that cannot be removed is left and hinders
    /// nothing.
    fn recover(&mut self, found: &layout::Found, is_torn: bool) -> Result<(), Error> {
        let mut used: Vec<u64> = self.map.files().collect();
        used.sort_unstable();
        let drafts = found.drafts();
        let unnamed = found.unnamed(&used, self.files.frozen);
        if !drafts.is_empty() {
            match self.state.run(drafts) {
                Ok(()) => self.find(Verdict::Swept, "drafts that never counted"),
                Err(error) => self.leave(&layout::directory(), "holds drafts that cannot be removed now", &error),
            }
        }
        if is_torn {
            self.find(Verdict::RolledBack, "its last change was not whole and was cut off");
            self.compact()?;
        }
        if !unnamed.is_empty() {
            self.renew()?;
            self.remove_unnamed(&unnamed);
        }
        self.count_bytes()
    }

    /// Removes files that no record names.
    fn remove_unnamed(&mut self, unnamed: &[u64]) {
        // An empty file was a spare: it is not reported.
        let is_content =
            |stat: Result<Option<Stat>, Error>| stat.is_ok_and(|stat| stat.is_some_and(|stat| stat.size > 0));
        let has_content = unnamed.iter().any(|number| is_content(self.state.exec.stat(&layout::file(*number))));
        let Err(error) = self.state.run(layout::sweep(unnamed)) else {
            if has_content {
                self.find(Verdict::Swept, "content that no record names");
            }
            return;
        };
        self.leave(&layout::files(), "holds content that no record names and that cannot be removed now", &error);
    }

    /// Counts the bytes of all contents, where they are limited.
    fn count_bytes(&mut self) -> Result<(), Error> {
        self.files.bytes = 0;
        if self.quota.bytes.is_some() {
            for number in layout::look(&mut self.state.exec)?.files {
                // Content that cannot be looked at cannot grow either.
                let stat = self.state.exec.stat(&layout::file(number)).unwrap_or_default();
                self.files.bytes += stat.map_or(0, |stat| stat.size);
            }
        }
        Ok(())
    }

    /// Returns the limits of the workspace.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// Replaces the limits of the workspace, durably. Content that exceeds them is kept.
    ///
    /// # Errors
    /// As for [`Workspace::sync`].
    pub fn set_quota(&mut self, quota: Quota) -> Result<(), Error> {
        self.check_usable()?;
        let before = core::mem::replace(&mut self.header.quota, quota);
        self.compact().inspect_err(|_| self.header.quota = before)?;
        self.quota = quota;
        self.count_bytes()
    }

    fn find(&mut self, verdict: Verdict, detail: &str) {
        self.findings.push(Finding::new(&layout::map(), verdict, detail));
    }

    fn leave(&mut self, path: &RelPath, state: &str, error: &Error) {
        let detail = format!("{state}: {}; the next open tries again", error.clause());
        self.findings.push(Finding::new(path, Verdict::Left, detail));
    }

    /// Returns the findings of the open.
    pub fn recovered(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns the steps that were executed since the last call.
    pub fn steps(&mut self) -> Vec<Trace> {
        self.state.exec.take_trace()
    }

    /// Returns the guest paths of the lowers, the topmost first.
    pub fn lowers(&self) -> Vec<String> {
        self.header.lowers.iter().map(|lower| lower.name.clone()).collect()
    }

    /// Rewrites the map before a change relies on records that an earlier owner appended: a sync that failed
    /// then leaves no trace, and the pages may be lost though they can be read.
    fn renew(&mut self) -> Result<(), Error> {
        if self.is_inherited { self.compact() } else { Ok(()) }
    }

    /// Rewrites the map, without void records.
    fn compact(&mut self) -> Result<(), Error> {
        let header = Header { files: self.files.next, ..self.header.clone() };
        let map = core::mem::take(&mut self.map);
        let answer = self.replace_map(&map, header);
        self.map = map;
        answer
    }

    /// Replaces the map on disk, after a check that this workspace still owns it.
    fn replace_map(&mut self, map: &Map, header: Header) -> Result<(), Error> {
        self.state.check_owner()?;
        let (bytes, end) = map.encode(&header);
        check_map_size(bytes.len() as u64)?;
        self.state.run(publish(bytes, layout::map())).map_err(|error| undecided(&mut self.state, error))?;
        (self.end, self.is_inherited, self.synced, self.room) = (end, false, end.length, end.length);
        self.header = header;
        Ok(())
    }
}

/// Reads the description of a workspace, given its upper directory alone: returns the guest paths of its
/// lowers, the topmost first.
///
/// # Errors
/// [`ErrorKind::NotFound`] when there is no workspace; [`ErrorKind::Corrupt`].
pub fn describe<F: Fs>(fs: F, preopens: &Preopens<F>, upper: &str) -> Result<Vec<String>, Error> {
    let mut exec = preopens.open(fs, upper)?;
    if exec.stat_deep(&layout::map())?.is_none() {
        return Err(ErrorKind::NotFound.of(upper).because("there is no workspace in it"));
    }
    let header = read_header(&mut exec, &layout::map())?;
    Ok(header.lowers.into_iter().map(|lower| lower.name).collect())
}

/// The plan that makes the directory of a workspace, for good.
fn begin<F: Fs>(state: &State<F>, found: &layout::Found) -> Plan {
    let mut plan = state.control_plan();
    if !found.keeps_directory() {
        plan.make_dir(&layout::directory(), "all of a workspace is in here");
    }
    plan.sync_dir(&crate::control::directory(), "or the workspace could be lost with its directory");
    plan.sync_dir(&RelPath::ROOT, "or the workspace could be lost with its directory");
    plan
}

/// The plan that writes a map and gives it its name.
fn publish(bytes: Vec<u8>, name: RelPath) -> Plan {
    let draft = layout::draft();
    let mut plan = Plan::new();
    plan.create(&draft, "the map is whole before it has its name");
    plan.write(&draft, bytes, "the map is whole before it has its name");
    plan.sync_file(&draft, "or the name could lead to a map that says nothing");
    plan.sync_dir(&layout::directory(), "or the map could be durable before what it is about");
    plan.rename(&draft, &name, "from here on this map counts");
    plan.decides();
    plan.sync_dir(&layout::directory(), "or the former map could come back");
    plan
}

/// Determines the outcome of a publication of a map that failed. A draft that still exists was not renamed.
fn undecided<F: Fs>(state: &mut State<F>, error: Error) -> Error {
    if error.phase() != CommitPhase::After && matches!(state.exec.stat(&layout::draft()), Ok(Some(_))) {
        let mut plan = Plan::new();
        plan.remove_file(&layout::draft(), "a map that never got its name");
        return match state.run(plan) {
            Ok(_) => error,
            // It is in the way of the next one.
            Err(_) => state.fail(error),
        };
    }
    if error.phase() == CommitPhase::Before { error } else { state.fail(error.with_kind(ErrorKind::OutcomeUnknown)) }
}

/// Refuses a map that an open could not read back.
fn check_map_size(length: u64) -> Result<(), Error> {
    if length > MAP_BYTES_MAX {
        Err(Error::limit(layout::map().shown(), Limit::MapBytes, MAP_BYTES_MAX))
    } else {
        Ok(())
    }
}

/// Reads a whole map.
fn read_map<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<Vec<u8>, Error> {
    let bytes = exec.read_whole(path, MAP_BYTES_MAX)?;
    bytes.ok_or_else(|| Error::limit(path.shown(), Limit::MapBytes, MAP_BYTES_MAX))
}

/// Reads the header of a map.
fn read_header<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<Header, Error> {
    let bytes = exec.read_start(&At::store(path.clone()), HEADER_BYTES_MAX)?;
    Map::decode_header(&bytes).map_err(|what| damaged(path, what))
}

fn damaged(path: &RelPath, what: &str) -> Error {
    Error::corrupt(path, &[what, "; put a copy of it or a checkpoint in its place"].concat())
}

/// Checks that there is a map. Content without a map is kept, unless it is marked as discarded.
fn check_map_is_there(found: &layout::Found) -> Result<(), Error> {
    if found.map || found.counts_for_nothing() {
        return Ok(());
    }
    Err(damaged(&layout::map(), "it is missing"))
}

/// Refuses lists of lowers that cannot be recorded, and an upper that is one of the lowers.
fn check_lowers<F: Fs>(exec: &mut Executor<F>, lowers: &[Lower]) -> Result<(), Error> {
    if lowers.is_empty() || lowers.len() > LOWERS_MAX {
        return Err(Error::invalid_argument("lower", "a workspace is over 1 to 64 directories"));
    }
    let upper = exec.identity(&At::store(RelPath::ROOT))?;
    for lower in lowers {
        if lower.name.len() > PATH_BYTES_MAX {
            return Err(Error::invalid_argument("lower", "the path is too long"));
        }
        if upper.is_some() && lower.identity == upper {
            return Err(Error::invalid_argument(&lower.name, "is the upper directory itself"));
        }
    }
    Ok(())
}

/// Returns the places of the lowers, which must be those that the workspace was created over.
fn lowers_of<F: Fs>(state: &mut State<F>, header: &Header, options: &Options) -> Result<(Vec<String>, Vec<At>), Error> {
    if header.lowers.is_empty() {
        return Err(damaged(&layout::map(), "it names no lower directory"));
    }
    let remembered: Vec<&str> = header.lowers.iter().map(|lower| lower.name.as_str()).collect();
    let names: Vec<&str> = options.lowers.iter().map(String::as_str).collect();
    let names = if names.is_empty() { remembered.clone() } else { names };
    let other = |name: &str| {
        ErrorKind::PreconditionFailed.of(name).because("directory other than the one this workspace was made over")
    };
    if names.len() != remembered.len() {
        return Err(other(names.first().unwrap_or(&"")));
    }
    let mut places = Vec::new();
    for (name, lower) in names.iter().zip(&header.lowers) {
        let at = state.source(name)?;
        let identity = state.exec.identity(&at).map_err(|error| error.about(name))?;
        // A host that tells directories apart has recorded that: a record without it could name any directory.
        let is_known = identity == lower.identity && (identity.is_some() || *name == lower.name);
        if !is_known && !options.moved {
            return Err(other(name));
        }
        places.push(at);
    }
    Ok((names.into_iter().map(ToString::to_string).collect(), places))
}

/// Parses a path of the merged tree, or `.` for its root. A lower may have a name with a backslash, which can be read.
fn parse_any(path: &str) -> Result<RelPath, Error> {
    if path == "." {
        return Ok(RelPath::ROOT);
    }
    let parsed = match RelPath::parse(path) {
        Err(PathRule::Backslash) => RelPath::parse_record(path),
        parsed => parsed,
    };
    match parsed {
        Ok(path) if path.components().any(is_reserved) => Err(PathRule::Reserved),
        parsed => parsed,
    }
    .map_err(|rule| Error::invalid_path(path, rule))
}
