//! The world of a program: its directories, arguments, environment, and limits.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use onionskin::workspace::map::{HEADER_BYTES_MAX, Map};

use crate::error::Grant;
use crate::grants::{Access, Granted};
use crate::lock::RootLock;
use crate::trust::Trust;
use crate::{Error, ErrorKind, Faults, GuestError, Quota, WorkspaceBuilder};

/// The map of a workspace, in its upper directory.
const MAP: &str = ".onionskin/workspace/map";

/// The default memory limit of a program, in bytes.
pub const MEMORY_BYTES_DEFAULT: usize = 1 << 30;

/// A directory that is passed through, under a name in the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its path on the host.
    pub host: PathBuf,
    /// Its name in the program.
    pub guest: String,
    /// Whether it is granted for reading only.
    pub read_only: bool,
}

/// A directory in which all changes go to an upper one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// Its name in the program.
    pub guest: String,
    /// The lower directories, the topmost first. They are granted for reading only.
    pub lowers: Vec<PathBuf>,
    /// The directory for the changes: the upper directory of a workspace, or an empty one, in which a
    /// workspace is created. It must exist.
    pub upper: PathBuf,
}

/// The limits of a program. By default only the memory is limited.
///
/// There are further bounds that no usual program reaches: 8 MiB of stack, 256 instances of modules, 65,536
/// resources of the host, and 64 descriptors less than this process may have. Beyond the limit of descriptors
/// a program gets `insufficient-memory`; beyond the others it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time for compiling and running it.
    pub time: Option<Duration>,
    /// The memory limit in bytes, for all memories and tables of all its instances together, those of the
    /// component included.
    pub memory_bytes: usize,
    /// The total of the upper directories, as lengths of files and as names, including the records of the
    /// workspace; and the files, directories and links that each of them may show. A change that would exceed
    /// it fails with `quota`, and is not made.
    pub quota: Quota,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: None, memory_bytes: MEMORY_BYTES_DEFAULT, quota: Quota::default() }
    }
}

/// The world of a program, besides standard input and output, which it shares with this process. There is no
/// network, and no further environment.
#[derive(Clone, Default)]
pub struct World {
    /// The name of the program in its arguments; if absent, that of its file.
    pub name: Option<String>,
    /// The arguments after the name of the program.
    pub arguments: Vec<String>,
    /// The environment variables.
    pub environment: Vec<(String, String)>,
    /// Directories that are passed through.
    pub mounts: Vec<Mount>,
    /// Directories that stay unchanged.
    pub layers: Vec<Layers>,
    /// The limits.
    pub limits: Limits,
    /// Whether workspaces of every user are opened. Otherwise only those of this user and of root are.
    pub trust_all: bool,
    /// Watches its calls on the filesystem, those of the component included, and makes them fail.
    pub faults: Option<Faults>,
}

impl World {
    /// Refuses names that are ambiguous.
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut names = BTreeSet::new();
        for guest in self.mounts.iter().map(|it| &it.guest).chain(self.layers.iter().map(|it| &it.guest)) {
            let wrong = |text: &str| Err(Error::Layout { guest: guest.clone(), text: text.to_owned() });
            if guest.is_empty() {
                return wrong("a directory needs a name in the program");
            }
            if guest.contains('#') {
                return wrong("a name with # would be taken for a layer; choose another one");
            }
            if !names.insert(guest.trim_end_matches('/')) {
                return wrong("two directories have this name in the program; give one of them another");
            }
        }
        match self.layers.iter().find(|it| it.lowers.is_empty()) {
            Some(Layers { guest, .. }) => {
                Err(Error::Layout { guest: guest.clone(), text: "it has no lower directory".into() })
            }
            None => Ok(()),
        }
    }

    /// Returns the grants of the program and the component, with their names.
    pub(super) fn grants(&self) -> Result<Vec<Granted>, Error> {
        let mut grants = Vec::new();
        for layers in &self.layers {
            grants.extend(layers.grants(self.limits.quota)?);
        }
        for Mount { host, guest, read_only } in &self.mounts {
            let access = if *read_only { Access::Read } else { Access::Write };
            grants.push(granted(host, guest.clone(), access)?);
        }
        keep_apart(&self.layers, &grants)?;
        Ok(grants)
    }
}

