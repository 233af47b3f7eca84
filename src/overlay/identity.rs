//! The identity of a file: a number that is stable for as long as a program sees the same file, across
//! renames and copy-up.

use super::handle::Content;
use super::{Answer, Code, Handle, Overlay};
use crate::fs::{Cause, Fs, Kind};
use crate::path::RelPath;
use crate::workspace::{Place, sum};

impl<F: Fs> Overlay<F> {
    /// Returns a number that distinguishes the entry behind a handle from all other entries.
    ///
    /// # Errors
    /// The filesystem's errors.
    pub fn identity(&mut self, handle: &Handle<F>) -> Answer<u128> {
        self.kind(handle)?;
        if let Some(known) = handle.identity.get() {
            return Ok(known);
        }
        self.workspace.forget_looks();
        let path = handle.path.borrow().clone();
        let identity = match (handle.content.get(), path) {
            (Content::Own(number), _) => self.identity_of_own(number),
            (Content::Unnamed(number), _) => identity("unnamed", &number.to_le_bytes()),
            (Content::Lower | Content::None, Some(path)) => {
                let place = self.workspace.find_place(&path)?.ok_or(Cause::NoEntry)?;
                self.identity_of(&path, &place)?
            }
            (Content::Lower | Content::None, None) => return Err(Cause::NoEntry.into()),
        };
        handle.identity.set(Some(identity));
        Ok(identity)
    }

    /// As [`Overlay::identity`], for the entry that a path leads to.
    ///
    /// # Errors
    /// Those of wasmtime for the same call on a plain directory.
    pub fn identity_at(&mut self, from: &Handle<F>, path: &str, follow: bool) -> Answer<u128> {
        self.kind(from)?;
        if from.is_removed_and(path) {
            return self.identity(from);
        }
        let from = self.directory(from)?;
        let (path, place) = self.find(&from, path, follow)?.existing()?;
        self.identity_of(&path, &place)
    }

    /// Computes the identity of an entry. A file of a lower with several names has the number that the
    /// filesystem assigns; for any other entry it is derived from the place the entry came from.
    pub(super) fn identity_of(&mut self, path: &RelPath, place: &Place) -> Answer<u128> {
        Ok(match place {
            Place::File(number) => self.identity_of_own(*number),
            Place::Directory | Place::Link(_) => identity("own", path.as_str().as_bytes()),
            Place::Lower(_, at, stat) if stat.kind == Kind::File && stat.links > 1 => {
                match self.workspace.exec().identity_of(at) {
                    Ok(identity) => identity,
                    Err(error) if error.cause() == Some(Cause::Unsupported) => {
                        identity("lower", at.path.as_str().as_bytes())
                    }
                    Err(error) => return Err(Code::from(error)),
                }
            }
            Place::Lower(lower, _, _) => identity("lower", lower.as_str().as_bytes()),
        })
    }

    fn identity_of_own(&self, number: u64) -> u128 {
        let copied = self.identities.get(&number).copied();
        copied.unwrap_or_else(|| identity("file", &number.to_le_bytes()))
    }
}

/// Computes two sums, with different seeds.
fn identity(kind: &str, bytes: &[u8]) -> u128 {
    let one = sum(sum(SEEDS.0, kind.as_bytes()), bytes);
    let other = sum(sum(SEEDS.1, kind.as_bytes()), bytes);
    u128::from(one) << 64 | u128::from(other)
}

/// The seeds: two arbitrary numbers.
const SEEDS: (u64, u64) = (0x9e37_79b9_7f4a_7c15, 0xcbf2_9ce4_8422_2325);
