//! A commit: the chosen changes go to the topmost lower, as one decision of the store there, all or nothing.

use alloc::string::String;
use alloc::vec::Vec;

use super::choice::{self, Part};
use super::conflict;
use super::difference::{Delta, find, sources_of};
use super::glob::Select;
use super::map::{Header, Map, Origin, Record, known};
use super::proof::adopt;
use super::target::{Content, Target};
use super::view::Place;
use super::{Workspace, layout, lower};
use crate::control;
use crate::error::{Error, ErrorKind};
use crate::fs::{Fs, Kind};
use crate::journal::{self, Change as Step, Journal, OldEntry};
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::store::{Durability, Preopens, Receipt, Store};

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
    /// The chosen paths. What a chosen change needs comes along: a directory that has to be there, both ends of
    /// a rename, and all that is in a directory that goes.
    pub paths: Select,
    /// The durability that must be reached.
    pub durability: Durability,
    /// The handling of conflicts.
    pub conflicts: OnConflict,
}

impl<F: Fs + Clone> Workspace<F> {
    /// Writes changes to the topmost lower, all or nothing: those that [`Workspace::changes`] lists for the same
    /// paths. The workspace goes on from there, with the rest.
    ///
    /// # Errors
    /// [`ErrorKind::Conflicts`] with nothing changed; [`ErrorKind::InvalidArgument`] when `into` is another
    /// directory; as for a transaction of the store. After [`ErrorKind::NeedsRecovery`] and
    /// [`ErrorKind::OutcomeUnknown`] the next open finishes or finds out.
    pub fn commit(&mut self, fs: F, preopens: &Preopens<F>, options: &CommitOptions) -> Result<Receipt, Error> {
        self.check_usable()?;
        let into = self.state.source(&options.into)?;
        let topmost = self.lowers[0].clone();
        let (one, other) = (self.state.exec.identity(&into)?, self.state.exec.identity(&topmost)?);
        if if one.is_some() { one != other } else { into != topmost } {
            return Err(Error::invalid_argument(&options.into, "is not the topmost lower of this workspace"));
        }
        let mut target = self.target(fs, preopens, &options.into, true, options.durability)?;
        let first = self.files.next;
        let next = match self.prepare(&mut target, options) {
            Ok(next) => next,
            Err(error) => {
                target.state.abandon(target.number);
                (first..self.files.next).for_each(|number| self.remove_file(number));
                return Err(error);
            }
        };
        self.conclude(target, options.durability, next)
    }

    /// Stages what is carried out, and makes the map after it.
    fn prepare(&mut self, target: &mut Target<F>, options: &CommitOptions) -> Result<Map, Error> {
        let (deltas, mut parts, conflicts) = self.difference_and_conflicts(&options.paths)?;
        if options.conflicts == OnConflict::Fail {
            conflict::refuse(&conflicts)?;
        }
        let (mut is_withdrawn, dropped) = conflict::withdrawn(&deltas, &conflicts);
        if options.conflicts == OnConflict::Theirs {
            parts = choice::choose(&deltas, &options.paths, &is_withdrawn);
        } else {
            is_withdrawn.fill(false);
        }
        let settles = |index: usize| (parts[index].is_carried() && !deltas[index].is_mask()) || is_withdrawn[index];
        let is_settled: Vec<bool> = (0..deltas.len()).map(settles).collect();
        let mut next = self.rebase(&deltas, &is_settled, &is_withdrawn, &dropped)?;
        self.mask(&deltas, &parts, &mut next)?;
        for (delta, part) in deltas.iter().zip(&parts) {
            if part.is_carried() {
                self.stage(target, delta)?;
            }
        }
        let former = self.keep_former(&deltas, &parts)?;
        next.apply(&former);
        // What was staged is what was compared.
        for (delta, _) in deltas.iter().zip(&parts).filter(|(_, part)| part.is_carried()) {
            target.check_unchanged(delta)?;
        }
        Ok(next)
    }

    /// Stages one difference.
    fn stage(&mut self, target: &mut Target<F>, delta: &Delta) -> Result<(), Error> {
        let (path, old) = (&delta.path, delta.topmost());
        let old_kind = old.map(|stat| stat.kind);
        let is_directory = delta.kind() == Some(Kind::Directory);
        let old = old.map(OldEntry::from);
        match old_kind {
            Some(Kind::Directory) if !is_directory => target.push(path, Step::RemoveDir)?,
            Some(kind) if delta.after.is_none() || (is_directory && kind != Kind::Directory) => {
                target.push(path, Step::Delete { old })?;
            }
            _ => {}
        }
        match &delta.after {
            None => Ok(()),
            Some(_) if is_directory => {
                if old_kind != Some(Kind::Directory) {
                    target.push(path, Step::MakeDir)?;
                }
                Ok(())
            }
            Some(place) => {
                let content = self.content_for(target, path, place)?;
                target.put(path, content, old)
            }
        }
    }

