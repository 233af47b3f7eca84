//! Temporary upper directories, which are removed with their run, even if it was killed.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use onionskin_host::trust::is_own;
use tempfile::NamedTempFile;

/// The prefix of names in the directory for temporary files.
const PREFIX: &str = "onionskin-run-";

/// The suffix of the file that is locked while its run lives. The directory beside it has the same name without
/// the suffix.
const RUNNING: &str = ".running";

/// The number of attempts with other names.
const TRIES: usize = 16;

/// A directory with access for this user only. It is removed on drop, or by the next run of the same user if
/// this process was killed.
pub(super) struct Temporary {
    directory: PathBuf,
    /// Locked while the run lives. Without it no run removes the directory.
    running: Option<NamedTempFile>,
    is_kept: bool,
}

impl Temporary {
    /// Creates a directory in another, and removes those of dead runs there. A directory whose changes are `wanted`
    /// survives a killed run.
    pub(super) fn make(place: &Path, wanted: bool) -> io::Result<Self> {
        sweep(place);
        for _ in 0..TRIES {
            let running = tempfile::Builder::new().prefix(PREFIX).suffix(RUNNING).tempfile_in(place)?;
            // Another run may have seen the file before it was locked, and have treated it as that of a dead
            // run.
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
        // The running file goes first: with it the next run would remove the directory.
        self.running = None;
        self.is_kept = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_kept {
            // The next run retries a failed removal, as long as the file beside it exists.
            if fs::remove_dir_all(&self.directory).is_err() {
                match self.running.take() {
                    Some(running) => drop(running.keep()),
                    None => drop(File::create_new(running(&self.directory))),
                }
            }
        }
    }
}

/// Creates directories without access for other users.
pub(crate) fn private() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Removes a temporary directory whose run ends without dropping it, and the file beside it.
pub(super) fn remove(directory: &Path) {
    // The next run retries a failed removal, as long as the file beside it exists.
    let running = running(directory);
    if fs::remove_dir_all(directory).is_ok() {
        let _the_next_run_removes_it = fs::remove_file(running);
    } else if !running.exists() {
        let _it_stays = File::create_new(running);
    }
}

fn running(directory: &Path) -> PathBuf {
    let mut path = directory.to_owned().into_os_string();
    path.push(RUNNING);
    path.into()
}

fn beside(running: &Path) -> PathBuf {
    running.with_extension("")
}

/// Removes the directories of dead runs. A failure is left to the next run, since this one does not depend on
/// the removal.
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

/// Removes the files of a dead run of this user.
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

#[cfg(not(unix))]
fn open_own(running: &Path) -> io::Result<File> {
    File::open(running)
}
