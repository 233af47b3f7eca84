//! Looking up a path without ever passing through a link unawares.

use alloc::collections::BTreeSet;

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::exec::Result as ExecResult;
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::limits::LINKS_MAX;
use crate::path::{RelPath, check_name};
use crate::plan::{At, RootId};
use crate::store::{State, Symlinks};

/// Where a path really is, and what stands there.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The path with no link on the way.
    pub(crate) path: RelPath,
    /// What stands there now.
    pub(crate) stat: Option<Stat>,
}

/// Directories that do not exist yet, and what to do about them.
pub(crate) enum Missing<'a> {
    /// Fail with [`ErrorKind::NotFound`].
    Refuse,
    /// Note them: they will be made. `gone` are files in the way that will be removed.
    Note { made: &'a mut BTreeSet<RelPath>, gone: &'a BTreeSet<RelPath> },
}

impl<F: Fs> State<F> {
    /// The real directory that `path` is in.
    pub(crate) fn real_parent(&mut self, path: &RelPath, policy: Symlinks) -> Result<RelPath, Error> {
        self.links = 0;
        self.walk(RootId::STORE, &path.parent(), policy, &mut Missing::Refuse)
    }

    /// As [`State::resolve`], but nothing is changed: where links on the way would become
    /// directories, what they show is looked at instead.
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

    /// Names the first link on the way that leads to no directory, where that is what is wrong.
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

    /// Finds a path that is about to be written: by policy, a link at its end is refused, left for
    /// the rename to replace, or followed. A directory or pipe there is an error.
    pub(crate) fn resolve(
        &mut self,
        path: &RelPath,
        policy: Symlinks,
        mut missing: Missing<'_>,
    ) -> Result<Found, Error> {
        let mut path = path.clone();
        self.links = 0;
        while self.links <= LINKS_MAX {
            let parent = self.walk(RootId::STORE, &path.parent(), policy, &mut missing)?;
            let real = parent.child(path.name());
            if !control::may_change(&real) {
                // A link that leads among our records would make them anybody's to write.
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

    /// Where a place really is, for reading: links are followed inside their root. It must exist.
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
        Err(ErrorKind::SymlinkLoop.at(&at.path))
    }

    /// The directory and generation that a link of ours at `path` points to.
    pub(crate) fn pointer(&mut self, path: &RelPath) -> Result<Option<(u64, u64)>, Error> {
        match self.exec.read_link(RootId::STORE, path) {
            Ok(text) => Ok(control::parse_pointer(path, &text)),
            Err(error) if is_unreadable(&error) => Err(ErrorKind::LinkUnreadable.at(path)),
            // Ours are ASCII.
            Err(error) if error.cause() == Some(Cause::IllegalName) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As [`State::pointer`], where a link that cannot be read is taken for an absolute one.
    pub(crate) fn pointer_if_readable(&mut self, path: &RelPath) -> Result<Option<(u64, u64)>, Error> {
        match self.pointer(path) {
            Err(error) if error.kind() == ErrorKind::LinkUnreadable => Ok(None),
            answer => answer,
        }
    }

    /// Whether a link on the way is one of ours. One that cannot be read is nobody's to pass.
    fn is_pointer_on_the_way(&mut self, link: &RelPath, policy: Symlinks) -> Result<bool, Error> {
        match self.pointer(link) {
            Err(error) if error.kind() == ErrorKind::LinkUnreadable && policy == Symlinks::Refuse => {
                Err(ErrorKind::SymlinkRefused.at(link))
            }
            answer => Ok(answer?.is_some()),
        }
    }

    /// The real directory at `path`, with every link on the way and at its end dealt with.
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
            // The usual case in one call; whatever it fails with is looked at below.
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

    /// The place that a link names, by its text: inside its root, or an error.
    pub(crate) fn link_target(&mut self, link: &At) -> Result<RelPath, Error> {
        let text = self
            .exec
            .read_link(link.root, &link.path)
            .map_err(|error| if is_unreadable(&error) { ErrorKind::LinkUnreadable.at(&link.path) } else { error })?;
        if text.starts_with('/') {
            return Err(ErrorKind::LinkUnreadable.at(&link.path));
        }
        let mut target = link.path.parent();
        let mut named = false;
        for name in text.split('/') {
            match name {
                "" | "." => {}
                // `a/..` is not where it seems to be when `a` is a link itself.
                ".." if named => {
                    let what = "a link whose text has `..` after a name";
                    return Err(ErrorKind::Unsupported.because(link.path.shown(), what));
                }
                ".." if target.is_root() => return Err(ErrorKind::SymlinkEscapes.at(&link.path)),
                ".." => target = target.parent(),
                _ if check_name(name).is_err() => return Err(ErrorKind::SymlinkEscapes.at(&link.path)),
                _ => {
                    named = true;
                    target = target.child(name);
                }
            }
        }
        Ok(target)
    }
}

/// An absolute link is refused by the host with one of these; which one differs between hosts.
fn is_unreadable(error: &Error) -> bool {
    matches!(error.cause(), Some(Cause::NotPermitted | Cause::Access))
}

fn is_noted(missing: &Missing<'_>, path: &RelPath) -> bool {
    matches!(missing, Missing::Note { made, .. } if made.contains(path))
}

fn is_gone(missing: &Missing<'_>, path: &RelPath) -> bool {
    matches!(missing, Missing::Note { gone, .. } if gone.contains(path))
}

/// Of the write that a link was made into a directory for, nothing was decided, whatever became of
/// the link.
fn as_not_committed(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NeedsRecovery | ErrorKind::OutcomeUnknown => error.with_kind(ErrorKind::NotCommitted),
        _ => error,
    }
}

/// An error about a path beside where a path led is about the one beside the path that was given.
pub(crate) fn about_given(error: Error, led: &RelPath, given: &RelPath) -> Error {
    match error.subject().rsplit_once('/') {
        Some((parent, name)) if led.parent().as_str() == parent => {
            let beside = given.parent().child(name);
            error.about(beside.as_str())
        }
        Some(_) | None => error,
    }
}
