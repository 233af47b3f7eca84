//! The builder of a store: a root and its grants.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::bindings::capabilities::{Abilities, Limits, Tier};
use crate::bindings::types::{Finding, Ownership, Verdict};
use crate::filesystem::Filesystem;
use crate::grants::{Access, Grants, ROOT};
use crate::instance::Instance;
use crate::lock::{Question, RootLock, is_held};
use crate::options::OpenOptions;
use crate::trust::{self, Trust};
use crate::{Error, Faults, Onionskin, Store};

/// The number of attempts of a probe that is refused.
const PROBES_MAX: u32 = 3;

/// The time between two of them.
const AGAIN: Duration = Duration::from_millis(20);

/// The time for which a probe waits for an owner.
const OWNER: Duration = Duration::from_secs(2);

/// A root directory and further granted directories; see [`Onionskin::store`].
///
/// The builder keeps no resources between calls: each call starts an instance of its own, and
/// [`StoreBuilder::open`] moves its instance into the store.
#[derive(Clone)]
pub struct StoreBuilder {
    onionskin: Onionskin,
    root: PathBuf,
    lowers: Vec<PathBuf>,
    faults: Option<Faults>,
    filesystem: Option<Arc<dyn Filesystem>>,
    trust: Trust,
    wait: Duration,
}

impl Onionskin {
    /// Returns a builder for a store on this directory. Nothing is opened yet.
    #[must_use]
    pub fn store(&self, root: impl AsRef<Path>) -> StoreBuilder {
        let (onionskin, root) = (self.clone(), root.as_ref().to_owned());
        StoreBuilder {
            onionskin,
            root,
            lowers: Vec::new(),
            faults: None,
            filesystem: None,
            trust: Trust::Own,
            wait: Duration::ZERO,
        }
    }
}

impl StoreBuilder {
    /// Runs the component on a filesystem other than that of the operating system. The root and the lowers
    /// are directories of this filesystem.
    #[must_use]
    pub fn filesystem(mut self, filesystem: impl Filesystem) -> Self {
        self.filesystem = Some(Arc::new(filesystem));
        self
    }

    /// Grants a directory for reading: absolute links of the root may lead there.
    #[must_use]
    pub fn lower(self, directory: impl AsRef<Path>) -> Self {
        self.lowers([directory])
    }

    /// As [`StoreBuilder::lower`], for several directories.
    #[must_use]
    pub fn lowers(mut self, directories: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.lowers.extend(directories.into_iter().map(|it| it.as_ref().to_owned()));
        self
    }

    /// Carries out the records of every user. Without this, a root is refused ([`Error::Untrusted`]) whose
    /// records another user could have written.
    #[must_use]
    pub fn trust_all(mut self) -> Self {
        self.trust = Trust::All;
        self
    }

    /// Waits up to this time for the lock on the root, if another owner holds it. Without this, the error is
    /// [`Error::Locked`] at once.
    ///
    /// Owners that wait get the lock in no order that is promised, and each by chance as soon as the others.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// Records the calls of the component on the filesystem, and injects failures. Without this, calls are
    /// not wrapped. Has no effect on a filesystem of [`StoreBuilder::filesystem`].
    #[must_use]
    pub fn faults(mut self, faults: &Faults) -> Self {
        self.faults = Some(faults.clone());
        self
    }

    /// Opens the root, and completes or rolls back an interrupted operation; see [`Store::recovered`].
    ///
    /// With [`Ownership::Host`] a lock of the operating system is taken on the root directory and
    /// held as long as the store, its writers and its transactions: a second owner gets
    /// [`Error::Locked`].
    pub fn open(&self, options: &OpenOptions) -> Result<Store, Error> {
        let grants = self.grants()?;
        let lock = match options.owner {
            Ownership::Host => self.lock(&grants)?,
            Ownership::LockFile(_) => None,
        };
        self.check(&grants)?;
        Store::open(self.start(grants, Access::Write, lock)?, options)
    }

