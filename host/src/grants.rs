//! The directories of the host that the component can access, and their names in the component.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Error;
use crate::bindings::types::{Error as GuestError, ErrorKind};
use crate::error::Grant;
use crate::filesystem::{Directory, Filesystem};

/// The name of the root in the component.
pub(crate) const ROOT: &str = "/root";

/// The access to a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// One granted directory.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    /// Its place on the host, made canonical.
    pub(crate) host: PathBuf,
    /// Its name in the component.
    pub(crate) guest: String,
    pub(crate) access: Access,
    /// The path as the caller named it, where messages would show the name in the component.
    pub(crate) named: Option<String>,
}

impl Granted {
    /// Grants a directory under its path on the host as the name in the component, so that a workspace
    /// records the paths of its lowers. A directory that is published by `pointer` has the path of its link, which
    /// leads to each generation in turn. Messages use the path of the caller.
    pub(crate) fn by_place(action: &'static str, path: &Path, access: Access) -> Result<Self, Error> {
        let host = directory(action, path)?;
        let place = published(path).unwrap_or_else(|| host.clone());
        let guest = place.to_str().map(str::to_owned);
        let guest = guest.ok_or_else(|| Error::Grant(Grant::NotUtf8 { path: place }))?;
        Ok(Self { host, guest, access, named: Some(path.display().to_string()) })
    }
}

impl Granted {
    fn on_other(&self) -> Directory<'_> {
        Directory::new(&self.host, &self.guest, self.access == Access::Write)
    }
}

/// The granted directories: one root, and others.
#[derive(Clone)]
pub(crate) struct Grants {
    named: PathBuf,
    root: Granted,
    others: Vec<Granted>,
    /// The filesystem of the paths, if it is not that of the operating system.
    filesystem: Option<Arc<dyn Filesystem>>,
}

impl Grants {
    /// Grants a root for writing and directories for reading, under generated names.
    pub(crate) fn new(root: &Path, lowers: &[PathBuf]) -> Result<Self, Error> {
        let mut places = Vec::new();
        for lower in lowers {
            places.push(directory("open the lower directory", lower)?);
        }
        Ok(Self::numbered(root, directory("open the root", root)?, places))
    }

    /// Numbers a root and directories for reading, under generated names.
    fn numbered(named: &Path, root: PathBuf, lowers: Vec<PathBuf>) -> Self {
        let lower = |(at, host): (usize, PathBuf)| {
            let named = Some(host.display().to_string());
            Granted { host, guest: format!("/lower/{at}"), access: Access::Read, named }
        };
        let others = lowers.into_iter().enumerate().map(lower).collect();
        Self::of(named, Granted { host: root, guest: ROOT.to_owned(), access: Access::Write, named: None }, others)
    }

    /// Returns a root that messages call `named`, and other directories.
    pub(crate) fn of(named: &Path, root: Granted, others: Vec<Granted>) -> Self {
        Self { named: named.to_owned(), root, others, filesystem: None }
    }

    /// Returns the grants with another access to the root.
    pub(crate) fn root_for(mut self, access: Access) -> Self {
        self.root.access = access;
        self
    }

    /// Grants directories of a filesystem other than that of the operating system.
    pub(crate) fn on(filesystem: &Arc<dyn Filesystem>, root: &Path, lowers: &[PathBuf]) -> Self {
        Self { filesystem: Some(filesystem.clone()), ..Self::numbered(root, root.to_owned(), lowers.to_vec()) }
    }

    /// Returns the filesystem of the directories, if it is not that of the operating system.
    pub(crate) fn filesystem(&self) -> Option<&dyn Filesystem> {
        self.filesystem.as_deref()
    }

    /// Opens the directories on another filesystem.
    pub(crate) fn open_on(&self, filesystem: &dyn Filesystem) -> Result<Box<dyn Any + Send>, Error> {
        filesystem.open(&self.iter().map(Granted::on_other).collect::<Vec<_>>())
    }

