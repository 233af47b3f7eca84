//! How this filesystem differs from a plain one.

use onionskin::fs::Cause;

/// The features and the behaviour of the simulated filesystem. The default is an ordinary local one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Switches {
    /// Whether a directory can be synced; without, the call is `Unsupported`.
    pub directory_sync: bool,
    /// Whether a file can have two names; without, the call is `Unsupported`.
    pub hard_links: bool,
    /// Whether symbolic links can be made; without, the call is `Unsupported`.
    pub symlinks: bool,
    /// Whether names that differ only in case are one name.
    pub ignore_case: bool,
    /// Whether every write of more than one byte takes only half of them.
    pub short_writes: bool,
    /// Whether listings come in descending order, to catch who relies on ascending.
    pub listing_reversed: bool,
    /// Whether the time of the last change is reported.
    pub times: bool,
    /// The user the process runs as; none has the rights of root.
    pub user: Option<u32>,
    /// The most names of one inode.
    pub links_max: u32,
    /// Whether it lends the calls beyond `wasi:filesystem`.
    pub lends: bool,
    /// Whether no other user can read any content, now and at every later moment.
    pub secret: bool,
    /// Whether causes arrive as wasmtime tells them: it has no word for some.
    pub coarse: bool,
}

impl Switches {
    /// An ordinary local filesystem.
    pub const PLAIN: Switches = Switches {
        directory_sync: true,
        hard_links: true,
        symlinks: true,
        ignore_case: false,
        short_writes: false,
        listing_reversed: false,
        times: true,
        user: None,
        links_max: u32::MAX,
        lends: false,
        secret: false,
        coarse: false,
    };
}

impl Default for Switches {
    fn default() -> Self {
        Self::PLAIN
    }
}

impl Switches {
    /// The cause that arrives for one of the filesystem.
    pub(crate) fn word(&self, cause: Cause) -> Cause {
        match cause {
            Cause::CrossDevice | Cause::ReadOnly if self.coarse => Cause::Io,
            other => other,
        }
    }
}
