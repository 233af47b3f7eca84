//! Every limit of the component, by name. [`crate::error::Error`] says which one was passed.

/// Bytes of a path; the `PATH_MAX` of Linux less its final NUL.
pub const PATH_BYTES_MAX: usize = 4095;
/// Bytes of one component; what ext4, XFS, btrfs, APFS and NTFS take.
pub const NAME_BYTES_MAX: usize = 255;
/// Components of a path, and depth of a tree that is copied, carried or removed.
pub const DEPTH_MAX: usize = 128;
/// Bytes in one list that crosses into the component; the list is held in memory once.
pub const CHUNK_BYTES_MAX: usize = 16 << 20;
/// Bytes asked for in one read, and held while copying; more is not given by wasmtime.
pub const COPY_BYTES: usize = 64 << 10;
/// Entries of one transaction, or of one tree that is copied, carried or removed.
pub const ENTRIES_MAX: usize = 1 << 18;
/// Bytes of new content in one transaction.
pub const TRANSACTION_BYTES_MAX: u64 = 1 << 40;
/// Links followed while looking up one path; as Linux does.
pub const LINKS_MAX: usize = 40;
/// Bytes of an intent log that is read back; more than [`ENTRIES_MAX`] entries ever need in practice.
pub const LOG_BYTES_MAX: u64 = 64 << 20;
/// Directories that are kept open between steps.
pub const DIRECTORIES_OPEN_MAX: usize = 32;
/// Files of one's own that are kept open for writing in place.
pub const FILES_OPEN_MAX: usize = 16;
/// Bytes of the map of a workspace that is read back; some four million records.
pub const MAP_BYTES_MAX: u64 = 256 << 20;
/// Bytes of the map of a workspace that are written again at most, for each byte of a change.
pub const MAP_SLACK_BYTES: u64 = 64 << 10;
/// Bytes of the label of a checkpoint.
pub const LABEL_BYTES_MAX: usize = 255;
/// Bytes of zeros after the map, for the records of a program that syncs again and again.
pub const MAP_ROOM_BYTES: u64 = 16 << 10;
/// Empty files that a workspace keeps for contents to come, while programs work on it; at first.
pub const SPARES: usize = 4;
/// At most so many, once they were used up.
pub const SPARES_MAX: usize = 32;
/// Read-only directories below one workspace.
pub const LOWERS_MAX: usize = 64;
/// Bytes of the token in a lock file.
pub const TOKEN_BYTES_MAX: usize = 255;
/// Generations of a directory that are kept in the publish mode `pointer`.
pub const GENERATIONS_KEPT: u64 = 2;
