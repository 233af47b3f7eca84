//! The reading part of the executor.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::{Executor, Result};
use crate::error::{Error, ErrorKind};
use crate::fs::{Call, Cause, Fs, Kind, Stat, Times};
use crate::limits::COPY_BYTES;
use crate::path::{At, RelPath, RootId};

impl<F: Fs> Executor<F> {
    /// Returns the metadata of the entry at a path of the store, or `None` if the name does not exist. A
    /// missing parent is an error.
    pub fn stat(&mut self, path: &RelPath) -> Result<Option<Stat>> {
        self.stat_in(RootId::STORE, path)
    }

    /// Like [`Executor::stat`], below any root.
    pub fn stat_in(&mut self, root: RootId, path: &RelPath) -> Result<Option<Stat>> {
        let Some((parent, name)) = path.split() else {
            return Ok(Some(Stat {
                kind: Kind::Directory,
                links: 1,
                size: 0,
                modified: None,
                times: Times::default(),
            }));
        };
        let dir = self.dir(root, &parent)?;
        match self.fs.stat(&dir, name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Cause::NoEntry) => Ok(None),
            Err(cause) => Err(Error::failed(Call::Stat, (root, path), cause)),
        }
    }

    /// Like [`Executor::stat_in`], but a missing entry is an error.
    pub fn look(&mut self, at: &At) -> Result<Stat> {
        self.stat_in(at.root, &at.path)?.ok_or_else(|| ErrorKind::NotFound.at(at))
    }

    /// Like [`Executor::stat`], but also returns `None` if the parent is missing or not a directory.
    pub fn stat_deep(&mut self, path: &RelPath) -> Result<Option<Stat>> {
        match self.stat(path) {
            Err(error) if matches!(error.cause(), Some(Cause::NoEntry | Cause::NotDirectory | Cause::Loop)) => Ok(None),
            answer => answer,
        }
    }

    /// Returns the kind of the entry at a path of the store, as found by [`Executor::stat_deep`].
    pub fn kind(&mut self, path: &RelPath) -> Result<Option<Kind>> {
        Ok(self.stat_deep(path)?.map(|stat| stat.kind))
    }

    /// Lists the names in a directory, in no particular order.
    pub fn list(&mut self, root: RootId, path: &RelPath) -> Result<Vec<(String, Kind)>> {
        let dir = self.dir(root, path)?;
        self.fs.list(&dir).map_err(|cause| Error::failed(Call::List, (root, path), cause))
    }

    /// Returns the text of a symbolic link.
    pub fn read_link(&mut self, root: RootId, path: &RelPath) -> Result<String> {
        let (dir, name) = self.parent(root, path)?;
        self.fs.read_link(&dir, name).map_err(|cause| Error::failed(Call::ReadLink, (root, path), cause))
    }

    /// Reads a whole file in pieces; `each` returns whether to continue.
    pub fn read_pieces(&mut self, at: &At, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<()> {
        self.check_file(at)?;
        let (dir, name) = self.parent(at.root, &at.path)?;
        let file = self.fs.open_file(&dir, name).map_err(|cause| Error::failed(Call::Open, at, cause))?;
        let mut offset = 0;
        loop {
            let piece =
                self.fs.read(&file, offset, COPY_BYTES).map_err(|cause| Error::failed(Call::Read, at, cause))?;
            if piece.is_empty() || !each(&piece) {
                return Ok(());
            }
            offset += piece.len() as u64;
        }
    }

    /// Refuses all but a regular file: a pipe may block whoever opens it, and a device has no end.
    fn check_file(&mut self, at: &At) -> Result<()> {
        match self.stat_in(at.root, &at.path)?.map(|stat| stat.kind) {
            Some(Kind::Other) => Err(ErrorKind::NotAFile.at(at)),
            // The open has an answer of its own.
            Some(Kind::File | Kind::Directory | Kind::Symlink) | None => Ok(()),
        }
    }

    /// Reads up to `length` bytes from `offset`; returns fewer only at the end of the file.
    ///
    /// The file stays open for the next call, until [`Executor::forget_sources`] or a read from its start.
    pub fn read_at(&mut self, at: &At, mut offset: u64, length: usize) -> Result<Vec<u8>> {
        if offset == 0 || self.reading.as_ref().is_none_or(|(known, _)| known != at) {
            self.check_file(at)?;
            let (dir, name) = self.parent(at.root, &at.path)?;
            let file = self.fs.open_file(&dir, name).map_err(|cause| Error::failed(Call::Open, at, cause))?;
            self.reading = Some((at.clone(), file));
        }
        let mut whole = Vec::new();
        while let Some((_, file)) = &self.reading
            && whole.len() < length
        {
            let wanted = (length - whole.len()).min(COPY_BYTES);
            let piece = self.fs.read(file, offset, wanted).map_err(|cause| Error::failed(Call::Read, at, cause))?;
            if piece.is_empty() {
                break;
            }
            offset += piece.len() as u64;
            // A read usually returns one piece, which need not be copied.
            if whole.is_empty() { whole = piece } else { whole.extend_from_slice(&piece) }
        }
        Ok(whole)
    }

    /// Returns the filesystem, for calls on open files.
    pub const fn fs(&self) -> &F {
        &self.fs
    }

    /// Opens a regular file for a caller that keeps it open. Writing in place is permitted only for files
    /// that the workspace owns.
    pub fn open_one(&mut self, at: &At, write: bool) -> Result<F::File> {
        self.check_file(at)?;
        let (dir, name) = self.parent(at.root, &at.path)?;
        let opened = if write { self.fs.open_to_write(&dir, name) } else { self.fs.open_file(&dir, name) };
        opened.map_err(|cause| Error::failed(Call::Open, at, cause))
    }

    /// Syncs a file that a caller keeps open, named by the path by which it was opened.
    pub fn sync_open(&mut self, file: &F::File, path: &RelPath) -> Result<()> {
        self.fs.sync_file(file).map_err(|cause| Error::failed(Call::SyncFile, path, cause))
    }

    /// Returns a number that identifies a directory uniquely, or `None` if the host has no call for it.
    pub fn identity(&mut self, at: &At) -> Result<Option<u128>> {
        let dir = self.dir(at.root, &at.path)?;
        match self.fs.identity(&dir) {
            Ok(identity) => Ok(Some(identity)),
            Err(Cause::Unsupported) => Ok(None),
            Err(cause) => Err(Error::failed(Call::Identify, at, cause)),
        }
    }

    /// Like [`Executor::identity`], for a file with several names.
    pub fn identity_of(&mut self, at: &At) -> Result<u128> {
        let (dir, name) = self.parent(at.root, &at.path)?;
        self.fs.identity_of(&dir, name).map_err(|cause| Error::failed(Call::Identify, at, cause))
    }

    /// Reads the first bytes of a file, at most `length`.
    pub fn read_start(&mut self, at: &At, length: usize) -> Result<Vec<u8>> {
        let mut start = Vec::new();
        self.read_pieces(at, &mut |piece| {
            let wanted = length - start.len();
            start.extend_from_slice(&piece[..wanted.min(piece.len())]);
            start.len() < length
        })?;
        Ok(start)
    }

    /// Reads a whole file. Returns `None` if it is longer than `maximum` or than the available memory.
    pub fn read_whole(&mut self, path: &RelPath, maximum: u64) -> Result<Option<Vec<u8>>> {
        let size = self.stat(path)?.map_or(0, |stat| stat.size);
        let mut whole = Vec::new();
        let fits = usize::try_from(size).is_ok_and(|size| whole.try_reserve_exact(size).is_ok());
        if size > maximum || !fits {
            return Ok(None);
        }
        let mut grew = false;
        self.read_pieces(&At::store(path.clone()), &mut |piece| {
            // The buffer never grows: memory is reserved once, and a log is never appended to.
            grew = piece.len() > whole.capacity() - whole.len();
            if !grew {
                whole.extend_from_slice(piece);
            }
            !grew
        })?;
        Ok((!grew).then_some(whole))
    }

    /// Checks whether a rename from the directory `from` can reach `to`, that is, whether no mount point lies
    /// between.
    ///
    /// It is called before a decision and renames a name that does not exist, which changes nothing; "no such
    /// entry" is the only positive answer.
    pub fn check_reach(&mut self, from: &RelPath, to: &RelPath, name: &str) -> Result<()> {
        let (source, target) = (self.dir(RootId::STORE, from)?, self.dir(RootId::STORE, to)?);
        match self.fs.rename((&source, name), (&target, name)) {
            Ok(()) => Err(Error::failed(Call::Reach, to, Cause::AlreadyExists)),
            Err(Cause::NoEntry) => Ok(()),
            Err(cause) => Err(Error::failed(Call::Reach, to, cause.of_two_places())),
        }
    }

    /// Returns the answer of a rename that cannot succeed, because the entries are of different kinds or the
    /// target is a directory with entries. The filesystem checks the rights to both names first, so the answer is
    /// the same as for own entries only if it permits to take both away.
    ///
    /// `None` if it succeeded, because the target had been removed; it is undone then.
    pub fn ask_rename(&mut self, from: &RelPath, to: &RelPath) -> Result<Option<Cause>> {
        let ((source, old), (target, new)) = (self.parent(RootId::STORE, from)?, self.parent(RootId::STORE, to)?);
        let Err(cause) = self.fs.rename((&source, old), (&target, new)) else {
            let undone = self.fs.rename((&target, new), (&source, old));
            return undone.map(|()| None).map_err(|cause| Error::failed(Call::Rename, from, cause));
        };
        Ok(Some(cause))
    }

    /// Returns the SHA-256 of a file of the store.
    pub fn digest(&mut self, path: &RelPath) -> Result<[u8; 32]> {
        let mut hasher = Sha256::new();
        self.read_pieces(&path.into(), &mut |piece| {
            hasher.update(piece);
            true
        })?;
        Ok(hasher.finalize().into())
    }
}
