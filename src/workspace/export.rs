//! An export: all that the workspace shows goes to an empty directory, as one decision of the store there, all or
//! nothing. What cannot be carried is listed with the reason, so that the caller can leave it out.

use alloc::string::String;
use alloc::vec::Vec;

use super::review::Reason;
use super::target::Target;
use super::view::Place;
use super::{Entry, Workspace};
use crate::error::{Error, Subject};
use crate::fs::{Call, Cause, Fs, Kind};
use crate::journal::Change as Step;
use crate::order;
use crate::path::{RelPath, RootId, is_reserved};
use crate::store::{Durability, Preopens, Receipt};

/// An entry that an export cannot carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path in the merged tree.
    pub path: String,
    /// Its path in the lowers.
    pub source: String,
    /// The reason.
    pub reason: Reason,
}

impl<F: Fs + Clone> Workspace<F> {
    /// Writes all that the workspace shows to an empty directory, all or nothing, without the paths that the caller
    /// leaves out: those that [`Workspace::left_out`] lists, or others.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::NotCommitted`] with [`Cause::NotEmpty`]; as for a transaction of the store.
    pub fn export(
        &mut self,
        fs: F,
        preopens: &Preopens<F>,
        to: &str,
        without: &[String],
        durability: Durability,
    ) -> Result<Receipt, Error> {
        self.check_usable()?;
        let mut target = self.target(fs, preopens, to, false, durability)?;
        let names = target.state.exec.list(RootId::STORE, &RelPath::ROOT)?;
        if names.iter().any(|(name, _)| !is_reserved(name)) {
            return Err(Error::failed_on(Call::Write, Subject::Guest(to.into()), Cause::NotEmpty));
        }
        let staged = self.copy_out(&mut target, without);
        staged.inspect_err(|_| target.state.abandon(target.number))?;
        let journal = target.journal();
        target.decide(journal.as_ref(), durability)
    }

    /// Lists the entries that an export cannot carry: pipes, sockets and devices, absolute links, which the component
    /// cannot read, and entries that must not be read or whose names are not text.
    ///
    /// # Errors
    /// The filesystem's failures.
    pub fn left_out(&mut self) -> Result<Vec<LeftOut>, Error> {
        self.forget_sources();
        let mut left_out = Vec::new();
        self.visit(&mut |workspace, path, _| {
            if let Some(reason) = workspace.not_portable(path)? {
                let source = match workspace.find_place(path)? {
                    Some(Place::Lower(lower, _, _)) => lower,
                    _ => path.clone(),
                };
                let text = |path: &RelPath| String::from(path.as_str());
                left_out.push(LeftOut { path: text(path), source: text(&source), reason });
                return Ok(false);
            }
            Ok(true)
        })?;
        Ok(left_out)
    }

    /// Visits every entry; `each` returns whether to go into a directory.
    fn visit(&mut self, each: &mut dyn FnMut(&mut Self, &RelPath, &Entry) -> Result<bool, Error>) -> Result<(), Error> {
        let mut waiting = Vec::from([RelPath::ROOT]);
        while let Some(directory) = waiting.pop() {
            for entry in self.entries(&directory, None, usize::MAX)? {
                let path = directory.child(&entry.name);
                if each(self, &path, &entry)? && entry.kind == Kind::Directory {
                    waiting.push(path);
                }
            }
        }
        Ok(())
    }

    /// Returns the reason why an entry cannot be carried to another directory.
    fn not_portable(&mut self, path: &RelPath) -> Result<Option<Reason>, Error> {
        let Some(Place::Lower(_, at, stat)) = self.find_place(path)? else { return Ok(None) };
        let tried = match stat.kind {
            Kind::Other => return Ok(Some(Reason::Special)),
            Kind::Directory => self.entries(path, None, 1).map(drop),
            Kind::Symlink => self.state.exec.read_link(at.root, &at.path).map(drop),
            Kind::File => self.state.exec.open_one(&at, false).map(drop),
        };
        let Err(error) = tried else { return Ok(None) };
        match Reason::of(&error) {
            Some(Reason::Unreadable) if stat.kind == Kind::Symlink => Ok(Some(Reason::AbsoluteLink)),
            Some(reason) => Ok(Some(reason)),
            None => Err(error),
        }
    }

    /// Stages all that the workspace shows.
    fn copy_out(&mut self, target: &mut Target<F>, without: &[String]) -> Result<(), Error> {
        self.visit(&mut |workspace, path, entry| {
            if without.iter().any(|left| left == path.as_str()) {
                return Ok(false);
            }
            if entry.kind == Kind::Directory {
                target.push(path, Step::MakeDir)?;
            } else if let Some(place) = workspace.find_place(path)? {
                let content = workspace.content_for(target, path, &place)?;
                target.put(path, content, None)?;
            }
            Ok(true)
        })?;
        order::sort_by(&mut target.ops, |one, other| one.path.cmp(&other.path));
        Ok(())
    }
}
