//! Workspaces: opening, reading, copying up and committing, compared with the kernel's overlay.

mod commit;
mod content;
mod open;
mod overlay;

use std::fs;
use std::path::{Path, PathBuf};

use onionskin_host::{Onionskin, Workspace, WorkspaceBuilder};

pub(crate) use content::{cp, large};

use crate::place::Place;
use crate::report::Report;
use crate::{Bench, Result};

/// A map of a million records is held in memory once, and once more while it is read.
const MEMORY_BYTES: usize = 1 << 30;

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    open::measure(bench, report);
    content::measure(bench, report);
    commit::measure(bench, report);
    overlay::measure(bench, report);
}

/// An upper and a lower directory, and the component that layers one over the other.
pub(crate) struct Ground {
    onionskin: Onionskin,
    pub(crate) upper: PathBuf,
    pub(crate) lower: PathBuf,
}

impl Ground {
    /// Creates empty directories of this name.
    pub(crate) fn make(bench: &Bench, place: &Place, name: &str) -> Result<Self> {
        let builder = Onionskin::builder().cache_directory(bench.places.cache()).memory_bytes(MEMORY_BYTES);
        let onionskin = builder.build()?;
        let (upper, lower) = (place.directory(&format!("{name}-upper"))?, place.directory(&format!("{name}-lower"))?);
        Ok(Self { onionskin, upper, lower })
    }

    fn session(&self) -> WorkspaceBuilder {
        self.onionskin.workspace(&self.upper).lower(&self.lower)
    }

    /// Creates a workspace without changes, and discards the previous one.
    pub(crate) fn fresh(&self) -> Result<Workspace> {
        if self.upper.join(".onionskin").exists() {
            self.session().open()?.discard()?;
        }
        Ok(self.session().create()?)
    }
}

impl Drop for Ground {
    /// Removed early, since it may occupy much memory. A failure leaves it to the end.
    fn drop(&mut self) {
        for directory in [&self.upper, &self.lower] {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// Returns the names of files, a thousand to a directory.
pub(crate) fn names(directory: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| format!("{directory}/{:03}/{number:06}", number / 1000))
}

/// Creates files of this length under [`names`].
pub(crate) fn fill(root: &Path, directory: &str, count: usize, length: usize) -> Result<()> {
    for (number, name) in names(directory, count).enumerate() {
        let path = root.join(name);
        if number % 1000 == 0 {
            fs::create_dir_all(path.parent().ok_or("a file is in a directory")?)?;
        }
        fs::write(path, vec![b'.'; length])?;
    }
    Ok(())
}
