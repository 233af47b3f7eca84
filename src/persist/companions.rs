//! Databases and their journals, which are copied together or not at all.
//!
//! SQLite keeps a write-ahead log (`-wal`) or a rollback journal (`-journal`) beside a database and an index
//! of shared memory (`-shm`). A database without its log has lost rows; a log beside the wrong database
//! corrupts it (sqlite.org, "How To Corrupt An SQLite Database File", section 1.4).

use alloc::vec::Vec;

use crate::error::{Error, ErrorKind};
use crate::fs::{Fs, Kind};
use crate::limits::NAME_BYTES_MAX;
use crate::path::{At, RelPath, RootId};
use crate::store::State;

/// First bytes of a database (sqlite.org, "Database File Format", section 1.3).
pub const DATABASE_MAGIC: &[u8] = b"SQLite format 3\0";
/// How a rollback journal begins; zeroed when it is not hot (section 3).
const JOURNAL_MAGIC: &[u8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// First bytes of a write-ahead log; the lowest bit of the byte that follows is the byte order (section 4.1).
const WAL_MAGIC: &[u8] = &[0x37, 0x7f, 0x06];

/// Suffixes of the names of companions of a database.
pub(crate) const SUFFIXES: [&str; 3] = ["-wal", "-journal", "-shm"];

/// Returns the path of a companion, or `None` if its name would be too long.
pub(crate) fn beside(path: &RelPath, suffix: &str) -> Option<RelPath> {
    let name = format!("{}{suffix}", path.name());
    (name.len() <= NAME_BYTES_MAX && !path.is_root()).then(|| path.parent().child(&name))
}

/// Returns the paths of all companions.
pub(crate) fn all_beside(path: &RelPath) -> impl Iterator<Item = RelPath> {
    SUFFIXES.iter().filter_map(|suffix| beside(path, suffix))
}

/// Checks whether a file is a database, by its first bytes.
pub(crate) fn is_database(start: &[u8]) -> bool {
    start.starts_with(DATABASE_MAGIC)
}

/// Checks whether a file is a journal that a database may need, by its first bytes.
fn is_journal(start: &[u8]) -> bool {
    start.starts_with(JOURNAL_MAGIC) || start.starts_with(WAL_MAGIC)
}

/// Refuses to put a database beside the journal of another one, which would be applied to it.
pub(crate) fn refuse_beside<F: Fs>(state: &mut State<F>, path: &RelPath, content: &[u8]) -> Result<(), Error> {
    if !is_database(content) {
        return Ok(());
    }
    for suffix in SUFFIXES {
        if let Some(companion) = beside(path, suffix)
            && state.exec.stat(&companion)?.is_some()
        {
            return Err(ErrorKind::HotJournal.at(&companion));
        }
    }
    Ok(())
}

/// Refuses to copy a journal without its database.
pub(crate) fn refuse_alone<F: Fs>(state: &mut State<F>, path: &RelPath, source: &At) -> Result<(), Error> {
    let named = SUFFIXES.iter().any(|suffix| path.name().len() > suffix.len() && path.name().ends_with(suffix));
    if named && is_journal(&state.exec.read_start(source, JOURNAL_MAGIC.len())?) {
        return Err(ErrorKind::HotJournal.at(path));
    }
    Ok(())
}

/// Changes to the companions of a database that is materialized.
#[derive(Default)]
pub(crate) struct Travels {
    /// Companions to copy, with source and destination.
    pub(crate) copied: Vec<(At, RelPath)>,
    /// Names to remove: links to the originals, through which a database would write.
    pub(crate) removed: Vec<RelPath>,
}

impl Travels {
    /// Checks whether there are no changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.copied.is_empty() && self.removed.is_empty()
    }
}

/// Determines the changes to the companions of a database at `path` when it is copied from `source` or,
/// without a source, when its content is replaced.
///
/// # Errors
///
/// [`ErrorKind::HotJournal`] for an independent companion that does not belong to the new content.
pub(crate) fn travel<F: Fs>(state: &mut State<F>, path: &RelPath, source: Option<&At>) -> Result<Travels, Error> {
    let mut travels = Travels::default();
    if let Some(source) = source {
        let start = state.exec.read_start(source, DATABASE_MAGIC.len())?;
        let mut is_database = start.is_empty() || is_database(&start);
        // An encrypted database begins with any bytes; its journal does not.
        for suffix in SUFFIXES {
            is_database = is_database || journal_of(state, source, suffix)?.is_some();
        }
        if !is_database {
            return Ok(travels);
        }
    }
    for suffix in SUFFIXES {
        let Some(to) = beside(path, suffix) else { continue };
        let here = state.exec.stat(&to)?;
        let from = match source {
            Some(source) if suffix != "-shm" => journal_of(state, source, suffix)?,
            Some(_) | None => None,
        };
        let shares = here.is_some_and(|stat| stat.kind == Kind::Symlink || stat.links > 1);
        match (from, here) {
            (Some(from), Some(_)) if !shares => {
                // The database's own journal stays in place; the journal of another database prevents the
                // copy.
                if from.root != RootId::STORE || from.path != to {
                    return Err(ErrorKind::HotJournal.at(&to));
                }
            }
            (Some(from), _) => travels.copied.push((from, to)),
            (None, None) => {}
            (None, Some(_)) if shares || source.is_none() => travels.removed.push(to),
            (None, Some(_)) if suffix == "-shm" => {}
            (None, Some(_)) => return Err(ErrorKind::HotJournal.at(&to)),
        }
    }
    Ok(travels)
}

/// The journal beside a source, if there is one with something in it.
fn journal_of<F: Fs>(state: &mut State<F>, source: &At, suffix: &str) -> Result<Option<At>, Error> {
    let Some(path) = beside(&source.path, suffix) else { return Ok(None) };
    if state.exec.stat_in(source.root, &path)?.is_none() {
        return Ok(None);
    }
    let (at, stat) = state.resolve_source(&At { root: source.root, path })?;
    if stat.kind != Kind::File || !is_journal(&state.exec.read_start(&at, JOURNAL_MAGIC.len())?) {
        return Ok(None);
    }
    Ok(Some(at))
}