    /// Returns the root, which was checked to be a directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root.host
    }

    /// Returns the root as the caller named it, for messages.
    pub(crate) fn named_root(&self) -> &Path {
        &self.named
    }

    /// Iterates over the granted directories, the root first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Granted> {
        std::iter::once(&self.root).chain(&self.others)
    }

    /// Returns a guest path as the caller names it on the host; `None` for a path below no granted directory,
    /// and for one of the root, where messages name the root in front.
    pub(crate) fn shown<'a>(&'a self, guest: &'a str) -> Option<String> {
        let below = |granted: &'a Granted| Some((granted, Path::new(guest).strip_prefix(&granted.guest).ok()?));
        let (granted, rest) = self.iter().filter_map(below).min_by_key(|(_, rest)| rest.components().count())?;
        let named = granted.named.as_ref()?;
        if rest.as_os_str().is_empty() {
            return Some(named.clone());
        }
        Some(Path::new(named).join(rest).display().to_string())
    }

    /// Returns an error of the component about a guest path with the path as the caller names it. The message
    /// begins with its subject; the root itself is left out, since messages name it in front.
    pub(crate) fn shown_error(&self, error: GuestError) -> GuestError {
        if error.kind == ErrorKind::Locked {
            return error;
        }
        let Some(subject) = self.shown(&error.subject) else { return error };
        let message = match error.message.strip_prefix(&format!("{}: ", error.subject)) {
            Some(rest) if Path::new(&subject) == self.named => rest.to_owned(),
            Some(rest) => format!("{subject}: {rest}"),
            None => error.message,
        };
        GuestError { subject, message, ..error }
    }

    /// Returns the name in the component of a canonical host path, relative to the nearest grant above it.
    pub(crate) fn guest_path(&self, canonical: &Path) -> Result<String, Grant> {
        let (rest, name) = self
            .iter()
            .filter_map(|granted| Some((canonical.strip_prefix(&granted.host).ok()?, &granted.guest)))
            .min_by_key(|(rest, _)| rest.components().count())
            .ok_or_else(|| Grant::Outside { path: canonical.to_owned() })?;
        let rest = utf8(rest)?;
        Ok(if rest.is_empty() { name.clone() } else { format!("{name}/{rest}") })
    }

    /// Returns the name in the component of a path on the host. Links are resolved, except on a filesystem
    /// other than that of the operating system.
    pub(crate) fn guest_path_of(&self, path: &Path) -> Result<String, Error> {
        if self.filesystem.is_some() {
            return self.guest_path(path).map_err(Error::Grant);
        }
        let canonical = fs::canonicalize(path).map_err(|error| Error::io("find the source", path, error))?;
        self.guest_path(&canonical).map_err(Error::Grant)
    }

    /// Returns a canonical host path relative to the root, if it is inside the root.
    pub(crate) fn relative<'a>(&self, canonical: &'a Path) -> Option<&'a Path> {
        canonical.strip_prefix(&self.root.host).ok()
    }
}

/// Returns a relative path in the form of the contract, with `/` between the components.
pub(crate) fn utf8(path: &Path) -> Result<String, Grant> {
    let components: Option<Vec<&str>> = path.components().map(|component| component.as_os_str().to_str()).collect();
    components.map(|components| components.join("/")).ok_or_else(|| Grant::NotUtf8 { path: path.to_owned() })
}

/// Returns the canonical path of the link to a directory that is published by `pointer`; `None` for all else.
pub(crate) fn published(path: &Path) -> Option<PathBuf> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let link = fs::canonicalize(above).ok()?.join(path.file_name()?);
    let text = fs::read_link(&link).ok()?;
    let names: Vec<_> = text.components().map(|name| name.as_os_str()).skip_while(|name| *name == "..").collect();
    (names.len() == 4 && names[..2] == [".onionskin", "directories"]).then_some(link)
}

fn directory(action: &'static str, path: &Path) -> Result<PathBuf, Error> {
    let canonical = fs::canonicalize(path).map_err(|error| Error::io(action, path, error))?;
    if canonical.is_dir() {
        return Ok(canonical);
    }
    Err(Error::io(action, path, std::io::ErrorKind::NotADirectory.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants() -> Grants {
        let granted = |host: &str, guest: &str| Granted {
            host: host.into(),
            guest: guest.to_owned(),
            access: Access::Read,
            named: None,
        };
        let lowers = vec![granted("/data", "/lower/0"), granted("/data/cache", "/lower/1")];
        Grants::of(Path::new("ws"), granted("/data/ws", ROOT), lowers)
    }

    #[test]
    fn the_nearest_grant_names_a_path() {
        let name = |path: &str| grants().guest_path(Path::new(path));
        assert_eq!(name("/data/ws/a/b").as_deref(), Ok("/root/a/b"));
        assert_eq!(name("/data/cache/a").as_deref(), Ok("/lower/1/a"));
        assert_eq!(name("/data/cached").as_deref(), Ok("/lower/0/cached"));
        assert_eq!(name("/data").as_deref(), Ok("/lower/0"));
        assert_eq!(name("/etc/hosts"), Err(Grant::Outside { path: "/etc/hosts".into() }));
    }

    #[test]
    fn errors_name_directories_as_the_caller_did() {
        let by_place = |place: &str, named: &str| Granted {
            host: place.into(),
            guest: place.to_owned(),
            access: Access::Read,
            named: Some(named.to_owned()),
        };
        let others = vec![by_place("/data", "."), by_place("/data/lower", "../lower")];
        let grants = Grants::of(Path::new("up"), by_place("/data/up", "up"), others);
        let cases = [
            ("/data/up", "there is one", "up", "there is one"),
            ("/data/lower/a/b", "is /data/lower", "../lower/a/b", "../lower/a/b: is /data/lower"),
            ("/data/lowers", "is new", "./lowers", "./lowers: is new"),
            ("a/b", "is /data/up", "a/b", "a/b: is /data/up"),
        ];
        for (subject, rest, shown, message) in cases {
            let error = GuestError {
                kind: ErrorKind::NotFound,
                subject: subject.to_owned(),
                message: format!("{subject}: {rest}"),
                cause: None,
            };
            let error = grants.shown_error(error);
            assert_eq!((error.subject.as_str(), error.message.as_str()), (shown, message));
        }
    }
}
