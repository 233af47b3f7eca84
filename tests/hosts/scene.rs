//! A root and its originals on the real filesystem, and the assertions at the end of every test.

use std::fmt::Debug;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use onionskin_host::{
    DirectoryOptions, Error, Fault, Faults, GuestError, Onionskin, OpenOptions, Publish, Store, StoreBuilder,
};
use tempfile::TempDir;

use crate::ground::{self, Tree};

/// All publish modes.
pub(crate) const PUBLISH: [Publish; 3] = [Publish::InPlace, Publish::Swap, Publish::Pointer];

/// Returns the component, which is loaded once.
pub(crate) fn onionskin() -> &'static Onionskin {
    static LOADED: OnceLock<Onionskin> = OnceLock::new();
    LOADED.get_or_init(|| Onionskin::load().expect("the component that is built in loads"))
}

/// A directory with a `root` to work on and originals in `lower`, which is granted for reading.
///
/// It ends with [`Scene::done`], which checks the promises of every test: no existing file was opened for writing, the
/// originals are unchanged, and no record is left in the root.
pub(crate) struct Scene {
    directory: TempDir,
    faults: Faults,
    originals: OnceLock<Tree>,
    ended: bool,
}

impl Scene {
    /// Creates these files, given by path and content.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::with(Fault::None, files)
    }

    /// As [`Scene::new`], with a fault in the calls of its sessions.
    pub(crate) fn with(fault: Fault, files: &[(&str, &str)]) -> Self {
        let directory = ground::scratch();
        for name in ["root", "lower"] {
            fs::create_dir(directory.path().join(name)).expect("a new directory");
        }
        for (name, content) in files {
            ground::write(&directory.path().join(name), content);
        }
        Self { directory, faults: Faults::new(fault), originals: OnceLock::new(), ended: false }
    }

    /// Returns the absolute path of a name in the directory, such as `root/a`.
    pub(crate) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.at("root")
    }

    /// Creates a link with this text.
    pub(crate) fn link(&self, text: impl AsRef<Path>, name: impl AsRef<Path>) {
        std::os::unix::fs::symlink(text, self.at(name)).expect("a new link");
    }

    /// Creates a link with the absolute path of another entry of the scene.
    pub(crate) fn absolute(&self, to: &str, name: &str) {
        self.link(self.at(to), name);
    }

    pub(crate) fn hard_link(&self, original: &str, name: &str) {
        fs::hard_link(self.at(original), self.at(name)).expect("a new hard link");
    }

    /// Creates a pipe without a process at its other end: opening it blocks.
    pub(crate) fn pipe(&self, name: &str) {
        assert!(run(Command::new("mkfifo").arg(self.at(name))), "a new pipe");
    }

    /// Creates a file whose name is not UTF-8 in a directory of the scene.
    pub(crate) fn odd_name(&self, directory: &str) -> PathBuf {
        let path = self.at(directory).join(std::ffi::OsStr::from_bytes(b"odd-\xff\xfe"));
        ground::write(&path, "odd");
        path
    }

    /// Opens a session on the root with `lower` granted and every call recorded. From here on the originals must not
    /// change.
    pub(crate) fn session(&self) -> StoreBuilder {
        self.originals.get_or_init(|| ground::read(&self.at("lower")));
        onionskin().store(self.root()).lower(self.at("lower")).faults(&self.faults)
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn open(&self) -> Store {
        self.session().open(&OpenOptions::default()).expect("the root opens")
    }

    /// Opens and closes the root, as a program after the crash would.
    pub(crate) fn recover(&self) {
        let store = onionskin().store(self.root()).open(&OpenOptions::default()).expect("the root opens again");
        store.close().expect("the store closes");
    }

    /// Returns the content of a file of the scene; links are followed.
    pub(crate) fn text(&self, name: &str) -> String {
        let path = self.at(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Returns the tree below the root.
    pub(crate) fn tree(&self) -> Tree {
        ground::read(&self.root())
    }

    /// Checks the promises of every test; every store must be closed.
    pub(crate) fn done(self) {
        self.done_keeping(&[]);
    }

    /// As [`Scene::done`], where exactly these records stay.
    pub(crate) fn done_keeping(mut self, kept: &[&str]) {
        self.ended = true;
        let originals = self.originals.get().expect("a scene has had a session");
        assert_eq!(self.faults.opened_for_writing(), [""; 0], "no existing file is opened for writing");
        let changed = ground::difference(originals, &ground::read(&self.at("lower")));
        assert_eq!(changed, ground::NONE, "the originals are unchanged");
        let left = ground::ours(&self.tree());
        assert_eq!(left, kept.iter().map(PathBuf::from).collect::<Vec<_>>(), "records left in the root");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        assert!(self.ended || thread::panicking(), "a scene ends with `done`");
    }
}

/// Returns the error with which the component refused the call.
pub(crate) fn refused<T>(context: impl Debug, result: Result<T, Error>) -> GuestError {
    match result {
        Err(Error::Guest { error, .. }) => error,
        Err(error) => panic!("{context:?}: failed, but was not refused: {error:?}"),
        Ok(_) => panic!("{context:?}: succeeded, and must be refused"),
    }
}

/// Returns the error of a call that must fail.
pub(crate) fn error_of<T>(context: impl Debug, result: Result<T, Error>) -> Error {
    match result {
        Err(error) => error,
        Ok(_) => panic!("{context:?}: succeeded, and must be refused"),
    }
}

/// Options of a transaction in this publish mode.
pub(crate) fn publish(publish: Publish) -> DirectoryOptions {
    DirectoryOptions::default().publish(publish)
}

/// While the guard is held no test starts a program. A program that is being started has, for a moment, all open files
/// of this process, and files removed in the meantime still occupy their space.
pub(crate) fn no_starts() -> MutexGuard<'static, ()> {
    static STARTS: Mutex<()> = Mutex::new(());
    STARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a program and returns whether it succeeded.
pub(crate) fn run(command: &mut Command) -> bool {
    let _one_at_a_time = no_starts();
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a closure that could block, and fails after a time limit.
pub(crate) fn in_time(run: impl FnOnce() + Send + 'static) {
    const LIMIT: Duration = Duration::from_secs(60);
    let (ended, end) = mpsc::channel();
    let running = thread::spawn(move || {
        run();
        // The receiver is gone only when the time limit had passed.
        let _ = ended.send(());
    });
    match end.recv_timeout(LIMIT) {
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            if let Err(panic) = running.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no end after {LIMIT:?}"),
    }
}
