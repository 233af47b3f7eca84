//! The data of the first demonstration: a cache of originals and a workspace of links.

use std::fs;
#[cfg(not(unix))]
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::DemoError;

/// The two directories of the demonstration, and the use of their files.
pub struct Places {
    /// The originals.
    pub cache: PathBuf,
    /// The links to them: absolute ones, at the top.
    pub workspace: PathBuf,
    /// Databases to materialize; paths in both directories.
    pub databases: Vec<Database>,
    /// Files to overwrite, with their special properties.
    pub files: Vec<(String, &'static str)>,
    /// Files beside those, which must still show the original.
    pub untouched: Vec<(String, &'static str)>,
}

/// A SQLite database of the demonstration.
pub struct Database {
    /// Its path in both directories.
    pub path: String,
    /// Its description.
    pub about: &'static str,
    /// The SQL that adds to it.
    pub add: &'static str,
}

impl Places {
    /// A new workspace that shows every entry at the top of a cache. Every `.db` is materialized and added to; every
    /// other file is overwritten.
    pub fn over(cache: &Path, workspace: &Path) -> Result<Self, DemoError> {
        fs::create_dir_all(workspace).map_err(DemoError::files(workspace))?;
        let cache = fs::canonicalize(cache).map_err(DemoError::files(cache))?;
        let mut places = Self {
            cache: cache.clone(),
            workspace: workspace.to_owned(),
            databases: Vec::new(),
            files: Vec::new(),
            untouched: Vec::new(),
        };
        for entry in fs::read_dir(&cache).map_err(DemoError::files(&cache))? {
            let entry = entry.map_err(DemoError::files(&cache))?;
            link(&entry.path(), &workspace.join(entry.file_name()))?;
        }
        for (name, entry) in super::tree::read(&cache)? {
            if name.ends_with(".db") {
                let add = "CREATE TABLE added (note TEXT); INSERT INTO added VALUES ('new')";
                places.databases.push(Database { path: name, about: "an index", add });
            } else if matches!(entry, super::tree::Entry::File { .. }) {
                places.files.push((name, "a file of the cache"));
            }
        }
        Ok(places)
    }
}

/// Generates a cache with every kind of entry that once misdirected a write, and a workspace over it.
pub fn set_up(directory: &Path) -> Result<Places, DemoError> {
    let cache = directory.join("cache");
    for path in [cache.join("tables/deep"), directory.join("workspace")] {
        fs::create_dir_all(&path).map_err(DemoError::files(&path))?;
    }
    let cache = fs::canonicalize(&cache).map_err(DemoError::files(&cache))?;
    let workspace = directory.join("workspace");
    fill(&cache)?;
    for name in ["index.db", "live.db", "scan.bin", "settings.json", "sealed.json", "tables"] {
        link(&cache.join(name), &workspace.join(name))?;
    }
    let hard = workspace.join("shared.tsv");
    fs::hard_link(cache.join("shared.tsv"), &hard).map_err(DemoError::files(&hard))?;

    let file = |path: &str, about| (path.to_owned(), about);
    let database = |path: &str, about| Database {
        path: path.to_owned(),
        about,
        add: "INSERT INTO runs (name) VALUES ('of the workspace')",
    };
    Ok(Places {
        cache,
        workspace,
        databases: vec![
            database("index.db", "the index"),
            database("live.db", "an index whose newest rows are in its write-ahead log alone"),
        ],
        files: vec![
            file("settings.json", "a linked file"),
            file("scan.bin", "a linked artefact"),
            file("sealed.json", "linked to an original that is read-only"),
            file("tables/peaks.json", "below a linked directory"),
            file("shared.tsv", "a hard link to the original"),
        ],
        untouched: vec![file("tables/deep/more.json", "beside it in the linked directory")],
    })
}

fn fill(cache: &Path) -> Result<(), DemoError> {
    index(&cache.join("index.db"))?;
    index_with_log(&cache.join("live.db"))?;
    let artefact: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    for (name, content) in [
        ("scan.bin", artefact.as_slice()),
        ("settings.json", b"{\"threshold\": 5}\n"),
        ("sealed.json", b"{\"sealed\": true}\n"),
        ("shared.tsv", b"id\tname\n1\tfirst\n"),
        ("tables/peaks.json", b"[1, 2, 3]\n"),
        ("tables/deep/more.json", b"[4, 5, 6]\n"),
    ] {
        let path = cache.join(name);
        fs::write(&path, content).map_err(DemoError::files(&path))?;
    }
    let sealed = cache.join("sealed.json");
    let seal = || {
        let mut permissions = fs::metadata(&sealed)?.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&sealed, permissions)
    };
    seal().map_err(DemoError::files(&sealed))
}

const TABLE: &str = "CREATE TABLE runs (id INTEGER PRIMARY KEY, name TEXT NOT NULL);";

fn index(path: &Path) -> Result<(), DemoError> {
    Connection::open(path)
        .and_then(|it| {
            it.execute_batch(TABLE)?;
            it.execute_batch("INSERT INTO runs (name) VALUES ('first'), ('second'), ('third')")
        })
        .map_err(DemoError::sqlite(path))
}

/// Creates a database as a killed program leaves it, with its rows only in the `-wal` file. It is copied while it is
/// open, since SQLite empties the log when it closes.
fn index_with_log(path: &Path) -> Result<(), DemoError> {
    let open = tempfile::tempdir().map_err(DemoError::files(std::env::temp_dir()))?;
    let source = open.path().join("open.db");
    let connection = Connection::open(&source)
        .and_then(|it| {
            it.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;")?;
            it.execute_batch(TABLE)?;
            it.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")?;
            it.execute_batch("INSERT INTO runs (name) VALUES ('logged'), ('logged too')")?;
            Ok(it)
        })
        .map_err(DemoError::sqlite(&source))?;
    for suffix in ["", "-wal"] {
        let from = open.path().join(format!("open.db{suffix}"));
        let to = PathBuf::from(format!("{}{suffix}", path.display()));
        fs::copy(&from, &to).map_err(DemoError::files(&to))?;
    }
    connection.close().map_err(|(_, error)| DemoError::Sqlite(source, error))
}

#[cfg(unix)]
fn link(original: &Path, link: &Path) -> Result<(), DemoError> {
    std::os::unix::fs::symlink(original, link).map_err(DemoError::files(link))
}

#[cfg(not(unix))]
fn link(_original: &Path, link: &Path) -> Result<(), DemoError> {
    let error = io::Error::new(io::ErrorKind::Unsupported, "the demonstration needs symbolic links");
    Err(DemoError::Files(link.to_owned(), error))
}
