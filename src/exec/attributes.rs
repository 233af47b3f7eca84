//! The calls that a host may lend beyond `wasi:filesystem`: privacy from the first moment, and attributes.
//!
//! A host that lends none answers the first of them with [`Cause::Unsupported`], and is not asked again. Content
//! is then created with the default mode.

use super::{Executor, Result};
use crate::control;
use crate::error::Error;
use crate::fs::{Call, Cause, Fs, Named};
use crate::path::{RelPath, RootId};
use crate::plan::Attributes;

/// Whether the host lends calls, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Powers {
    missing: bool,
}

impl Powers {
    /// Returns the answer of a lent call, or `None` if the host does not lend it.
    fn ask<T>(&mut self, call: impl FnOnce() -> Result<T, Cause>) -> Option<Result<T, Cause>> {
        if self.missing {
            return None;
        }
        match call() {
            Err(Cause::Unsupported) => {
                self.missing = true;
                None
            }
            answer => Some(answer),
        }
    }

    /// Creates a file, private if the host lends that.
    pub(super) fn create<F: Fs>(&mut self, fs: &F, (at, name): Named<'_, F::Dir>) -> Result<F::File, Cause> {
        self.ask(|| fs.create_private_file(at, name)).unwrap_or_else(|| fs.create_file(at, name))
    }

    /// Makes a directory, private if its path asks for that and the host lends it.
    pub(super) fn make_dir<F: Fs>(
        &mut self,
        fs: &F,
        path: &RelPath,
        (at, name): Named<'_, F::Dir>,
    ) -> Result<(), Cause> {
        let private = control::is_private(path).then(|| self.ask(|| fs.make_private_dir(at, name))).flatten();
        private.unwrap_or_else(|| fs.make_dir(at, name))
    }
}

impl<F: Fs> Executor<F> {
    /// Returns whether the host is known to lend no calls. Unknown before the first call that it could lend.
    pub(crate) const fn lacks_powers(&self) -> bool {
        self.powers.missing
    }

    /// Gives attributes to a file or directory, as far as the host lends the call and they can be given.
    pub(super) fn set_attributes(&mut self, path: &RelPath, as_of: &Attributes) -> Result<()> {
        if self.powers.missing {
            return Ok(());
        }
        let (dir, name) = self.parent(RootId::STORE, path)?;
        let to = (&*dir, name);
        let mut powers = self.powers;
        let answer = match as_of {
            Attributes::Of { from, times } => {
                let (original, old) = match from.path.is_root() {
                    true => (self.dir(from.root, &from.path)?, "."),
                    false => self.parent(from.root, &from.path)?,
                };
                powers.ask(|| self.fs.copy_attributes((&original, old), to, *times).map(drop))
            }
            Attributes::NewIn(parent) => {
                let parent = self.dir(RootId::STORE, parent)?;
                powers.ask(|| self.fs.inherit_attributes(&parent, to).map(drop))
            }
            Attributes::Mode(mode) => powers.ask(|| self.fs.set_mode(to, *mode)),
        };
        self.powers = powers;
        answer.unwrap_or(Ok(())).map_err(|cause| Error::failed(Call::SetAttributes, path, cause))
    }
}
