//! Every limit of the component, by name. [`crate::error::Error`] names the limit that was exceeded.

/// Bytes of a path; the `PATH_MAX` of Linux less its final NUL.
pub const PATH_BYTES_MAX: usize = 4095;
/// Bytes of one component; the maximum of ext4, XFS, btrfs, APFS and NTFS.
pub const NAME_BYTES_MAX: usize = 255;
/// Components of a path that a caller names.
pub const DEPTH_MAX: usize = 128;
/// Depth of a tree that is copied, carried or removed.
pub const TREE_DEPTH_MAX: usize = 1024;
/// Maximum number of components of a path in a record: a tree of the maximum depth, at a path of the maximum depth.
pub const RECORD_DEPTH_MAX: usize = TREE_DEPTH_MAX + DEPTH_MAX;
/// Bytes in one list that crosses into the component; the list is held in memory once.
pub const CHUNK_BYTES_MAX: usize = 16 << 20;
/// Bytes requested in one read and held while copying; wasmtime returns no more.
pub const COPY_BYTES: usize = 64 << 10;
/// Entries of one transaction, or of one tree that is copied, carried or removed.
pub const ENTRIES_MAX: usize = 1 << 18;
/// Records of one log: those of the entries, and those of a switch and of its pointer.
pub const RECORDS_MAX: usize = ENTRIES_MAX + 2;
/// Bytes of new content in one transaction.
pub const TRANSACTION_BYTES_MAX: u64 = 1 << 40;
/// Links followed while looking up one path; the limit of Linux.
pub const LINKS_MAX: usize = 40;
/// Bytes of an intent log that is read back; more than [`ENTRIES_MAX`] entries need in practice.
pub const LOG_BYTES_MAX: u64 = 64 << 20;
/// Directories kept open between steps.
pub const DIRECTORIES_OPEN_MAX: usize = 32;
/// Owned files kept open for writing in place.
pub const FILES_OPEN_MAX: usize = 16;
/// Bytes of an original that is read when it is hidden, so that its content decides about conflicts; of a longer
/// one length and time do.
pub const SUMMED_BYTES_MAX: u64 = 64 << 10;
/// Lines of a text that is merged: all of them may differ, and the time grows with the square of their number.
pub const MERGED_LINES_MAX: usize = 4096;
/// Bytes of the map of a workspace that is read back; some four million records.
pub const MAP_BYTES_MAX: u64 = 256 << 20;
/// Bytes of the map of a workspace that are written again at most, for each byte of a change.
pub const MAP_SLACK_BYTES: u64 = 64 << 10;
/// Bytes of the label of a checkpoint.
pub const LABEL_BYTES_MAX: usize = 255;
/// Bytes of zeros after the map, for the records of a program that syncs repeatedly.
pub const MAP_ROOM_BYTES: u64 = 16 << 10;
/// Initial number of empty files that a workspace keeps ready for new contents while programs run.
pub const SPARES: usize = 4;
/// Maximum number of those files, reached once they were used up.
pub const SPARES_MAX: usize = 32;
/// Read-only directories below one workspace.
pub const LOWERS_MAX: usize = 64;
/// Bytes of the token in a lock file.
pub const TOKEN_BYTES_MAX: usize = 255;
/// Generations of a directory that stay in the publish mode `pointer`, unless the caller chooses.
pub const GENERATIONS_KEPT: u32 = 2;
/// Entries that a publish searches for links to the generations that it is about to remove. In a larger tree
/// they stay.
pub const SEARCHED_MAX: usize = 1 << 16;
