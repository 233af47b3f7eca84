//! Which directories of the host the component sees, and under which names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::error::Grant;

/// The name of the root in the component.
pub(crate) const ROOT: &str = "/root";

/// The granted directories, made canonical: one root, and directories for reading alone.
#[derive(Clone, Debug)]
pub(crate) struct Grants {
    named: PathBuf,
    root: PathBuf,
    lowers: Vec<PathBuf>,
}

impl Grants {
    pub(crate) fn new(root: &Path, lowers: &[PathBuf]) -> Result<Self, Error> {
        let lowers = lowers.iter().map(|lower| directory("open the lower directory", lower));
        Ok(Self {
            named: root.to_owned(),
            root: directory("open the root", root)?,
            lowers: lowers.collect::<Result<_, _>>()?,
        })
    }

    /// The root, which is known to be a directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The root as the caller named it, for messages.
    pub(crate) fn named_root(&self) -> &Path {
        &self.named
    }

    /// Each granted directory: its canonical host path, its name in the component, and whether it
    /// is the root.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PathBuf, String, bool)> {
        let lowers = self.lowers.iter().enumerate();
        std::iter::once((&self.root, ROOT.to_owned(), true))
            .chain(lowers.map(|(at, lower)| (lower, format!("/lower/{at}"), false)))
    }

    /// The name in the component of a canonical host path; of several grants above it, the nearest.
    pub(crate) fn guest_path(&self, canonical: &Path) -> Result<String, Grant> {
        let (rest, name) = self
            .iter()
            .filter_map(|(host, name, _)| Some((canonical.strip_prefix(host).ok()?, name)))
            .min_by_key(|(rest, _)| rest.components().count())
            .ok_or_else(|| Grant::Outside { path: canonical.to_owned() })?;
        let rest = utf8(rest)?;
        Ok(if rest.is_empty() { name } else { format!("{name}/{rest}") })
    }

    /// The path relative to the root of a canonical host path, if it is inside.
    pub(crate) fn relative<'a>(&self, canonical: &'a Path) -> Option<&'a Path> {
        canonical.strip_prefix(&self.root).ok()
    }
}

/// A relative path as the contract writes it, with `/` between the components.
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
        Grants { named: "ws".into(), root: "/data/ws".into(), lowers: vec!["/data".into(), "/data/cache".into()] }
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
}
