//! Lookup of paths without following any link implicitly.

use alloc::collections::BTreeSet;

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::exec::Result as ExecResult;
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::generations::Generations;
use crate::limits::LINKS_MAX;
use crate::path::{At, RelPath, RootId, check_name};
use crate::store::{State, Symlinks};

/// The real path of an entry, and its metadata.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The path, with no link on the way.
    pub(crate) path: RelPath,
    /// The entry at the path at the time of the lookup.
    pub(crate) stat: Option<Stat>,
}

/// Handling of directories that do not exist yet.
pub(crate) enum Missing<'a> {
    /// Fails with [`ErrorKind::NotFound`].
    Refuse,
    /// Records them as directories to be made. `gone` are files in their place that will be removed.
    Note { made: &'a mut BTreeSet<RelPath>, gone: &'a BTreeSet<RelPath> },
}

impl<F: Fs> State<F> {
    /// Returns the real path of the parent directory of `path`.
    pub(crate) fn real_parent(&mut self, path: &RelPath, policy: Symlinks) -> Result<RelPath, Error> {
        self.links = 0;
        self.walk(RootId::STORE, &path.parent(), policy, &mut Missing::Refuse)
    }

    /// Like [`State::resolve`], but changes nothing: the targets of links on the way that would become
    /// directories are read instead.
    pub(crate) fn look(&mut self, path: &RelPath, policy: Symlinks) -> Result<Found, Error> {
        if policy != Symlinks::Replace {
            return self.resolve(path, policy, Missing::Refuse);
        }
        self.links = 0;
        let parent = self.walk(RootId::STORE, &path.parent(), Symlinks::FollowWithin, &mut Missing::Refuse);
        let parent = parent.map_err(|error| self.name_useless_link(error, path))?;
        let led = parent.child(path.name());
        let found = self.resolve(&led, policy, Missing::Refuse);
        found.map_err(|error| about_given(error, &led, path))
    }

