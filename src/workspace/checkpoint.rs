//! Checkpoints, and forks of a workspace.

use alloc::string::String;
use alloc::vec::Vec;

use super::map::{Header, Map, Origin, Record, Seen};
use super::view::Place;
use super::{Options, Workspace, layout, lower};
use crate::error::{CommitPhase, Error, ErrorKind};
use crate::fs::{Cause, Fs};
use crate::limits::LABEL_BYTES_MAX;
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::store::{Preopens, Store};

/// A checkpoint: a state that can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its number.
    pub number: u64,
    /// The label that the caller gave it.
    pub label: String,
}

impl<F: Fs + Clone> Workspace<F> {
    /// Keeps the present state, durably; returns the number of the checkpoint.
    ///
    /// No content is copied: a file is copied when it is next written.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a label that is too long; as for [`Workspace::sync`].
    pub fn checkpoint(&mut self, label: &str) -> Result<u64, Error> {
        if label.len() > LABEL_BYTES_MAX {
            return Err(Error::invalid_argument("label", "is longer than 255 bytes"));
        }
        self.sync()?;
        let number = layout::look(&mut self.state.exec)?.checkpoints.last().map_or(1, |last| last + 1);
        let header = Header { files: self.files.next, label: label.into(), proof: None, ..self.header.clone() };
        let (bytes, _) = match self.dangling()? {
            records if records.is_empty() => self.map.encode(&header),
            records => {
                let mut map = self.map.clone();
                map.apply(&records);
                map.encode(&header)
            }
        };
        super::check_map_size(bytes.len() as u64)?;
        self.state.check_owner()?;
        let kept = self.state.run(super::publish(bytes, layout::checkpoint(number)));
        kept.map_err(|error| super::undecided(&mut self.state, error))?;
        self.files.frozen = self.files.next;
        Ok(number)
    }

    /// Returns records in place of those that show nothing any more, since what was moved is not in the lowers: what
    /// a checkpoint does not show, a restore need not bring back.
    fn dangling(&mut self) -> Result<Vec<Record>, Error> {
        let (mut records, mut above) = (Vec::new(), Vec::new());
        for (path, source) in self.moves() {
            if lower::stat(&mut self.state.exec, &self.lowers, &source)?.is_some() {
                continue;
            }
            let below = recorded(self.map.with_directories(&path));
            let is_directory = self.map.has_below(&path);
            let parent = path.parent();
            // It is a directory for what was moved there alone: somebody else has put another entry in its place.
            if self.map.origin(&parent).is_none() && matches!(self.find_place(&parent)?, Some(Place::Directory)) {
                above.push(parent);
            }
            records.push(Record::Shows(path, Some(if is_directory { Origin::Directory } else { Origin::Nowhere })));
            records.extend(below);
        }
        let mut map = self.map.clone();
        map.apply(&records);
        for directory in above {
            let mut again = recorded(map.with_directories(&directory));
            if map.seen(&directory).is_none() {
                again.push(Record::Saw(directory.clone(), Some(Seen::directory())));
            }
            again.insert(0, Record::Shows(directory, Some(Origin::Directory)));
            map.apply(&again);
            records.extend(again);
        }
        Ok(records)
    }

