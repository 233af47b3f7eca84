//! Where the changes of a program go: an upper directory for each directory with layers.

use std::fs;
use std::path::PathBuf;

use onionskin_host::Error;
use onionskin_host::run::Layers;
use tempfile::TempDir;

use super::arguments::Run;
use crate::apart::inside;

/// The upper directories of one run.
pub(super) struct Uppers {
    /// The directory that goes away with this, if there is one.
    temporary: Option<TempDir>,
    layers: Vec<Layers>,
}

impl Uppers {
    /// Makes the directories that are missing. Of several names each has its own, whose name is made of
    /// it.
    pub(super) fn make(arguments: &Run) -> Result<Self, Error> {
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
            _ if layers.is_empty() => return Ok(Self { temporary: None, layers }),
            Some(upper) => (upper.clone(), None),
            None => {
                let made = tempfile::Builder::new().prefix("onionskin-run-").tempdir();
                let made = made.map_err(|source| Error::Io {
                    action: "make a temporary upper directory in",
                    path: std::env::temp_dir(),
                    source,
                })?;
                (made.path().to_owned(), Some(made))
            }
        };
        let is_one = layers.len() == 1;
        for at in 0..layers.len() {
            let name = layers[at].guest.trim_matches('/').replace('/', "-");
            let upper = if is_one { root.clone() } else { root.join(name) };
            if layers[..at].iter().any(|before| before.upper == upper) {
                let text = format!("another directory of this run has the upper directory {}", upper.display());
                return Err(Error::Layout { guest: layers[at].guest.clone(), text });
            }
            if let Some(text) = inside(&upper, &layers[at].lowers) {
                return Err(Error::Layout { guest: layers[at].guest.clone(), text });
            }
            let make = || fs::create_dir_all(&upper);
            make().map_err(|source| Error::Io { action: "make the upper directory", path: upper.clone(), source })?;
            layers[at].upper = upper;
        }
        Ok(Self { temporary, layers })
    }

    pub(super) fn layers(&self) -> Vec<Layers> {
        self.layers.clone()
    }

    /// Lets a temporary directory stay.
    pub(super) fn keep(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            let _its_place_is_known = temporary.keep();
        }
    }

    /// Whether the directories go away at the end.
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}
