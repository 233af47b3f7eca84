//! Ground truth: originals that stay byte-identical, whatever is written over the links to them.

use std::fs;
use std::path::{Path, PathBuf};

use onionskin_host::{Content, Error, Fault, Faults, Grant, Onionskin, OpenOptions, Source, Store, WriteOptions};
use rusqlite::Connection;

use super::originals::{Database, Places, set_up};
use super::tree::{self, Tree, difference};
use super::{DemoError, Report, listed};

/// Nothing below the cache changes: no content, no mode, no name.
pub const ORIGINALS: &str = "Originals are never changed";
/// SQLite finds every row of the original in the copy, including those that are only in its log.
pub const INDEX: &str = "A materialized index has the old rows and takes new ones";
/// A written file of the workspace has its new content, and the others still show the original.
pub const CONTENT: &str = "What is written over a link is what is read back";
/// The message names the link and the missing grant.
pub const GRANTS: &str = "A link out of the grants is refused, by name";
/// The host recorded every call of the component, and none of them opened such a file.
pub const MONITOR: &str = "No existing file is opened for writing";
/// The workspace has exactly the expected names.
pub const LEFT_OVER: &str = "Nothing is left over";

const NEW_CONTENT: &[u8] = b"{\"written\": \"over the link\"}\n";

/// Runs the demonstration on generated data, in a directory that does not exist yet.
pub fn run(onionskin: &Onionskin, directory: &Path, report: &mut Report<'_>) -> Result<(), DemoError> {
    report.title("Ground truth")?;
    report.paragraph(
        "A cache holds originals: SQLite indexes, artefacts, JSON. A workspace shows them through\n\
         absolute symbolic links, a linked directory and a hard link. All of it is now written\n\
         over, as by a program that does not know about the links.",
    )?;
    run_on(onionskin, &set_up(directory)?, report)
}

/// Runs the demonstration on any cache and a workspace of links to it.
pub fn run_on(onionskin: &Onionskin, places: &Places, report: &mut Report<'_>) -> Result<(), DemoError> {
    let originals = tree::read(&places.cache)?;
    let names = names_when_done(&originals, places)?;
    refused_without_grant(onionskin, places, report)?;

    let faults = Faults::new(Fault::None);
    let builder = onionskin.store(&places.workspace).lower(&places.cache).faults(&faults);
    let store = builder.open(&OpenOptions::default())?;
    for database in &places.databases {
        index(&store, places, database, report)?;
    }
    overwrite(&store, places, report)?;
    store.close()?;

    report.paragraph("The originals are compared with what they were, name by name.")?;
    let now = tree::read(&places.cache)?;
    for (name, entry) in &originals {
        report.count(ORIGINALS, name, &format!("{:?}", Some(entry)), &format!("{:?}", now.get(name)));
    }
    report.check(ORIGINALS, "all of the above", "nothing", &difference(&originals, &now))?;
    let calls = format!("{} calls of the component are looked through", faults.calls().len());
    report.check(MONITOR, &calls, "none", &listed(&faults.opened_for_writing()))?;
    let left: Vec<String> = tree::read(&places.workspace)?.into_keys().filter(|name| !names.contains(name)).collect();
    report.check(LEFT_OVER, "the workspace is searched for other names", "none", &listed(&left))
}

/// Without the grant, each link to the cache is refused.
fn refused_without_grant(onionskin: &Onionskin, places: &Places, report: &mut Report<'_>) -> Result<(), DemoError> {
    report.paragraph("First without a grant for the cache: a link that leads there is refused.")?;
    let store = onionskin.store(&places.workspace).open(&OpenOptions::default())?;
    for database in &places.databases {
        let path = &database.path;
        let result = store.materialize(path, &Source::LinkTarget, &Content::Keep);
        let seen = match &result {
            Err(Error::Grant(Grant::LinkLeadsOut { link, target }))
                if link.ends_with(path) && target.ends_with(path) =>
            {
                "refused, naming link and grant".to_owned()
            }
            Err(error) => error.to_string(),
            Ok(_) => "done".to_owned(),
        };
        report.check(GRANTS, &format!("materialize {path}"), "refused, naming link and grant", &seen)?;
    }
    Ok(store.close()?)
}

