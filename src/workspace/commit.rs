//! What a workspace changed goes to the topmost lower, or all it shows to another directory: as one
//! decision of the store there, all or nothing.
//!
//! A commit changes two roots, so the future map is written first: `next` is written, then the lower decides,
//! then `next` becomes the map. An open that finds `next` looks at the lower: a proof, one path that the
//! commit changes, shows whether the commit was decided.

use alloc::string::String;
use alloc::vec::Vec;

use super::changes::Change;
use super::glob::Select;
use super::map::{Header, Map, Origin, Record, SEED, Seen, sum};
use super::view::Place;
use super::{Workspace, layout, lower};
use crate::control;
use crate::error::{Error, ErrorKind, Subject};
use crate::exec::Exec;
use crate::fs::{Call, Cause, Fs, Kind, Stat};
use crate::journal::{Change as Step, LINK_LENGTH, Old, OldEntry, Op};
use crate::path::{At, RelPath, RootId, is_reserved};
use crate::plan::{Attributes, Plan};
use crate::store::{Durability, Preopens, Receipt, State, Store};

/// The handling of a path of the lowers that has changed since it was first touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnConflict {
    /// Fails with [`ErrorKind::Conflicts`], and changes nothing.
    #[default]
    Fail,
    /// Replaces it by the content of the workspace.
    Ours,
    /// Keeps it, and gives up the change of the workspace.
    Theirs,
}

/// The options of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOptions {
    /// The guest path of the topmost lower, granted for writing.
    pub into: String,
    /// Which changes. What a chosen one cannot be without comes along: all of a directory that is
    /// new or was moved, and both ends of a rename.
    pub paths: Select,
    /// The durability that must be reached.
    pub durability: Durability,
    /// The handling of conflicts.
    pub conflicts: OnConflict,
}

/// What a path of the target is to hold.
enum Content {
    /// An empty file.
    Empty,
    /// A copy of this.
    Copy(At),
    /// This itself, a file of our own of such a length.
    Give(At, u64),
    /// This itself, a file or link that the target has elsewhere.
    Share(At, Kind),
    /// A link with this text.
    Link(String),
}

/// A decision that is being made for another root.
struct Target<F: Fs> {
    state: State<F>,
    number: u64,
    /// Where the target reads from: the upper, and the lowers.
    upper: At,
    lowers: Vec<At>,
    /// The target is the topmost lower; else it is an empty directory.
    is_lower: bool,
    ops: Vec<Op>,
    staged: u32,
    bytes: u64,
    /// Whether content is synced.
    synced: bool,
    /// Paths that lowers below the topmost would show again.
    masks: Vec<RelPath>,
}

impl<F: Fs + Clone> Workspace<F> {
    /// Writes changes to the topmost lower, all or nothing. The workspace goes on from there.
    ///
    /// # Errors
    /// [`ErrorKind::Conflicts`] with nothing changed; [`ErrorKind::InvalidArgument`] when `into` is
    /// another directory; as for a transaction of the store. After [`ErrorKind::NeedsRecovery`] and
    /// [`ErrorKind::OutcomeUnknown`] the next open finishes or finds out.
    pub fn commit(&mut self, fs: F, preopens: &Preopens<F>, how: &CommitOptions) -> Result<Receipt, Error> {
        self.check_usable()?;
        let into = self.state.source(&how.into)?;
        let topmost = self.lowers[0].clone();
        let (one, other) = (self.state.exec.identity(&into)?, self.state.exec.identity(&topmost)?);
        if if one.is_some() { one != other } else { into != topmost } {
            return Err(Error::invalid_argument(&how.into, "is not the topmost lower of this workspace"));
        }
        let before = self.map.clone();
        match how.conflicts {
            OnConflict::Fail => self.check_conflicts(&how.paths)?,
            OnConflict::Ours => {}
            // Given up on the disk when the commit is decided, and not before.
            OnConflict::Theirs => self.give_up_conflicts(&how.paths)?,
        }
        let mut target =
            self.target(fs, preopens, &how.into, true, how.durability).inspect_err(|_| self.map = before.clone())?;
        let next = self.stage(&mut target, how);
        let again = if how.conflicts == OnConflict::Fail { self.check_conflicts(&how.paths) } else { Ok(()) };
        let next = again.and(next).inspect_err(|_| target.state.abandon(target.number));
        let receipt = next.and_then(|next| self.conclude(target, how.durability, next));
        let receipt = receipt.inspect_err(|_| self.map = before.clone())?;
        let mut used: Vec<u64> = self.map.files().collect();
        used.sort_unstable();
        for number in before.files().filter(|number| used.binary_search(number).is_err()) {
            self.release_now(number);
        }
        Ok(receipt)
    }

