//! The tree of a directory, for comparison with a former one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::DemoError;

/// Every entry below a directory, by its path relative to it.
pub type Tree = BTreeMap<String, Entry>;

/// One entry. Links are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file: the digest of its content, and its mode where there are modes.
    File {
        /// BLAKE3 of the content.
        digest: blake3::Hash,
        /// Permission bits; 0 where the system has none.
        mode: u32,
    },
    /// A directory.
    Directory,
    /// A symbolic link and its text.
    Link(String),
}

/// Reads a directory and everything below it.
pub fn read(directory: &Path) -> Result<Tree, DemoError> {
    let mut tree = Tree::new();
    walk(directory, "", &mut tree)?;
    Ok(tree)
}

/// The names that differ between two trees, or `nothing`.
#[must_use]
pub fn difference(before: &Tree, after: &Tree) -> String {
    let differs = |path: &&String| before.get(*path) != after.get(*path);
    let mut names: Vec<&str> = before.keys().chain(after.keys()).filter(differs).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// The same tree with every mode 0, to be compared by names and content.
#[must_use]
pub fn without_modes(tree: &Tree) -> Tree {
    let without = |entry: &Entry| match entry {
        Entry::File { digest, .. } => Entry::File { digest: *digest, mode: 0 },
        Entry::Directory | Entry::Link(_) => entry.clone(),
    };
    tree.iter().map(|(name, entry)| (name.clone(), without(entry))).collect()
}

fn walk(directory: &Path, prefix: &str, tree: &mut Tree) -> Result<(), DemoError> {
    let entries = fs::read_dir(directory).map_err(DemoError::files(directory))?;
    for entry in entries {
        let entry = entry.map_err(DemoError::files(directory))?;
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let metadata = fs::symlink_metadata(&path).map_err(DemoError::files(&path))?;
        let found = if metadata.is_dir() {
            walk(&path, &format!("{name}/"), tree)?;
            Entry::Directory
        } else if metadata.is_symlink() {
            let text = fs::read_link(&path).map_err(DemoError::files(&path))?;
            Entry::Link(text.to_string_lossy().into_owned())
        } else {
            let content = fs::read(&path).map_err(DemoError::files(&path))?;
            Entry::File { digest: blake3::hash(&content), mode: mode(&metadata) }
        };
        tree.insert(name, found);
    }
    Ok(())
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_metadata: &fs::Metadata) -> u32 {
    0
}
