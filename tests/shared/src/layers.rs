//! Two lower directories, a plain copy of their merged tree, and trees in comparable form.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The directories for one comparison.
pub struct Ground {
    directory: TempDir,
    /// The lower directories at the beginning.
    before: [BTreeMap<String, String>; 2],
}

impl Ground {
    /// Fills two lower directories, the topmost first, and copies their merged tree.
    pub fn new(fill: impl FnOnce(&Path, &Path)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        for name in ["top", "base", "plain"] {
            fs::create_dir(at(name)).expect("a writable directory");
        }
        fill(&at("top"), &at("base"));
        copy(&at("base"), &at("plain"));
        copy(&at("top"), &at("plain"));
        let before = [inodes(&at("top")), inodes(&at("base"))];
        Self { directory, before }
    }

    /// The tree that `tests/guests/files` expects: half of it in each lower directory.
    pub fn of_files() -> Self {
        Self::new(|top, base| {
            put(top, "notes.txt", "notes of the topmost lower\n");
            put(top, "both.txt", "of the topmost");
            put(base, "both.txt", "of the one below");
            put(base, "base/deep/er/leaf", "a leaf");
            put(base, "base/old", "old");
            put(base, "base/twice", "before it is changed");
            put(top, "base/deep/over", "over");
            put(base, "bytes.bin", [0xff, 0xfe, 0, 1, 0x80]);
            put(base, "lines.txt", "a line of some length\n".repeat(2000));
            for bits in 0..64 {
                put(if bits % 2 == 0 { top } else { base }, &format!("opening/original-{bits}"), "original content");
            }
            for (lower, path) in
                [(top, "a"), (base, "b"), (base, "c1"), (base, "dir/inside"), (top, "full/x"), (base, "full/y")]
            {
                put(lower, &format!("names/{path}"), format!("{path} of a lower"));
            }
            make(base, "names/dir/sub");
            make(top, "names/empty");
            make(base, "empty");
            for number in 0..40 {
                put(if number % 3 == 0 { top } else { base }, &format!("listed/{number}"), "x");
                put(base, &format!("gone/{}/{number}", number % 5), "x");
            }
            put(top, "gone/3/top", "x");
            link(top, "link", "notes.txt");
            link(base, "link-dir", "base");
            link(base, "dangling", "nowhere");
            link(top, "circle", "circle");
            link(base, "link-out", "../outside");
        })
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Asserts that the lower directories are unchanged, including inodes and times.
    pub fn assert_lowers_stay(&self) {
        assert_eq!(inodes(&self.at("top")), self.before[0], "the topmost lower changed");
        assert_eq!(inodes(&self.at("base")), self.before[1], "the lower below changed");
    }
}

fn make(lower: &Path, directory: &str) {
    std::fs::create_dir_all(lower.join(directory)).expect("a writable directory");
}

/// Writes a file, and creates its parents.
pub fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a writable directory");
    fs::write(path, content).expect("a writable directory");
}

/// Creates a symbolic link.
pub fn link(root: &Path, path: &str, text: &str) {
    symlink(text, root.join(path)).expect("a writable directory");
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a readable directory") {
        let entry = entry.expect("a readable directory");
        let (kind, source, place) = (entry.file_type().expect("a kind"), entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir_all(&place).expect("a writable directory");
            copy(&source, &place);
        } else if kind.is_symlink() {
            let _one_of_the_other_lower = fs::remove_file(&place);
            symlink(fs::read_link(&source).expect("a link"), &place).expect("a writable directory");
        } else {
            fs::copy(&source, &place).expect("a readable file");
        }
    }
}

/// Returns the content of each path below.
pub fn tree(root: &Path) -> BTreeMap<String, String> {
    walk(root, &|path, metadata| content(path, metadata))
}

/// Returns the same, with the identity and the time of each.
fn inodes(root: &Path) -> BTreeMap<String, String> {
    walk(root, &|path, metadata| {
        let changed =
            (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
        format!("{} {changed:?}", content(path, metadata))
    })
}

fn content(path: &Path, metadata: &fs::Metadata) -> String {
    if metadata.is_dir() {
        "directory".to_owned()
    } else if metadata.is_symlink() {
        format!("link {}", fs::read_link(path).expect("a link").display())
    } else {
        let bytes = fs::read(path).expect("a readable file");
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        format!("file {} {} {start:?}", bytes.len(), blake3::hash(&bytes).to_hex())
    }
}

fn walk(root: &Path, describe: &dyn Fn(&Path, &fs::Metadata) -> String) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("a readable directory") {
            let path = entry.expect("a readable directory").path();
            let metadata = fs::symlink_metadata(&path).expect("it is there");
            if metadata.is_dir() {
                waiting.push(path.clone());
            }
            let name = path.strip_prefix(root).expect("it is below").to_string_lossy().into_owned();
            all.insert(name, describe(&path, &metadata));
        }
    }
    all
}
