//! Absolute links: WASI does not let the component read them, so the host resolves a link after the component
//! has reported it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Error;
use crate::error::Grant;
use crate::grants::{Grants, utf8};

/// The maximum number of links that are resolved for one call.
pub(crate) const LINKS_MAX: usize = 40;

/// The path that the text of a link of the `pointer` publish mode contains. The component reads these links
/// itself.
const GENERATIONS: &str = ".onionskin/directories/";

/// Returns the first link on the way to a path, if there is one. The component reports the link that it could
/// not read, which may be the target of this link; this one blocks the path.
pub(crate) fn first(grants: &Grants, path: &str) -> Option<String> {
    if grants.filesystem().is_some() {
        return None;
    }
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.map(|end| &path[..end])
        .find(|prefix| {
            fs::read_link(grants.root().join(prefix)).is_ok_and(|text| !text.to_string_lossy().contains(GENERATIONS))
        })
        .map(str::to_owned)
}

/// A link that the component could not resolve.
pub(crate) struct Link {
    /// The link, on the host.
    path: PathBuf,
    /// The final target, on the host, made canonical.
    target: PathBuf,
}

impl Link {
    /// Reads the link at a path relative to the root, and every link in its target.
    pub(crate) fn read(grants: &Grants, link: &str) -> Result<Self, Error> {
        let path = grants.named_root().join(link);
        if grants.filesystem().is_some() {
            let unsupported = io::Error::from(io::ErrorKind::Unsupported);
            return Err(Error::io("read the link", path, unsupported));
        }
        let place = grants.root().join(link);
        let text = fs::read_link(&place).map_err(|error| Error::io("read the link", &path, error))?;
        match fs::canonicalize(&place) {
            Ok(target) => Ok(Self { path, target }),
            Err(source) => Err(Error::Link { link: path, target: text, source }),
        }
    }

    /// Returns the guest path of the target, if that is granted.
    pub(crate) fn source(&self, grants: &Grants) -> Result<String, Error> {
        grants.guest_path(&self.target).map_err(|grant| match grant {
            Grant::Outside { path: target } => Error::Grant(Grant::LinkLeadsOut { link: self.path.clone(), target }),
            grant @ (Grant::LinkLeadsOut { .. } | Grant::LinkLeavesRoot { .. } | Grant::NotUtf8 { .. }) => {
                Error::Grant(grant)
            }
        })
    }

    /// Returns the path that `path` resolves to once the link, one of its components, is followed. The path
    /// stays inside the root.
    pub(crate) fn follow(&self, grants: &Grants, link: &str, path: &str) -> Result<String, Error> {
        let Some(target) = grants.relative(&self.target) else {
            let (link, target) = (self.path.clone(), self.target.clone());
            return Err(Error::Grant(Grant::LinkLeavesRoot { link, target }));
        };
        let rest = path.strip_prefix(link).unwrap_or_default().trim_start_matches('/');
        utf8(&target.join(Path::new(rest))).map_err(Error::Grant)
    }
}