    /// Records as deleted what lowers below the topmost show where the topmost has nothing any more.
    fn mask(&mut self, deltas: &[Delta], parts: &[Part], next: &mut Map) -> Result<(), Error> {
        if self.lowers.len() == 1 {
            return Ok(());
        }
        let carried = || deltas.iter().zip(parts).filter(|(_, part)| part.is_carried()).map(|(delta, _)| delta);
        let moved = sources_of(deltas, &|index| parts[index].is_carried());
        let mut masked = Vec::new();
        for delta in carried() {
            let path = &delta.path;
            if delta.after.is_none() {
                let is_in_removed = find(deltas, &path.parent())
                    .is_some_and(|above| parts[above].is_carried() && deltas[above].kind() != Some(Kind::Directory));
                // What was there already needs a new note if its content was shown elsewhere.
                if !is_in_removed && (delta.is_topmost || moved.binary_search(&path).is_ok()) {
                    masked.push(path.clone());
                }
            } else if delta.kind() == Some(Kind::Directory) && !delta.is_scaffold {
                for (name, _) in lower::names(&mut self.state.exec, &self.lowers[1..], path)? {
                    let path = path.child(&name);
                    if self.find_place(&path)?.is_none() {
                        masked.push(path);
                    }
                }
            }
        }
        for path in masked {
            let seen = lower::seen(&mut self.state.exec, &self.lowers[1..], &path, true)?;
            if seen.entry.is_some() {
                // What was noted below it is of a time when another entry hid that.
                let over: Vec<Record> =
                    next.seen_within(&path).map(|(below, _)| Record::Saw(known(below), None)).collect();
                next.apply(&over);
                next.apply(&[Record::Shows(path.clone(), Some(Origin::Nowhere)), Record::Saw(path, Some(seen))]);
            }
        }
        Ok(())
    }

    /// Opens the root that is to be changed, and starts a decision there.
    pub(super) fn target(
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
            shared: Vec::new(),
        })
    }

    /// Returns the source of the content of a file or link that is to go to the target. A file that is shared with
    /// nobody and given up here goes there itself.
    pub(super) fn content_for(
        &mut self,
        target: &mut Target<F>,
        path: &RelPath,
        place: &Place,
    ) -> Result<Content, Error> {
        Ok(match place {
            Place::File(number) => {
                let number = *number;
                if let Some((_, staged)) = target.shared.iter().find(|(known, _)| *known == number) {
                    return Ok(Content::Again(*staged));
                }
                if self.map.names_of(number) > 1 {
                    target.shared.push((number, target.staged));
                }
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
            Place::Link(text) => Content::Link(text.clone()),
            Place::Lower(lower, _, stat) => {
                let found = lower::stat(&mut target.state.exec, &target.lowers, lower)?;
                let Some((from, _)) = found else { return Err(ErrorKind::NotFound.at(lower)) };
                match stat.kind {
                    Kind::File | Kind::Symlink | Kind::Other if from.root == RootId::STORE => {
                        Content::Share(from, stat.kind)
                    }
                    Kind::File => Content::Copy(from),
                    Kind::Symlink => Content::Link(target.state.exec.read_link(from.root, &from.path)?),
                    Kind::Other | Kind::Directory => return Err(ErrorKind::NotAFile.at(lower)),
                }
            }
            Place::Directory => return Err(ErrorKind::NotAFile.at(path)),
        })
    }

    /// Asks whether the map can be replaced after a decision in the lower. Without one, a commit has nothing to do, and
    /// must not say so of changes that an earlier decision holds.
    fn ask_map(&mut self, target: &Target<F>, journal: Option<&Journal>) -> Result<(), Error> {
        if journal.is_none() {
            return target.state.check_kept();
        }
        let number = self.state.take_number();
        let asked = self.state.ask_first(number, &layout::map());
        asked.inspect_err(|_| self.state.abandon(number))
    }

    /// Decides, and lets the workspace go on from there.
    fn conclude(&mut self, mut target: Target<F>, durability: Durability, next: Map) -> Result<Receipt, Error> {
        if let Err(error) = target.check_parked() {
            target.state.abandon(target.number);
            return Err(error);
        }
        let forgotten = target.state.forget_oldest();
        if let Err(error) = forgotten {
            target.state.abandon(target.number);
            return Err(error);
        }
        let journal = target.journal();
        if let Err(error) = self.ask_map(&target, journal.as_ref()) {
            target.state.abandon(target.number);
            return Err(error);
        }
        let proof = journal.as_ref().map(|journal| journal::digest(&journal.encode()));
        let waits = Header { files: self.files.next, proof, ..self.header.clone() };
        let (bytes, end) = next.encode(&waits);
        if let Err(error) = super::check_map_size(bytes.len() as u64) {
            target.state.abandon(target.number);
            return Err(error);
        }
        let written = self.state.run(super::publish(bytes, layout::next()));
        if let Err(error) = written {
            target.state.abandon(target.number);
            return Err(super::undecided(&mut self.state, error));
        }
        let receipt = match target.decide(journal.as_ref(), durability) {
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
        if let Err(error) = self.state.run(adopt()) {
            return Err(self.state.fail(error.with_kind(ErrorKind::NeedsRecovery)));
        }
        target.state.forget_done(&control::done(target.number));
        drop(target);
        self.go_on(next);
        (self.end, self.is_inherited, self.synced, self.room) = (end, false, end.length, end.length);
        Ok(receipt)
    }
}
