//! [`Fs`] over `wasi:filesystem`.
//!
//! Hosts differ, which explains why some calls are made in an unusual way: a preopen is opened again as `.`,
//! because Node can otherwise neither list nor sync it; `mutate-directory` is never requested, because Node
//! has no such flag; streams are never used, so `wasi:io` is not imported.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use wasi::filesystem::preopens::get_directories;
use wasi::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, OpenFlags, PathFlags,
};

#[cfg(feature = "powers")]
use super::powers;
use crate::fs::{Cause, Fs, Kind, Listed, Stat, Times};
use crate::store::Preopens;

/// The filesystem that the host provides.
#[derive(Clone, Copy, Debug)]
pub(super) struct WasiFs;

/// Returns the directories that the host granted, opened again.
pub(super) fn preopens() -> Preopens<WasiFs> {
    let entries = get_directories().into_iter().map(|(granted, name)| {
        let flags = (PathFlags::empty(), OpenFlags::DIRECTORY, DescriptorFlags::READ);
        let again = granted.open_at(flags.0, ".", flags.1, flags.2);
        (name, Rc::new(again.unwrap_or(granted)))
    });
    Preopens { entries: entries.collect() }
}

/// Returns the names of the directories that the host granted.
#[cfg(not(feature = "overlay"))]
pub(super) fn preopen_names() -> Vec<String> {
    get_directories().into_iter().map(|(_, name)| name).collect()
}

impl Fs for WasiFs {
    type Dir = Descriptor;
    type File = Descriptor;

    fn open_dir(&self, at: &Descriptor, name: &str) -> Result<Descriptor, Cause> {
        // wasmtime opens before it asks for the kind: the open of a pipe without a writer would never return.
        if self.stat(at, name)?.kind == Kind::Other {
            return Err(Cause::NotDirectory);
        }
        at.open_at(PathFlags::empty(), name, OpenFlags::DIRECTORY, DescriptorFlags::READ).map_err(cause)
    }

    fn open_file(&self, at: &Descriptor, name: &str) -> Result<Descriptor, Cause> {
        at.open_at(PathFlags::empty(), name, OpenFlags::empty(), DescriptorFlags::READ).map_err(cause)
    }

    fn create_file(&self, at: &Descriptor, name: &str) -> Result<Descriptor, Cause> {
        at.open_at(PathFlags::empty(), name, OpenFlags::CREATE | OpenFlags::EXCLUSIVE, DescriptorFlags::WRITE)
            .map_err(cause)
    }

    fn stat(&self, at: &Descriptor, name: &str) -> Result<Stat, Cause> {
        at.stat_at(PathFlags::empty(), name).map(|found| stat(&found)).map_err(cause)
    }

    fn list(&self, dir: &Descriptor) -> Result<Vec<Listed>, Cause> {
        let stream = dir.read_directory().map_err(cause)?;
        let mut listed = Vec::new();
        loop {
            match stream.read_directory_entry() {
                Ok(None) => return Ok(listed),
                Ok(Some(entry)) if matches!(entry.name.as_str(), "." | "..") => {}
                Ok(Some(entry)) => listed.push((entry.name, kind(entry.type_))),
                Err(code) => return Err(cause(code)),
            }
        }
    }

    fn read_link(&self, at: &Descriptor, name: &str) -> Result<String, Cause> {
        at.readlink_at(name).map_err(cause)
    }

    fn read(&self, file: &Descriptor, offset: u64, length: usize) -> Result<Vec<u8>, Cause> {
        file.read(length as u64, offset).map(|(bytes, _)| bytes).map_err(cause)
    }

    fn write(&self, file: &Descriptor, offset: u64, bytes: &[u8]) -> Result<usize, Cause> {
        file.write(bytes, offset).map_err(cause).and_then(|taken| usize::try_from(taken).map_err(|_| Cause::Io))
    }

    fn sync_file(&self, file: &Descriptor) -> Result<(), Cause> {
        file.sync().map_err(cause)
    }

    fn sync_dir(&self, dir: &Descriptor) -> Result<(), Cause> {
        dir.sync().map_err(|code| match code {
            // "fd is bound to a special file which does not support synchronization", fsync(2): so answer SMB and shared
            // folders of virtual machines.
            ErrorCode::Invalid => Cause::Unsupported,
            code => cause(code),
        })
    }

    fn make_dir(&self, at: &Descriptor, name: &str) -> Result<(), Cause> {
        at.create_directory_at(name).map_err(cause)
    }

    fn remove_dir(&self, at: &Descriptor, name: &str) -> Result<(), Cause> {
        at.remove_directory_at(name).map_err(cause)
    }

    fn remove_file(&self, at: &Descriptor, name: &str) -> Result<(), Cause> {
        at.unlink_file_at(name).map_err(cause)
    }

    fn rename(&self, from: (&Descriptor, &str), to: (&Descriptor, &str)) -> Result<(), Cause> {
        from.0.rename_at(from.1, to.0, to.1).map_err(cause)
    }

    fn link(&self, from: (&Descriptor, &str), to: (&Descriptor, &str)) -> Result<(), Cause> {
        from.0.link_at(PathFlags::empty(), from.1, to.0, to.1).map_err(cause)
    }

    fn symlink(&self, target: &str, at: &Descriptor, name: &str) -> Result<(), Cause> {
        at.symlink_at(target, name).map_err(cause)
    }

    fn open_to_write(&self, at: &Descriptor, name: &str) -> Result<Descriptor, Cause> {
        let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
        at.open_at(PathFlags::empty(), name, OpenFlags::empty(), flags).map_err(cause)
    }

    fn set_size(&self, file: &Descriptor, size: u64) -> Result<(), Cause> {
        file.set_size(size).map_err(cause)
    }

