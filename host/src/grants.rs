//! The directories of the host that the component can access, and their names in the component.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Error;
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
    /// records the paths of its lowers. Messages use the path of the caller.
    pub(crate) fn by_place(action: &'static str, path: &Path, access: Access) -> Result<Self, Error> {
        let host = directory(action, path)?;
        let guest = host.to_str().map(str::to_owned);
        let guest = guest.ok_or_else(|| Error::Grant(Grant::NotUtf8 { path: host.clone() }))?;
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
        let lower = |(at, host)| Granted { host, guest: format!("/lower/{at}"), access: Access::Read, named: None };
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

    /// Returns a message of the component, with its directories as the caller named them. The name of the
    /// root is its prefix already.
    pub(crate) fn in_names_of_caller(&self, message: &str) -> String {
        let known = |granted: &Granted| Some((granted.guest.clone(), granted.named.clone()?));
        let mut names: Vec<(String, String)> = self.iter().filter_map(known).collect();
        // Longest first, since one directory may be inside another.
        names.sort_by_key(|(guest, _)| std::cmp::Reverse(guest.len()));
        let mut renamed = String::new();
        let mut rest = message;
        while let Some(start) = rest.find('/') {
            renamed.push_str(&rest[..start]);
            rest = &rest[start..];
            let begins = !renamed.ends_with(|letter: char| letter.is_alphanumeric() || "._-/".contains(letter));
            let ends =
                |after: &str| !after.starts_with(|letter: char| letter.is_alphanumeric() || "_-".contains(letter));
            let found = names.iter().find(|(guest, _)| begins && rest.strip_prefix(guest.as_str()).is_some_and(ends));
            let (taken, name) = found.map_or((1, "/"), |(guest, name)| (guest.len(), name));
            renamed.push_str(name);
            rest = &rest[taken..];
        }
        renamed.push_str(rest);
        match renamed.strip_prefix(&format!("{}: ", self.named.display())) {
            Some(rest) if self.root.named.is_some() => rest.to_owned(),
            _ => renamed,
        }
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
    fn messages_call_directories_as_the_caller_did() {
        let by_place = |place: &str, named: &str| Granted {
            host: place.into(),
            guest: place.to_owned(),
            access: Access::Read,
            named: Some(named.to_owned()),
        };
        let others = vec![by_place("/data", "."), by_place("/data/lower", "../lower")];
        let grants = Grants::of(Path::new("up"), by_place("/data/up", "up"), others);
        let cases = [
            ("/data/up: there is one", "there is one"),
            ("/data/lower is /data/lower/x, not /data/lowers", "../lower is ../lower/x, not ./lowers"),
            ("b/data/up and /data.", "b/data/up and .."),
        ];
        for (message, renamed) in cases {
            assert_eq!(grants.in_names_of_caller(message), renamed);
        }
    }
}
