//! A toy: one file, replaced at once.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::explore::{Class, Failure, Subject};
use onionskin_sim::{SimFs, tree};

/// Replaces `d/a` by a temporary and a rename; recovery removes the temporary.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Replace {
    /// The planted error.
    pub(crate) bug: Bug,
}

/// The ways to do it wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bug {
    /// None.
    #[default]
    None,
    /// The file is written in place.
    InPlace,
    /// The target is removed before the rename.
    RemovesFirst,
    /// A failed sync is made again.
    RetriesSync,
    /// A short write is taken for a whole one.
    IgnoresShortWrite,
    /// The error of the rename is dropped.
    DropsRenameError,
    /// A failure after the rename is reported as if nothing had happened.
    ClaimsTooMuch,
    /// The operation panics when it cannot write.
    Panics,
}

pub(crate) const NEW: &[u8] = b"new content";

impl Replace {
    fn replace(&self, fs: &SimFs) -> Result<(), Failure> {
        let before = |cause: Cause| Failure::new(Class::NotCommitted, format!("{cause:?}"));
        let after = |cause: Cause| {
            let class = if self.bug == Bug::ClaimsTooMuch { Class::NotCommitted } else { Class::OutcomeUnknown };
            Failure::new(class, format!("{cause:?}"))
        };
        let dir = fs.open_dir(&fs.root(), "d").map_err(before)?;
        let name = if self.bug == Bug::InPlace { "a" } else { "t" };
        if self.bug == Bug::InPlace {
            fs.remove_file(&dir, "a").map_err(before)?;
        }
        let file = fs.create_file(&dir, name).map_err(before)?;
        let mut done = 0;
        while done < NEW.len() {
            let taken = fs.write(&file, done as u64, &NEW[done..]);
            done += match taken {
                Err(cause) if self.bug == Bug::Panics => panic!("no space for it: {cause:?}"),
                Err(cause) => return Err(before(cause)),
                Ok(_) if self.bug == Bug::IgnoresShortWrite => NEW.len(),
                Ok(taken) => taken,
            };
        }
        let synced = fs.sync_file(&file);
        if synced.is_err() && self.bug == Bug::RetriesSync {
            fs.sync_file(&file).map_err(before)?;
        } else {
            synced.map_err(before)?;
        }
        match self.bug {
            Bug::InPlace => return fs.sync_dir(&dir).map_err(after),
            Bug::RemovesFirst => fs.remove_file(&dir, "a").map_err(before)?,
            Bug::None
            | Bug::RetriesSync
            | Bug::IgnoresShortWrite
            | Bug::DropsRenameError
            | Bug::ClaimsTooMuch
            | Bug::Panics => {}
        }
        let renamed = fs.rename((&dir, "t"), (&dir, "a"));
        if self.bug != Bug::DropsRenameError {
            renamed.map_err(before)?;
        }
        fs.sync_dir(&dir).map_err(after)
    }

    fn clean(fs: &SimFs) -> Result<(), Cause> {
        let dir = fs.open_dir(&fs.root(), "d")?;
        // A state that a recovery reported must not change again.
        fs.sync_dir(&dir)?;
        match fs.remove_file(&dir, "t") {
            Ok(()) => fs.sync_dir(&dir),
            Err(Cause::NoEntry) => Ok(()),
            Err(cause) => Err(cause),
        }
    }
}

impl Subject for Replace {
    fn name(&self) -> String {
        format!("replace, bug {:?}", self.bug)
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&tree! { file "d/a" = "old"; file "d/other" = "o"; });
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.replace(fs)
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        Self::clean(fs).map_err(|cause| Failure::new(Class::Other, format!("{cause:?}")))
    }
}
