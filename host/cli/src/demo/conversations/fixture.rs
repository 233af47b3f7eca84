//! The directory of the demonstration: its files, one change to them, and the expected result.

use std::fs;
use std::path::{Path, PathBuf};

use onionskin_host::{
    DirectoryOptions, Error, ErrorKind, Fault, Faults, Onionskin, OpenOptions, Publish, Receipt, Store, StoreBuilder,
    Trap,
};

use super::{ACKNOWLEDGED, FaultKind, LEFT_OVER, MONITOR, OLD_OR_NEW, OPEN_TWICE, Scene, TRUE_ERRORS, UNMANAGED};
use crate::demo::tree::{self, Entry, Tree, difference};
use crate::demo::{DemoError, Report, listed};

const DIRECTORY: &str = "conversation";

/// The number of generations that a pointer keeps.
const GENERATIONS_MAX: usize = 2;

/// The files that no change touches.
const UNMANAGED_FILES: [(&str, &str); 4] = [
    ("QUERY_MESSAGE.md", "# Query\n"),
    ("run.sh", "#!/bin/sh\necho run\n"),
    ("attachments/photo.bin", "not really a photo"),
    ("attachments/deep/notes.txt", "kept\n"),
];

/// A root with one conversation.
pub(super) struct Fixture {
    root: PathBuf,
    scene: Scene,
    pub(super) unmanaged: Tree,
}

/// The files of a directory.
pub(super) enum State {
    /// Those before the change.
    Old,
    /// Those after the change.
    New,
    /// Neither; these paths differ from the old files.
    Neither(String),
}

impl Fixture {
    /// Creates revision 0 with plain files, and then makes the earlier changes of the scene.
    pub(super) fn set_up(onionskin: &Onionskin, root: &Path, scene: Scene) -> Result<Self, DemoError> {
        let directory = root.join(DIRECTORY);
        let managed = managed(0);
        let unmanaged = UNMANAGED_FILES.map(|(name, content)| (name.to_owned(), content.to_owned()));
        for (name, content) in managed.into_iter().chain(unmanaged) {
            let path = directory.join(name);
            let parent = path.parent().unwrap_or(&directory);
            fs::create_dir_all(parent).map_err(DemoError::files(parent))?;
            fs::write(&path, content).map_err(DemoError::files(&path))?;
        }
        make_executable(&directory.join("run.sh"))?;
        let unmanaged = unmanaged_of(&tree::read(&directory)?);
        let fixture = Self { root: root.to_owned(), scene, unmanaged };
        for revision in 1..=scene.earlier {
            persist(&fixture.builder(onionskin), scene.publish, revision)?;
        }
        Ok(fixture)
    }

    pub(super) fn builder(&self, onionskin: &Onionskin) -> StoreBuilder {
        onionskin.store(&self.root)
    }

    /// Returns the present tree of the directory.
    pub(super) fn directory(&self) -> Result<Tree, DemoError> {
        tree::read(&self.root.join(DIRECTORY))
    }

    /// Makes one change with a fault, opens the root twice, and counts the promises. Returns whether the fault
    /// occurred, and which files are present.
    pub(super) fn change_with_fault(
        &self,
        onionskin: &Onionskin,
        call: u64,
        kind: FaultKind,
        case: &str,
        report: &mut Report<'_>,
    ) -> Result<(bool, State), DemoError> {
        let faults = Faults::counting(match kind {
            FaultKind::Crash => Fault::TrapBefore(call),
            FaultKind::Failure { code, lasting: false } => Fault::FailAt(call, code),
            FaultKind::Failure { code, lasting: true } => Fault::FailFrom(call, code),
        });
        let revision = self.scene.earlier + 1;
        let builder = self.builder(onionskin).faults(&faults);
        let result = persist(&builder, self.scene.publish, revision);

        let builder = self.builder(onionskin);
        if let Err(error) = builder.open(&OpenOptions::default()).and_then(Store::close) {
            report.count(OLD_OR_NEW, case, "a root that opens", &error.to_string());
            return Ok((faults.fired(), State::Neither("no root that opens".to_owned())));
        }
        let now = self.directory()?;
        let state = self.state(&now);
        count_outcome(&result, &state, case, report);
        report.count(UNMANAGED, case, "nothing", &difference(&self.unmanaged, &unmanaged_of(&now)));
        report.count(LEFT_OVER, case, "none", &self.left_over()?);

        let once = tree::read(&self.root)?;
        let store = builder.open(&OpenOptions::default())?;
        let found = store.recovered()?;
        store.close()?;
        let seen = match found.first() {
            Some(finding) => format!("{}: {}", finding.path, finding.detail),
            None => difference(&once, &tree::read(&self.root)?),
        };
        report.count(OPEN_TWICE, case, "nothing", &seen);
        report.count(MONITOR, case, "none", &listed(&faults.opened_for_writing()));
        Ok((faults.fired(), state))
    }

    /// Returns which files are present.
    fn state(&self, now: &Tree) -> State {
        let revision = self.scene.earlier;
        let now = tree::without_modes(now);
        if now == expected(revision + 1) {
            State::New
        } else if now == expected(revision) {
            State::Old
        } else {
            State::Neither(difference(&expected(revision), &now))
        }
    }

