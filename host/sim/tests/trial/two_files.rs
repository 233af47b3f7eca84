//! A toy: two files changed as one, by a log that recovery rolls forward.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::explore::{Class, Failure, Subject};
use onionskin_sim::{Dir, SimFs, tree};

/// Changes `a` and `b` together. A log is published by a rename, then applied, then removed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TwoFiles {
    /// The planted error.
    pub(crate) bug: Bug,
}

/// The ways to do it wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bug {
    /// None.
    #[default]
    None,
    /// There is no log.
    NoLog,
    /// Recovery removes the log before it applies it: right unless recovery itself is crashed.
    RemovesLogFirst,
    /// Recovery reports success before its work is durable.
    RecoversWithoutSync,
    /// Recovery leaves its temporary behind.
    LeavesTemporary,
    /// Recovery appends to the content that it finds, and so adds more each time.
    IsNotIdempotent,
}

const LOG: &[u8] = b"a and b are new";

fn write(fs: &SimFs, dir: &Dir, name: &str, bytes: &[u8]) -> Result<(), Cause> {
    match fs.remove_file(dir, name) {
        Ok(()) | Err(Cause::NoEntry) => {}
        Err(cause) => return Err(cause),
    }
    let file = fs.create_file(dir, name)?;
    let mut done = 0;
    while done < bytes.len() {
        done += fs.write(&file, done as u64, &bytes[done..])?;
    }
    fs.sync_file(&file)
}

fn remove(fs: &SimFs, dir: &Dir, name: &str) -> Result<(), Cause> {
    match fs.remove_file(dir, name) {
        Ok(()) | Err(Cause::NoEntry) => Ok(()),
        Err(cause) => Err(cause),
    }
}

fn has(fs: &SimFs, dir: &Dir, name: &str) -> Result<bool, Cause> {
    match fs.stat(dir, name) {
        Ok(_) => Ok(true),
        Err(Cause::NoEntry) => Ok(false),
        Err(cause) => Err(cause),
    }
}

impl TwoFiles {
    fn apply(&self, fs: &SimFs, root: &Dir) -> Result<(), Cause> {
        for name in ["a", "b"] {
            write(fs, root, "t", b"new")?;
            fs.rename((root, "t"), (root, name))?;
        }
        if self.bug == Bug::RecoversWithoutSync { Ok(()) } else { fs.sync_dir(root) }
    }

    fn operate(&self, fs: &SimFs) -> Result<(), Failure> {
        let failure = |class| move |cause: Cause| Failure::new(class, format!("{cause:?}"));
        let root = fs.root();
        if self.bug != Bug::NoLog {
            write(fs, &root, "log.t", LOG).map_err(failure(Class::NotCommitted))?;
            fs.rename((&root, "log.t"), (&root, "log")).map_err(failure(Class::NotCommitted))?;
            fs.sync_dir(&root).map_err(failure(Class::OutcomeUnknown))?;
        }
        self.apply(fs, &root).map_err(failure(Class::NeedsRecovery))?;
        remove(fs, &root, "log").map_err(failure(Class::NeedsRecovery))?;
        fs.sync_dir(&root).map_err(failure(Class::NeedsRecovery))
    }

    fn restore(&self, fs: &SimFs) -> Result<(), Cause> {
        let root = fs.root();
        fs.sync_dir(&root)?;
        if has(fs, &root, "log")? {
            let log = fs.open_file(&root, "log")?;
            if fs.read(&log, 0, LOG.len() + 1)? != LOG {
                return Err(Cause::Other);
            }
            if self.bug == Bug::RemovesLogFirst {
                remove(fs, &root, "log")?;
            }
            self.apply(fs, &root)?;
            remove(fs, &root, "log")?;
        }
        if self.bug == Bug::IsNotIdempotent {
            let count = fs.list(&root)?.len();
            fs.make_dir(&root, &format!("recovered-{count}"))?;
        }
        remove(fs, &root, "t")?;
        if self.bug != Bug::LeavesTemporary {
            remove(fs, &root, "log.t")?;
        }
        if self.bug == Bug::RecoversWithoutSync { Ok(()) } else { fs.sync_dir(&root) }
    }
}

impl Subject for TwoFiles {
    fn name(&self) -> String {
        format!("two files, bug {:?}", self.bug)
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&tree! { file "a" = "old"; file "b" = "old"; });
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.operate(fs)
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        self.restore(fs).map_err(|cause| Failure::new(Class::Other, format!("{cause:?}")))
    }

    fn is_leftover(&self, path: &str) -> bool {
        self.bug == Bug::IsNotIdempotent && path == "no such path"
    }
}
