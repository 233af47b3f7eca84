//! The names of the control directory `.onionskin` at the root of a store. [`crate::records`] reads it.
//!
//! | name | meaning |
//! |---|---|
//! | `file-N` | content of one file, staged before it is renamed to its target |
//! | `tx-N/` | staging of transaction N: contents `0`, ...; second names `apply-0`, ...; `intent`; `link` |
//! | `ask-N/` | own entries by which transaction N asks what it may change; see `crate::persist::ask` |
//! | `draft-N` | the decision that transaction N is writing |
//! | `log`, `log-unsynced` | a decision, to be rolled forward |
//! | `parked-N` | the decision of transaction N, which could not be completed yet |
//! | `reason-N` | the obstacle that the decision of transaction N met last, as text for people |
//! | `done-N` | the decision of transaction N, which is complete, until the workspace that made it has gone on |
//! | `abandoned-N` | the decision of transaction N, which was given up, until its content is in `quarantine-N` |
//! | `directories/K/G/` | generation G of directory K, publish mode `pointer` |
//! | `directories/K/owner` | the path that directory K belongs to; see [`crate::generations`] |
//! | `lock`, `lock-H` | the lock file; a token on its way to it |
//! | `linked`, `linked-again` | a file that is linked to learn whether files can be |
//! | `epoch-N` | a takeover: see [`crate::lock`] |
//! | `quarantine-N/` | unusable records, set aside for inspection by a person |
//! | `probe/` | scratch directory of [`crate::probe`] |
//! | `workspace/` | content written over other directories; see `crate::workspace` |
//!
//! Strays (see [`crate::stray`]) may lie anywhere. An entry of another name or kind is an error, never a deletion.

use alloc::string::String;

use crate::path::{RESERVED_PREFIX, RelPath, is_reserved};
use crate::text::as_number;

/// Name of the log of a decision whose content was synced.
pub const LOG: &str = "log";
/// Name of the log of a decision at the durability `visible`.
pub const LOG_UNSYNCED: &str = "log-unsynced";
/// Name of the lock file.
pub const LOCK: &str = "lock";
/// Name, in a staging directory, of the record of entries prepared elsewhere.
pub const INTENT: &str = "intent";
/// Name, in a staging directory, of a symbolic link before its rename.
pub const LINK: &str = "link";
/// Name of the directory that holds the generations of directories.
pub const DIRECTORIES: &str = "directories";
/// Name of a file that is linked to learn whether files can be.
pub const LINKED: &str = "linked";
/// Second name of [`LINKED`].
pub const LINKED_AGAIN: &str = "linked-again";
/// Name of the record of the path that a directory of generations belongs to.
pub const OWNER: &str = "owner";
/// Scratch of a probe.
pub const PROBE: &str = "probe";
/// Name of the directory for content written over other directories.
pub const WORKSPACE: &str = "workspace";

/// Returns the path of the control directory.
pub fn directory() -> RelPath {
    RelPath::ROOT.child(RESERVED_PREFIX)
}

/// Returns the path of an entry of the control directory.
pub fn entry(name: &str) -> RelPath {
    directory().child(name)
}

/// Builds the path of an entry whose reserved name holds a number.
fn numbered(above: &RelPath, prefix: &str, number: u64, suffix: &str) -> RelPath {
    above.child(&format!("{prefix}{number}{suffix}"))
}

/// Returns the path of the file that begins an epoch.
pub fn epoch(number: u64) -> RelPath {
    numbered(&directory(), "epoch-", number, "")
}

/// Returns the path of the directory with the own entries by which a transaction asks what it may change.
pub fn ask(number: u64) -> RelPath {
    numbered(&directory(), "ask-", number, "")
}

/// Returns the path of the own file that a transaction moves into a directory for a moment.
pub fn visitor(directory: &RelPath, number: u64) -> RelPath {
    numbered(directory, ".onionskin-", number, ".ask")
}

/// Returns the path of the decision that a transaction is writing.
pub fn draft(number: u64) -> RelPath {
    numbered(&directory(), "draft-", number, "")
}

/// Returns the path of a decision that could not be completed yet.
pub fn parked(number: u64) -> RelPath {
    numbered(&directory(), "parked-", number, "")
}

/// Returns the path of a decision that is complete, and whose record a workspace waits for.
pub fn done(number: u64) -> RelPath {
    numbered(&directory(), "done-", number, "")
}

/// Returns the path of the text that describes the obstacle of a decision.
pub fn reason(number: u64) -> RelPath {
    numbered(&directory(), "reason-", number, "")
}

