//! The rights to a granted directory, and the calls that need them.

use std::path::{Path, PathBuf};

use wasmtime::component::Val;

use crate::{Cause, ErrorKind, Quota};

/// The rights of a guest to a directory. Every granted directory may be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    pub(super) write: bool,
    pub(super) commit: bool,
}

impl Rights {
    /// The directory may be read: it is a lower of workspaces, and a source of content.
    pub const READ: Self = Self { write: false, commit: false };
    /// It may also be the root of a store, the upper directory of a workspace, and the target of an export.
    pub const WRITE: Self = Self { write: true, commit: false };
    /// It may be read, and workspaces may be committed into it.
    pub const COMMIT: Self = Self { write: false, commit: true };

    /// Returns both rights together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { write: self.write || other.write, commit: self.commit || other.commit }
    }
}

/// A granted directory.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) name: String,
    pub(super) place: PathBuf,
    pub(super) rights: Rights,
    pub(super) quota: Quota,
}

/// How long a directory is locked for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locked {
    No,
    ForTheCall,
    /// As long as the resource that the call returns.
    WithItsResult,
}

/// A call that needs a right, by its name in the component.
pub(super) struct Rule {
    pub(super) call: &'static str,
    /// The parameter that is a guest path, and its field if it is a record.
    parameter: (&'static str, Option<&'static str>),
    needs: Rights,
    pub(super) locked: Locked,
}

const fn rule(
    call: &'static str,
    parameter: (&'static str, Option<&'static str>),
    needs: Rights,
    locked: Locked,
) -> Rule {
    Rule { call, parameter, needs, locked }
}

/// All calls that write to a directory other than that of the resource that they are made on.
pub(super) const RULES: [Rule; 9] = [
    rule("[static]store.open", ("at", None), Rights::WRITE, Locked::WithItsResult),
    rule("break-lock", ("at", None), Rights::WRITE, Locked::No),
    rule("probe", ("at", None), Rights::WRITE, Locked::ForTheCall),
    rule("[static]workspace.create", ("options", Some("upper")), Rights::WRITE, Locked::WithItsResult),
    rule("[static]workspace.open", ("options", Some("upper")), Rights::WRITE, Locked::WithItsResult),
    rule("[method]workspace.fork", ("options", Some("upper")), Rights::WRITE, Locked::WithItsResult),
    rule("[method]workspace.commit", ("options", Some("into")), Rights::COMMIT, Locked::ForTheCall),
    rule("[method]workspace.export-to", ("to", None), Rights::WRITE, Locked::ForTheCall),
    rule("abandon", ("upper", None), Rights::WRITE, Locked::ForTheCall),
];

/// The calls that only read the directory that they name.
const READS: [&str; 3] = ["inspect", "describe", "[static]workspace.observe"];

/// Returns whether it is known which right a call needs, if any.
pub(super) fn is_known(call: &str) -> bool {
    READS.contains(&call) || RULES.iter().any(|rule| rule.call == call)
}

/// An error of the contract, before the component is called.
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) cause: Option<Cause>,
}

impl Rule {
    /// Returns the guest path of a call.
    pub(super) fn path<'v>(&self, names: &[String], params: &'v [Val]) -> Option<&'v str> {
        let (parameter, field) = self.parameter;
        let value = names.iter().position(|name| name == parameter).and_then(|at| params.get(at))?;
        let value = match (value, field) {
            (Val::Record(fields), Some(field)) => &fields.iter().find(|(name, _)| name == field)?.1,
            (value, _) => value,
        };
        if let Val::String(path) = value { Some(path) } else { None }
    }

    /// Returns the place of a guest path on the host, if its root has the right.
    pub(super) fn place(&self, roots: &[Root], path: &str) -> Result<PathBuf, Refusal> {
        let refuse =
            |kind, text: &str| Err(Refusal { kind, subject: path.to_owned(), text: text.to_owned(), cause: None });
        let trimmed = path.trim_start_matches('/');
        if trimmed.split('/').any(|it| it.is_empty() || it == "." || it == "..") || path.starts_with("//") {
            return refuse(ErrorKind::InvalidPath, "a guest path has no empty component, `.` or `..` here");
        }
        let below = |root: &Root| {
            let rest = Path::new(trimmed).strip_prefix(root.name.trim_start_matches('/')).ok()?;
            Some(root.place.join(rest))
        };
        let Some(root) = roots.iter().filter(|it| below(it).is_some()).max_by_key(|it| it.name.len()) else {
            return refuse(ErrorKind::NoPreopen, "no granted directory has this name");
        };
        let lacks_write = self.needs.write && !root.rights.write;
        let lacks_commit = self.needs.commit && !root.rights.commit;
        if lacks_write {
            return refuse(ErrorKind::ReadOnly, "it is not granted for writing");
        }
        if lacks_commit {
            return refuse(ErrorKind::ReadOnly, "it is not granted for commits");
        }
        Ok(below(root).unwrap_or_default())
    }
}
