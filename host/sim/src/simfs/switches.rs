//! How this filesystem differs from a plain one.

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
}

impl Default for Switches {
    fn default() -> Self {
        Switches {
            directory_sync: true,
            hard_links: true,
            symlinks: true,
            ignore_case: false,
            short_writes: false,
            listing_reversed: false,
            times: true,
        }
    }
}
