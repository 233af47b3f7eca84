//! The calls of `wasi:filesystem`. The checks before a call of the filesystem, and their order, are those of wasmtime.

use onionskin::fs::{Cause, Fs as _, Kind};
use onionskin_sim::{Dir, Found, NodeStat, OpenOptions, SimFs, Stamp};
use send_wrapper::SendWrapper;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    self as wasi, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    Filesize, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult, IoError};

use super::View;
use super::codes::{Died, code, refused};
use super::open::{Fd, Listing, Open, OpenDir, OpenFile};
use super::paths::{self, Place};
use super::streams::{Position, Reader, Writer};

/// The most bytes that one call reads, as in wasmtime.
const READ_BYTES_MAX: Filesize = 64 << 10;

const NANOSECONDS: u64 = 1_000_000_000;

impl View<'_> {
    /// Makes a call on the filesystem, and ends the guest if the fault kills it.
    fn ask<T>(&self, call: impl FnOnce(&SimFs) -> Result<T, Cause>) -> FsResult<T> {
        let fs: &SimFs = &self.ground.fs;
        let result = call(fs);
        if fs.is_dead() {
            return Err(FsError::trap(Died));
        }
        result.map_err(refused)
    }

    /// Opens the target directory of a path.
    fn open_here(&mut self, dir: &Dir, open: OpenFlags, flags: DescriptorFlags) -> FsResult<Fd> {
        if open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE) || flags.contains(DescriptorFlags::WRITE) {
            return Err(ErrorCode::IsDirectory.into());
        }
        let dir = self.ask(|fs| fs.open_again(dir))?;
        Ok(self.push(Open::Dir(OpenDir { dir, flags: DescriptorFlags::READ }))?)
    }

    fn open_name(&mut self, at: &Dir, name: &str, open: OpenFlags, asked: DescriptorFlags) -> FsResult<Fd> {
        let makes = open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
        let how = OpenOptions {
            create: open.contains(OpenFlags::CREATE),
            exclusive: open.contains(OpenFlags::EXCLUSIVE),
            directory: open.contains(OpenFlags::DIRECTORY),
            truncate: open.contains(OpenFlags::TRUNCATE),
            // wasmtime opens with this mode, and reports it to the guest.
            read: asked.contains(DescriptorFlags::READ) || !asked.contains(DescriptorFlags::WRITE),
            write: asked.contains(DescriptorFlags::WRITE) || makes,
        };
        let mut flags = DescriptorFlags::empty();
        flags |= if how.read { DescriptorFlags::READ } else { flags };
        flags |= if how.write { DescriptorFlags::WRITE } else { flags };
        let granted = at.is_writable();
        let open = match self.ask(|fs| fs.open_at(at, name, how))? {
            Found::Dir(dir) => Open::Dir(OpenDir { dir, flags: DescriptorFlags::READ }),
            Found::File(file) => Open::File(OpenFile { file, flags, granted }),
        };
        Ok(self.push(open)?)
    }

    fn sync_any(&mut self, fd: &Fd) -> FsResult<()> {
        match self.open(fd)? {
            Open::Dir(OpenDir { dir, .. }) => self.ask(|fs| fs.sync_dir(&dir)),
            Open::File(OpenFile { file, .. }) => self.ask(|fs| fs.sync_file(&file)),
        }
    }

    fn stat_any(&mut self, fd: &Fd) -> FsResult<NodeStat> {
        match self.open(fd)? {
            Open::Dir(OpenDir { dir, .. }) => self.ask(|fs| fs.stat_dir(&dir)),
            Open::File(OpenFile { file, .. }) => self.ask(|fs| fs.stat_node(&file)),
        }
    }

    fn stat_path(&mut self, fd: &Fd, follow: PathFlags, path: &str) -> FsResult<NodeStat> {
        let from = self.dir(fd)?;
        self.ask(|fs| match find(fs, &from, path, follow)? {
            Place::Here(dir) => fs.stat_dir(&dir),
            Place::Named(dir, name) => fs.stat_at(&dir, &name),
        })
    }

    fn writer(&mut self, fd: &Fd, position: Position) -> FsResult<Resource<DynOutputStream>> {
        let open = self.file(fd)?;
        if !open.granted {
            return Err(ErrorCode::NotPermitted.into());
        }
        let fs = SendWrapper::clone(&self.ground.fs);
        let writes = open.writes();
        let writer: DynOutputStream = Box::new(Writer { fs, file: open.file, writes, position, closed: false });
        Ok(self.table.push(writer)?)
    }
}

