//! The overlay as a host: the calls of the trait are made on the exports of the component.

use onionskin_host::OVERLAY;
use onionskin_lab::crash::files;
use onionskin_sim::{Node, Tree};
use std::sync::OnceLock;
use tempfile::TempDir;
use wasmtime::component::{Component, Linker, Resource, ResourceAny, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::filesystem::Descriptor as HostDescriptorType;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types as wasi;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult, IoError};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::host::{Fd, plant};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "overlay",
        with: {
            "wasi:io/error": wasmtime_wasi::p2::bindings::io::error,
            "wasi:io/poll": wasmtime_wasi::p2::bindings::sync::io::poll,
            "wasi:io/streams": wasmtime_wasi::p2::bindings::sync::io::streams,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:filesystem": wasmtime_wasi::p2::bindings::sync::filesystem,
            "wasi:cli": wasmtime_wasi::p2::bindings::sync::cli,
        },
    });
}

use bindings::exports::wasi::filesystem::types as exported;

struct State {
    context: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.context, table: &mut self.table }
    }
}

/// A layered directory, and its open resources by number.
pub(crate) struct Overlay {
    store: Store<State>,
    guest: bindings::Overlay,
    open: Vec<Option<ResourceAny>>,
    _upper: TempDir,
    lower: TempDir,
    original: String,
}

fn loaded() -> &'static (Engine, Component) {
    static LOADED: OnceLock<(Engine, Component)> = OnceLock::new();
    LOADED.get_or_init(|| {
        let engine = Engine::default();
        let component = Component::new(&engine, OVERLAY).expect("the component compiles");
        (engine, component)
    })
}

impl Overlay {
    /// Creates an empty upper over these files.
    pub(crate) fn over(files_below: &Tree) -> Self {
        let (upper, lower) = (directory(), directory());
        plant(files_below, lower.path());
        let original = files(lower.path()).expect("it can be read").to_string();
        let mut builder = WasiCtxBuilder::new();
        builder.allow_blocking_current_thread(true).inherit_stderr();
        builder.preopened_dir(upper.path(), "/#upper", FsPerms::ReadWrite).expect("it was just made");
        builder.preopened_dir(lower.path(), "/#lower", FsPerms::ReadOnly).expect("it was just made");
        let (engine, component) = loaded();
        let mut linker: Linker<State> = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("all of WASI");
        let mut store = Store::new(engine, State { context: builder.build(), table: ResourceTable::new() });
        let guest = bindings::Overlay::instantiate(&mut store, component, &linker).expect("it starts");
        Self { store, guest, open: Vec::new(), _upper: upper, lower, original }
    }

    pub(crate) fn view<'v>(&'v mut self, table: &'v mut ResourceTable) -> View<'v> {
        View { overlay: self, table }
    }

    /// Whether the lower is unchanged, byte for byte.
    pub(crate) fn is_lower_untouched(&self) -> bool {
        files(self.lower.path()).expect("it can be read").to_string() == self.original
    }

    /// Returns the files that the program sees, read through the same calls.
    pub(crate) fn files(&mut self) -> String {
        let mut table = ResourceTable::new();
        let root = self.view(&mut table).root();
        let tree = self.below(&root, "", Tree::new());
        tree.to_string()
    }

    fn below(&mut self, root: &Fd, directory: &str, mut tree: Tree) -> Tree {
        use wasi::HostDescriptor as _;
        let here = if directory.is_empty() { "." } else { directory };
        let mut table = ResourceTable::new();
        let mut view = self.view(&mut table);
        let lent = || Resource::new_borrow(root.rep());
        let (none, read) = (wasi::PathFlags::empty(), wasi::DescriptorFlags::READ);
        let open = view.open_at(lent(), none, here.to_owned(), wasi::OpenFlags::DIRECTORY, read);
        let names = view.names(open.expect("a directory opens"));
        for (name, kind) in names {
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            let mut view = self.view(&mut table);
            match kind {
                wasi::DescriptorType::Directory => {
                    tree = tree.with(path.as_bytes(), Node::Directory);
                    tree = self.below(root, &path, tree);
                }
                wasi::DescriptorType::SymbolicLink => {
                    let text = view.readlink_at(lent(), path.clone()).expect("a link is read");
                    tree = tree.with(path.as_bytes(), Node::Symlink(text.into()));
                }
                _ => {
                    let file = view.open_at(lent(), none, path.clone(), wasi::OpenFlags::empty(), read);
                    let (bytes, _) = view.read(file.expect("a file opens"), 1 << 16, 0).expect("it is read");
                    tree = tree.with(path.as_bytes(), Node::File { bytes: bytes.into(), group: None });
                }
            }
        }
        tree
    }
}

