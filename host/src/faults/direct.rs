//! The functions of the filesystem, made at once on this thread, inside an asynchronous runtime or not.
//!
//! Every directory that this library grants allows it to block the thread, so a call is complete when it is first
//! polled. The blocking functions of `wasmtime-wasi` would ask the runtime to wait, which panics in one of its tasks.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::HostDescriptor;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};

type Fd = Resource<Descriptor>;

/// Declares functions of the filesystem, with the types of its blocking form.
macro_rules! direct {
    ($($name:ident($($parameter:ident: $type:ty),*) -> $result:ty;)*) => {
        /// The functions that are wrapped, without waiting.
        pub(super) trait Direct {
            $(fn $name(&mut self, $($parameter: $type),*) -> FsResult<$result>;)*
        }

        impl Direct for WasiFilesystemCtxView<'_> {
            $(
                // Most parameters and results are of the same type in both forms.
                #[allow(clippy::useless_conversion, clippy::unit_arg)]
                fn $name(&mut self, $($parameter: $type),*) -> FsResult<$result> {
                    Ok(now(HostDescriptor::$name(self, $($parameter.into()),*))?.into())
                }
            )*
        }
    };
}

direct! {
    create_directory_at(fd: Fd, path: String) -> ();
    get_flags(fd: Fd) -> DescriptorFlags;
    get_type(fd: Fd) -> DescriptorType;
    link_at(from: Fd, follow: PathFlags, old: String, to: Fd, new: String) -> ();
    metadata_hash(fd: Fd) -> MetadataHashValue;
    metadata_hash_at(fd: Fd, follow: PathFlags, path: String) -> MetadataHashValue;
    open_at(fd: Fd, follow: PathFlags, path: String, open: OpenFlags, flags: DescriptorFlags) -> Fd;
    read(fd: Fd, length: u64, offset: u64) -> (Vec<u8>, bool);
    read_directory(fd: Fd) -> Resource<DirectoryEntryStream>;
    readlink_at(fd: Fd, path: String) -> String;
    remove_directory_at(fd: Fd, path: String) -> ();
    rename_at(from: Fd, old: String, to: Fd, new: String) -> ();
    set_size(fd: Fd, size: u64) -> ();
    set_times(fd: Fd, access: NewTimestamp, modified: NewTimestamp) -> ();
    set_times_at(fd: Fd, follow: PathFlags, path: String, access: NewTimestamp, modified: NewTimestamp) -> ();
    stat(fd: Fd) -> DescriptorStat;
    stat_at(fd: Fd, follow: PathFlags, path: String) -> DescriptorStat;
    symlink_at(fd: Fd, text: String, path: String) -> ();
    sync(fd: Fd) -> ();
    sync_data(fd: Fd) -> ();
    unlink_file_at(fd: Fd, path: String) -> ();
    write(fd: Fd, content: Vec<u8>, offset: u64) -> u64;
}

/// Returns the output of a future that is ready at once.
fn now<T>(future: impl Future<Output = FsResult<T>>) -> FsResult<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => {
            let text =
                "the directory was not granted by this library: its calls do not end on the thread that makes them";
            Err(FsError::trap(wasmtime::Error::msg(text)))
        }
    }
}
