//! A place on the real filesystem, and what is in it.

#![allow(dead_code, reason = "each suite uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// What the tests of a suite take at the same time, and some more.
const ROOM_KIB: u64 = 1 << 20;

/// A directory of its own: in memory where there is room, since thousands of syncs take their time
/// and no power is lost here.
pub(crate) fn scratch() -> TempDir {
    static IN_MEMORY: OnceLock<bool> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let in_memory = *IN_MEMORY.get_or_init(|| free_kib(memory).is_some_and(|free| free >= ROOM_KIB));
    let directory = if in_memory { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    directory.expect("there is a place for temporary files")
}

/// As `df` has it, the fourth word of the last line.
fn free_kib(place: &Path) -> Option<u64> {
    let told = Command::new("df").arg("-Pk").arg(place).output().ok().filter(|told| told.status.success())?;
    String::from_utf8(told.stdout).ok()?.lines().last()?.split_whitespace().nth(3)?.parse().ok()
}

/// Where programs that are started keep compiled code: each of them would compile it otherwise.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("onionskin-cache")
}

/// Says something that is to be seen also of a test that passes, whose prints are kept back.
pub(crate) fn say(text: &str) {
    // In one piece, since tests run side by side. Where nobody listens nothing is lost.
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Every entry below a directory, by its path relative to it.
pub(crate) type Tree = BTreeMap<PathBuf, Entry>;

/// One entry. Links are not followed, and what is neither file nor directory is not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    File { digest: blake3::Hash, mode: u32 },
    Directory,
    Link(PathBuf),
    Pipe,
    Socket,
}

/// Reads a directory and all that is below it.
pub(crate) fn read(directory: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let place = directory.join(&below);
        for entry in fs::read_dir(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display())) {
            let entry = entry.expect("the entries of a directory can be read");
            let name = below.join(entry.file_name());
            let found = look(&entry.path());
            if found == Entry::Directory {
                waiting.push(name.clone());
            }
            tree.insert(name, found);
        }
    }
    tree
}

fn look(path: &Path) -> Entry {
    let metadata = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let kind = metadata.file_type();
    if kind.is_dir() {
        Entry::Directory
    } else if kind.is_symlink() {
        Entry::Link(fs::read_link(path).expect("a link can be read"))
    } else if kind.is_fifo() {
        Entry::Pipe
    } else if kind.is_socket() {
        Entry::Socket
    } else {
        let content = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Entry::File { digest: blake3::hash(&content), mode: metadata.permissions().mode() & 0o7777 }
    }
}

/// The names that are in one tree alone or differ, for messages and comparisons.
pub(crate) fn difference(before: &Tree, after: &Tree) -> Vec<PathBuf> {
    let names: std::collections::BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// No names.
pub(crate) const NONE: [&Path; 0] = [];

/// The entries with a name of ours on their path.
pub(crate) fn ours(tree: &Tree) -> Vec<PathBuf> {
    let is_ours =
        |path: &PathBuf| path.iter().any(|name| name.to_string_lossy().to_ascii_lowercase().starts_with(".onionskin"));
    tree.keys().filter(|path| is_ours(path)).cloned().collect()
}

/// Writes a file, and the directories it is in.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    let parent = path.parent().expect("a file is in a directory");
    fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Copies a tree of files, directories and links.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    for (name, entry) in read(from) {
        let place = to.join(&name);
        match entry {
            Entry::Directory => fs::create_dir_all(&place),
            Entry::Link(text) => std::os::unix::fs::symlink(text, &place),
            Entry::File { .. } => fs::create_dir_all(place.parent().expect("it is below"))
                .and_then(|()| fs::copy(from.join(&name), &place).map(|_| ()))
                .and_then(|()| keep_time(&from.join(&name), &place)),
            Entry::Pipe | Entry::Socket => panic!("{}: only files are copied", name.display()),
        }
        .unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    }
}

/// A log tells an untouched file by its time.
fn keep_time(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::File::options().write(true).open(to)?.set_modified(fs::metadata(from)?.modified()?)
}