impl wasi::Host for View<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<wasi::ErrorCode> {
        Ok(error.downcast()?.into())
    }

    fn filesystem_error_code(&mut self, error: Resource<IoError>) -> wasmtime::Result<Option<wasi::ErrorCode>> {
        let code: Option<&ErrorCode> = self.table.get(&error)?.downcast_ref();
        Ok(code.map(|code| (*code).into()))
    }
}

impl preopens::Host for View<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut granted = Vec::new();
        for (dir, name) in self.ground.grants.clone() {
            let changes = if dir.is_writable() { DescriptorFlags::MUTATE_DIRECTORY } else { DescriptorFlags::empty() };
            let flags = DescriptorFlags::READ | changes;
            granted.push((self.push(Open::Dir(OpenDir { dir, flags }))?, name));
        }
        Ok(granted)
    }
}

impl wasi::HostDescriptor for View<'_> {
    fn advise(&mut self, fd: Fd, _: Filesize, _: Filesize, _: Advice) -> FsResult<()> {
        self.file(&fd).map(|_| ())
    }

    fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.sync_any(&fd)
    }

    fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.sync_any(&fd)
    }

    fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        Ok(match self.open(&fd)? {
            Open::Dir(open) => open.flags,
            Open::File(open) => open.flags,
        })
    }

    fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        Ok(match self.open(&fd)? {
            Open::Dir(_) => DescriptorType::Directory,
            Open::File(_) => DescriptorType::RegularFile,
        })
    }

    fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        let open = self.file(&fd)?;
        if !open.granted {
            return Err(ErrorCode::NotPermitted.into());
        }
        self.ask(|fs| fs.set_size(&open.file, size))
    }

    fn set_times(&mut self, fd: Fd, _: NewTimestamp, modified: NewTimestamp) -> FsResult<()> {
        let modified = stamp(modified)?;
        match self.open(&fd)? {
            Open::File(open) if !open.granted => Err(ErrorCode::NotPermitted.into()),
            Open::File(open) => self.ask(|fs| fs.set_times_file(&open.file, modified)),
            // Linux does not take the handle of a grant for this.
            Open::Dir(open) if open.flags.contains(DescriptorFlags::MUTATE_DIRECTORY) => {
                Err(ErrorCode::BadDescriptor.into())
            }
            Open::Dir(open) => self.ask(|fs| fs.set_times_dir(&open.dir, modified)),
        }
    }

    fn set_times_at(
        &mut self,
        fd: Fd,
        follow: PathFlags,
        path: String,
        _: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let from = self.dir(&fd)?;
        let modified = stamp(modified)?;
        if !from.is_writable() {
            return Err(ErrorCode::NotPermitted.into());
        }
        self.ask(|fs| match find(fs, &from, &path, follow)? {
            Place::Here(dir) => fs.set_times_dir(&dir, modified),
            Place::Named(dir, name) => fs.set_times(&dir, &name, modified),
        })
    }

    fn read(&mut self, fd: Fd, length: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        let open = self.file(&fd)?;
        if !open.flags.contains(DescriptorFlags::READ) {
            return Err(ErrorCode::BadDescriptor.into());
        }
        check_offset(offset)?;
        let bytes = self.ask(|fs| fs.read(&open.file, offset, length.min(READ_BYTES_MAX) as usize))?;
        let ended = bytes.is_empty();
        Ok((bytes, ended))
    }

    fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        let open = self.file(&fd)?;
        if !open.granted {
            return Err(ErrorCode::NotPermitted.into());
        }
        if !open.writes() {
            return Err(ErrorCode::BadDescriptor.into());
        }
        check_offset(offset)?;
        self.ask(|fs| fs.write(&open.file, offset, &bytes)).map(|taken| taken as Filesize)
    }

    fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        let dir = self.dir(&fd)?;
        let listed = self.ask(|fs| fs.list_each(&dir))?;
        let entry = |(name, kind)| DirectoryEntry { name, type_: type_of(kind) };
        let entries = listed.into_iter().map(|listed| {
            // Here an illegal name is one that is not UTF-8, not an argument of the guest.
            listed.map(entry).map_err(|cause| match cause {
                Cause::IllegalName => ErrorCode::IllegalByteSequence,
                cause => code(cause),
            })
        });
        let listing = Listing(entries.rev().collect());
        Ok(Resource::new_own(self.table.push(listing)?.rep()))
    }

    fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let from = self.dir_to_change(&fd)?;
        self.ask(|fs| {
            let (dir, name) = paths::name(fs, &from, paths::without_slash(&path), Cause::AlreadyExists)?;
            fs.make_dir(&dir, &name)
        })
    }

    fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.stat_any(&fd).map(|node| stat(&node))
    }

    fn stat_at(&mut self, fd: Fd, follow: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.stat_path(&fd, follow, &path).map(|node| stat(&node))
    }

    fn link_at(&mut self, fd: Fd, follow: PathFlags, old: String, new_fd: Fd, new: String) -> FsResult<()> {
        let (from, to) = (self.dir(&fd)?, self.dir(&new_fd)?);
        if !from.is_writable() || !to.is_writable() {
            return Err(ErrorCode::NotPermitted.into());
        }
        if follow.contains(PathFlags::SYMLINK_FOLLOW) {
            return Err(ErrorCode::Invalid.into());
        }
        self.ask(|fs| {
            let (old, new) = (paths::find(fs, &from, &old, false)?, paths::find(fs, &to, &new, false)?);
            match (&old, &new) {
                (Place::Named(dir, name), _) if fs.kind_of(dir, name).is_none() => Err(Cause::NoEntry),
                (_, Place::Here(_)) => Err(Cause::AlreadyExists),
                (_, Place::Named(dir, name)) if fs.kind_of(dir, name).is_some() => Err(Cause::AlreadyExists),
                (Place::Here(_), Place::Named(..)) => Err(Cause::NotPermitted),
                (Place::Named(from, old), Place::Named(to, new)) => fs.link((from, old), (to, new)),
            }
        })
    }

    fn open_at(
        &mut self,
        fd: Fd,
        follow: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        let from = self.dir(&fd)?;
        let synchronous = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if flags.intersects(synchronous) {
            return Err(ErrorCode::Unsupported.into());
        }
        let makes = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        if open.contains(OpenFlags::DIRECTORY) && open.intersects(makes) {
            return Err(ErrorCode::Invalid.into());
        }
        let changes =
            open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE) || flags.contains(DescriptorFlags::WRITE);
        if changes && !from.is_writable() {
            return Err(ErrorCode::NotPermitted.into());
        }
        // An exclusive creation does not follow a link.
        let exclusive = open.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE);
        let follow = if exclusive { PathFlags::empty() } else { follow };
        let fs = SendWrapper::clone(&self.ground.fs);
        if open.contains(OpenFlags::CREATE) && path.ends_with('/') && !path.trim_end_matches('/').is_empty() {
            // No file is created under a path with a trailing slash, whether the directory exists or not.
            paths::find(&fs, &from, paths::without_slash(&path), false).map_err(refused)?;
            return Err(ErrorCode::IsDirectory.into());
        }
        match find(&fs, &from, &path, follow).map_err(refused)? {
            Place::Here(_) if exclusive => Err(ErrorCode::Exist.into()),
            Place::Here(dir) => self.open_here(&dir, open, flags),
            Place::Named(dir, name) => self.open_name(&dir, &name, open, flags),
        }
    }

    fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        let from = self.dir(&fd)?;
        self.ask(|fs| {
            let (dir, name) = paths::name(fs, &from, &path, Cause::Other)?;
            fs.read_link(&dir, &name)
        })
    }

    fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let from = self.dir_to_change(&fd)?;
        self.ask(|fs| {
            let (dir, name) = paths::name(fs, &from, &path, Cause::Other)?;
            fs.remove_dir(&dir, &name)
        })
    }

    fn rename_at(&mut self, fd: Fd, old: String, new_fd: Fd, new: String) -> FsResult<()> {
        let (from, to) = (self.dir(&fd)?, self.dir(&new_fd)?);
        if !from.is_writable() || !to.is_writable() {
            return Err(ErrorCode::NotPermitted.into());
        }
        let must_be_dir = old.ends_with('/') || new.ends_with('/');
        let places = self.ask(|fs| {
            let old = paths::find(fs, &from, paths::without_slash(&old), false)?;
            Ok((old, paths::find(fs, &to, paths::without_slash(&new), false)?))
        })?;
        let (Place::Named(from, old), Place::Named(to, new)) = places else {
            return Err(ErrorCode::Busy.into());
        };
        self.ask(|fs| match fs.kind_of(&from, &old) {
            Some(kind) if must_be_dir && kind != Kind::Directory => Err(Cause::NotDirectory),
            _ => fs.rename((&from, &old), (&to, &new)),
        })
    }

    fn symlink_at(&mut self, fd: Fd, text: String, path: String) -> FsResult<()> {
        let from = self.dir_to_change(&fd)?;
        self.ask(|fs| {
            if text.starts_with('/') {
                return Err(Cause::NotPermitted);
            }
            let taken = if text.is_empty() { Cause::NoEntry } else { Cause::AlreadyExists };
            let (dir, name) = paths::name(fs, &from, &path, taken)?;
            fs.symlink(&text, &dir, &name)
        })
    }

    fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let from = self.dir_to_change(&fd)?;
        self.ask(|fs| {
            let (dir, name) = paths::name(fs, &from, &path, Cause::IsDirectory)?;
            fs.remove_file(&dir, &name)
        })
    }

    fn read_via_stream(&mut self, fd: Fd, position: Filesize) -> FsResult<Resource<DynInputStream>> {
        let Open::File(open) = self.open(&fd)? else {
            return Err(ErrorCode::IsDirectory.into());
        };
        let fs = SendWrapper::clone(&self.ground.fs);
        let reads = open.flags.contains(DescriptorFlags::READ);
        let reader: DynInputStream = Box::new(Reader { fs, file: open.file, reads, position });
        Ok(self.table.push(reader)?)
    }

    fn write_via_stream(&mut self, fd: Fd, position: Filesize) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, Position::At(position))
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, Position::End)
    }

    fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        let ino = |open| match open {
            Open::Dir(OpenDir { dir, .. }) => dir.ino(),
            Open::File(OpenFile { file, .. }) => file.ino(),
        };
        let (a, b) = (self.open(&a), self.open(&b));
        let trap = |_| wasmtime::format_err!("no such descriptor");
        Ok(ino(a.map_err(trap)?) == ino(b.map_err(trap)?))
    }

    fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        self.stat_any(&fd).map(|node| hash(&node))
    }

    fn metadata_hash_at(&mut self, fd: Fd, follow: PathFlags, path: String) -> FsResult<MetadataHashValue> {
        self.stat_path(&fd, follow, &path).map(|node| hash(&node))
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.close(&fd)
    }
}