/// Returns the path of a decision that was given up, and whose content is not in the quarantine yet.
pub fn abandoned(number: u64) -> RelPath {
    numbered(&directory(), "abandoned-", number, "")
}

/// Returns the path of the directory where unusable records are set aside.
pub fn quarantine(number: u64) -> RelPath {
    numbered(&directory(), "quarantine-", number, "")
}

/// Returns the path where the content of one file is staged.
pub fn file(number: u64) -> RelPath {
    numbered(&directory(), "file-", number, "")
}

/// Returns the path of the staging directory of a transaction.
pub fn transaction(number: u64) -> RelPath {
    numbered(&directory(), "tx-", number, "")
}

/// Returns the path of one staged content of a transaction.
pub fn staged(transaction_number: u64, index: u32) -> RelPath {
    numbered(&transaction(transaction_number), "", index.into(), "")
}

/// Returns the path of the second name of a staged content, which is renamed to its target.
pub fn applied(transaction_number: u64, index: u32) -> RelPath {
    numbered(&transaction(transaction_number), "apply-", index.into(), "")
}

/// Returns the path of the sibling prepared to replace `path`.
pub fn sibling_new(path: &RelPath, transaction_number: u64) -> RelPath {
    numbered(&path.parent(), ".onionskin-", transaction_number, ".new")
}

/// Returns the path of the sibling to which the replaced entry at `path` was moved.
pub fn sibling_old(path: &RelPath, transaction_number: u64) -> RelPath {
    numbered(&path.parent(), ".onionskin-", transaction_number, ".old")
}

/// Returns the path of the directory that holds the generations of a directory.
pub fn generations(directory_number: u64) -> RelPath {
    numbered(&entry(DIRECTORIES), "", directory_number, "")
}

/// A generation of a directory.
pub fn generation(directory_number: u64, number: u64) -> RelPath {
    numbered(&generations(directory_number), "", number, "")
}

/// Returns the path of the record of the path that a directory of generations belongs to.
pub fn owner(directory_number: u64) -> RelPath {
    generations(directory_number).child(OWNER)
}

/// Returns the text of the link at `path` that points to a generation.
pub fn pointer_text(path: &RelPath, directory_number: u64, generation_number: u64) -> String {
    pointer_to(path, &generation(directory_number, generation_number))
}

/// Returns the text of the link at `path` that points to a generation, given its path.
pub fn pointer_to(path: &RelPath, generation: &RelPath) -> String {
    let up = "../".repeat(path.parent().depth());
    format!("{up}{generation}")
}

/// Parses the directory and the generation that the text of a link at `path` names. Returns `None` for a text
/// in another form.
pub fn parse_pointer(path: &RelPath, text: &str) -> Option<(u64, u64)> {
    let (rest, generation) = text.rsplit_once('/')?;
    let (_, directory_number) = rest.rsplit_once('/')?;
    let (directory_number, generation) = (as_number(directory_number)?, as_number(generation)?);
    (pointer_text(path, directory_number, generation) == text).then_some((directory_number, generation))
}

/// Returns whether a directory is made so that no other user can look into it: the control directory, staging,
/// and a tree that is being prepared. What is below one of these need not be private itself. The directories
/// above a generation are opened afterwards, because readers pass them.
pub fn is_private(path: &RelPath) -> bool {
    if is_reserved(path.name()) {
        return true;
    }
    let below = path.below(&entry(DIRECTORIES)).map(|rest| rest.depth());
    path.is_within(&directory()) && below.is_none_or(|depth| depth <= 2)
}

/// Whether a transaction may change a path: no name of ours is in it, or it is inside a generation
/// of a directory that is published by pointer.
pub fn may_change(path: &RelPath) -> bool {
    let mut names = path.components();
    let mut rest = names.clone();
    let inside = rest.next() == Some(RESERVED_PREFIX)
        && rest.next() == Some(DIRECTORIES)
        && rest.next().is_some_and(|name| as_number(name).is_some())
        && rest.next().is_some_and(|name| as_number(name).is_some());
    if inside {
        rest.next().is_some_and(|name| !is_reserved(name)) && !rest.any(is_reserved)
    } else {
        !names.any(is_reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_reads_back_and_nothing_else_does() {
        let path = |text| RelPath::parse(text).expect("a good path");
        for at in ["x", "a/x", "a/b/x"] {
            let text = pointer_text(&path(at), 3, 14);
            assert_eq!(parse_pointer(&path(at), &text), Some((3, 14)), "{text}");
        }
        for text in ["", "elsewhere", "../.onionskin/directories/3/14", ".onionskin/directories/03/14"] {
            assert_eq!(parse_pointer(&path("x"), text), None, "{text}");
        }
    }
}
