//! The builder of a workspace: an upper directory and its lowers.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::bindings::types::{Error as GuestError, ErrorKind, Ownership};
use crate::bindings::workspace::{Options, Quota, Relocation};
use crate::grants::{Access, Granted, Grants, published};
use crate::instance::Instance;
use crate::lock::{RootLock, is_held};
use crate::trust::Trust;
use crate::workspace::Opened;
use crate::{Error, Faults, Onionskin, Workspace};

/// The time between two looks at a workspace that its owner is committing.
const WAIT: Duration = Duration::from_millis(20);

/// The maximum of these looks: a minute.
const WAITS_MAX: usize = 3000;

/// An upper directory and its lowers; see [`Onionskin::workspace`].
///
/// The name of each directory in the component is its path on the host. So the upper records the paths of its
/// lowers, which are passed once, when the workspace is created.
#[derive(Clone)]
pub struct WorkspaceBuilder {
    onionskin: Onionskin,
    pub(super) upper: PathBuf,
    pub(crate) lowers: Vec<PathBuf>,
    pub(crate) quota: Quota,
    moved: bool,
    pub(crate) faults: Option<Faults>,
    pub(crate) trust: Trust,
    pub(crate) wait: Duration,
}

impl Onionskin {
    /// Returns a builder for a workspace in this upper directory. Nothing is opened yet.
    #[must_use]
    pub fn workspace(&self, upper: impl AsRef<Path>) -> WorkspaceBuilder {
        let (onionskin, upper) = (self.clone(), upper.as_ref().to_owned());
        WorkspaceBuilder {
            onionskin,
            upper,
            lowers: Vec::new(),
            quota: Quota::default(),
            moved: false,
            faults: None,
            trust: Trust::Own,
            wait: Duration::ZERO,
        }
    }
}

impl WorkspaceBuilder {
    /// Adds a lower, below those added before. It is granted for reading only.
    #[must_use]
    pub fn lower(self, directory: impl AsRef<Path>) -> Self {
        self.lowers([directory])
    }

    /// As [`WorkspaceBuilder::lower`], for several directories, the topmost first.
    #[must_use]
    pub fn lowers(mut self, directories: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.lowers.extend(directories.into_iter().map(|it| it.as_ref().to_owned()));
        self
    }

    /// Accepts the lowers of this builder instead of the recorded ones: the directories were moved, or
    /// restored from a backup.
    #[must_use]
    pub fn moved(mut self) -> Self {
        self.moved = true;
        self
    }

    /// Waits up to this time for each lock that another owner holds: on the upper, and on the directories that are
    /// written. Without this, the error is [`Error::Locked`] at once.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// Carries out the records of every user: in the upper, and in the directories that are written. Without
    /// this, those are refused ([`Error::Untrusted`]) whose records another user could have written.
    #[must_use]
    pub fn trust_all(mut self) -> Self {
        self.trust = Trust::All;
        self
    }