impl wasi::HostDirectoryEntryStream for View<'_> {
    fn read_directory_entry(&mut self, stream: Resource<DirectoryEntryStream>) -> FsResult<Option<DirectoryEntry>> {
        let Listing(rest) = self.table.get_mut(&Resource::new_borrow(stream.rep()))?;
        rest.pop().transpose().map_err(FsError::from)
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Listing>::new_own(stream.rep()))?;
        Ok(())
    }
}

fn find(fs: &SimFs, from: &Dir, path: &str, follow: PathFlags) -> Result<Place, Cause> {
    paths::find(fs, from, path, follow.contains(PathFlags::SYMLINK_FOLLOW))
}

/// Linux has signed offsets.
fn check_offset(offset: Filesize) -> FsResult<()> {
    if i64::try_from(offset).is_ok() { Ok(()) } else { Err(ErrorCode::Invalid.into()) }
}

fn stamp(time: NewTimestamp) -> FsResult<Stamp> {
    Ok(match time {
        NewTimestamp::NoChange => Stamp::Keep,
        NewTimestamp::Now => Stamp::Now,
        NewTimestamp::Timestamp(Datetime { seconds, nanoseconds }) => {
            let whole = seconds.checked_mul(NANOSECONDS);
            let time = whole.and_then(|whole| whole.checked_add(u64::from(nanoseconds)));
            Stamp::At(time.ok_or(ErrorCode::Overflow)?)
        }
    })
}

const fn type_of(kind: Kind) -> DescriptorType {
    match kind {
        Kind::File => DescriptorType::RegularFile,
        Kind::Directory => DescriptorType::Directory,
        Kind::Symlink => DescriptorType::SymbolicLink,
        Kind::Other => DescriptorType::Unknown,
    }
}

fn stat(NodeStat { stat, .. }: &NodeStat) -> DescriptorStat {
    let time = |time: u64| Datetime { seconds: time / NANOSECONDS, nanoseconds: (time % NANOSECONDS) as u32 };
    let modified = stat.modified.map(time);
    DescriptorStat {
        type_: type_of(stat.kind),
        link_count: stat.links,
        size: stat.size,
        data_access_timestamp: modified,
        data_modification_timestamp: modified,
        status_change_timestamp: modified,
    }
}

fn hash(node: &NodeStat) -> MetadataHashValue {
    let (lower, upper) = node.metadata_hash();
    MetadataHashValue { lower, upper }
}
