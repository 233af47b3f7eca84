//! The usual choices, for options that are not named.

use crate::bindings::store::{DirectoryOptions, Identical, OpenOptions, Publish, Tracing, WriteOptions};
use crate::bindings::types::{Durability, Ownership, Precondition, SymlinkPolicy};
use crate::bindings::workspace::{Quota, Select};

/// The lock of the host, and no trace.
impl Default for OpenOptions {
    fn default() -> Self {
        Self { owner: Ownership::Host, trace: Tracing::Off }
    }
}

/// Durable, a link is replaced, nothing is asked, and identical content is written again.
impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            symlinks: SymlinkPolicy::Replace,
            when: Precondition::None,
            same: Identical::Rewrite,
        }
    }
}

/// Durable, in place, and a link is replaced.
impl Default for DirectoryOptions {
    fn default() -> Self {
        Self { publish: Publish::InPlace, durability: Durability::Full, symlinks: SymlinkPolicy::Replace }
    }
}

/// No limits.
impl Default for Quota {
    fn default() -> Self {
        Self { bytes: None, entries: None }
    }
}

/// All paths.
impl Default for Select {
    fn default() -> Self {
        Self { only: Vec::new(), except: Vec::new() }
    }
}
