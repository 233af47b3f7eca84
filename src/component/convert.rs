//! Conversions between the types of the contract and those of the core.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::bindings::exports::onionskin::fs::{capabilities, store as wit, types};
use super::wasi_fs::preopen_names;
use crate::error::{Error, ErrorKind, Fingerprint};
use crate::exec::Trace;
use crate::fs::{Cause, Kind};
use crate::limits::GENERATIONS_KEPT;
use crate::lock::Ownership;
use crate::persist::materialize::{Content, Source};
use crate::persist::transaction::{DirectoryOptions, Publish};
use crate::plan::{Action, Attributes};
use crate::probe::{Abilities, Tier};
use crate::recover::{Finding, Verdict};
use crate::store::{Durability, Precondition, Receipt, Symlinks, WriteOptions};

pub(super) const fn durability_in(value: types::Durability) -> Durability {
    match value {
        types::Durability::Visible => Durability::Visible,
        types::Durability::Data => Durability::Data,
        types::Durability::Full => Durability::Full,
    }
}

const fn durability_out(value: Durability) -> types::Durability {
    match value {
        Durability::Visible => types::Durability::Visible,
        Durability::Data => types::Durability::Data,
        Durability::Full => types::Durability::Full,
    }
}

const fn symlinks_in(value: types::SymlinkPolicy) -> Symlinks {
    match value {
        types::SymlinkPolicy::Refuse => Symlinks::Refuse,
        types::SymlinkPolicy::Replace => Symlinks::Replace,
        types::SymlinkPolicy::FollowWithin => Symlinks::FollowWithin,
    }
}

const fn kind_in(value: types::NodeKind) -> Kind {
    match value {
        types::NodeKind::File => Kind::File,
        types::NodeKind::Directory => Kind::Directory,
        types::NodeKind::Symlink => Kind::Symlink,
        types::NodeKind::Other => Kind::Other,
    }
}

pub(super) const fn kind_out(value: Kind) -> types::NodeKind {
    match value {
        Kind::File => types::NodeKind::File,
        Kind::Directory => types::NodeKind::Directory,
        Kind::Symlink => types::NodeKind::Symlink,
        Kind::Other => types::NodeKind::Other,
    }
}

pub(super) fn ownership_in(value: types::Ownership) -> Ownership {
    match value {
        types::Ownership::Host => Ownership::Host,
        types::Ownership::LockFile(token) => Ownership::LockFile(token),
    }
}

pub(super) fn precondition_in(value: types::Precondition) -> Result<Precondition, Error> {
    Ok(match value {
        types::Precondition::None => Precondition::None,
        types::Precondition::Absent => Precondition::Absent,
        types::Precondition::SingleLink => Precondition::SingleLink,
        types::Precondition::Unchanged(seen) => Precondition::Unchanged(Fingerprint {
            kind: kind_in(seen.kind),
            size: seen.size,
            modified: seen.modified,
            digest: seen.digest.map(digest_in).transpose()?,
        }),
    })
}

fn digest_in(bytes: Vec<u8>) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::invalid_argument("digest", "32 bytes of SHA-256 are wanted"))
}

pub(super) fn write_options_in(value: wit::WriteOptions) -> Result<WriteOptions, Error> {
    Ok(WriteOptions {
        durability: durability_in(value.durability),
        symlinks: symlinks_in(value.symlinks),
        when: precondition_in(value.when)?,
        keep_identical: matches!(value.if_identical, wit::Identical::Keep),
    })
}

pub(super) const fn directory_options_in(value: wit::DirectoryOptions) -> DirectoryOptions {
    DirectoryOptions {
        keep_generations: GENERATIONS_KEPT,
        publish: match value.publish {
            wit::Publish::InPlace => Publish::InPlace,
            wit::Publish::Swap => Publish::Swap,
            wit::Publish::Pointer => Publish::Pointer,
        },
        durability: durability_in(value.durability),
        symlinks: symlinks_in(value.symlinks),
    }
}