/// Creates a directory in memory where possible: these tests are not about power loss.
pub(crate) fn directory() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

/// The overlay during a call.
pub(crate) struct View<'v> {
    overlay: &'v mut Overlay,
    /// The table of the streams that are returned.
    table: &'v mut ResourceTable,
}

/// Maps variants of the same names.
macro_rules! same {
    ($value:expr, $from:ty => $to:ty: $($name:ident)*) => {
        match $value { $(<$from>::$name => <$to>::$name,)* }
    };
}

/// Maps flags of the same names.
macro_rules! flags {
    ($value:expr, $from:ty => $to:ty: $($name:ident)*) => {{
        let mut out = <$to>::empty();
        $(if $value.contains(<$from>::$name) { out |= <$to>::$name; })*
        out
    }};
}

fn code(code: exported::ErrorCode) -> FsError {
    let code = same!(code, exported::ErrorCode => ErrorCode:
        Access WouldBlock Already BadDescriptor Busy Deadlock Quota Exist FileTooLarge IllegalByteSequence
        InProgress Interrupted Invalid Io IsDirectory Loop TooManyLinks MessageSize NameTooLong NoDevice
        NoEntry NoLock InsufficientMemory InsufficientSpace NotDirectory NotEmpty NotRecoverable
        Unsupported NoTty NoSuchDevice Overflow NotPermitted Pipe ReadOnly InvalidSeek TextFileBusy
        CrossDevice);
    code.into()
}

fn kind(kind: exported::DescriptorType) -> wasi::DescriptorType {
    same!(kind, exported::DescriptorType => wasi::DescriptorType:
        Unknown BlockDevice CharacterDevice Directory Fifo SymbolicLink RegularFile Socket)
}

fn path_flags(flags: wasi::PathFlags) -> exported::PathFlags {
    flags!(flags, wasi::PathFlags => exported::PathFlags: SYMLINK_FOLLOW)
}

fn time(time: wasi::NewTimestamp) -> exported::NewTimestamp {
    match time {
        wasi::NewTimestamp::NoChange => exported::NewTimestamp::NoChange,
        wasi::NewTimestamp::Now => exported::NewTimestamp::Now,
        wasi::NewTimestamp::Timestamp(Datetime { seconds, nanoseconds }) => {
            exported::NewTimestamp::Timestamp(Datetime { seconds, nanoseconds })
        }
    }
}

fn stat(stat: &exported::DescriptorStat) -> wasi::DescriptorStat {
    wasi::DescriptorStat {
        type_: kind(stat.type_),
        link_count: stat.link_count,
        size: stat.size,
        data_access_timestamp: stat.data_access_timestamp,
        data_modification_timestamp: stat.data_modification_timestamp,
        status_change_timestamp: stat.status_change_timestamp,
    }
}

fn hash(hash: exported::MetadataHashValue) -> wasi::MetadataHashValue {
    wasi::MetadataHashValue { lower: hash.lower, upper: hash.upper }
}

/// Calls a method of an open descriptor.
macro_rules! call {
    ($view:expr, $fd:expr, $method:ident $(, $argument:expr)*) => {{
        let descriptor = $view.descriptor(&$fd);
        let types = $view.overlay.guest.wasi_filesystem_types();
        let answer = types.descriptor().$method(&mut $view.overlay.store, descriptor $(, $argument)*);
        answer.map_err(FsError::trap)?.map_err(code)
    }};
}