    /// Writes all that the workspace shows to an empty directory, all or nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotCommitted`] with [`Cause::NotEmpty`]; as for a transaction of the store.
    pub fn export(
        &mut self,
        fs: F,
        preopens: &Preopens<F>,
        to: &str,
        durability: Durability,
    ) -> Result<Receipt, Error> {
        self.check_usable()?;
        let mut target = self.target(fs, preopens, to, false, durability)?;
        let names = target.state.exec.list(RootId::STORE, &RelPath::ROOT)?;
        if names.iter().any(|(name, _)| !is_reserved(name)) {
            return Err(Error::failed_on(Call::Write, Subject::Guest(to.into()), Cause::NotEmpty));
        }
        let staged = self.reconcile(&mut target, &RelPath::ROOT);
        staged.inspect_err(|_| target.state.abandon(target.number))?;
        target.decide(durability)
    }

    fn target(
        &mut self,
        fs: F,
        preopens: &Preopens<F>,
        at: &str,
        is_lower: bool,
        durability: Durability,
    ) -> Result<Target<F>, Error> {
        let mut state = Store::open(fs, preopens, at, &self.owner, false)?.into_state();
        let upper = state.source(&self.upper)?;
        let mut lowers = Vec::new();
        for name in &self.places {
            lowers.push(state.source(name)?);
        }
        if is_lower {
            // Files of the target itself keep their inodes.
            lowers[0] = At::store(RelPath::ROOT);
        }
        Ok(Target {
            number: state.take_number(),
            state,
            upper,
            lowers,
            is_lower,
            ops: Vec::new(),
            staged: 0,
            bytes: 0,
            synced: durability >= Durability::Data,
            masks: Vec::new(),
        })
    }

    /// Stages the chosen changes, and what the map will be once they are done.
    fn stage(&mut self, target: &mut Target<F>, how: &CommitOptions) -> Result<(Map, Option<(RelPath, Seen)>), Error> {
        let mut tops = self.chosen(&how.paths)?;
        let mut next;
        loop {
            let mut above = Vec::new();
            let mut known = None;
            for path in &tops {
                let parent = path.parent();
                if known.as_ref() != Some(&parent) {
                    self.changed_above(path, &mut above)?;
                    known = Some(parent);
                }
            }
            tops.extend(above);
            tops.sort_unstable();
            tops.dedup();
            let known = tops.len();
            next = self.map.clone();
            for path in &tops {
                next.apply(&[Record::Shows(path.clone(), None)]);
            }
            // What was moved away from a path that changes now must come along.
            let mut moved = Vec::new();
            for (path, origin) in next.origins_below(&RelPath::ROOT) {
                let changes = |source: &RelPath| tops.iter().any(|top| source.is_within(top) || top.is_within(source));
                if matches!(origin, Origin::Lower(source) if source.as_str() != path && changes(source)) {
                    moved.push(RelPath::parse_any(path).unwrap_or_default());
                }
            }
            tops.extend(moved);
            if tops.len() == known {
                break;
            }
        }
        let mut whole: Vec<RelPath> = Vec::new();
        let mut known = None;
        for path in &tops {
            if !is_in_one_of(&whole, path) {
                let parent = path.parent();
                if known.as_ref() != Some(&parent) && self.find_place(path)?.is_some() {
                    target.make_parents(path)?;
                    known = Some(parent);
                }
                self.reconcile(target, path)?;
                whole.push(path.clone());
            }
        }
        target.tidy();
        if how.paths.is_all() {
            next = Map::default();
        }
        for path in &tops {
            let forget = |(path, _)| Record::Saw(RelPath::parse_any(path).unwrap_or_default(), None);
            let records: Vec<Record> = next.seen_within(path).map(forget).collect();
            next.apply(&records);
        }
        for path in &target.masks {
            let seen = lower::seen(&mut self.state.exec, &self.lowers[1..], path, true)?;
            next.apply(&[Record::Shows(path.clone(), Some(Origin::Nowhere)), Record::Saw(path.clone(), Some(seen))]);
        }
        let proof = target.proof()?;
        Ok((next, proof))
    }

