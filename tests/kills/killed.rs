//! The program that is killed: it makes one change after the other and reports each.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use onionskin_host::{DirectoryOptions, Error, Onionskin, OpenOptions, Publish, Store, WriteOptions};

use crate::ground::{self, Entry, Tree};

/// The environment variables of the program: the root, and the kind of work.
pub(crate) const ROOT: &str = "ONIONSKIN_KILLED_ROOT";
pub(crate) const WORK: &str = "ONIONSKIN_KILLED_WORK";

/// The lines that the program prints: the component is loaded; the revision that it found after opening the root; and
/// each revision before and after it is written.
pub(crate) const READY: &str = "ready";
pub(crate) const OPENED: &str = "opened";
pub(crate) const BEGINS: &str = "begins";
pub(crate) const ACKNOWLEDGED: &str = "acknowledged";

const UNMANAGED: [&str; 4] = ["QUERY_MESSAGE.md", "run.sh", "attachments/photo.bin", "attachments/deep/notes.txt"];

/// The change that the program repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Replace,
    InPlace,
    Swap,
    Pointer,
}

impl Work {
    pub(crate) const ALL: [Self; 4] = [Self::Replace, Self::InPlace, Self::Swap, Self::Pointer];

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|work| work.name() == name).expect("the test names one of them")
    }

    pub(crate) fn set_up(self, root: &Path) {
        for (name, content) in self.files(0) {
            ground::write(&root.join("d").join(name), content);
        }
        for name in UNMANAGED {
            ground::write(&root.join("d").join(name), name);
        }
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(root.join("d/run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    }

    /// Returns the files of a revision, each of which contains its number.
    fn files(self, revision: u64) -> Vec<(String, String)> {
        let mut files = vec![("metadata.json".to_owned(), format!("{{\"revision\": {revision}}}\n"))];
        if self != Self::Replace {
            // Long enough for several writes, and of varying length.
            files
                .push(("events.json".to_owned(), format!("event {revision}\n").repeat(1000 + revision as usize % 500)));
            files.push(("state/cursor.json".to_owned(), format!("{revision}\n")));
            files.push((format!("draft-{revision}.md"), "comes and goes\n".to_owned()));
            files.push((format!("outline-{revision}.md"), "renamed each time\n".to_owned()));
        }
        files
    }

    /// Opens the root, and changes it until the process is killed.
    pub(crate) fn persist_for_ever(self, root: &Path) {
        let onionskin = Onionskin::load().expect("the component that is built in loads");
        say(READY);
        let store = onionskin.store(root).open(&OpenOptions::default()).expect("the root opens");
        let mut revision = revision_of(root, "the program");
        say(&format!("{OPENED} {revision}"));
        loop {
            revision += 1;
            say(&format!("{BEGINS} {revision}"));
            self.persist(&store, revision).expect("the change is made");
            say(&format!("{ACKNOWLEDGED} {revision}"));
        }
    }

    fn persist(self, store: &Store, revision: u64) -> Result<(), Error> {
        let publish = match self {
            Self::Replace => {
                let (name, content) = &self.files(revision)[0];
                return store.replace_json(&format!("d/{name}"), content, &WriteOptions::default()).map(|_| ());
            }
            Self::InPlace => Publish::InPlace,
            Self::Swap => Publish::Swap,
            Self::Pointer => Publish::Pointer,
        };
        let mut change = store.begin("d", &DirectoryOptions::default().publish(publish))?;
        for (name, content) in self.files(revision) {
            if !name.starts_with("outline-") {
                change.put(&name, content.as_bytes())?;
            }
        }
        let before = revision - 1;
        change.rename(&format!("outline-{before}.md"), &format!("outline-{revision}.md"))?;
        change.remove(&format!("draft-{before}.md"))?;
        change.commit().map(|_| ())
    }

    /// Asserts that the managed files are exactly those of one revision.
    pub(crate) fn check(self, root: &Path, revision: u64, context: &str) {
        let directory = root.join("d");
        let tree = ground::read(&fs::canonicalize(&directory).expect("the directory is there"));
        let mut wanted: Vec<PathBuf> = UNMANAGED.iter().map(PathBuf::from).collect();
        for (name, content) in self.files(revision) {
            let now =
                fs::read_to_string(directory.join(&name)).unwrap_or_else(|error| panic!("{context}: {name}: {error}"));
            assert!(now == content, "{context}: {name} is not of revision {revision}");
            wanted.push(name.into());
        }
        wanted.sort();
        let files: Vec<&PathBuf> =
            tree.iter().filter(|(_, entry)| **entry != Entry::Directory).map(|(name, _)| name).collect();
        assert_eq!(files, wanted.iter().collect::<Vec<_>>(), "{context}");
    }

    /// Returns content, mode and inode of the entries that no change touches.
    pub(crate) fn unmanaged(self, root: &Path) -> Vec<(String, u32, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        let look = |name: &str| {
            let path = root.join("d").join(name);
            let metadata = fs::metadata(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            (fs::read_to_string(path).expect("it is text"), metadata.mode(), metadata.ino())
        };
        UNMANAGED.map(look).into()
    }

    /// Returns the entries of the root that should not be left. A pointer keeps two generations.
    pub(crate) fn left_over(self, tree: &Tree) -> Vec<PathBuf> {
        let store = Path::new(".onionskin/directories");
        let is_generation =
            |path: &&PathBuf| path.starts_with(store) && path.components().count() == 4 && !path.ends_with("owner");
        let generations = tree.keys().filter(is_generation).count();
        let is_store = |path: &Path| path.starts_with(store) || store.starts_with(path);
        ground::ours(tree)
            .into_iter()
            .filter(|path| self != Self::Pointer || !is_store(path) || generations > 2)
            .filter(|path| !path.starts_with("d"))
            .collect()
    }
}

/// Prints without the test harness, which would capture the line.
pub(crate) fn say(line: &str) {
    #[expect(clippy::disallowed_methods, reason = "the parent reads it")]
    let mut out = std::io::stdout().lock();
    // A closed pipe means that the process is about to be killed.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Returns the present revision, by the one file that every kind of work writes.
pub(crate) fn revision_of(root: &Path, context: &str) -> u64 {
    let path = root.join("d/metadata.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{context}: metadata.json: {error}"));
    let json: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{context}: {text}: {error}"));
    json["revision"].as_u64().unwrap_or_else(|| panic!("{context}: {text}"))
}