pub(super) fn source_in(value: wit::Source) -> Source {
    match value {
        wit::Source::LinkTarget => Source::LinkTarget,
        wit::Source::Path(path) => Source::Path(path),
    }
}

pub(super) fn content_in(value: wit::Content) -> Content {
    match value {
        wit::Content::Keep => Content::Keep,
        wit::Content::Replace(bytes) => Content::Replace(bytes),
    }
}

pub(super) const fn receipt_out(value: Receipt) -> types::Receipt {
    types::Receipt {
        transaction: value.transaction,
        achieved: durability_out(value.achieved),
        applied: value.applied,
        bytes: value.bytes,
    }
}

pub(super) fn fingerprint_out(value: Fingerprint) -> types::Fingerprint {
    types::Fingerprint {
        kind: kind_out(value.kind),
        size: value.size,
        modified: value.modified,
        digest: value.digest.map(|digest| digest.to_vec()),
    }
}

pub(super) fn finding_out(value: Finding) -> types::Finding {
    types::Finding {
        path: value.path,
        verdict: match value.verdict {
            Verdict::Clean => types::Verdict::Clean,
            Verdict::Swept => types::Verdict::Swept,
            Verdict::RolledBack => types::Verdict::RolledBack,
            Verdict::RolledForward => types::Verdict::RolledForward,
            Verdict::Quarantined => types::Verdict::Quarantined,
            Verdict::InUse => types::Verdict::InUse,
            Verdict::Parked => types::Verdict::Parked,
            Verdict::Left => types::Verdict::Left,
        },
        detail: value.detail,
    }
}

pub(super) fn step_out(trace: Trace) -> wit::Step {
    let (action, origin) = match &trace.act {
        Action::MakeDir(_) => (wit::Action::MakeDirectory, None),
        Action::Create(_) => (wit::Action::Create, None),
        Action::Write { .. } | Action::Edit { .. } | Action::SetSize { .. } => (wit::Action::Write, None),
        Action::Copy { from, .. } => (wit::Action::Copy, Some(from.path.shown().to_string())),
        Action::SyncFile(_) => (wit::Action::SyncFile, None),
        Action::SyncDir(_) => (wit::Action::SyncDirectory, None),
        Action::Rename { from, .. } => (wit::Action::Rename, Some(from.shown().to_string())),
        Action::Share { from, .. } => (wit::Action::Link, Some(from.path.shown().to_string())),
        Action::Link { from, .. } => (wit::Action::Link, Some(from.shown().to_string())),
        Action::Symlink { target, .. } => (wit::Action::Symlink, Some(target.clone())),
        Action::SetAttributes { as_of: Attributes::Of { from, .. }, .. } => {
            (wit::Action::SetAttributes, Some(from.path.shown().to_string()))
        }
        Action::SetAttributes { .. } => (wit::Action::SetAttributes, None),
        Action::RemoveFile(_) => (wit::Action::RemoveFile, None),
        Action::RemoveDir(_) => (wit::Action::RemoveDirectory, None),
    };
    let path = String::from(trace.act.path().as_str());
    wit::Step { action, path, origin, bytes: trace.bytes, why: trace.why.to_string(), commits: trace.commits }
}

pub(super) fn abilities_out(value: Abilities) -> capabilities::Abilities {
    capabilities::Abilities {
        tier: match value.tier {
            Tier::Refused => capabilities::Tier::Refused,
            Tier::ProcessCrash => capabilities::Tier::ProcessCrash,
            Tier::Atomic => capabilities::Tier::Atomic,
            Tier::Durable => capabilities::Tier::Durable,
        },
        symlinks: value.symlinks,
        hard_links: value.hard_links,
        directory_sync: value.directory_sync,
        case_sensitive: value.case_sensitive,
        reason: value.reason,
    }
}

