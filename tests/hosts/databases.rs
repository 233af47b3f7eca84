//! A database is copied with its journal, and SQLite itself is the oracle.

use std::fs;
use std::path::Path;

use onionskin_host::{Content, ErrorKind, Source, Store, WriteOptions};
use rusqlite::Connection;

use crate::ground;
use crate::scene::{Scene, refused};

/// Leaves a database in WAL mode as a killed program does: the table is in the file, the rows are only in the `-wal`.
fn killed_in_wal_mode(scene: &Scene, name: &str) {
    let open = ground::scratch();
    let source = open.path().join("open.db");
    let connection = Connection::open(&source).expect("a new database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE runs (name TEXT);
             PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO runs VALUES ('logged'), ('logged too')",
        )
        .expect("SQL");
    for suffix in ["", "-wal"] {
        let to = scene.at(format!("{name}{suffix}"));
        fs::copy(open.path().join(format!("open.db{suffix}")), &to).expect("a copy");
    }
    let wal = fs::metadata(scene.at(format!("{name}-wal"))).expect("it was copied").len();
    assert!(wal > 0, "the rows are in the log");
}

/// Leaves a database in the middle of a transaction: a hot `-journal` beside a file that already has changed pages.
fn killed_with_a_journal(scene: &Scene, name: &str) {
    let open = ground::scratch();
    let source = open.path().join("open.db");
    let connection = Connection::open(&source).expect("a new database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = DELETE; CREATE TABLE runs (name TEXT); INSERT INTO runs VALUES ('kept'), ('kept too');
             PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN",
        )
        .expect("SQL");
    for _ in 0..200 {
        connection.execute("INSERT INTO runs VALUES (hex(randomblob(1000)))", ()).expect("a row");
    }
    for suffix in ["", "-journal"] {
        let to = scene.at(format!("{name}{suffix}"));
        fs::copy(open.path().join(format!("open.db{suffix}")), &to).expect("a copy");
    }
}

fn rows(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("a database");
    let mut query = connection.prepare("SELECT name FROM runs ORDER BY rowid").expect("the table is there");
    let rows = query.query_map((), |row| row.get(0)).expect("rows").collect::<Result<_, _>>();
    rows.expect("text")
}

fn add(path: &Path, name: &str) {
    let connection = Connection::open(path).expect("a database");
    connection.execute("INSERT INTO runs VALUES (?1)", [name]).expect("it can be written");
}

fn keep(store: &Store, path: &str) -> u64 {
    store.materialize(path, &Source::LinkTarget, &Content::Keep).expect("it is granted").applied
}

/// The copy has the rows that are only in the log, whether the link is to the database alone, to the database and its
/// log, or to the whole directory.
#[test]
fn rows_in_the_write_ahead_log_are_copied() {
    for way in ["database", "both", "directory"] {
        let scene = Scene::new(&[("lower/d/beside", "x")]);
        killed_in_wal_mode(&scene, "lower/d/index.db");
        let path = if way == "directory" { "d/index.db" } else { "index.db" };
        match way {
            "directory" => scene.absolute("lower/d", "root/d"),
            "both" => {
                scene.absolute("lower/d/index.db", "root/index.db");
                scene.absolute("lower/d/index.db-wal", "root/index.db-wal");
            }
            _ => scene.absolute("lower/d/index.db", "root/index.db"),
        }
        let store = scene.open();
        let applied = if way == "directory" { keep(&store, "d") } else { keep(&store, path) };
        assert!(applied >= 2, "{way}: {applied} paths");
        store.close().expect("the store closes");
        let copy = scene.at(format!("root/{path}"));
        assert_eq!(rows(&copy), ["logged", "logged too"], "{way}");
        add(&copy, "added");
        assert_eq!(rows(&copy), ["logged", "logged too", "added"], "{way}");
        scene.done();
    }
}

/// A hot rollback journal is copied, too: in the copy SQLite rolls the uncommitted changes back.
#[test]
fn a_hot_journal_is_copied() {
    let scene = Scene::new(&[]);
    killed_with_a_journal(&scene, "lower/index.db");
    scene.absolute("lower/index.db", "root/index.db");
    let store = scene.open();
    assert_eq!(keep(&store, "index.db"), 2);
    store.close().expect("the store closes");
    assert!(fs::metadata(scene.at("root/index.db-journal")).expect("it travelled").is_file());
    let copy = scene.at("root/index.db");
    assert_eq!(rows(&copy), ["kept", "kept too"]);
    add(&copy, "added");
    scene.done();
}

/// A hard-linked database and its hard-linked log become independent together.
#[test]
fn a_hard_linked_database_is_copied() {
    let scene = Scene::new(&[]);
    killed_in_wal_mode(&scene, "lower/index.db");
    for suffix in ["", "-wal"] {
        scene.hard_link(&format!("lower/index.db{suffix}"), &format!("root/index.db{suffix}"));
    }
    let store = scene.open();
    assert_eq!(keep(&store, "index.db"), 2);
    store.close().expect("the store closes");
    add(&scene.at("root/index.db"), "added");
    assert_eq!(rows(&scene.at("root/index.db")), ["logged", "logged too", "added"]);
    scene.done();
}

/// A journal without its database, and a database beside the journal of another one, are refused, and nothing changes.
#[test]
fn a_database_and_its_journal_are_not_separated() {
    let scene = Scene::new(&[]);
    killed_in_wal_mode(&scene, "lower/index.db");
    scene.absolute("lower/index.db-wal", "root/index.db-wal");
    scene.absolute("lower/index.db", "root/other.db");
    ground::write(&scene.at("root/other.db-wal"), fs::read(scene.at("lower/index.db-wal")).expect("it is there"));
    let before = scene.tree();
    let store = scene.open();
    let database = fs::read(scene.at("lower/index.db")).expect("it is there");
    let results = [
        ("index.db-wal", store.materialize("index.db-wal", &Source::LinkTarget, &Content::Keep)),
        ("other.db-wal", store.materialize("other.db", &Source::LinkTarget, &Content::Keep)),
        ("other.db-wal", store.replace("other.db", &database, &WriteOptions::default())),
        ("index.db-wal", store.replace("index.db", &database, &WriteOptions::default())),
    ];
    for (subject, result) in results {
        let error = refused(subject, result);
        assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::HotJournal, subject), "{}", error.message);
    }
    let mut writer = store.writer("other.db", &WriteOptions::default()).expect("its content is not known yet");
    writer.append(&database).expect("it grows");
    assert_eq!(refused("writer", writer.commit()).kind, ErrorKind::HotJournal);
    store.close().expect("the store closes");
    assert_eq!(scene.tree(), before);
    scene.done();
}

/// New content for a linked database removes the links to its journal, which belonged to the old content.
#[test]
fn a_replaced_database_loses_its_journal() {
    let scene = Scene::new(&[]);
    killed_in_wal_mode(&scene, "lower/index.db");
    killed_in_wal_mode(&scene, "lower/other.db");
    for suffix in ["", "-wal"] {
        scene.absolute(&format!("lower/index.db{suffix}"), &format!("root/index.db{suffix}"));
    }
    let store = scene.open();
    let fresh = fs::read(scene.at("lower/other.db")).expect("it is there");
    store.materialize("index.db", &Source::LinkTarget, &Content::Replace(fresh)).expect("nothing is copied");
    store.close().expect("the store closes");
    assert!(!scene.at("root/index.db-wal").is_symlink());
    assert_eq!(rows(&scene.at("root/index.db")), [""; 0], "the rows were in the log");
    add(&scene.at("root/index.db"), "added");
    scene.done();
}
