//! Reading a workspace beside its owner: no lock is taken, nothing is changed and nothing is recovered.
//!
//! The records are those of one moment: the map is read once, and its whole frames are a state that the owner left
//! between two changes. Contents are read later, and the owner may write or remove them at any time. So each answer
//! is checked after it was made: it is refused with [`ErrorKind::Conflicts`] if the map was replaced, if a commit
//! began, or if a content is not that of the path any more. A content of one call is one that the file had at one
//! moment: it is read until two reads are equal.

use alloc::string::String;
use alloc::vec::Vec;

use super::map::{End, Header, Map, Origin};
use super::{Files, Options, Workspace, damaged, layout, lowers_of};
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::fs::{Cause, Fs, Stat};
use crate::journal::Digest;
use crate::limits::MAP_BYTES_MAX;
use crate::path::{At, RelPath};
use crate::store::{Preopens, State};

/// How often a map or a content is read that its owner changes meanwhile.
const TRIES: usize = 16;

/// The state of a reading beside the owner.
pub(super) struct Observed<F: Fs> {
    /// The map that was read: after a commit that is complete, the one that waits.
    map: RelPath,
    /// The commit whose map waits.
    waits: Option<Begun<F>>,
    /// The content that is being read in several calls: the number of its file, and its state at the first.
    reading: Option<(u64, Stat)>,
}

/// A commit that was begun, and may have been decided and completed since.
struct Begun<F: Fs> {
    /// The guest path of the upper.
    upper: String,
    /// The root that it changes.
    lower: State<F>,
    proof: Option<Digest>,
    is_complete: bool,
}

impl<F: Fs> Begun<F> {
    /// Returns whether the commit is complete; otherwise it was not decided.
    ///
    /// # Errors
    /// [`ErrorKind::NeedsRecovery`] if it was decided and is not complete.
    fn is_complete(&mut self) -> Result<bool, Error> {
        let Some(proof) = &self.proof else { return Ok(true) };
        self.lower.exec.forget();
        match self.lower.find_decision(proof)? {
            None => Ok(false),
            Some(record) if super::proof::is_done(&record) => Ok(true),
            Some(_) => Err(ErrorKind::NeedsRecovery.of(&self.upper).because("a commit of it is not complete")),
        }
    }
}

impl<F: Fs> Workspace<F> {
    /// Opens the workspace in the directory `options.upper` for reading alone, beside its owner. Its limits and its
    /// ownership are not looked at. Every change is refused with [`ErrorKind::ReadOnly`], and an answer that is not
    /// of one state of the workspace with [`ErrorKind::Conflicts`]: then it has to be observed again.
    ///
    /// # Errors
    /// As for [`Workspace::open`]; [`ErrorKind::NeedsRecovery`] while a commit is being applied, and after one that was
    /// interrupted then, which an open completes.
    pub fn observe(fs: F, preopens: &Preopens<F>, options: &Options) -> Result<Self, Error>
    where
        F: Clone,
    {
        let mut state = State::observed(fs.clone(), preopens, &options.upper)?;
        if state.exec.stat_deep(&layout::map())?.is_none() {
            return Err(ErrorKind::NotFound.of(&options.upper).because("there is no workspace in it"));
        }
        let mut waits = None;
        if state.exec.stat(&layout::next())?.is_some() {
            let (_, header, _) = read(&mut state.exec, &layout::next())?;
            let (places, _) = lowers_of(&mut state, &header, options)?;
            let lower = State::observed(fs, preopens, &places[0])?;
            let upper = options.upper.clone();
            let mut begun = Begun { upper, lower, proof: header.proof, is_complete: false };
            begun.is_complete = begun.is_complete()?;
            waits = Some(begun);
        }
        let is_complete = waits.as_ref().is_some_and(|begun| begun.is_complete);
        let current = if is_complete { layout::next() } else { layout::map() };
        let (map, header, end) = read(&mut state.exec, &current)?;
        let (places, lowers) = lowers_of(&mut state, &header, options)?;
        state.fail(ErrorKind::ReadOnly.of(&options.upper).because("is open for reading alone"));
        Ok(Self {
            state,
            upper: options.upper.clone(),
            owner: options.owner.clone(),
            places,
            lowers,
            quota: header.quota,
            header,
            map,
            end,
            room: end.length,
            synced: end.length,
            is_inherited: false,
            files: Files::default(),
            findings: Vec::new(),
            listing: None,
            reviewed: None,
            looked: Vec::new(),
            observed: Some(Observed { map: current, waits, reading: None }),
        })
    }