    /// Names the first link on the way that does not lead to a directory, if that is the cause of the error.
    fn name_useless_link(&mut self, error: Error, path: &RelPath) -> Error {
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotDirectory) {
            return error;
        }
        let mut reached = RelPath::ROOT;
        for name in path.parent().components() {
            reached = reached.child(name);
            match self.resolve_source(&At::store(reached.clone())) {
                Ok((_, stat)) if stat.kind == Kind::Directory => {}
                Ok(_) => return ErrorKind::NotDirectory.at(&reached),
                Err(other) if other.kind() == ErrorKind::NotFound => return ErrorKind::NotFound.at(&reached),
                Err(_) => return error,
            }
        }
        error
    }

    /// Resolves a path that is about to be written. Depending on the policy, a link at its end is refused,
    /// left for the rename to replace, or followed. A directory or a pipe at the path is an error.
    pub(crate) fn resolve(
        &mut self,
        path: &RelPath,
        policy: Symlinks,
        mut missing: Missing<'_>,
    ) -> Result<Found, Error> {
        let mut path = path.clone();
        self.links = 0;
        while self.links <= LINKS_MAX {
            // First of all: an unfinished change may be the reason for whatever else is found.
            self.check_parked(&path)?;
            let parent = self.walk(RootId::STORE, &path.parent(), policy, &mut missing)?;
            let real = parent.child(path.name());
            self.check_parked(&real)?;
            if !control::may_change(&real) {
                // A link into the control directory would let a caller change our records.
                return Err(ErrorKind::SymlinkEscapes.at(&path));
            }
            let stat = if is_noted(&missing, &parent) { None } else { self.exec.stat(&real)? };
            match stat.map(|stat| stat.kind) {
                None | Some(Kind::File) => return Ok(Found { path: real, stat }),
                Some(Kind::Directory) => return Err(ErrorKind::IsDirectory.at(&real)),
                Some(Kind::Other) => return Err(ErrorKind::NotAFile.at(&real)),
                Some(Kind::Symlink) => match policy {
                    Symlinks::Refuse => return Err(ErrorKind::SymlinkRefused.at(&real)),
                    Symlinks::Replace if self.pointer_if_readable(&real)?.is_some() => {
                        return Err(ErrorKind::IsDirectory.at(&real));
                    }
                    Symlinks::Replace => return Ok(Found { path: real, stat }),
                    Symlinks::FollowWithin => {
                        self.links += 1;
                        path = self.link_target(&At::store(real))?;
                    }
                },
            }
        }
        Err(ErrorKind::SymlinkLoop.at(&path))
    }

    /// Returns the real location of a source; links are followed inside their root. A missing source is an
    /// error.
    pub(crate) fn resolve_source(&mut self, at: &At) -> Result<(At, Stat), Error> {
        let mut at = at.clone();
        self.links = 0;
        while self.links <= LINKS_MAX {
            let parent = self.walk(at.root, &at.path.parent(), Symlinks::FollowWithin, &mut Missing::Refuse)?;
            let path = if at.path.is_root() { RelPath::ROOT } else { parent.child(at.path.name()) };
            at.path = path;
            let stat = self.exec.look(&at)?;
            if stat.kind != Kind::Symlink {
                return Ok((at, stat));
            }
            self.links += 1;
            at.path = self.link_target(&at)?;
        }
        Err(ErrorKind::SymlinkLoop.at(&at))
    }

    /// The directory and generation that a link of ours at `path` points to.
    pub(crate) fn pointer(&mut self, path: &RelPath) -> Result<Option<(u64, u64)>, Error> {
        match self.exec.read_link(RootId::STORE, path) {
            Ok(text) => Ok(control::parse_pointer(path, &text)),
            Err(error) if is_unreadable(&error) => Err(ErrorKind::LinkUnreadable.at(path)),
            // A text written by this crate is ASCII.
            Err(error) if error.cause() == Some(Cause::IllegalName) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Like [`State::pointer`], but only for a directory of generations that belongs to `path`. A copy of
    /// such a link, and one that was moved, is a link like any other.
    pub(crate) fn own_pointer(&mut self, path: &RelPath) -> Result<Option<(u64, u64)>, Error> {
        let Some((directory, generation)) = self.pointer(path)? else { return Ok(None) };
        let found = Generations::read(&mut self.exec, directory)?;
        Ok((found.owner.as_ref() == Some(path)).then_some((directory, generation)))
    }

    /// Like [`State::own_pointer`], but a link that cannot be read is taken for an absolute one.
    pub(crate) fn pointer_if_readable(&mut self, path: &RelPath) -> Result<Option<(u64, u64)>, Error> {
        match self.own_pointer(path) {
            Err(error) if error.kind() == ErrorKind::LinkUnreadable => Ok(None),
            answer => answer,
        }
    }

    /// Checks whether a link on the way is a pointer to a generation. A link that cannot be read is never
    /// followed.
    fn is_pointer_on_the_way(&mut self, link: &RelPath, policy: Symlinks) -> Result<bool, Error> {
        match self.own_pointer(link) {
            Err(error) if error.kind() == ErrorKind::LinkUnreadable && policy == Symlinks::Refuse => {
                Err(ErrorKind::SymlinkRefused.at(link))
            }
            answer => Ok(answer?.is_some()),
        }
    }

    /// Returns the real directory at `path`; handles every link on the way and at its end by the policy.
    pub(crate) fn walk(
        &mut self,
        root: RootId,
        path: &RelPath,
        policy: Symlinks,
        missing: &mut Missing<'_>,
    ) -> Result<RelPath, Error> {
        let mut rest = path.clone();
        let mut reached = RelPath::ROOT;
        while let Some((name, below)) = rest.split_first() {
            let here = reached.child(name);
            rest = below;
            // The usual case takes one call; the loop below finds the cause of any failure.
            if !is_noted(missing, &reached) && self.exec.dir(root, &here).is_ok() {
                reached = here;
                continue;
            }
            let answer: ExecResult<_> =
                if is_noted(missing, &reached) { Ok(None) } else { self.exec.stat_in(root, &here) };
            match answer?.map(|stat| stat.kind) {
                Some(Kind::Directory) => reached = here,
                Some(Kind::Symlink) if is_gone(missing, &here) => {
                    if let Missing::Note { made, .. } = missing {
                        made.insert(here.clone());
                    }
                    reached = here;
                }
                Some(Kind::Symlink) => {
                    self.links += 1;
                    if self.links > LINKS_MAX {
                        return Err(ErrorKind::SymlinkLoop.at(path));
                    }
                    let ours = root == RootId::STORE && self.is_pointer_on_the_way(&here, policy)?;
                    if ours || policy == Symlinks::FollowWithin {
                        rest = self.link_target(&At { root, path: here })?.join(&rest);
                        reached = RelPath::ROOT;
                    } else if policy == Symlinks::Refuse {
                        return Err(ErrorKind::SymlinkRefused.at(&here));
                    } else {
                        let links = self.links;
                        self.materialize_directory_link(&here).map_err(as_not_committed)?;
                        self.links = links;
                        reached = here;
                    }
                }
                None => match missing {
                    Missing::Refuse => return Err(ErrorKind::NotFound.at(&here)),
                    Missing::Note { made, .. } => {
                        made.insert(here.clone());
                        reached = here;
                    }
                },
                Some(Kind::File | Kind::Other) => match missing {
                    Missing::Note { made, gone } if gone.contains(&here) => {
                        made.insert(here.clone());
                        reached = here;
                    }
                    Missing::Refuse | Missing::Note { .. } => return Err(ErrorKind::NotDirectory.at(&here)),
                },
            }
        }
        Ok(reached)
    }

    /// Returns the location that the text of a link names; an error if it is outside the root.
    pub(crate) fn link_target(&mut self, link: &At) -> Result<RelPath, Error> {
        let text = self
            .exec
            .read_link(link.root, &link.path)
            .map_err(|error| if is_unreadable(&error) { ErrorKind::LinkUnreadable.at(link) } else { error })?;
        if text.starts_with('/') {
            return Err(ErrorKind::LinkUnreadable.at(link));
        }
        let mut target = link.path.parent();
        let mut named = false;
        for name in text.split('/') {
            match name {
                "" | "." => {}
                // `a/..` is not the parent of `a` if `a` itself is a link.
                ".." if named => {
                    let what = "a link whose text has `..` after a name";
                    return Err(ErrorKind::Unsupported.at(link).because(what));
                }
                ".." if target.is_root() => return Err(ErrorKind::SymlinkEscapes.at(link)),
                ".." => target = target.parent(),
                _ if check_name(name).is_err() => return Err(ErrorKind::SymlinkEscapes.at(link)),
                _ => {
                    named = true;
                    target = target.child(name);
                }
            }
        }
        Ok(target)
    }
}

/// Checks for the causes with which hosts refuse an absolute link; they differ between hosts.
fn is_unreadable(error: &Error) -> bool {
    matches!(error.cause(), Some(Cause::NotPermitted | Cause::Access))
}

fn is_noted(missing: &Missing<'_>, path: &RelPath) -> bool {
    matches!(missing, Missing::Note { made, .. } if made.contains(path))
}

fn is_gone(missing: &Missing<'_>, path: &RelPath) -> bool {
    matches!(missing, Missing::Note { gone, .. } if gone.contains(path))
}

/// Returns the error as one from before the commit point: the write that required a directory in place of a
/// link was not decided, even if the link was already replaced.
fn as_not_committed(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NeedsRecovery | ErrorKind::OutcomeUnknown => error.with_kind(ErrorKind::NotCommitted),
        _ => error,
    }
}

/// Maps an error about a path next to the resolved path to the path next to the one given by the caller.
pub(crate) fn about_given(error: Error, led: &RelPath, given: &RelPath) -> Error {
    match error.path() {
        Some(path) if path.parent() == led.parent() => {
            let beside = given.parent().child(path.name());
            error.about_path(&beside)
        }
        Some(_) | None => error,
    }
}