const fn cause_out(value: Cause) -> types::Cause {
    match value {
        Cause::Access => types::Cause::Access,
        Cause::AlreadyExists => types::Cause::AlreadyExists,
        Cause::CrossDevice => types::Cause::CrossDevice,
        Cause::NotEmpty => types::Cause::NotEmpty,
        Cause::InsufficientSpace => types::Cause::InsufficientSpace,
        Cause::Quota => types::Cause::Quota,
        Cause::Io => types::Cause::Io,
        Cause::IsDirectory => types::Cause::IsDirectory,
        Cause::NotDirectory => types::Cause::NotDirectory,
        Cause::NoEntry => types::Cause::NoEntry,
        Cause::NameTooLong => types::Cause::NameTooLong,
        Cause::NotPermitted => types::Cause::NotPermitted,
        Cause::ReadOnly => types::Cause::ReadOnly,
        Cause::Loop => types::Cause::Loop,
        Cause::Interrupted => types::Cause::Interrupted,
        Cause::Busy => types::Cause::Busy,
        Cause::Unsupported => types::Cause::Unsupported,
        Cause::IllegalName => types::Cause::IllegalName,
        Cause::Other => types::Cause::Other,
    }
}

pub(super) fn error_out(value: Error) -> types::Error {
    let value = value.with_guest_path(&preopen_names());
    let kind = kind_out_of(value.kind());
    let failed = matches!(
        kind,
        types::ErrorKind::NotCommitted | types::ErrorKind::NeedsRecovery | types::ErrorKind::OutcomeUnknown
    );
    types::Error {
        kind,
        subject: String::from(value.subject()),
        message: value.to_string(),
        cause: value.cause().filter(|_| failed).map(cause_out),
    }
}

const fn kind_out_of(value: ErrorKind) -> types::ErrorKind {
    match value {
        ErrorKind::InvalidPath => types::ErrorKind::InvalidPath,
        ErrorKind::NoPreopen => types::ErrorKind::NoPreopen,
        ErrorKind::NotFound => types::ErrorKind::NotFound,
        ErrorKind::AlreadyExists => types::ErrorKind::AlreadyExists,
        ErrorKind::NotDirectory => types::ErrorKind::NotDirectory,
        ErrorKind::IsDirectory => types::ErrorKind::IsDirectory,
        ErrorKind::NotAFile => types::ErrorKind::NotAFile,
        ErrorKind::SymlinkRefused => types::ErrorKind::SymlinkRefused,
        ErrorKind::SymlinkEscapes => types::ErrorKind::SymlinkEscapes,
        ErrorKind::LinkUnreadable => types::ErrorKind::LinkUnreadable,
        ErrorKind::SymlinkLoop => types::ErrorKind::SymlinkLoop,
        ErrorKind::HardLinked => types::ErrorKind::HardLinked,
        ErrorKind::IllegalName => types::ErrorKind::IllegalName,
        ErrorKind::InvalidJson => types::ErrorKind::InvalidJson,
        ErrorKind::ReadOnly => types::ErrorKind::ReadOnly,
        ErrorKind::PreconditionFailed => types::ErrorKind::PreconditionFailed,
        ErrorKind::Conflicts => types::ErrorKind::Conflicts,
        ErrorKind::Locked => types::ErrorKind::Locked,
        ErrorKind::HotJournal => types::ErrorKind::HotJournal,
        ErrorKind::LimitExceeded => types::ErrorKind::LimitExceeded,
        ErrorKind::Unsupported => types::ErrorKind::Unsupported,
        ErrorKind::InvalidArgument => types::ErrorKind::InvalidArgument,
        ErrorKind::NotCommitted => types::ErrorKind::NotCommitted,
        ErrorKind::NeedsRecovery => types::ErrorKind::NeedsRecovery,
        ErrorKind::OutcomeUnknown => types::ErrorKind::OutcomeUnknown,
        ErrorKind::Corrupt => types::ErrorKind::Corrupt,
        ErrorKind::Parked => types::ErrorKind::Parked,
    }
}