    /// Returns the entries that should not be left in the root. A pointer keeps its two newest generations in the
    /// control directory.
    pub(super) fn left_over(&self) -> Result<String, DemoError> {
        let mut generations = Vec::new();
        let mut names = Vec::new();
        for name in tree::read(&self.root)?.into_keys() {
            let parts: Vec<&str> = name.split('/').collect();
            match parts.as_slice() {
                [DIRECTORY, ..] => {}
                [".onionskin"] | [".onionskin", "directories"] | [".onionskin", "directories", _]
                    if self.keeps_generations() => {}
                [".onionskin", "directories", _, "owner"] if self.keeps_generations() => {}
                [".onionskin", "directories", _, _] if self.keeps_generations() => {
                    generations.push(name);
                }
                [".onionskin", "directories", _, _, ..] if self.keeps_generations() => {}
                _ => names.push(name),
            }
        }
        if generations.len() > GENERATIONS_MAX {
            names.append(&mut generations);
        }
        Ok(listed(&names))
    }

    /// Whether the directory is a link to a generation.
    fn keeps_generations(&self) -> bool {
        self.root.join(DIRECTORY).is_symlink()
    }
}

/// Compares the present state with the outcome of the call.
fn count_outcome(result: &Result<Receipt, Error>, state: &State, case: &str, report: &mut Report<'_>) {
    let kind = match result {
        Err(Error::Guest { error, .. }) => Some(error.kind),
        Ok(_) | Err(_) => None,
    };
    let (promise, expected) = match (result, kind) {
        (Ok(_), _) => (ACKNOWLEDGED, "new"),
        (_, Some(ErrorKind::NotCommitted)) => (TRUE_ERRORS, "old"),
        (_, Some(ErrorKind::NeedsRecovery)) => (TRUE_ERRORS, "new"),
        (_, Some(ErrorKind::OutcomeUnknown)) => (TRUE_ERRORS, "old or new"),
        (Err(Error::Trap { trap: Trap::Injected { .. }, .. }), _) => (OLD_OR_NEW, "old or new"),
        (Err(error), _) => {
            report.count(TRUE_ERRORS, case, "a failure of the filesystem", &error.to_string());
            return;
        }
    };
    let seen = match state {
        State::Old | State::New if expected == "old or new" => expected,
        State::Old => "old",
        State::New => "new",
        State::Neither(differing) => &format!("neither: {differing} differ from the old"),
    };
    report.count(promise, case, expected, seen);
}

/// The files that the program rewrites, at a revision.
fn managed(revision: u32) -> Vec<(String, String)> {
    let events: Vec<String> = (0..=revision).map(|at| format!("{{\"event\": {at}}}")).collect();
    let file = |name: &str, content: String| (name.to_owned(), content);
    let mut files = vec![
        file("metadata.json", format!("{{\"revision\": {revision}}}\n")),
        file("events.json", format!("[{}]\n", events.join(", "))),
        file("base_config.json", "{\"model\": \"base\"}\n".to_owned()),
        file(&format!("draft-{revision}.md"), format!("draft {revision}\n")),
        file(&format!("outline-{revision}.md"), "the outline, renamed each time\n".to_owned()),
    ];
    if revision > 0 {
        files.push(file("state/cursor.json", format!("{revision}\n")));
    }
    files
}

/// Opens the root and makes the change from the previous revision to this one, in one transaction: files put, one in a
/// new directory, one added, one renamed and one removed.
pub(super) fn persist(builder: &StoreBuilder, publish: Publish, revision: u32) -> Result<Receipt, Error> {
    let store = builder.open(&OpenOptions::default())?;
    let how = DirectoryOptions::default().publish(publish);
    let mut transaction = store.begin(DIRECTORY, &how)?;
    let before = revision - 1;
    for (name, content) in managed(revision) {
        if !name.starts_with("outline-") {
            transaction.put(&name, content.as_bytes())?;
        }
    }
    transaction.rename(&format!("outline-{before}.md"), &format!("outline-{revision}.md"))?;
    transaction.remove(&format!("draft-{before}.md"))?;
    transaction.commit()
}

/// Returns the expected tree of the directory at a revision, without modes.
pub(super) fn expected(revision: u32) -> Tree {
    let unmanaged = UNMANAGED_FILES.map(|(name, content)| (name.to_owned(), content.to_owned()));
    let mut tree = Tree::new();
    for (name, content) in managed(revision).into_iter().chain(unmanaged) {
        for (at, _) in name.match_indices('/') {
            tree.insert(name[..at].to_owned(), Entry::Directory);
        }
        tree.insert(name, Entry::File { digest: blake3::hash(content.as_bytes()), mode: 0 });
    }
    tree
}

/// Returns the unmanaged part of the directory.
pub(super) fn unmanaged_of(tree: &Tree) -> Tree {
    let theirs = |name: &str| UNMANAGED_FILES.iter().any(|(file, _)| file.starts_with(name));
    tree.iter().filter(|(name, _)| theirs(name)).map(|(name, entry)| (name.clone(), entry.clone())).collect()
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), DemoError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(DemoError::files(path))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<(), DemoError> {
    Ok(())
}
