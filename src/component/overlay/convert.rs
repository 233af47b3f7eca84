//! Conversions between the types of the core, of the import, and of the export. The last two are the same,
//! but Rust treats them as different types.

use wasi::clocks::wall_clock::Datetime;
use wasi::filesystem::types as below;

use super::bindings::exports::wasi::filesystem::types as above;
use crate::fs::{Cause, Kind, Stat};
use crate::overlay::Code;

const NANOSECONDS: u64 = 1_000_000_000;

/// Maps variants that have the same names.
macro_rules! same {
    ($value:expr, $from:ty => $to:ty: $($name:ident)*) => {
        match $value { $(<$from>::$name => <$to>::$name,)* }
    };
}

pub(super) const fn code_through(code: below::ErrorCode) -> above::ErrorCode {
    same!(code, below::ErrorCode => above::ErrorCode:
        Access WouldBlock Already BadDescriptor Busy Deadlock Quota Exist FileTooLarge IllegalByteSequence
        InProgress Interrupted Invalid Io IsDirectory Loop TooManyLinks MessageSize NameTooLong NoDevice
        NoEntry NoLock InsufficientMemory InsufficientSpace NotDirectory NotEmpty NotRecoverable
        Unsupported NoTty NoSuchDevice Overflow NotPermitted Pipe ReadOnly InvalidSeek TextFileBusy
        CrossDevice)
}

pub(super) const fn type_through(kind: below::DescriptorType) -> above::DescriptorType {
    same!(kind, below::DescriptorType => above::DescriptorType:
        Unknown BlockDevice CharacterDevice Directory Fifo SymbolicLink RegularFile Socket)
}

pub(super) const fn advice_through(advice: above::Advice) -> below::Advice {
    same!(advice, above::Advice => below::Advice: Normal Sequential Random WillNeed DontNeed NoReuse)
}

pub(super) fn flags_through(flags: below::DescriptorFlags) -> above::DescriptorFlags {
    above::DescriptorFlags::from_bits_retain(flags.bits())
}

pub(super) fn flags_down(flags: above::DescriptorFlags) -> below::DescriptorFlags {
    below::DescriptorFlags::from_bits_retain(flags.bits())
}

pub(super) fn path_flags_down(flags: above::PathFlags) -> below::PathFlags {
    below::PathFlags::from_bits_retain(flags.bits())
}

pub(super) fn open_flags_down(flags: above::OpenFlags) -> below::OpenFlags {
    below::OpenFlags::from_bits_retain(flags.bits())
}

pub(super) fn stat_through(stat: &below::DescriptorStat) -> above::DescriptorStat {
    above::DescriptorStat {
        type_: type_through(stat.type_),
        link_count: stat.link_count,
        size: stat.size,
        data_access_timestamp: stat.data_access_timestamp,
        data_modification_timestamp: stat.data_modification_timestamp,
        status_change_timestamp: stat.status_change_timestamp,
    }
}

pub(super) const fn hash_through(hash: below::MetadataHashValue) -> above::MetadataHashValue {
    above::MetadataHashValue { lower: hash.lower, upper: hash.upper }
}

pub(super) const fn time_down(time: above::NewTimestamp) -> below::NewTimestamp {
    match time {
        above::NewTimestamp::NoChange => below::NewTimestamp::NoChange,
        above::NewTimestamp::Now => below::NewTimestamp::Now,
        above::NewTimestamp::Timestamp(time) => below::NewTimestamp::Timestamp(time),
    }
}

pub(super) const fn code_out(code: Code) -> above::ErrorCode {
    match code {
        Code::Fs(cause) => cause_out(cause),
        Code::Invalid => above::ErrorCode::Invalid,
        Code::BadDescriptor => above::ErrorCode::BadDescriptor,
        Code::Busy => above::ErrorCode::Busy,
    }
}

const fn cause_out(cause: Cause) -> above::ErrorCode {
    match cause {
        Cause::Access => above::ErrorCode::Access,
        Cause::AlreadyExists => above::ErrorCode::Exist,
        Cause::CrossDevice => above::ErrorCode::CrossDevice,
        Cause::NotEmpty => above::ErrorCode::NotEmpty,
        Cause::InsufficientSpace => above::ErrorCode::InsufficientSpace,
        Cause::Quota => above::ErrorCode::Quota,
        Cause::IsDirectory => above::ErrorCode::IsDirectory,
        Cause::NotDirectory => above::ErrorCode::NotDirectory,
        Cause::NoEntry => above::ErrorCode::NoEntry,
        Cause::NameTooLong => above::ErrorCode::NameTooLong,
        Cause::NotPermitted => above::ErrorCode::NotPermitted,
        Cause::ReadOnly => above::ErrorCode::ReadOnly,
        Cause::Loop => above::ErrorCode::Loop,
        Cause::Interrupted => above::ErrorCode::Interrupted,
        Cause::Busy => above::ErrorCode::Busy,
        Cause::Unsupported => above::ErrorCode::Unsupported,
        Cause::IllegalName => above::ErrorCode::IllegalByteSequence,
        Cause::Io | Cause::Other => above::ErrorCode::Io,
    }
}

pub(super) const fn kind_out(kind: Kind) -> above::DescriptorType {
    match kind {
        Kind::File => above::DescriptorType::RegularFile,
        Kind::Directory => above::DescriptorType::Directory,
        Kind::Symlink => above::DescriptorType::SymbolicLink,
        Kind::Other => above::DescriptorType::Unknown,
    }
}

/// Converts a stat. Where the workspace alone has an entry, its last change stands for times that nobody counts.
pub(super) fn stat_out(stat: &Stat) -> above::DescriptorStat {
    let time = |time: Option<u64>| time.or(stat.modified).map(datetime);
    above::DescriptorStat {
        type_: kind_out(stat.kind),
        link_count: stat.links,
        size: stat.size,
        data_access_timestamp: time(stat.times.accessed),
        data_modification_timestamp: time(stat.modified),
        status_change_timestamp: time(stat.times.changed),
    }
}

pub(super) const fn hash_out(identity: u128) -> above::MetadataHashValue {
    above::MetadataHashValue { lower: identity as u64, upper: (identity >> 64) as u64 }
}

pub(super) const fn datetime(nanoseconds: u64) -> Datetime {
    Datetime { seconds: nanoseconds / NANOSECONDS, nanoseconds: (nanoseconds % NANOSECONDS) as u32 }
}

/// Returns a time in nanoseconds since 1970, or `None` for a time out of range.
pub(super) fn nanoseconds(time: Datetime) -> Option<u64> {
    time.seconds.checked_mul(NANOSECONDS)?.checked_add(u64::from(time.nanoseconds))
}
