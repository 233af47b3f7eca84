//! `wasi:filesystem/types`: a descriptor is open in an overlay, or is the host's own and passed on.
//!
//! Streams are always the host's own, on the file behind a descriptor: no byte passes through this module.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::{self, Vec};
use core::cell::RefCell;

use wasi::clocks::wall_clock;
use wasi::filesystem::types as below;
use wasi::io::streams::{InputStream, OutputStream};

use super::Component;
use super::bindings::exports::wasi::filesystem::types::{
    Advice, Descriptor, DescriptorBorrow, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, Filesize, Guest, GuestDescriptor, GuestDirectoryEntryStream, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use super::convert::{
    advice_through, code_out, code_through, datetime, flags_down, flags_through, hash_out, hash_through, kind_out,
    nanoseconds, open_flags_down, path_flags_down, stat_out, stat_through, time_down, type_through,
};
use super::state::Shared;
use crate::component::wasi_fs::WasiFs;
use crate::fs::Kind;
use crate::overlay::{Access, Code, Handle, Noted, OpenOptions, Overlay};

/// The object behind a descriptor.
pub(super) enum Node {
    /// An entry of an overlay.
    Layered(Shared, Rc<Handle<WasiFs>>),
    /// An entry of a directory that is not layered.
    Through(below::Descriptor),
}

/// The remaining entries of a listing.
pub(super) enum Listing {
    /// The next entry first.
    Layered(RefCell<vec::IntoIter<(String, Kind)>>),
    /// The stream of the host.
    Through(below::DirectoryEntryStream),
}

type Answer<T> = Result<T, ErrorCode>;

impl Guest for Component {
    type Descriptor = Node;
    type DirectoryEntryStream = Listing;

    fn filesystem_error_code(error: &wasi::io::error::Error) -> Option<ErrorCode> {
        below::filesystem_error_code(error).map(code_through)
    }
}

/// Runs a call on an overlay.
fn ask<T>(overlay: &Shared, call: impl FnOnce(&mut Overlay<WasiFs>) -> Result<T, Code>) -> Answer<T> {
    call(&mut overlay.borrow_mut()).map_err(code_out)
}

/// Converts the result of a call on the host's descriptor of a file in an overlay.
fn host<T>(answer: Result<T, below::ErrorCode>) -> Answer<T> {
    answer.map_err(code_through)
}

fn follows(flags: PathFlags) -> bool {
    flags.bits() & PathFlags::SYMLINK_FOLLOW.bits() != 0
}

/// Sets the times of a file. Those that are not given stay, also where its content is copied for it.
fn set_times(overlay: &Shared, handle: &Handle<WasiFs>, accessed: NewTimestamp, modified: NewTimestamp) -> Answer<()> {
    if matches!((&accessed, &modified), (NewTimestamp::NoChange, NewTimestamp::NoChange)) {
        return Ok(());
    }
    let before = ask(overlay, |overlay| overlay.stat(handle))?;
    let file = ask(overlay, |overlay| overlay.made_own(handle))?;
    let kept = |time, before| match (time, before) {
        (NewTimestamp::NoChange, Some(before)) => NewTimestamp::Timestamp(datetime(before)),
        (time, _) => time,
    };
    let (accessed, modified) = (kept(accessed, before.times.accessed), kept(modified, before.modified));
    host(file.set_times(time_down(accessed), time_down(modified)))
}

/// Notes times of a directory or link.
fn note_times(
    overlay: &Shared,
    from: &Handle<WasiFs>,
    (path, follow): (&str, bool),
    accessed: NewTimestamp,
    modified: NewTimestamp,
) -> Answer<()> {
    let time = |time| {
        let time = match time {
            NewTimestamp::NoChange => return Ok(None),
            NewTimestamp::Now => wall_clock::now(),
            NewTimestamp::Timestamp(time) => time,
        };
        nanoseconds(time).ok_or(ErrorCode::Overflow).map(Some)
    };
    let times = Noted { accessed: time(accessed)?, modified: time(modified)? };
    ask(overlay, |overlay| overlay.note_times(from, path, follow, times))
}

impl GuestDescriptor for Node {
    fn read_via_stream(&self, offset: Filesize) -> Answer<InputStream> {
        match self {
            Self::Through(file) => host(file.read_via_stream(offset)),
            Self::Layered(_, handle) if handle.is_known_directory() => Err(ErrorCode::IsDirectory),
            Self::Layered(overlay, handle) => {
                let file = ask(overlay, |overlay| overlay.file_to_read(handle))?;
                host(file.read_via_stream(offset))
            }
        }
    }

    fn write_via_stream(&self, offset: Filesize) -> Answer<OutputStream> {
        match self {
            Self::Through(file) => host(file.write_via_stream(offset)),
            Self::Layered(overlay, handle) => {
                let file = ask(overlay, |overlay| overlay.file_to_stream(handle))?;
                host(file.write_via_stream(offset))
            }
        }
    }

    fn append_via_stream(&self) -> Answer<OutputStream> {
        match self {
            Self::Through(file) => host(file.append_via_stream()),
            Self::Layered(overlay, handle) => {
                let file = ask(overlay, |overlay| overlay.file_to_stream(handle))?;
                host(file.append_via_stream())
            }
        }
    }

    fn advise(&self, offset: Filesize, length: Filesize, advice: Advice) -> Answer<()> {
        match self {
            Self::Through(file) => host(file.advise(offset, length, advice_through(advice))),
            Self::Layered(overlay, handle) => {
                let file = ask(overlay, |overlay| overlay.file(handle))?;
                host(file.advise(offset, length, advice_through(advice)))
            }
        }
    }

    fn sync_data(&self) -> Answer<()> {
        match self {
            Self::Through(file) => host(file.sync_data()),
            Self::Layered(..) => self.sync(),
        }
    }

    fn sync(&self) -> Answer<()> {
        match self {
            Self::Through(file) => host(file.sync()),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.sync(handle)),
        }
    }

    fn get_flags(&self) -> Answer<DescriptorFlags> {
        match self {
            Self::Through(file) => host(file.get_flags()).map(flags_through),
            Self::Layered(_, handle) => {
                let access = handle.access();
                let mut flags = DescriptorFlags::empty();
                if access.read {
                    flags = flags | DescriptorFlags::READ;
                }
                if access.write {
                    // A handle that may be written is of a known kind.
                    let is_directory = handle.is_known_directory();
                    flags =
                        flags | if is_directory { DescriptorFlags::MUTATE_DIRECTORY } else { DescriptorFlags::WRITE };
                }
                Ok(flags)
            }
        }
    }

    fn get_type(&self) -> Answer<DescriptorType> {
        match self {
            Self::Through(file) => host(file.get_type()).map(type_through),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.kind(handle)).map(kind_out),
        }
    }

    fn set_size(&self, size: Filesize) -> Answer<()> {
        match self {
            Self::Through(file) => host(file.set_size(size)),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.set_size(handle, size)),
        }
    }

    fn set_times(&self, accessed: NewTimestamp, modified: NewTimestamp) -> Answer<()> {
        match self {
            Self::Through(file) => host(file.set_times(time_down(accessed), time_down(modified))),
            Self::Layered(overlay, handle) => match ask(overlay, |overlay| overlay.kind(handle))? {
                Kind::Directory => note_times(overlay, handle, (".", false), accessed, modified),
                Kind::File | Kind::Symlink | Kind::Other => set_times(overlay, handle, accessed, modified),
            },
        }
    }

    fn read(&self, length: Filesize, offset: Filesize) -> Answer<(Vec<u8>, bool)> {
        match self {
            Self::Through(file) => host(file.read(length, offset)),
            Self::Layered(overlay, handle) => {
                let file = ask(overlay, |overlay| overlay.file_to_read(handle))?;
                host(file.read(length, offset))
            }
        }
    }

    fn write(&self, bytes: Vec<u8>, offset: Filesize) -> Answer<Filesize> {
        match self {
            Self::Through(file) => host(file.write(&bytes, offset)),
            Self::Layered(overlay, handle) => {
                let file = ask(overlay, |overlay| overlay.file_to_write(handle))?;
                host(file.write(&bytes, offset))
            }
        }
    }

    fn read_directory(&self) -> Answer<DirectoryEntryStream> {
        Ok(DirectoryEntryStream::new(match self {
            Self::Through(dir) => Listing::Through(host(dir.read_directory())?),
            Self::Layered(overlay, handle) => {
                let entries = ask(overlay, |overlay| overlay.list(handle))?;
                Listing::Layered(RefCell::new(entries.into_iter()))
            }
        }))
    }

    fn create_directory_at(&self, path: String) -> Answer<()> {
        match self {
            Self::Through(dir) => host(dir.create_directory_at(&path)),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.make_directory_at(handle, &path)),
        }
    }

    fn stat(&self) -> Answer<DescriptorStat> {
        match self {
            Self::Through(file) => host(file.stat()).map(|stat| stat_through(&stat)),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.stat(handle)).map(|stat| stat_out(&stat)),
        }
    }

    fn stat_at(&self, flags: PathFlags, path: String) -> Answer<DescriptorStat> {
        match self {
            Self::Through(dir) => host(dir.stat_at(path_flags_down(flags), &path)).map(|stat| stat_through(&stat)),
            Self::Layered(overlay, handle) => {
                ask(overlay, |overlay| overlay.stat_at(handle, &path, follows(flags))).map(|stat| stat_out(&stat))
            }
        }
    }

    fn set_times_at(
        &self,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> Answer<()> {
        match self {
            Self::Through(dir) => {
                host(dir.set_times_at(path_flags_down(flags), &path, time_down(accessed), time_down(modified)))
            }
            Self::Layered(overlay, handle) => {
                let follow = follows(flags);
                let kind = ask(overlay, |overlay| overlay.stat_at(handle, &path, follow))?.kind;
                if kind != Kind::File {
                    return note_times(overlay, handle, (&path, follow), accessed, modified);
                }
                let options = OpenOptions { follow, ..OpenOptions::default() };
                let file = ask(overlay, |overlay| overlay.open_at(handle, &path, options))?;
                set_times(overlay, &file, accessed, modified)
            }
        }
    }

    fn link_at(&self, flags: PathFlags, old: String, to: DescriptorBorrow<'_>, new: String) -> Answer<()> {
        match (self, to.get::<Self>()) {
            (Self::Through(from), Self::Through(to)) => host(from.link_at(path_flags_down(flags), &old, to, &new)),
            (Self::Layered(overlay, from), Self::Layered(other, to)) if Rc::ptr_eq(overlay, other) => {
                let kinds = ask(overlay, |overlay| Ok([overlay.kind(from)?, overlay.kind(to)?]))?;
                if kinds != [Kind::Directory; 2] {
                    return Err(ErrorCode::NotDirectory);
                }
                if follows(flags) {
                    return Err(ErrorCode::Invalid);
                }
                ask(overlay, |overlay| overlay.link_at(from, &old, to, &new))
            }
            _ => Err(ErrorCode::CrossDevice),
        }
    }

    fn open_at(
        &self,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Answer<Descriptor> {
        let node = match self {
            Self::Through(dir) => {
                let (at, options) = (path_flags_down(path_flags), open_flags_down(open));
                Self::Through(host(dir.open_at(at, &path, options, flags_down(flags)))?)
            }
            Self::Layered(overlay, handle) => {
                if ask(overlay, |overlay| overlay.kind(handle))? != Kind::Directory {
                    return Err(ErrorCode::NotDirectory);
                }
                let options = open_options(path_flags, open, flags)?;
                let opened = ask(overlay, |overlay| overlay.open_at(handle, &path, options))?;
                Self::Layered(Rc::clone(overlay), opened)
            }
        };
        Ok(Descriptor::new(node))
    }

    fn readlink_at(&self, path: String) -> Answer<String> {
        match self {
            Self::Through(dir) => host(dir.readlink_at(&path)),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.read_link_at(handle, &path)),
        }
    }

    fn remove_directory_at(&self, path: String) -> Answer<()> {
        match self {
            Self::Through(dir) => host(dir.remove_directory_at(&path)),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.remove_directory_at(handle, &path)),
        }
    }

    fn rename_at(&self, old: String, to: DescriptorBorrow<'_>, new: String) -> Answer<()> {
        match (self, to.get::<Self>()) {
            (Self::Through(from), Self::Through(to)) => host(from.rename_at(&old, to, &new)),
            (Self::Layered(overlay, from), Self::Layered(other, to)) if Rc::ptr_eq(overlay, other) => {
                ask(overlay, |overlay| overlay.rename_at(from, &old, to, &new))
            }
            _ => Err(ErrorCode::CrossDevice),
        }
    }

    fn symlink_at(&self, text: String, path: String) -> Answer<()> {
        match self {
            Self::Through(dir) => host(dir.symlink_at(&text, &path)),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.symlink_at(&text, handle, &path)),
        }
    }

    fn unlink_file_at(&self, path: String) -> Answer<()> {
        match self {
            Self::Through(dir) => host(dir.unlink_file_at(&path)),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.unlink_file_at(handle, &path)),
        }
    }

    fn is_same_object(&self, other: DescriptorBorrow<'_>) -> bool {
        match (self, other.get::<Self>()) {
            (Self::Through(one), Self::Through(other)) => one.is_same_object(other),
            (Self::Layered(overlay, one), Self::Layered(another, other)) if Rc::ptr_eq(overlay, another) => {
                let (one, other) =
                    ask(overlay, |overlay| Ok((overlay.identity(one)?, overlay.identity(other)?))).unwrap_or((0, 1));
                one == other
            }
            _ => false,
        }
    }

    fn metadata_hash(&self) -> Answer<MetadataHashValue> {
        match self {
            Self::Through(file) => host(file.metadata_hash()).map(hash_through),
            Self::Layered(overlay, handle) => ask(overlay, |overlay| overlay.identity(handle)).map(hash_out),
        }
    }

    fn metadata_hash_at(&self, flags: PathFlags, path: String) -> Answer<MetadataHashValue> {
        match self {
            Self::Through(dir) => host(dir.metadata_hash_at(path_flags_down(flags), &path)).map(hash_through),
            Self::Layered(overlay, handle) => {
                ask(overlay, |overlay| overlay.identity_at(handle, &path, follows(flags))).map(hash_out)
            }
        }
    }
}

