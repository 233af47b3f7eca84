//! The initial trees of operations.

use crate::tree;
use crate::tree::Tree;

pub(super) const DATABASE: &[u8] = b"SQLite format 3\0 pages of the database";
pub(super) const WAL: &[u8] = &[0x37, 0x7f, 0x06, 0x82, 1, 2, 3];

/// A workspace with everything that a careless write could harm: an original that is reached by a
/// symbolic link, by a hard link and through a linked directory, and a directory of conversations.
pub(super) fn workspace() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "lower/index.db" = DATABASE;
        file "lower/index.db-wal" = WAL;
        file "ws/file" = "old";
        file "ws/shared" = "shared content";
        same "ws/other-name" = "ws/shared";
        symlink "ws/link" = "file";
        symlink "ws/absolute" = "/lower/original";
        symlink "ws/index.db" = "/lower/index.db";
        file "ws/real/inner" = "inside";
        file "ws/real/deep/leaf" = "leaf";
        symlink "ws/linked" = "real";
    }
}

/// A directory with managed and unmanaged files.
pub(super) fn conversations() -> Tree {
    tree! {
        dir "lower";
        file "ws/conv/metadata.json" = "{\"v\":1}";
        file "ws/conv/events.json" = "[1]";
        file "ws/conv/QUERY_MESSAGE.md" = "unmanaged";
        file "ws/conv/notes/deep.txt" = "unmanaged too";
        symlink "ws/conv/latest" = "events.json";
        file "ws/beside" = "nobody's business";
    }
}

/// Where a file gives way to a directory, and a directory is new.
pub(super) fn file_and_directory() -> Tree {
    tree! {
        dir "lower";
        file "ws/conv/thing" = "a file";
        file "ws/conv/kept" = "kept";
        file "ws/conv/goes" = "goes";
        file "ws/conv/old-name" = "renamed";
    }
}

pub(super) fn nothing() -> Tree {
    tree! { dir "lower"; dir "ws"; file "ws/beside" = "nobody's business"; }
}