/// Materializes a database and adds to it with SQLite. The expected content comes from the same steps on a plain copy.
fn index(store: &Store, places: &Places, database: &Database, report: &mut Report<'_>) -> Result<(), DemoError> {
    let Database { path, about, add } = database;
    report.paragraph(&format!("{path} is {about}. It is materialized, and SQLite adds a row to it."))?;
    let copy = tempfile::tempdir().map_err(DemoError::files(std::env::temp_dir()))?;
    for suffix in ["", "-wal", "-journal"] {
        let original = places.cache.join(format!("{path}{suffix}"));
        if original.exists() {
            let to = copy.path().join(format!("copy.db{suffix}"));
            // The content only: a read-only original must not cause a read-only copy.
            let content = fs::read(&original).map_err(DemoError::files(&original))?;
            fs::write(&to, content).map_err(DemoError::files(&to))?;
        }
    }
    let expected = add_and_count(&copy.path().join("copy.db"), add)?;
    store.materialize(path, &Source::LinkTarget, &Content::Keep)?;
    let seen = add_and_count(&places.workspace.join(path), add)?;
    report.check(INDEX, &format!("materialize {path}, add a row"), &expected, &seen)
}

/// Adds to a database, and returns the number of rows of each table.
fn add_and_count(path: &Path, add: &str) -> Result<String, DemoError> {
    let run = || {
        let connection = Connection::open(path)?;
        connection.execute_batch(add)?;
        let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
        let tables = tables.query_map((), |row| row.get::<_, String>(0))?;
        let mut counts = Vec::new();
        for table in tables {
            let table = table?;
            let query = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
            let rows: i64 = connection.query_row(&query, (), |row| row.get(0))?;
            counts.push(format!("{table} {rows}"));
        }
        Ok(format!("rows: {}", counts.join(", ")))
    };
    run().map_err(DemoError::sqlite(path))
}

/// Replaces each file of the list: in one call, in a stream, or as a materialization with new
/// content, in turns, since all three must keep the promise.
fn overwrite(store: &Store, places: &Places, report: &mut Report<'_>) -> Result<(), DemoError> {
    report.paragraph("Now the other files are replaced, each through the name that the workspace has.")?;
    let how = WriteOptions::default();
    for (at, (path, about)) in places.files.iter().enumerate() {
        let way = match at % 3 {
            0 => {
                store.replace(path, NEW_CONTENT, &how)?;
                "replaced"
            }
            1 => {
                let mut writer = store.writer(path, &how)?;
                for chunk in NEW_CONTENT.chunks(7) {
                    writer.append(chunk)?;
                }
                writer.commit()?;
                "streamed"
            }
            _ => {
                let content = Content::Replace(NEW_CONTENT.to_vec());
                store.materialize(path, &Source::LinkTarget, &content)?;
                "materialized with new content"
            }
        };
        let file = places.workspace.join(path);
        let metadata = fs::symlink_metadata(&file).map_err(DemoError::files(&file))?;
        let now = fs::read(&file).map_err(DemoError::files(&file))?;
        let seen = match (metadata.is_file(), now == NEW_CONTENT) {
            (true, true) => "a file of its own with the new content",
            (true, false) => "a file with other content",
            (false, _) => "not a regular file",
        };
        let done = format!("{path}, {about}, is {way}");
        report.check(CONTENT, &done, "a file of its own with the new content", seen)?;
    }
    for (path, about) in &places.untouched {
        let seen = match fs::read(places.workspace.join(path)) {
            Ok(now) if fs::read(places.cache.join(path)).is_ok_and(|original| original == now) => {
                "the original content".to_owned()
            }
            Ok(_) => "other content".to_owned(),
            Err(error) => error.to_string(),
        };
        let done = format!("{path}, {about}, is read");
        report.check(CONTENT, &done, "the original content", &seen)?;
    }
    Ok(())
}

/// Returns the names that the workspace may have at the end: the present ones, and those below each linked directory.
fn names_when_done(originals: &Tree, places: &Places) -> Result<Vec<String>, DemoError> {
    let mut names: Vec<String> = tree::read(&places.workspace)?.into_keys().collect();
    let linked = |name: &&String| {
        let top = PathBuf::from(name.split('/').next().unwrap_or_default());
        places.workspace.join(top).is_symlink() && name.contains('/')
    };
    names.extend(originals.keys().filter(linked).cloned());
    Ok(names)
}