impl View<'_> {
    fn descriptor(&self, fd: &Fd) -> ResourceAny {
        self.overlay.open[fd.rep() as usize].expect("it is open")
    }

    fn push(&mut self, resource: ResourceAny) -> Fd {
        self.overlay.open.push(Some(resource));
        Resource::new_own(u32::try_from(self.overlay.open.len() - 1).expect("a script is short"))
    }

    fn root(&mut self) -> Fd {
        let mut granted = preopens::Host::get_directories(self).expect("grants can be listed");
        granted.pop().expect("one is granted").0
    }

    fn names(&mut self, directory: Fd) -> Vec<(String, wasi::DescriptorType)> {
        use wasi::{HostDescriptor as _, HostDirectoryEntryStream as _};
        let stream = self.read_directory(directory).expect("a directory is listed");
        let mut names = Vec::new();
        while let Some(entry) = self.read_directory_entry(Resource::new_borrow(stream.rep())).expect("an entry") {
            names.push((entry.name, entry.type_));
        }
        names
    }

    fn tabled<T: Send + 'static>(&mut self, stream: Resource<T>) -> FsResult<Resource<T>> {
        let stream = self.overlay.store.data_mut().table.delete(stream)?;
        Ok(self.table.push(stream)?)
    }
}

impl wasi::Host for View<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<wasi::ErrorCode> {
        Ok(error.downcast()?.into())
    }

    fn filesystem_error_code(&mut self, error: Resource<IoError>) -> wasmtime::Result<Option<wasi::ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.downcast_ref::<std::io::Error>().map(|error| ErrorCode::from(error).into()))
    }
}

impl preopens::Host for View<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<HostDescriptorType>, String)>> {
        let preopens = self.overlay.guest.wasi_filesystem_preopens();
        let granted = preopens.call_get_directories(&mut self.overlay.store)?;
        Ok(granted.into_iter().map(|(directory, name)| (self.push(directory), name)).collect())
    }
}