    /// Limits the size of the workspace. A new workspace records the quota; an existing one is subject to
    /// both this quota and the recorded one.
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }

    /// Records the calls of the component on the filesystem, and injects failures.
    #[must_use]
    pub fn faults(mut self, faults: &Faults) -> Self {
        self.faults = Some(faults.clone());
        self
    }

    /// Creates an empty workspace in the upper directory, over the lowers of this builder.
    pub fn create(&self) -> Result<Workspace, Error> {
        let lock = self.lock()?;
        let mut instance = self.start(Vec::new(), Access::Read, None)?;
        let options = self.options(&self.upper)?;
        let resource =
            instance.call(|guest, engine| guest.onionskin_fs_workspace().workspace().call_create(engine, &options))?;
        Workspace::new(self.clone(), lock, Opened { instance, resource })
    }

    /// Opens the workspace in the upper directory, and recovers from an interrupted operation; see
    /// [`Workspace::recovered`]. A lock of the operating system is held on the upper directory: a second
    /// owner gets [`Error::Locked`].
    ///
    /// The lowers are the recorded ones, unless this builder names some. A commit that a crash interrupted is
    /// completed; for that only, the topmost lower is granted for writing. The workspace of another user is
    /// refused, unless all are trusted.
    pub fn open(&self) -> Result<Workspace, Error> {
        let lock = self.lock()?;
        let mut builder = self.clone();
        if builder.lowers.is_empty() {
            builder.lowers = self.remembered()?;
        }
        let opened = match builder.opened(Vec::new(), Access::Read, None) {
            Err(Error::Guest { error: GuestError { kind: ErrorKind::ReadOnly, .. }, .. }) => builder.finished()?,
            opened => opened?,
        };
        Workspace::new(builder, lock, opened)
    }

    /// Opens the workspace for reading alone, beside an owner: no lock is taken, and nothing is changed. Names are
    /// those of one moment, and each content is one that its file had. A call for which that would not hold is
    /// refused ([`ErrorKind::Conflicts`]): then the workspace has to be observed again.
    ///
    /// A commit that is under way is waited for.
    ///
    /// # Errors
    /// As for [`WorkspaceBuilder::open`]; of the kind `needs-recovery` after a commit that a crash interrupted: an open
    /// completes it.
    pub fn observe(&self) -> Result<Workspace, Error> {
        let (mut builder, mut had_owner) = (self.clone(), true);
        for _ in 0..WAITS_MAX {
            self.trust.upper(&self.upper)?;
            if self.lowers.is_empty() {
                builder.lowers = self.remembered()?;
            }
            match builder.observed() {
                // The owner may have completed it since.
                Err(Error::Guest { error, .. }) if error.kind == ErrorKind::NeedsRecovery && had_owner => {
                    had_owner = is_held(&self.upper, &self.upper)?;
                    if had_owner {
                        thread::sleep(WAIT);
                    }
                }
                // The map was replaced while it was read.
                Err(Error::Guest { error, .. }) if error.kind == ErrorKind::Conflicts => thread::sleep(WAIT),
                opened => return Ok(Workspace::beside(builder, opened?)),
            }
        }
        Err(Error::Locked { root: self.upper.clone(), holder: None })
    }

    pub(super) fn observed(&self) -> Result<Opened, Error> {
        let mut others = Vec::new();
        for lower in &self.lowers {
            others.push(Granted::by_place("open the lower directory of the workspace", lower, Access::Read)?);
        }
        let grants = Grants::of(&self.upper, granted(&self.upper)?, others).root_for(Access::Read);
        let mut instance = self.instance(grants, None)?;
        let options = self.options(&self.upper)?;
        let resource =
            instance.call(|guest, engine| guest.onionskin_fs_workspace().workspace().call_observe(engine, &options))?;
        Ok(Opened { instance, resource })
    }

    /// Discards the workspace in the upper directory without reading it: its map may be damaged, and its lowers
    /// gone.
    pub fn abandon(&self) -> Result<(), Error> {
        let _lock = self.lock()?;
        let upper = granted(&self.upper)?;
        let name = upper.guest.clone();
        let grants = Grants::of(&self.upper, upper, Vec::new()).root_for(Access::Write);
        self.instance(grants, None)?
            .call(|guest, engine| guest.onionskin_fs_workspace().call_abandon(engine, &name, &Ownership::Host))
    }

    /// Returns the recorded paths of the lowers, the topmost first.
    pub fn remembered(&self) -> Result<Vec<PathBuf>, Error> {
        let upper = granted(&self.upper)?;
        let name = upper.guest.clone();
        let grants = Grants::of(&self.upper, upper, Vec::new()).root_for(Access::Read);
        let lowers = self
            .instance(grants, None)?
            .call(|guest, engine| guest.onionskin_fs_workspace().call_describe(engine, &name))
            .map_err(|error| match error {
                Error::Guest { root, error } if error.kind == ErrorKind::NotFound => {
                    let message = "there is no workspace in it; create one first".to_owned();
                    Error::Guest { root, error: GuestError { message, ..error } }
                }
                error => error,
            })?;
        Ok(lowers.into_iter().map(PathBuf::from).collect())
    }

    /// The same workspace with the topmost lower granted for writing, to finish a commit.
    fn finished(&self) -> Result<Opened, Error> {
        let lock = match self.lowers.first() {
            Some(lower) => {
                let lock = RootLock::take(lower, lower, self.wait)?;
                self.trust.records(lower)?;
                Some(lock)
            }
            None => None,
        };
        self.opened(Vec::new(), Access::Write, lock)
    }

    /// Opens the workspace in an instance with these grants besides its own.
    pub(super) fn opened(
        &self,
        others: Vec<Granted>,
        topmost: Access,
        lock: Option<RootLock>,
    ) -> Result<Opened, Error> {
        let mut instance = self.start(others, topmost, lock)?;
        let options = self.options(&self.upper)?;
        let resource =
            instance.call(|guest, engine| guest.onionskin_fs_workspace().workspace().call_open(engine, &options))?;
        Ok(Opened { instance, resource })
    }

    fn start(&self, mut others: Vec<Granted>, topmost: Access, lock: Option<RootLock>) -> Result<Instance, Error> {
        for (at, lower) in self.lowers.iter().enumerate() {
            let access = if at == 0 { topmost } else { Access::Read };
            others.push(Granted::by_place("open the lower directory of the workspace", lower, access)?);
        }
        self.instance(Grants::of(&self.upper, granted(&self.upper)?, others), lock)
    }

    fn instance(&self, grants: Grants, lock: Option<RootLock>) -> Result<Instance, Error> {
        Instance::start(&self.onionskin, grants, lock, self.faults.as_ref())
    }

    /// Returns the options for opening the workspace, or a fork, in an upper directory.
    pub(super) fn options(&self, upper: &Path) -> Result<Options, Error> {
        let mut lowers = Vec::new();
        for lower in &self.lowers {
            lowers.push(granted(lower)?.guest);
        }
        Ok(Options {
            upper: granted(upper)?.guest,
            lowers,
            owner: Ownership::Host,
            quota: self.quota,
            // Each publish by `pointer` puts another directory at the path of its link.
            moved: if self.moved || self.lowers.iter().any(|lower| published(lower).is_some()) {
                Relocation::Accept
            } else {
                Relocation::Refuse
            },
        })
    }

    /// Returns the builder with the path of the caller as the name of the topmost lower in messages.
    pub(super) fn calling_topmost(&self, directory: &Path) -> Self {
        let mut builder = self.clone();
        if let Some(topmost) = builder.lowers.first_mut() {
            directory.clone_into(topmost);
        }
        builder
    }

    #[cfg(any(feature = "async", feature = "run"))]
    pub(crate) fn onionskin(&self) -> &Onionskin {
        &self.onionskin
    }

    /// Returns the upper directory as the caller named it.
    #[cfg(any(feature = "async", feature = "run"))]
    pub(crate) fn upper(&self) -> &Path {
        &self.upper
    }

    /// Returns the builder for another upper directory.
    pub(crate) fn in_upper(&self, upper: &Path) -> Self {
        Self { upper: upper.to_owned(), ..self.clone() }
    }

    /// Takes the lock on the upper, and then checks whose records it holds.
    fn lock(&self) -> Result<RootLock, Error> {
        let lock = RootLock::take(&self.upper, &self.upper, self.wait)?;
        self.trust.upper(&self.upper)?;
        Ok(lock)
    }
}

/// Grants a directory for writing, under its path.
pub(super) fn granted(directory: &Path) -> Result<Granted, Error> {
    Granted::by_place("open the directory", directory, Access::Write)
}
