//! A workspace and its directories, before it is opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::bindings::types::{Error as GuestError, ErrorKind, Ownership};
use crate::bindings::workspace::{Options, Quota, Relocation};
use crate::grants::{Access, Granted, Grants};
use crate::instance::Instance;
use crate::lock::RootLock;
use crate::workspace::Opened;
use crate::{Error, Faults, Onionskin, Workspace};

/// An upper directory and its lowers; see [`Onionskin::workspace`].
///
/// The component sees each directory under its place on the host. So the upper remembers where its
/// lowers are, and they are named once, when it is made.
#[derive(Clone)]
pub struct WorkspaceBuilder {
    onionskin: Onionskin,
    pub(super) upper: PathBuf,
    pub(super) lowers: Vec<PathBuf>,
    quota: Quota,
    moved: bool,
    faults: Option<Faults>,
}

impl Onionskin {
    /// Names the upper directory of a workspace. Nothing is opened yet.
    #[must_use]
    pub fn workspace(&self, upper: impl AsRef<Path>) -> WorkspaceBuilder {
        let (onionskin, upper) = (self.clone(), upper.as_ref().to_owned());
        WorkspaceBuilder { onionskin, upper, lowers: Vec::new(), quota: Quota::default(), moved: false, faults: None }
    }
}

impl WorkspaceBuilder {
    /// Adds a lower, below those that were added before. It is granted for reading alone.
    #[must_use]
    pub fn lower(mut self, directory: impl AsRef<Path>) -> Self {
        self.lowers.push(directory.as_ref().to_owned());
        self
    }

    /// As [`WorkspaceBuilder::lower`], for several directories, the topmost first.
    #[must_use]
    pub fn lowers(mut self, directories: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.lowers.extend(directories.into_iter().map(|it| it.as_ref().to_owned()));
        self
    }

    /// Takes the lowers as they are named now, though they are not those that the workspace
    /// remembers: they were moved, or come from a backup.
    #[must_use]
    pub fn moved(mut self) -> Self {
        self.moved = true;
        self
    }

    /// Limits what the workspace may hold: one that is made remembers it, and one that is opened keeps
    /// to it beside what it remembers.
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }

    /// Watches the calls of the component on the filesystem, and makes them fail as asked.
    #[must_use]
    pub fn faults(mut self, faults: &Faults) -> Self {
        self.faults = Some(faults.clone());
        self
    }

    /// Makes an empty workspace in the upper directory, over the lowers that were named.
    pub fn create(&self) -> Result<Workspace, Error> {
        let lock = self.lock()?;
        let mut instance = self.start(Vec::new(), Access::Read, None)?;
        let options = self.options(&self.upper)?;
        let resource =
            instance.call(|guest, engine| guest.onionskin_fs_workspace().workspace().call_create(engine, &options))?;
        Workspace::new(self.clone(), lock, Opened { instance, resource })
    }

    /// Opens the workspace in the upper directory, and finishes or removes what a crash left; see
    /// [`Workspace::recovered`]. A lock of the operating system is held on the upper directory: a
    /// second owner gets [`Error::Locked`].
    ///
    /// The lowers are those that it remembers, unless some were named: those of the workspace of another
    /// user have to be named. A commit that a crash interrupted is finished; for that alone the topmost
    /// lower is granted for writing, and not for the workspace of another user.
    pub fn open(&self) -> Result<Workspace, Error> {
        let lock = self.lock()?;
        let mut builder = self.clone();
        let is_own = belongs_to_this_user(&self.upper);
        if builder.lowers.is_empty() {
            builder.lowers = self.remembered()?;
            if !is_own {
                let text = "the workspace belongs to another user, or others can write it: name its lowers, on the \
                            command line by --moved";
                let why = io::Error::new(io::ErrorKind::PermissionDenied, text);
                return Err(Error::io("take the lower directories that it names from", &self.upper, why));
            }
        }
        let opened = match builder.opened(Vec::new(), Access::Read, None) {
            Err(Error::Guest { error: GuestError { kind: ErrorKind::ReadOnly, .. }, .. }) if is_own => {
                builder.finished()?
            }
            opened => opened?,
        };
        Workspace::new(builder, lock, opened)
    }

    /// The places of the lowers that the workspace remembers, the topmost first.
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
            Some(lower) => Some(RootLock::take(lower, lower)?),
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

    /// How to open the workspace, or a fork of it, in an upper directory.
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
            moved: if self.moved { Relocation::Accept } else { Relocation::Refuse },
        })
    }

    /// The same with the topmost lower called as the caller does now.
    pub(super) fn calling_topmost(&self, directory: &Path) -> Self {
        let mut builder = self.clone();
        if let Some(topmost) = builder.lowers.first_mut() {
            directory.clone_into(topmost);
        }
        builder
    }

    /// The same for another upper directory.
    pub(super) fn in_upper(&self, upper: &Path) -> Self {
        Self { upper: upper.to_owned(), ..self.clone() }
    }

    fn lock(&self) -> Result<RootLock, Error> {
        RootLock::take(&self.upper, &self.upper)
    }
}

/// A directory under its place, for writing.
pub(super) fn granted(directory: &Path) -> Result<Granted, Error> {
    Granted::by_place("open the directory", directory, Access::Write)
}

/// Whether a workspace belongs to this user, and not everybody can write it: then it was this user who said
/// which directories it lies over.
#[cfg(unix)]
fn belongs_to_this_user(upper: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    const WRITE_FOR_ALL: u32 = 0o002;
    let user = rustix::process::geteuid().as_raw();
    let places = ["", ".onionskin", ".onionskin/workspace", ".onionskin/workspace/map"];
    places.iter().all(|place| match std::fs::metadata(upper.join(place)) {
        Ok(found) => found.uid() == user && found.mode() & WRITE_FOR_ALL == 0,
        // What is not there says nothing, and to open it says so.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    })
}

/// The directories of a user are private where there are no modes.
#[cfg(not(unix))]
fn belongs_to_this_user(_: &Path) -> bool {
    true
}
