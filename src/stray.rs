//! Strays: entries that desktops and file servers leave in any directory, and that no one put there.
//!
//! A stray in a directory of ours is neither read nor removed, and stops nothing. The directory then stays,
//! without content of ours.

use alloc::string::String;
use alloc::vec::Vec;

use crate::fs::Kind;

/// Whole names, compared without regard to case: macOS, KDE, Windows, Synology, QNAP, netatalk, Samba.
const NAMES: [&str; 10] = [
    ".DS_Store",
    ".localized",
    ".directory",
    "desktop.ini",
    "Thumbs.db",
    "ehthumbs.db",
    "@eaDir",
    "@Recycle",
    "#recycle",
    ".AppleDouble",
];

/// How names begin: attributes of macOS in a file of their own, and files that were removed while they are
/// open, on NFS, on FUSE and on SMB.
const PREFIXES: [&str; 4] = ["._", ".nfs", ".fuse_hidden", ".smbdelete"];

/// Checks whether an entry of this name is a stray. No name of ours is one.
pub fn is_stray(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || PREFIXES.iter().any(|start| name.starts_with(start))
}

/// Removes the strays from a list of entries; returns whether there were any.
pub fn leave_out(names: &mut Vec<(String, Kind)>) -> bool {
    let before = names.len();
    names.retain(|(name, _)| !is_stray(name));
    names.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours_and_names_of_people_are_no_strays() {
        for name in [".DS_Store", ".ds_store", "Desktop.ini", "._log", ".nfs000000000012", "@eaDir"] {
            assert!(is_stray(name), "{name}");
        }
        for name in [".onionskin", "log", "tx-1", "file-1", "0", "map", "notes", "nfs1", ".DS_Store.bak", "."] {
            assert!(!is_stray(name), "{name}");
        }
    }
}