    // Used by the overlay alone: Node's hosts lack this call.
    #[cfg(feature = "overlay")]
    fn sync_data(&self, file: &Descriptor) -> Result<(), Cause> {
        file.sync_data().map_err(cause)
    }

    fn identity(&self, dir: &Descriptor) -> Result<u128, Cause> {
        dir.metadata_hash().map(number).map_err(cause)
    }

    #[cfg(feature = "overlay")]
    fn identity_of(&self, at: &Descriptor, name: &str) -> Result<u128, Cause> {
        at.metadata_hash_at(PathFlags::empty(), name).map(number).map_err(cause)
    }

    #[cfg(feature = "overlay")]
    fn stat_open(&self, file: &Descriptor) -> Result<Stat, Cause> {
        file.stat().map(|found| stat(&found)).map_err(cause)
    }

    #[cfg(feature = "overlay")]
    fn set_modified(&self, file: &Descriptor, modified: u64) -> Result<(), Cause> {
        use wasi::filesystem::types::NewTimestamp;
        let (seconds, nanoseconds) = (modified / 1_000_000_000, (modified % 1_000_000_000) as u32);
        let time = NewTimestamp::Timestamp(wasi::clocks::wall_clock::Datetime { seconds, nanoseconds });
        file.set_times(NewTimestamp::NoChange, time).map_err(cause)
    }

    #[cfg(feature = "powers")]
    fn create_private_file(&self, at: &Descriptor, name: &str) -> Result<Descriptor, Cause> {
        powers::create_private_file_at(at, name).map_err(cause)
    }

    #[cfg(feature = "powers")]
    fn make_private_dir(&self, at: &Descriptor, name: &str) -> Result<(), Cause> {
        powers::create_private_directory_at(at, name).map_err(cause)
    }

    #[cfg(feature = "powers")]
    fn copy_attributes(&self, from: (&Descriptor, &str), to: (&Descriptor, &str), times: bool) -> Result<bool, Cause> {
        powers::copy_attributes_at(from.0, from.1, to.0, to.1, times).map_err(cause)
    }

    #[cfg(feature = "powers")]
    fn inherit_attributes(&self, parent: &Descriptor, to: (&Descriptor, &str)) -> Result<bool, Cause> {
        powers::inherit_attributes_at(parent, to.0, to.1).map_err(cause)
    }

    #[cfg(feature = "powers")]
    fn set_mode(&self, at: (&Descriptor, &str), mode: u32) -> Result<(), Cause> {
        powers::set_mode_at(at.0, at.1, mode).map_err(cause)
    }
}

fn number(hash: wasi::filesystem::types::MetadataHashValue) -> u128 {
    u128::from(hash.upper) << 64 | u128::from(hash.lower)
}

fn stat(found: &DescriptorStat) -> Stat {
    let time = |time: Option<wasi::clocks::wall_clock::Datetime>| {
        time.map(|time| time.seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(time.nanoseconds)))
    };
    let times = Times { accessed: time(found.data_access_timestamp), changed: time(found.status_change_timestamp) };
    let modified = time(found.data_modification_timestamp);
    Stat { kind: kind(found.type_), links: found.link_count, size: found.size, modified, times }
}

const fn kind(kind: DescriptorType) -> Kind {
    match kind {
        DescriptorType::RegularFile => Kind::File,
        DescriptorType::Directory => Kind::Directory,
        DescriptorType::SymbolicLink => Kind::Symlink,
        DescriptorType::Unknown
        | DescriptorType::BlockDevice
        | DescriptorType::CharacterDevice
        | DescriptorType::Fifo
        | DescriptorType::Socket => Kind::Other,
    }
}

/// Maps every error code of WASI by name: a code that is added to the contract must be placed here.
const fn cause(code: ErrorCode) -> Cause {
    match code {
        ErrorCode::Access => Cause::Access,
        ErrorCode::Exist => Cause::AlreadyExists,
        ErrorCode::CrossDevice => Cause::CrossDevice,
        ErrorCode::NotEmpty => Cause::NotEmpty,
        ErrorCode::InsufficientSpace => Cause::InsufficientSpace,
        ErrorCode::Quota => Cause::Quota,
        ErrorCode::Io => Cause::Io,
        ErrorCode::IsDirectory => Cause::IsDirectory,
        ErrorCode::NotDirectory => Cause::NotDirectory,
        ErrorCode::NoEntry => Cause::NoEntry,
        ErrorCode::NameTooLong => Cause::NameTooLong,
        ErrorCode::NotPermitted => Cause::NotPermitted,
        ErrorCode::ReadOnly => Cause::ReadOnly,
        ErrorCode::Loop => Cause::Loop,
        ErrorCode::Interrupted => Cause::Interrupted,
        ErrorCode::Busy => Cause::Busy,
        ErrorCode::Unsupported => Cause::Unsupported,
        ErrorCode::IllegalByteSequence => Cause::IllegalName,
        ErrorCode::WouldBlock
        | ErrorCode::Already
        | ErrorCode::BadDescriptor
        | ErrorCode::Deadlock
        | ErrorCode::FileTooLarge
        | ErrorCode::InProgress
        | ErrorCode::Invalid
        | ErrorCode::MessageSize
        | ErrorCode::NoDevice
        | ErrorCode::NoLock
        | ErrorCode::InsufficientMemory
        | ErrorCode::NotRecoverable
        | ErrorCode::NoTty
        | ErrorCode::NoSuchDevice
        | ErrorCode::Overflow
        | ErrorCode::Pipe
        | ErrorCode::InvalidSeek
        | ErrorCode::TextFileBusy
        | ErrorCode::TooManyLinks => Cause::Other,
    }
}