    /// Passes on an answer; refuses it if it need not be of the state that is observed.
    pub(super) fn checked<T>(&mut self, answer: Result<T, Error>) -> Result<T, Error> {
        if self.observed.is_none() {
            return answer;
        }
        self.state.exec.forget();
        let is_whole = self.is_as_begun()? && self.is_whole_as_read()?;
        // A content that a later record gave up may be gone.
        let is_missing = |error: &Error| error.kind() == ErrorKind::NotFound || error.cause() == Some(Cause::NoEntry);
        let is_gone = answer.as_ref().err().is_some_and(is_missing) && self.has_changed_since()?;
        if is_whole && !is_gone { answer } else { Err(replaced(&layout::map())) }
    }

    /// Checks whether the commit that had been begun is where it was, or none was begun since.
    fn is_as_begun(&mut self) -> Result<bool, Error> {
        let is_there = self.state.exec.stat(&layout::next())?.is_some();
        match self.observed.as_mut().and_then(|observed| observed.waits.as_mut()) {
            None => Ok(!is_there),
            Some(begun) => Ok(is_there && begun.is_complete().is_ok_and(|now| now == begun.is_complete)),
        }
    }

    /// Returns the path of the map that is observed.
    fn observed_map(&self) -> RelPath {
        self.observed.as_ref().map_or_else(layout::map, |observed| observed.map.clone())
    }

    /// Checks whether the part of the map that was written whole is still the one that was read.
    fn is_whole_as_read(&mut self) -> Result<bool, Error> {
        let at = At::store(self.observed_map());
        let start = self.end.whole.saturating_sub(8);
        // From its start, so that it is opened anew.
        self.state.exec.forget_sources();
        let sum = self.state.exec.read_at(&at, start, 8);
        self.state.exec.forget_sources();
        match sum {
            Ok(sum) => Ok(sum == self.end.whole_sum.to_le_bytes()),
            Err(error) if error.cause() == Some(Cause::NoEntry) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Checks whether the map is another one, or has more records, than when it was read.
    fn has_changed_since(&mut self) -> Result<bool, Error> {
        let path = self.observed_map();
        let (_, _, end) = read(&mut self.state.exec, &path)?;
        Ok(end != self.end)
    }

    /// Reads from a file of the upper as one that its owner may write at any time.
    pub(super) fn read_observed(
        &mut self,
        path: &RelPath,
        number: u64,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, Error> {
        let at = At::store(layout::file(number));
        for _ in 0..TRIES {
            let before = self.state.exec.look(&at)?;
            let reading = self.observed.as_ref().and_then(|observed| observed.reading);
            if offset > 0 && reading != Some((number, before)) {
                return Err(replaced(path));
            }
            let one = self.state.exec.read_at(&at, offset, length)?;
            self.state.exec.forget_sources();
            let other = self.state.exec.read_at(&at, offset, length)?;
            self.state.exec.forget_sources();
            let after = self.state.exec.look(&at)?;
            if one == other && before == after {
                // A number is used again once its file is removed.
                let current = self.observed_map();
                let (map, _, _) = read(&mut self.state.exec, &current)?;
                if map.origin(path) != Some(&Origin::File(number)) {
                    return Err(replaced(path));
                }
                if let Some(observed) = &mut self.observed {
                    observed.reading = Some((number, after));
                }
                return Ok(one);
            }
        }
        Err(replaced(path))
    }
}

/// The error for an answer that is of no single state.
fn replaced(path: &RelPath) -> Error {
    Error::conflicts(&[path.as_str().into()])
}

/// Reads the whole frames of a map, which its owner may be writing.
fn read<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<(Map, Header, End), Error> {
    let mut former = Vec::new();
    loop {
        let mut bytes = Vec::new();
        exec.forget();
        exec.read_pieces(&At::store(path.clone()), &mut |piece| {
            bytes.extend_from_slice(piece);
            bytes.len() as u64 <= MAP_BYTES_MAX
        })?;
        match Map::decode(&bytes) {
            Ok(read) => return Ok(read),
            // Pieces of two moments look damaged; damage stays as it is.
            Err(what) if bytes == former => return Err(damaged(path, what)),
            Err(_) => former = bytes,
        }
    }
}
