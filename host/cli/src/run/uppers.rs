//! The upper directories of a run: one for each layered directory.

use std::fs;
use std::path::PathBuf;

use onionskin_host::Error;
use onionskin_host::run::Layers;
use onionskin_host::trust::open_to_others;

use super::arguments::{Run, What};
use super::temporary::{Temporary, private};
use crate::apart::inside;

/// The upper directories of one run.
pub(super) struct Uppers {
    /// The temporary directory, if there is one.
    temporary: Option<Temporary>,
    layers: Vec<Layers>,
    /// The directories that were created.
    made: Vec<PathBuf>,
}

impl Uppers {
    /// Creates the missing directories, for this user only. With several names, each has its own directory,
    /// whose name is derived from it.
    pub(super) fn make(arguments: &Run, what: What) -> Result<Self, Error> {
        let mut layers: Vec<Layers> = Vec::new();
        for place in &arguments.lower {
            match layers.iter_mut().find(|it| it.guest == place.guest) {
                Some(layers) => layers.lowers.push(place.host.clone()),
                None => layers.push(Layers {
                    guest: place.guest.clone(),
                    lowers: vec![place.host.clone()],
                    upper: PathBuf::new(),
                }),
            }
        }
        let (root, temporary) = match &arguments.upper {
            _ if layers.is_empty() => return Ok(Self { temporary: None, layers, made: Vec::new() }),
            Some(upper) => (upper.clone(), None),
            None => {
                let place = std::env::temp_dir();
                let failed =
                    |source| Error::Io { action: "make a temporary upper directory in", path: place.clone(), source };
                if let Some(open) = open_to_others(&place).map_err(failed)? {
                    let text = "other users could put a directory of theirs in the place of a temporary upper directory \
                                in it; set its sticky bit, set TMPDIR to another one, or name a directory by --upper";
                    return Err(Error::Layout { guest: open.display().to_string(), text: text.to_owned() });
                }
                let made = Temporary::make(&place, what != What::Discard).map_err(failed)?;
                (made.path().to_owned(), Some(made))
            }
        };
        let mut uppers = Self { temporary, layers, made: Vec::new() };
        let is_one = uppers.layers.len() == 1;
        for at in 0..uppers.layers.len() {
            let guest = uppers.layers[at].guest.clone();
            let upper = if is_one { root.clone() } else { root.join(guest.trim_matches('/').replace('/', "-")) };
            if uppers.layers[..at].iter().any(|before| before.upper == upper) {
                let text = format!("another directory of this run has the upper directory {}", upper.display());
                return Err(Error::Layout { guest, text });
            }
            if let Some(text) = inside(&upper, &uppers.layers[at].lowers) {
                return Err(Error::Layout { guest, text });
            }
            if fs::symlink_metadata(&upper).is_err() {
                let made = private().recursive(true).create(&upper);
                made.map_err(|source| Error::Io { action: "make the upper directory", path: upper.clone(), source })?;
                uppers.made.push(upper.clone());
            }
            uppers.layers[at].upper = upper;
        }
        Ok(uppers)
    }

    pub(super) fn layers(&self) -> Vec<Layers> {
        self.layers.clone()
    }

    /// Returns the path of the temporary directory, if there is one.
    pub(super) fn temporary(&self) -> Option<PathBuf> {
        self.temporary.as_ref().map(|temporary| temporary.path().to_owned())
    }

    /// Lets a temporary directory stay.
    pub(super) fn keep(&mut self) {
        if let Some(temporary) = &mut self.temporary {
            temporary.keep();
        }
    }

    /// Returns whether the directories are removed at the end.
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}

impl Drop for Uppers {
    fn drop(&mut self) {
        for made in &self.made {
            // A directory with changes is not empty, and stays.
            let _it_is_in_use = fs::remove_dir(made);
        }
    }
}