    /// The paths that are to become in the lower what they are here.
    fn chosen(&mut self, select: &Select) -> Result<Vec<RelPath>, Error> {
        let mut tops = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.changes(select, after.as_deref(), usize::MAX)?;
            for changed in page.changes {
                if let Change::Renamed(source) = &changed.change {
                    tops.push(crate::store::parse(source)?);
                }
                // A name that a lower has may break the rules for those of a caller.
                let path = changed.path.split('/').fold(RelPath::ROOT, |path, name| path.child(name));
                tops.push(path);
            }
            after = page.next;
            if after.is_none() {
                return Ok(tops);
            }
        }
    }

    /// The topmost directory above a path that is our own or was moved: it goes as a whole.
    fn changed_above(&mut self, path: &RelPath, found: &mut Vec<RelPath>) -> Result<(), Error> {
        let mut above = RelPath::ROOT;
        for name in path.parent().components() {
            above = above.child(name);
            if found.last() == Some(&above) {
                return Ok(());
            }
            let is_plain = matches!(self.find_place(&above)?, Some(Place::Lower(lower, _, _)) if lower == above);
            if !is_plain {
                found.push(above);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes the target have what the workspace shows at and below a path.
    fn reconcile(&mut self, target: &mut Target<F>, top: &RelPath) -> Result<(), Error> {
        let mut waiting = Vec::from([top.clone()]);
        while let Some(path) = waiting.pop() {
            let old = if target.is_lower || path.is_root() { target.have(&path)? } else { None };
            let have = old.map(|old| old.kind);
            let Some(place) = self.find_place(&path)? else {
                target.remove(&path, have)?;
                if target.is_lower && lower::stat(&mut self.state.exec, &self.lowers[1..], &path)?.is_some() {
                    target.masks.push(path);
                }
                continue;
            };
            if matches!(&place, Place::Lower(lower, at, _) if target.is_lower && *lower == path && is_below(at, &self.lowers[0]))
                && path != *top
                && place.kind() != Kind::Directory
            {
                // It is there already.
                continue;
            }
            if place.kind() != Kind::Directory {
                if have == Some(Kind::Directory) {
                    target.remove(&path, have)?;
                }
                let content = self.content_for(target, &path, place)?;
                target.put(&path, content, old.map(OldEntry::from))?;
                continue;
            }
            match have {
                Some(Kind::Directory) => {}
                Some(_) => {
                    target.remove(&path, have)?;
                    target.push(&path, Step::MakeDir);
                }
                None => target.push(&path, Step::MakeDir),
            }
            let mut names: Vec<String> = Vec::new();
            for entry in self.entries(&path, None, usize::MAX)? {
                names.push(entry.name);
            }
            if target.is_lower {
                // What is not shown here is to go there, or to stay hidden below.
                let (topmost, others) = self.lowers.split_at(1);
                for lowers in [topmost, others] {
                    let below = lower::names(&mut self.state.exec, lowers, &path)?;
                    names.extend(below.into_iter().map(|(name, _)| name));
                }
                names.sort_unstable();
                names.dedup();
            }
            waiting.extend(names.iter().rev().map(|name| path.child(name)));
        }
        Ok(())
    }

    /// Where the content of a file or link that is to go to the target is. One that is nobody else's and
    /// is given up here goes there itself.
    fn content_for(&mut self, target: &mut Target<F>, path: &RelPath, place: Place) -> Result<Content, Error> {
        Ok(match place {
            Place::File(number) => {
                let stat = self.state.exec.stat(&layout::file(number))?;
                let is_given_up = target.is_lower && self.is_alone(number, stat) && self.map.names_of(number) == 1;
                let from = At { root: target.upper.root, path: target.upper.path.join(&layout::file(number)) };
                match stat {
                    Some(stat) if is_given_up => Content::Give(from, stat.size),
                    Some(stat) if stat.size > 0 => Content::Copy(from),
                    // A file whose name was lost with the power is empty.
                    _ => Content::Empty,
                }
            }
            Place::Link(text) => Content::Link(text),
            Place::Lower(lower, _, stat) => {
                let found = lower::stat(&mut target.state.exec, &target.lowers, &lower)?;
                let Some((from, _)) = found else { return Err(ErrorKind::NotFound.at(&lower)) };
                match stat.kind {
                    Kind::File | Kind::Symlink if from.root == RootId::STORE => Content::Share(from, stat.kind),
                    Kind::File => Content::Copy(from),
                    Kind::Symlink => Content::Link(target.state.exec.read_link(from.root, &from.path)?),
                    Kind::Other | Kind::Directory => return Err(ErrorKind::NotAFile.at(&lower)),
                }
            }
            Place::Directory => return Err(ErrorKind::NotAFile.at(path)),
        })
    }

    /// Decides, and lets the workspace go on from there.
    fn conclude(
        &mut self,
        mut target: Target<F>,
        durability: Durability,
        (next, proof): (Map, Option<(RelPath, Seen)>),
    ) -> Result<Receipt, Error> {
        let waits = Header { files: self.files.next, proof, ..self.header.clone() };
        let (bytes, end) = next.encode(&waits);
        let written = self.state.run(super::publish(bytes, layout::next()));
        if let Err(error) = written {
            target.state.abandon(target.number);
            return Err(super::undecided(&mut self.state, error));
        }
        let receipt = match target.decide(durability) {
            Ok(receipt) => receipt,
            Err(error) if error.kind() == ErrorKind::NeedsRecovery || error.kind() == ErrorKind::OutcomeUnknown => {
                return Err(self.state.fail(error));
            }
            Err(error) => {
                let mut plan = Plan::new();
                plan.remove_file(&layout::next(), "nothing was decided");
                plan.sync_dir(&layout::directory(), "or it could be taken for one that was");
                return Err(match self.state.run(plan) {
                    Ok(_) => error,
                    Err(_) => self.state.fail(error),
                });
            }
        };
        drop(target);
        if let Err(error) = self.state.run(adopt()) {
            return Err(self.state.fail(error.with_kind(ErrorKind::NeedsRecovery)));
        }
        self.map = next;
        (self.end, self.is_inherited, self.synced, self.room) = (end, false, end.length, end.length);
        Ok(receipt)
    }

    /// Finishes a commit that a crash interrupted: the lower shows whether it was decided.
    pub(super) fn settle_commit(&mut self, fs: F, preopens: &Preopens<F>) -> Result<bool, Error> {
        let bytes = super::read_map(&mut self.state.exec, &layout::next())?;
        let (_, header, _) = Map::decode(&bytes).map_err(|what| super::damaged(&layout::next(), what))?;
        // The open completes a decided commit.
        drop(Store::open(fs, preopens, &self.places[0], &self.owner, false)?);
        let topmost = self.lowers[0].clone();
        let is_done = match &header.proof {
            None => true,
            Some((path, seen)) => {
                let at = At { root: topmost.root, path: topmost.path.join(path) };
                evidence(&mut self.state.exec, &at)? == *seen
            }
        };
        let plan = if is_done {
            adopt()
        } else {
            let mut plan = Plan::new();
            plan.remove_file(&layout::next(), "the commit was never decided");
            plan.sync_dir(&layout::directory(), "or it could be taken for one that was");
            plan
        };
        self.state.run(plan)?;
        Ok(is_done)
    }

    /// Gives up what was written over paths that changed underneath; on the disk it stays.
    fn give_up_conflicts(&mut self, select: &Select) -> Result<(), Error> {
        let mut records = Vec::new();
        for conflict in self.conflicts(select)? {
            let conflict = crate::store::parse(&conflict)?;
            for (path, origin) in self.map.origins_below(&RelPath::ROOT) {
                let Ok(path) = RelPath::parse_any(path) else { continue };
                let is_source = matches!(origin, Origin::Lower(lower) if lower.is_within(&conflict));
                if is_source || self.map.under(&path).is_within(&conflict) {
                    records.push(Record::Shows(path, None));
                }
            }
            records.push(Record::Saw(conflict, None));
        }
        self.map.apply(&records);
        Ok(())
    }
}

impl<F: Fs> Target<F> {
    /// Puts the changes in order. Two chosen paths may have needed the same directory.
    fn tidy(&mut self) {
        let order = |op: &Op| (op.path.clone(), !is_removal(&op.change));
        self.ops.sort_by_cached_key(order);
        self.ops.dedup_by(|other, one| other.path == one.path && is_removal(&other.change) == is_removal(&one.change));
    }

    /// What stands at a path of the target now.
    fn have(&mut self, path: &RelPath) -> Result<Option<Stat>, Error> {
        self.state.exec.stat_deep(path)
    }

    fn push(&mut self, path: &RelPath, change: Step) {
        self.ops.push(Op { path: path.clone(), change });
    }

    /// Makes the directories above a path that only lowers below the target have.
    fn make_parents(&mut self, path: &RelPath) -> Result<(), Error> {
        let mut above = RelPath::ROOT;
        for name in path.parent().components() {
            above = above.child(name);
            if self.have(&above)?.is_none() {
                self.push(&above, Step::MakeDir);
            }
        }
        Ok(())
    }

    /// Removes what stands at a path, with all below.
    fn remove(&mut self, path: &RelPath, have: Option<Kind>) -> Result<(), Error> {
        let mut waiting: Vec<(RelPath, Kind)> = have.map(|kind| (path.clone(), kind)).into_iter().collect();
        while let Some((path, kind)) = waiting.pop() {
            if kind == Kind::Directory {
                for (name, kind) in self.state.exec.list(RootId::STORE, &path)? {
                    waiting.push((path.child(&name), kind));
                }
                self.push(&path, Step::RemoveDir);
            } else {
                let old = self.state.exec.stat(&path)?.map(OldEntry::from);
                self.push(&path, Step::Delete { old });
            }
        }
        Ok(())
    }

    /// Stages a file or link for a path, where this stands now.
    fn put(&mut self, path: &RelPath, content: Content, old: Old) -> Result<(), Error> {
        let staged = control::staged(self.number, self.staged);
        let mut plan = Plan::new();
        if self.staged == 0 {
            plan = self.state.staging_plan(self.number);
        }
        let why = "content of the commit";
        let is_file = !matches!(content, Content::Link(_) | Content::Share(_, Kind::Symlink));
        let is_shared = matches!(content, Content::Share(..));
        let as_of = match &content {
            Content::Copy(from) if from.root != self.upper.root || !from.path.is_within(&self.upper.path) => {
                Attributes::Of { from: from.clone(), times: true }
            }
            _ => self.state.attributes_for(path, old.map(|old| old.kind)),
        };
        let mut given = 0;
        match content {
            Content::Empty => plan.create(&staged, why),
            Content::Copy(from) => {
                plan.create(&staged, why);
                plan.copy(&from, 0, u64::MAX, &staged, why);
            }
            Content::Give(from, length) => {
                plan.share_from(&from, &staged, "content that nobody else has");
                given = length;
            }
            Content::Share(from, _) => plan.carry(&from.path, &staged, "content that keeps its inode"),
            Content::Link(text) => plan.symlink(&text, &staged, why),
        }
        if is_file && !is_shared {
            plan.set_attributes(&staged, as_of, "or the file would lose its mode and owner");
        }
        if is_file && self.synced {
            plan.sync_file(&staged, "or the log could name content that was lost");
        }
        let before = self.state.exec.moved();
        let answer = self.state.run(plan);
        self.state.exec.close(&staged);
        answer?;
        let new = given.max(self.state.exec.moved() - before);
        self.bytes += new;
        let length = match is_shared {
            _ if !is_file => LINK_LENGTH,
            true => self.state.exec.stat(&staged)?.map_or(0, |stat| stat.size),
            false => new,
        };
        self.push(path, Step::Put { staged: self.staged, length, digest: None, old });
        self.staged += 1;
        Ok(())
    }

    /// Decides on what is staged, and completes it.
    fn decide(&mut self, durability: Durability) -> Result<Receipt, Error> {
        let ops = core::mem::take(&mut self.ops);
        let applied = ops.len() as u64;
        if applied > 0 {
            let journal = self.state.journal(self.number, ops, !self.synced);
            self.state.decide(&journal)?;
        }
        let achieved = if self.synced { Durability::Full } else { durability };
        Ok(self.state.receipt(achieved, applied, self.bytes))
    }

    /// A path that tells whether the commit was decided, and what it looks like then. Nothing when
    /// there is none: then it makes no difference.
    fn proof(&mut self) -> Result<Option<(RelPath, Seen)>, Error> {
        let mut best: Option<(u64, RelPath, Seen)> = None;
        for index in 0..self.ops.len() {
            let Op { path, change } = self.ops[index].clone();
            // What is removed to make room comes back as something else.
            let is_last = self.ops.get(index + 1).is_none_or(|next| next.path != path);
            let (cost, seen) = match change {
                Step::Delete { .. } | Step::RemoveDir if is_last => (0, Seen { entry: None, below: 0 }),
                Step::MakeDir => {
                    let entry = OldEntry { kind: Kind::Directory, size: 0, modified: None };
                    (0, Seen { entry: Some(entry), below: 0 })
                }
                Step::Put { staged, length, .. } => {
                    let cost = if length == LINK_LENGTH { 1 } else { length.saturating_add(1) };
                    if best.as_ref().is_some_and(|(known, _, _)| *known <= cost) {
                        continue;
                    }
                    (cost, evidence(&mut self.state.exec, &At::store(control::staged(self.number, staged)))?)
                }
                _ => continue,
            };
            if best.as_ref().is_none_or(|(known, _, _)| cost < *known)
                && evidence(&mut self.state.exec, &At::store(path.clone()))? != seen
            {
                best = Some((cost, path, seen));
            }
            if cost == 0 && best.is_some() {
                break;
            }
        }
        Ok(best.map(|(_, path, seen)| (path, seen)))
    }
}

/// Builds the plan that makes the waiting map the current one.
fn adopt() -> Plan {
    let mut plan = Plan::new();
    let (from, to) = (layout::next(), layout::map());
    plan.rename(&from, &to, "the lower has what this map does not hold any more");
    plan.decides();
    plan.sync_dir(&layout::directory(), "or files could be gone that the former map names");
    plan
}

/// What stands at a place, by kind and content.
fn evidence<F: Fs>(exec: &mut Exec<F>, at: &At) -> Result<Seen, Error> {
    let stat = lower::stat(exec, core::slice::from_ref(at), &RelPath::ROOT)?.map(|(_, stat)| stat);
    let mut below = SEED;
    match stat.map(|stat| stat.kind) {
        Some(Kind::File) => {
            exec.read_pieces(at, &mut |piece| {
                below = sum(below, piece);
                true
            })?;
        }
        Some(Kind::Symlink) => below = exec.read_link(at.root, &at.path).map_or(0, |text| sum(SEED, text.as_bytes())),
        Some(Kind::Directory | Kind::Other) | None => below = 0,
    }
    let look = |kind, size| OldEntry { kind, size, modified: None };
    let entry = stat.map(|stat| look(stat.kind, if stat.kind == Kind::File { stat.size } else { 0 }));
    Ok(Seen { entry, below })
}

fn is_removal(change: &Step) -> bool {
    matches!(change, Step::Delete { .. } | Step::RemoveDir)
}

/// Whether a path is at or below one of a sorted list.
fn is_in_one_of(tops: &[RelPath], path: &RelPath) -> bool {
    let mut at = path.clone();
    loop {
        if tops.binary_search(&at).is_ok() {
            return true;
        }
        if at.is_root() {
            return false;
        }
        at = at.parent();
    }
}

/// Whether a place is in a lower.
fn is_below(at: &At, lower: &At) -> bool {
    at.root == lower.root && at.path.is_within(&lower.path)
}
