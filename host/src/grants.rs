//! Which directories of the host the component sees, and under which names.

use std::path::{Path, PathBuf};
use std::{fs, io};

use onionskin::fs::Cause;
use onionskin_sim::SimFs;
use send_wrapper::SendWrapper;

use crate::Error;
use crate::error::Grant;
use crate::simulated::Ground;

/// The name of the root in the component.
pub(crate) const ROOT: &str = "/root";

/// The granted directories, made canonical: one root, and directories for reading alone.
#[derive(Clone, Debug)]
pub(crate) struct Grants {
    named: PathBuf,
    root: PathBuf,
    lowers: Vec<PathBuf>,
    /// The filesystem that the paths are of, if it is not that of the host.
    simulated: Option<SendWrapper<SimFs>>,
}

impl Grants {
    pub(crate) fn new(root: &Path, lowers: &[PathBuf]) -> Result<Self, Error> {
        let lowers = lowers.iter().map(|lower| directory("open the lower directory", lower));
        Ok(Self {
            named: root.to_owned(),
            root: directory("open the root", root)?,
            lowers: lowers.collect::<Result<_, _>>()?,
            simulated: None,
        })
    }

    /// Directories of a simulated filesystem.
    pub(crate) fn in_simulated(fs: &SendWrapper<SimFs>, root: &Path, lowers: &[PathBuf]) -> Self {
        Self { named: root.to_owned(), root: root.to_owned(), lowers: lowers.to_vec(), simulated: Some(fs.clone()) }
    }

    /// The simulated filesystem, if the directories are there.
    pub(crate) fn simulated(&self) -> Option<&SimFs> {
        self.simulated.as_deref()
    }

    /// The directories in their simulated filesystem; the root for writing, if `writable`.
    pub(crate) fn ground(&self, writable: bool) -> Result<Ground, Error> {
        let fs = self.simulated().expect("asked only where there is one");
        let mut ground = Ground::new(fs);
        for (path, name, is_root) in self.iter() {
            let below = format!("{}/", utf8(path).map_err(Error::Grant)?);
            let found = fs.walk(&fs.root(), &below, false);
            let (dir, _) = found.map_err(|cause| Error::io("open the directory", path, simulated_error(cause)))?;
            ground = ground.grant(if is_root && writable { dir } else { dir.read_only() }, name);
        }
        Ok(ground)
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

fn simulated_error(cause: Cause) -> io::Error {
    let kind = match cause {
        Cause::NoEntry => io::ErrorKind::NotFound,
        Cause::NotDirectory => io::ErrorKind::NotADirectory,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, cause.to_string())
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
        let lowers = vec!["/data".into(), "/data/cache".into()];
        Grants { named: "ws".into(), root: "/data/ws".into(), lowers, simulated: None }
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
