//! A root and its originals on the real filesystem, and what holds at the end of every test.

use std::cell::OnceCell;
use std::fmt::Debug;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use onionskin_host::{
    DirectoryOptions, Error, Fault, Faults, GuestError, Onionskin, OpenOptions, Publish, Session, Store,
};
use tempfile::TempDir;

use crate::ground::{self, Tree};

/// Every way to publish.
pub(crate) const PUBLISH: [Publish; 3] = [Publish::InPlace, Publish::Swap, Publish::Pointer];

/// The component, loaded once.
pub(crate) fn onionskin() -> &'static Onionskin {
    static LOADED: OnceLock<Onionskin> = OnceLock::new();
    LOADED.get_or_init(|| Onionskin::load().expect("the component that is built in loads"))
}

/// A directory with a `root` to work on and originals in `lower`, which is granted for reading.
///
/// It ends with [`Scene::done`], which checks what every test promises: no existing file was opened
/// for writing, the originals are what they were, and nothing of ours is left in the root.
pub(crate) struct Scene {
    directory: TempDir,
    faults: Faults,
    originals: OnceCell<Tree>,
    ended: bool,
}

impl Scene {
    /// Makes these files, by their paths and contents.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::with(Fault::None, files)
    }

    /// As [`Scene::new`], with something to happen to the calls of its sessions.
    pub(crate) fn with(fault: Fault, files: &[(&str, &str)]) -> Self {
        let directory = ground::scratch();
        for name in ["root", "lower"] {
            fs::create_dir(directory.path().join(name)).expect("a new directory");
        }
        for (name, content) in files {
            ground::write(&directory.path().join(name), content);
        }
        Self { directory, faults: Faults::new(fault), originals: OnceCell::new(), ended: false }
    }

    /// A place in the directory, such as `root/a`.
    pub(crate) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.at("root")
    }

    /// A link with just this text.
    pub(crate) fn link(&self, text: impl AsRef<Path>, name: impl AsRef<Path>) {
        std::os::unix::fs::symlink(text, self.at(name)).expect("a new link");
    }

    /// A link with the absolute path of another place of the scene.
    pub(crate) fn absolute(&self, to: &str, name: &str) {
        self.link(self.at(to), name);
    }

    pub(crate) fn hard_link(&self, original: &str, name: &str) {
        fs::hard_link(self.at(original), self.at(name)).expect("a new hard link");
    }

    /// A pipe without anybody at its other end: to open it is to wait for ever.
    pub(crate) fn pipe(&self, name: &str) {
        assert!(run(Command::new("mkfifo").arg(self.at(name))), "a new pipe");
    }

    /// A file whose name is not UTF-8, in a directory of the scene.
    pub(crate) fn odd_name(&self, directory: &str) -> PathBuf {
        let path = self.at(directory).join(std::ffi::OsStr::from_bytes(b"odd-\xff\xfe"));
        ground::write(&path, "odd");
        path
    }

    /// The root with `lower` granted, every call watched. From here on the originals must not change.
    pub(crate) fn session(&self) -> Session {
        self.originals.get_or_init(|| ground::read(&self.at("lower")));
        onionskin().session(self.root()).lower(self.at("lower")).faults(&self.faults)
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn open(&self) -> Store {
        self.session().open(&OpenOptions::default()).expect("the root opens")
    }

    /// Opens and closes, as whoever comes after a crash.
    pub(crate) fn recover(&self) {
        let store = onionskin().session(self.root()).open(&OpenOptions::default()).expect("the root opens again");
        store.close().expect("the store closes");
    }

    /// What a path of the scene holds; links are followed.
    pub(crate) fn text(&self, name: &str) -> String {
        let path = self.at(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// All that is in the root.
    pub(crate) fn tree(&self) -> Tree {
        ground::read(&self.root())
    }

    /// Every store is closed: checks what every test promises.
    pub(crate) fn done(self) {
        self.done_keeping(&[]);
    }

    /// As [`Scene::done`], where just these entries of ours stay.
    pub(crate) fn done_keeping(mut self, kept: &[&str]) {
        self.ended = true;
        let originals = self.originals.get().expect("a scene has had a session");
        assert_eq!(self.faults.opened_for_writing(), [""; 0], "no existing file is opened for writing");
        let changed = ground::difference(originals, &ground::read(&self.at("lower")));
        assert_eq!(changed, ground::NONE, "the originals are what they were");
        let left = ground::ours(&self.tree());
        assert_eq!(left, kept.iter().map(PathBuf::from).collect::<Vec<_>>(), "what is left in the root");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        assert!(self.ended || thread::panicking(), "a scene ends with `done`");
    }
}

/// What the component refused, and why.
pub(crate) fn refused<T>(what: impl Debug, result: Result<T, Error>) -> GuestError {
    match result {
        Err(Error::Guest { error, .. }) => error,
        Err(error) => panic!("{what:?}: refused otherwise: {error:?}"),
        Ok(_) => panic!("{what:?}: was done, and was to be refused"),
    }
}

/// The error of a call that must fail.
pub(crate) fn error_of<T>(what: impl Debug, result: Result<T, Error>) -> Error {
    match result {
        Err(error) => error,
        Ok(_) => panic!("{what:?}: was done, and was to be refused"),
    }
}

/// Options for a transaction that publishes in this way.
pub(crate) fn publish(publish: Publish) -> DirectoryOptions {
    DirectoryOptions { publish, ..DirectoryOptions::default() }
}

/// While this is held no test starts a program. One that is being started has, for a moment, all
/// open files of this process, and what is removed meanwhile still takes its space.
pub(crate) fn no_starts() -> MutexGuard<'static, ()> {
    static STARTS: Mutex<()> = Mutex::new(());
    STARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a program could be run, and did what it was asked for.
pub(crate) fn run(command: &mut Command) -> bool {
    let _one_at_a_time = no_starts();
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs something that could wait for ever, and fails if it does.
pub(crate) fn in_time(run: impl FnOnce() + Send + 'static) {
    const LIMIT: Duration = Duration::from_secs(60);
    let (ended, end) = mpsc::channel();
    let running = thread::spawn(move || {
        run();
        // Nobody waits any more only when this came too late.
        let _ = ended.send(());
    });
    match end.recv_timeout(LIMIT) {
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            if let Err(panic) = running.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs: no end after {LIMIT:?}"),
    }
}
