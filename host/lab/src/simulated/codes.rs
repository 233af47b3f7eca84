//! The errors of the simulated filesystem, with the codes of wasmtime on Linux.

use std::fmt;

use onionskin::fs::Cause;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// Returns the code of a cause. wasmtime has no code for some errors of Linux, and reports `io`.
pub(super) const fn code(cause: Cause) -> ErrorCode {
    match cause {
        Cause::Access => ErrorCode::Access,
        Cause::AlreadyExists => ErrorCode::Exist,
        Cause::NotEmpty => ErrorCode::NotEmpty,
        Cause::InsufficientSpace => ErrorCode::InsufficientSpace,
        Cause::Quota => ErrorCode::Quota,
        Cause::Io | Cause::CrossDevice | Cause::ReadOnly => ErrorCode::Io,
        Cause::IsDirectory => ErrorCode::IsDirectory,
        Cause::NotDirectory => ErrorCode::NotDirectory,
        Cause::NoEntry => ErrorCode::NoEntry,
        Cause::NameTooLong => ErrorCode::NameTooLong,
        Cause::NotPermitted => ErrorCode::NotPermitted,
        Cause::Loop => ErrorCode::Loop,
        Cause::Interrupted => ErrorCode::Interrupted,
        Cause::Busy => ErrorCode::Busy,
        Cause::Unsupported => ErrorCode::Unsupported,
        Cause::IllegalName | Cause::Other => ErrorCode::Invalid,
    }
}

pub(super) fn refused(cause: Cause) -> FsError {
    code(cause).into()
}

/// Ends the guest after a fault of the simulated filesystem that kills the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died;

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped by a fault of the simulated filesystem")
    }
}

impl std::error::Error for Died {}
