//! SQLite, with a transfer between two accounts. What is found is what its documentation says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::trial::{Said, build, crash};

/// Where Debian's `wasi-libc` has its headers.
const HEADERS: &str = "/usr/include/wasm32-wasi";

/// The program; nothing where the tools to build it are missing.
pub(crate) fn program() -> Option<&'static PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let clang = Command::new("clang").arg("--version").output().is_ok_and(|it| it.status.success());
        if !clang || !Path::new(HEADERS).is_dir() {
            return None;
        }
        let flags = format!("--target=wasm32-wasi --sysroot=/usr -isystem {HEADERS}");
        Some(build("sqlite", "ledger", &[("CC_wasm32_wasip2", "clang"), ("CFLAGS_wasm32_wasip2", &flags)]))
    });
    if built.is_none() {
        let text = "SQLite was not crashed: it takes clang and wasi-libc (apt-get install clang wasi-libc)";
        assert!(std::env::var_os("CI").is_none(), "{text}");
        eprintln!("LEFT OUT: {text}");
    }
    built.as_ref()
}

/// A ledger that is at rest.
fn before() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ledger = Connection::open(directory.path().join("ledger.db")).expect("a new database");
    let accounts = "CREATE TABLE account (name TEXT PRIMARY KEY, money INTEGER);
                    INSERT INTO account VALUES ('one', 60), ('two', 40);";
    ledger.execute_batch(accounts).expect("two accounts");
    directory
}

/// The same on pages of 512 bytes, with a page for each account: a transfer changes three pages.
pub(crate) fn on_small_pages() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ledger = Connection::open(directory.path().join("ledger.db")).expect("a new database");
    let accounts = "PRAGMA page_size = 512;
                    CREATE TABLE account (name TEXT PRIMARY KEY, money INTEGER, note TEXT);
                    INSERT INTO account VALUES ('one', 60, printf('%.350c', '.')), ('two', 40, printf('%.350c', '.'));";
    ledger.execute_batch(accounts).expect("two accounts");
    directory
}

pub(crate) fn transfer(synchronous: &str, locks: &str, more: &[&str]) -> Option<Said> {
    let before = before();
    let directory = before.path().to_str().expect("a plain name");
    let (run, check) = (format!("transfer {synchronous} {locks}"), format!("check {locks}"));
    Some(crash(program()?, &run, &check, &[&["--dir", directory, "--format", "json"], more].concat()))
}

/// `extra` promises all: the directory is synced after the journal is removed, which decides.
#[test]
fn extra_keeps_everything() {
    let Some(said) = transfer("extra", "unix-none", &[]) else { return };
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let told: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    println!("SQLite, extra: {}", told["totals"]);
}

/// `full` leaves that sync out: never is money lost, but a transfer that was told may be undone.
#[test]
fn full_may_forget_the_last_transfer() {
    let Some(said) = transfer("full", "unix-none", &["--model", "ordered"]) else { return };
    let violations = said.violations();
    assert!(!violations.is_empty(), "it forgets nothing");
    for (text, _) in &violations {
        assert!(text.contains("transfers told of: 1, done: 0"), "{text}");
    }
}

/// `off` syncs nothing: the database is damaged.
#[test]
fn off_is_damaged() {
    let Some(said) = transfer("off", "unix-none", &["--model", "ordered"]) else { return };
    let violations = said.violations();
    let is_damage = |(text, _): &(String, String)| text.contains("*** in database main ***");
    assert!(violations.iter().any(is_damage), "{violations:#?}");
}

/// In WASI the default lock is a directory, and nobody removes it for a process that was killed.
#[test]
fn the_default_lock_outlives_its_owner() {
    let Some(said) = transfer("extra", "unix-dotfile", &["--model", "process"]) else { return };
    let violations = said.violations();
    assert!(!violations.is_empty(), "the lock went away");
    for (text, image) in &violations {
        assert!(text.contains("database is locked") && image.contains("files/ledger.db.lock/"), "{text}\n{image}");
    }
}