fn granted(host: &Path, guest: String, access: Access) -> Result<Granted, Error> {
    let granted = Granted::by_place("open the directory for the program", host, access)?;
    Ok(Granted { guest, ..granted })
}

/// Refuses a directory for writing that shares files with an upper: through it the program could modify the workspace
/// without the component.
pub(super) fn keep_apart(layers: &[Layers], grants: &[Granted]) -> Result<(), Error> {
    let uppers = layers.iter().filter_map(|it| fs::canonicalize(&it.upper).ok()).collect::<Vec<_>>();
    for (at, granted) in grants.iter().enumerate() {
        let is_other = |upper: &&PathBuf| {
            let overlaps = granted.host.starts_with(upper) || upper.starts_with(&granted.host);
            let is_itself = is_upper(&granted.guest)
                && grants[..at].iter().all(|before| before.host != granted.host)
                && granted.host == **upper;
            overlaps && !is_itself
        };
        if let Some(upper) = uppers.iter().find(is_other) {
            return Err(Error::Layout {
                guest: granted.guest.clone(),
                text: format!(
                    "{} and the upper directory {} share files; keep the upper directory apart",
                    granted.host.display(),
                    upper.display()
                ),
            });
        }
    }
    Ok(())
}

impl Layers {
    /// Returns the grants of the component, with the names that give their roles.
    pub(super) fn grants(&self, quota: Quota) -> Result<Vec<Granted>, Error> {
        let Self { guest, lowers, upper } = self;
        // The component counts the entries without a file of their own in the upper: directories, links, further names.
        let most = quota.entries.map(|most| format!(";entries={most}")).unwrap_or_default();
        let mut grants = vec![granted(upper, format!("{guest}#upper{most}"), Access::Write)?];
        for (at, lower) in lowers.iter().enumerate() {
            let name = if at == 0 { format!("{guest}#lower") } else { format!("{guest}#lower.{}", at + 1) };
            grants.push(granted(lower, name, Access::Read)?);
        }
        Ok(grants)
    }

    /// Creates the workspace if there is none, finishes the recovery after a crash, and takes the lock.
    ///
    /// It is made by the host, under the places of its lowers there: so commands find them afterwards.
    pub(super) fn prepare(
        &self,
        trust_all: bool,
        builder: impl FnOnce() -> Result<WorkspaceBuilder, Error>,
    ) -> Result<RootLock, Error> {
        if self.is_made() {
            let lock = RootLock::take(&self.upper, &self.upper, Duration::ZERO)?;
            let trust = if trust_all { Trust::All } else { Trust::Own };
            trust.upper(&self.upper)?;
            return Ok(lock);
        }
        let session = builder()?;
        let session = if trust_all { session.trust_all() } else { session };
        let workspace = match session.open() {
            Err(Error::Guest { error: GuestError { kind: ErrorKind::NotFound, .. }, .. }) => session.create()?,
            workspace => workspace?,
        };
        workspace.close()?;
        RootLock::take(&self.upper, &self.upper, Duration::ZERO)
    }

    /// Checks whether there is a workspace over the paths of these lowers. Further checks and recovery are
    /// left to the program, which opens it in any case.
    fn is_made(&self) -> bool {
        let Ok(map) = File::open(self.upper.join(MAP)) else { return false };
        let mut start = Vec::new();
        let read = map.take(HEADER_BYTES_MAX as u64).read_to_end(&mut start);
        let Ok(header) = read.map_err(|_| "").and_then(|_| Map::decode_header(&start)) else { return false };
        let places = self.lowers.iter().map(|lower| fs::canonicalize(lower).unwrap_or_default());
        header.proof.is_none() && places.eq(header.lowers.iter().map(|lower| PathBuf::from(&lower.name)))
    }
}

/// Returns whether a grant is that of an upper directory, by its name.
pub(super) fn is_upper(guest: &str) -> bool {
    guest.rsplit_once('#').is_some_and(|(_, part)| part.split(';').next() == Some("upper"))
}

/// Returns a path as the program gets it.
pub(super) fn utf8(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::Grant(Grant::NotUtf8 { path: path.to_owned() }))
}