impl wasi::HostDescriptor for View<'_> {
    fn advise(&mut self, fd: Fd, offset: u64, length: u64, _: wasi::Advice) -> FsResult<()> {
        call!(self, fd, call_advise, offset, length, exported::Advice::Normal)
    }

    fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        call!(self, fd, call_sync_data)
    }

    fn get_flags(&mut self, fd: Fd) -> FsResult<wasi::DescriptorFlags> {
        let flags = call!(self, fd, call_get_flags)?;
        Ok(flags!(flags, exported::DescriptorFlags => wasi::DescriptorFlags: READ WRITE MUTATE_DIRECTORY))
    }

    fn get_type(&mut self, fd: Fd) -> FsResult<wasi::DescriptorType> {
        Ok(kind(call!(self, fd, call_get_type)?))
    }

    fn set_size(&mut self, fd: Fd, size: u64) -> FsResult<()> {
        call!(self, fd, call_set_size, size)
    }

    fn set_times(&mut self, fd: Fd, accessed: wasi::NewTimestamp, modified: wasi::NewTimestamp) -> FsResult<()> {
        call!(self, fd, call_set_times, time(accessed), time(modified))
    }

    fn read(&mut self, fd: Fd, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        call!(self, fd, call_read, length, offset)
    }

    fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        call!(self, fd, call_write, &bytes, offset)
    }

    fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<wasi::DirectoryEntryStream>> {
        let stream = call!(self, fd, call_read_directory)?;
        Ok(Resource::new_own(self.push(stream).rep()))
    }

    fn sync(&mut self, fd: Fd) -> FsResult<()> {
        call!(self, fd, call_sync)
    }

    fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        call!(self, fd, call_create_directory_at, &path)
    }

    fn stat(&mut self, fd: Fd) -> FsResult<wasi::DescriptorStat> {
        Ok(stat(&call!(self, fd, call_stat)?))
    }

    fn stat_at(&mut self, fd: Fd, follow: wasi::PathFlags, path: String) -> FsResult<wasi::DescriptorStat> {
        Ok(stat(&call!(self, fd, call_stat_at, path_flags(follow), &path)?))
    }

    fn set_times_at(
        &mut self,
        fd: Fd,
        follow: wasi::PathFlags,
        path: String,
        accessed: wasi::NewTimestamp,
        modified: wasi::NewTimestamp,
    ) -> FsResult<()> {
        call!(self, fd, call_set_times_at, path_flags(follow), &path, time(accessed), time(modified))
    }

    fn link_at(&mut self, fd: Fd, follow: wasi::PathFlags, old: String, to: Fd, new: String) -> FsResult<()> {
        let to = self.descriptor(&to);
        call!(self, fd, call_link_at, path_flags(follow), &old, to, &new)
    }

    fn open_at(
        &mut self,
        fd: Fd,
        follow: wasi::PathFlags,
        path: String,
        open: wasi::OpenFlags,
        flags: wasi::DescriptorFlags,
    ) -> FsResult<Fd> {
        let options = flags!(open, wasi::OpenFlags => exported::OpenFlags: CREATE DIRECTORY EXCLUSIVE TRUNCATE);
        let access = flags!(flags, wasi::DescriptorFlags => exported::DescriptorFlags: READ WRITE);
        let opened = call!(self, fd, call_open_at, path_flags(follow), &path, options, access)?;
        Ok(self.push(opened))
    }

    fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        call!(self, fd, call_readlink_at, &path)
    }

    fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        call!(self, fd, call_remove_directory_at, &path)
    }

    fn rename_at(&mut self, fd: Fd, old: String, to: Fd, new: String) -> FsResult<()> {
        let to = self.descriptor(&to);
        call!(self, fd, call_rename_at, &old, to, &new)
    }

    fn symlink_at(&mut self, fd: Fd, text: String, path: String) -> FsResult<()> {
        call!(self, fd, call_symlink_at, &text, &path)
    }

    fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        call!(self, fd, call_unlink_file_at, &path)
    }

    fn read_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynInputStream>> {
        let stream = call!(self, fd, call_read_via_stream, offset)?;
        self.tabled(stream)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        let stream = call!(self, fd, call_write_via_stream, offset)?;
        self.tabled(stream)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let stream = call!(self, fd, call_append_via_stream)?;
        self.tabled(stream)
    }

    fn is_same_object(&mut self, one: Fd, other: Fd) -> wasmtime::Result<bool> {
        let (one, other) = (self.descriptor(&one), self.descriptor(&other));
        let types = self.overlay.guest.wasi_filesystem_types();
        types.descriptor().call_is_same_object(&mut self.overlay.store, one, other)
    }

    fn metadata_hash(&mut self, fd: Fd) -> FsResult<wasi::MetadataHashValue> {
        Ok(hash(call!(self, fd, call_metadata_hash)?))
    }

    fn metadata_hash_at(&mut self, fd: Fd, follow: wasi::PathFlags, path: String) -> FsResult<wasi::MetadataHashValue> {
        Ok(hash(call!(self, fd, call_metadata_hash_at, path_flags(follow), &path)?))
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        let resource = self.overlay.open[fd.rep() as usize].take().expect("it is open");
        resource.resource_drop(&mut self.overlay.store)
    }
}

impl wasi::HostDirectoryEntryStream for View<'_> {
    fn read_directory_entry(
        &mut self,
        stream: Resource<wasi::DirectoryEntryStream>,
    ) -> FsResult<Option<wasi::DirectoryEntry>> {
        let stream = self.overlay.open[stream.rep() as usize].expect("it is open");
        let types = self.overlay.guest.wasi_filesystem_types();
        let streams = types.directory_entry_stream();
        let entry = streams.call_read_directory_entry(&mut self.overlay.store, stream);
        let entry = entry.map_err(FsError::trap)?.map_err(code)?;
        Ok(entry.map(|entry| wasi::DirectoryEntry { type_: kind(entry.type_), name: entry.name }))
    }

    fn drop(&mut self, stream: Resource<wasi::DirectoryEntryStream>) -> wasmtime::Result<()> {
        let resource = self.overlay.open[stream.rep() as usize].take().expect("it is open");
        resource.resource_drop(&mut self.overlay.store)
    }
}