    /// Tries what works at the root and answers with the strongest promise that can be kept there.
    /// Leaves nothing behind.
    ///
    /// It excludes no owner: one that opens the root meanwhile waits for it. It waits for an owner itself, for some
    /// seconds.
    pub fn probe(&self) -> Result<Abilities, Error> {
        let mut tries = PROBES_MAX;
        loop {
            let grants = self.grants()?;
            self.check(&grants)?;
            let _question = match grants.filesystem() {
                Some(_) => None,
                None => Some(Question::ask(grants.named_root(), grants.root(), self.wait.max(OWNER))?),
            };
            let abilities = self
                .start(grants, Access::Write, None)?
                .call(|guest, engine| guest.onionskin_fs_capabilities().call_probe(engine, ROOT));
            tries -= 1;
            // Another probe may have used the same scratch directory.
            if tries == 0 || abilities.as_ref().is_ok_and(|abilities| abilities.tier != Tier::Refused) {
                return abilities;
            }
            thread::sleep(AGAIN);
        }
    }

    /// Checks whose records an open would carry out.
    ///
    /// # Errors
    ///
    /// [`Error::Untrusted`] if another user could have written one, and [`StoreBuilder::trust_all`] was not said.
    pub fn check_trust(&self) -> Result<(), Error> {
        self.check(&self.grants()?)
    }

    /// What opening would find and do, without doing it: the root is granted for reading alone.
    ///
    /// It reads the records of other users, too, and carries nothing out. It takes no lock, so it keeps no owner out. Where another owner of the operating system's lock is at
    /// work, the first finding says so, and the others may be that work.
    pub fn inspect(&self) -> Result<Vec<Finding>, Error> {
        let grants = self.grants()?;
        let is_held = grants.filesystem().is_none() && is_held(grants.named_root(), grants.root())?;
        let in_use = is_held.then(in_use);
        let findings = self
            .start(grants, Access::Read, None)?
            .call(|guest, engine| guest.onionskin_fs_store().call_inspect(engine, ROOT))?;
        Ok(in_use.into_iter().chain(findings).collect())
    }

    /// Breaks the lock of an owner that is known to be dead, if its lock file has this token.
    pub fn break_lock(&self, expected: &str) -> Result<(), Error> {
        let grants = self.grants()?;
        self.check(&grants)?;
        self.start(grants, Access::Write, None)?
            .call(|guest, engine| guest.onionskin_fs_store().call_break_lock(engine, ROOT, expected))
    }

    /// Returns the limits of the component.
    pub fn limits(&self) -> Result<Limits, Error> {
        self.start(self.grants()?, Access::Read, None)?
            .infallible(|guest, engine| guest.onionskin_fs_capabilities().call_get_limits(engine))
    }

    /// Returns the time to wait for the lock, and the builder of one that does not wait.
    #[cfg(feature = "async")]
    pub(crate) fn at_once(&self) -> (Duration, Self) {
        (self.wait, self.clone().wait(Duration::ZERO))
    }

    #[cfg(feature = "async")]
    pub(crate) fn onionskin(&self) -> &Onionskin {
        &self.onionskin
    }

    /// Returns the root as the caller named it.
    #[cfg(feature = "async")]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn grants(&self) -> Result<Grants, Error> {
        match &self.filesystem {
            Some(filesystem) => Ok(Grants::on(filesystem, &self.root, &self.lowers)),
            None => Grants::new(&self.root, &self.lowers),
        }
    }

    /// Refuses records of other users. A filesystem other than that of the operating system has no users.
    fn check(&self, grants: &Grants) -> Result<(), Error> {
        if grants.filesystem().is_some() {
            return Ok(());
        }
        let checked = self.trust.records(grants.root());
        checked.map_err(|error| trust::named(error, grants.root(), grants.named_root()))
    }

    /// Takes the lock on the root; returns `None` on a filesystem that no other process can open.
    fn lock(&self, grants: &Grants) -> Result<Option<RootLock>, Error> {
        if grants.filesystem().is_some() {
            return Ok(None);
        }
        RootLock::take(grants.named_root(), grants.root(), self.wait).map(Some)
    }

    fn start(&self, grants: Grants, access: Access, lock: Option<RootLock>) -> Result<Instance, Error> {
        Instance::start(&self.onionskin, grants.root_for(access), lock, self.faults.as_ref())
    }
}

fn in_use() -> Finding {
    Finding {
        path: String::new(),
        verdict: Verdict::InUse,
        detail: "another owner has this root open; what follows may be its work".to_owned(),
    }
}
