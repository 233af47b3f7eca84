//! Temporary upper directories, which go away with their run, also with one that was killed.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How the names begin of what is made in the directory for temporary files.
const PREFIX: &str = "onionskin-run-";

/// How the name of a file ends that is locked while its run lives. The directory beside it has the name
/// without.
const RUNNING: &str = ".running";

/// How often another name is tried.
const TRIES: usize = 16;

/// A directory that this user alone may look into. It goes away when this is dropped, and with the next run
/// of the same user when this process was killed.
pub(super) struct Temporary {
    directory: PathBuf,
    /// Locked: the run lives. Without it nobody removes the directory.
    running: Option<NamedTempFile>,
    is_kept: bool,
}

impl Temporary {
    /// Makes one, and removes those of runs that are dead. One whose changes are `wanted` outlives a run that
    /// is killed.
    pub(super) fn make(wanted: bool) -> io::Result<Self> {
        let place = std::env::temp_dir();
        sweep(&place);
        for _ in 0..TRIES {
            let running = tempfile::Builder::new().prefix(PREFIX).suffix(RUNNING).tempfile_in(&place)?;
            // The run of somebody who saw it before it was locked takes it for that of a dead one.
            if running.as_file().try_lock().is_err() || !running.path().exists() {
                continue;
            }
            let directory = beside(running.path());
            match private().create(&directory) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            let running = (!wanted).then_some(running);
            return Ok(Self { directory, running, is_kept: false });
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    /// Lets the directory stay.
    pub(super) fn keep(&mut self) {
        // First what would let the next run remove it.
        self.running = None;
        self.is_kept = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed is tried again by the next run, as long as the file beside it is there.
            let removed = fs::remove_dir_all(&self.directory);
            if removed.is_err()
                && let Some(running) = self.running.take()
            {
                let _it_stays = running.keep();
            }
        }
    }
}

/// Makes directories that nobody else may look into.
pub(super) fn private() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn beside(running: &Path) -> PathBuf {
    running.with_extension("")
}

/// Removes the directories of runs that are dead. What goes wrong is left to the next run: this one does not
/// need it.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_of_a_run = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(RUNNING));
        if is_of_a_run {
            let _ = remove_if_dead(&entry.path());
        }
    }
}

/// Removes what belongs to a run of this user that is not alive.
fn remove_if_dead(running: &Path) -> io::Result<()> {
    let (file, directory) = (open_own(running)?, beside(running));
    if file.try_lock().is_err() {
        return Ok(());
    }
    match fs::symlink_metadata(&directory) {
        Ok(is) if is.is_dir() && is_own(&is) => fs::remove_dir_all(&directory)?,
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::remove_file(running)
}

#[cfg(unix)]
fn open_own(running: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(running, flags, Mode::empty())?);
    if is_own(&file.metadata()?) { Ok(file) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

#[cfg(unix)]
fn is_own(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn open_own(running: &Path) -> io::Result<File> {
    File::open(running)
}

#[cfg(not(unix))]
fn is_own(_: &fs::Metadata) -> bool {
    true
}