impl GuestDirectoryEntryStream for Listing {
    fn read_directory_entry(&self) -> Answer<Option<DirectoryEntry>> {
        match self {
            Self::Through(stream) => {
                let entry = host(stream.read_directory_entry())?;
                Ok(entry.map(|entry| DirectoryEntry { type_: type_through(entry.type_), name: entry.name }))
            }
            Self::Layered(entries) => {
                let entry = entries.borrow_mut().next();
                Ok(entry.map(|(name, kind)| DirectoryEntry { type_: kind_out(kind), name }))
            }
        }
    }
}

/// Converts the options of an open to those of the core. Options that wasmtime refuses before it looks at the
/// path are refused here.
fn open_options(path_flags: PathFlags, open: OpenFlags, flags: DescriptorFlags) -> Answer<OpenOptions> {
    let asks = |flag: DescriptorFlags| flags.bits() & flag.bits() != 0;
    let opens = |flag: OpenFlags| open.bits() & flag.bits() != 0;
    let synchronous = DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC
        | DescriptorFlags::REQUESTED_WRITE_SYNC;
    if asks(synchronous) {
        return Err(ErrorCode::Unsupported);
    }
    if opens(OpenFlags::DIRECTORY) && opens(OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE) {
        return Err(ErrorCode::Invalid);
    }
    Ok(OpenOptions {
        follow: follows(path_flags),
        create: opens(OpenFlags::CREATE),
        exclusive: opens(OpenFlags::EXCLUSIVE),
        directory: opens(OpenFlags::DIRECTORY),
        truncate: opens(OpenFlags::TRUNCATE),
        access: Access { read: asks(DescriptorFlags::READ), write: asks(DescriptorFlags::WRITE) },
    })
}