    /// Lists the checkpoints, the oldest first.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]; the filesystem's errors.
    pub fn checkpoints(&mut self) -> Result<Vec<Checkpoint>, Error> {
        let mut checkpoints = Vec::new();
        for number in layout::look(&mut self.state.exec)?.checkpoints {
            match super::read_header(&mut self.state.exec, &layout::checkpoint(number)) {
                Ok(header) => checkpoints.push(Checkpoint { number, label: header.label }),
                // Its owner has dropped it meanwhile.
                Err(error) if self.observed.is_some() && error.cause() == Some(Cause::NoEntry) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(checkpoints)
    }

    /// Restores a state: what it showed, as changes against the lowers as they are now. Paths that it did not
    /// change, and that no commit of this workspace has changed since, show the lowers. The present state is kept
    /// before, under the number that is returned, so this can be undone.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Conflicts`] with the paths that cannot come back, since what was moved
    /// in that state is not in the lowers any more, or could not be kept; as for [`Workspace::checkpoint`].
    pub fn restore(&mut self, checkpoint: u64) -> Result<u64, Error> {
        self.check_usable()?;
        let map = self.read_checkpoint(checkpoint)?;
        let since = super::read_header(&mut self.state.exec, &layout::checkpoint(checkpoint))?.files;
        let map = self.brought_back(&map, since)?;
        let before = self.checkpoint(&format!("before the restore of {checkpoint}"))?;
        let header = Header { files: self.files.next, ..self.header.clone() };
        self.replace_map(&map, header)?;
        self.map = map;
        Ok(before)
    }

    /// Keeps a state no longer, and gives back the space that it alone needed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; as for [`Workspace::sync`].
    pub fn drop_checkpoint(&mut self, checkpoint: u64) -> Result<(), Error> {
        self.sync()?;
        let mut used = Vec::new();
        let (mut frozen, mut first) = (0, u64::MAX);
        let found = layout::look(&mut self.state.exec)?;
        if found.checkpoints.binary_search(&checkpoint).is_err() {
            return Err(ErrorKind::NotFound.at(&layout::checkpoint(checkpoint)));
        }
        for number in found.checkpoints.iter().filter(|number| **number != checkpoint) {
            used.extend(self.read_checkpoint(*number)?.files());
            let files = super::read_header(&mut self.state.exec, &layout::checkpoint(*number))?.files;
            (frozen, first) = (frozen.max(files), first.min(files));
        }
        let mut plan = Plan::new();
        plan.remove_file(&layout::checkpoint(checkpoint), "it is not kept any more");
        plan.decides();
        plan.sync_dir(&layout::directory(), "or it could come back without its files");
        self.state.run(plan).map_err(|error| match error.phase() {
            CommitPhase::Before | CommitPhase::At => error,
            CommitPhase::After => self.state.fail(error.with_kind(ErrorKind::OutcomeUnknown)),
        })?;
        self.files.frozen = frozen;
        if self.map.forget_former(first) {
            // The map must not name what is removed.
            self.compact()?;
        }
        used.extend(self.map.files());
        used.sort_unstable();
        for number in found.files.iter().filter(|number| used.binary_search(number).is_err()) {
            self.remove_file(*number);
        }
        Ok(())
    }

    fn read_checkpoint(&mut self, number: u64) -> Result<Map, Error> {
        let path = layout::checkpoint(number);
        if self.state.exec.stat(&path)?.is_none() {
            return Err(ErrorKind::NotFound.at(&path));
        }
        let bytes = super::read_map(&mut self.state.exec, &path)?;
        Map::decode(&bytes).map(|(map, _, _)| map).map_err(|what| super::damaged(&path, what))
    }

    /// Creates a second workspace from the present state, in the directory `options.upper`, over the same lowers.
    /// Contents are shared by hard link, and copied where links are not supported; each workspace copies a
    /// shared file before it writes it.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when there is a workspace; as for [`Workspace::sync`], and the
    /// filesystem's errors; the next open or fork removes the incomplete workspace.
    pub fn fork(&mut self, fs: F, preopens: &Preopens<F>, options: &Options) -> Result<Self, Error> {
        self.sync()?;
        let mut other = Store::open(fs.clone(), preopens, &options.upper, &options.owner, options.trace)?.into_state();
        let found = layout::look(&mut other.exec)?;
        if found.map {
            return Err(ErrorKind::AlreadyExists.of(&options.upper));
        }
        super::check_map_is_there(&found)?;
        if found.exists {
            other.run(found.clear())?;
        }
        let upper = self.state.exec.dir(RootId::STORE, &RelPath::ROOT)?;
        let root = other.exec.add_root(upper);
        let mut plan = super::begin(&other, &found);
        plan.create(&layout::discarded(), "until it has a map, nothing here counts");
        plan.sync_dir(&layout::directory(), "or files could stay that nothing says do not count");
        found.make_files(&mut plan);
        other.run(plan)?;
        let mut map = self.map.clone();
        map.forget_former(u64::MAX);
        for number in map.files().collect::<Vec<u64>>() {
            let from = At { root, path: layout::file(number) };
            // A file whose name was lost is empty there, too.
            if other.exec.stat_in(from.root, &from.path)?.is_some() {
                let mut plan = Plan::new();
                plan.share_from(&from, &layout::file(number), "content that both have, until one writes");
                other.run(plan)?;
            }
        }
        let mut plan = Plan::new();
        plan.sync_dir(&layout::files(), "or the map could name content that was lost");
        let header = Header { files: self.files.next, label: String::new(), proof: None, ..self.header.clone() };
        let (bytes, _) = map.encode(&header);
        plan.append(super::publish(bytes, layout::map()));
        other.run(plan).map_err(|error| super::undecided(&mut other, error))?;
        // The workspace exists: only reading it can fail.
        Self::attach(other, fs, preopens, options).map_err(|error| error.with_kind(ErrorKind::NeedsRecovery))
    }
}

fn recorded(shows: Vec<(RelPath, Origin)>) -> Vec<Record> {
    shows.into_iter().map(|(path, origin)| Record::Shows(path, Some(origin))).collect()
}
