//! Scratch directories on the real filesystem, and trees as they are found there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

pub use crate::{say, skip};

/// The space that the concurrent tests of a suite need, and a reserve.
const ROOM_KIB: u64 = 1 << 20;

/// Creates a scratch directory: in memory where there is space, since thousands of syncs are slow on a disk and these
/// tests lose no power.
pub fn scratch() -> TempDir {
    static IN_MEMORY: OnceLock<bool> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let in_memory = *IN_MEMORY.get_or_init(|| free_kib(memory).is_some_and(|free| free >= ROOM_KIB));
    let directory = if in_memory { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    directory.expect("temporary files can be created")
}

/// Returns the free space by `df`, from the fourth word of its last line.
fn free_kib(place: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(place).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().last()?.split_whitespace().nth(3)?.parse().ok()
}

/// The cache of compiled code for the programs that tests start; without it each of them would compile the component.
pub fn cache() -> PathBuf {
    crate::target_tmp().join("onionskin-cache")
}

/// Every entry below a directory, by its relative path.
pub type Tree = BTreeMap<PathBuf, Entry>;

/// One entry. Links are not followed; pipes and sockets are not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    File { digest: blake3::Hash, mode: u32 },
    Directory,
    Link(PathBuf),
    Pipe,
    Socket,
}

/// Reads a directory and everything below it.
pub fn read(directory: &Path) -> Tree {
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

/// Returns the names that are in one tree only or differ between the two.
pub fn difference(before: &Tree, after: &Tree) -> Vec<PathBuf> {
    let names: std::collections::BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// The empty list of names.
pub const NONE: [&Path; 0] = [];

/// Returns the entries with a reserved name on their path.
pub fn ours(tree: &Tree) -> Vec<PathBuf> {
    let is_ours =
        |path: &PathBuf| path.iter().any(|name| name.to_string_lossy().to_ascii_lowercase().starts_with(".onionskin"));
    tree.keys().filter(|path| is_ours(path)).cloned().collect()
}

/// Writes a file, and creates its parent directories.
pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    let parent = path.parent().expect("a file is in a directory");
    fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Copies a tree of files, directories and links.
pub fn copy(from: &Path, to: &Path) {
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

/// Copies the time, by which a log recognizes an untouched file.
fn keep_time(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::File::options().write(true).open(to)?.set_modified(fs::metadata(from)?.modified()?)
}
