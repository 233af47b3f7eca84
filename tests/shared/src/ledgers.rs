//! SQLite for WASI, and the ledger that the program keeps in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::packages::build;

/// The directory of the headers of Debian's `wasi-libc`.
const HEADERS: &str = "/usr/include/wasm32-wasi";

/// Returns the path of the program, or `None` where the tools to build it are missing.
pub fn program() -> Option<&'static PathBuf> {
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
        crate::skip("SQLite for WASI needs clang and wasi-libc (apt-get install clang wasi-libc)");
    }
    built.as_ref()
}

/// Creates a ledger at rest on pages of 512 bytes with one page for each account, so that a transfer changes three
/// pages.
pub fn on_small_pages() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ledger = Connection::open(directory.path().join("ledger.db")).expect("a new database");
    let accounts = "PRAGMA page_size = 512;
                    CREATE TABLE account (name TEXT PRIMARY KEY, money INTEGER, note TEXT);
                    INSERT INTO account VALUES ('one', 60, printf('%.350c', '.')), ('two', 40, printf('%.350c', '.'));";
    ledger.execute_batch(accounts).expect("two accounts");
    directory
}
