//! New content: from a file or from standard input, a chunk at a time.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use onionskin_host::Error;

use super::text::text;
use super::{streams, terminal};

/// Shorter copies end before anyone could read a progress bar.
const PROGRESS_BYTES_MIN: u64 = 64 << 20;

/// The source of new content.
pub(super) struct Input {
    name: PathBuf,
    reader: Box<dyn Read>,
    /// Returns its length, where that is known.
    pub(super) length: Option<u64>,
}

impl Input {
    /// Opens the file, or standard input without one.
    pub(super) fn open(from: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = from else {
            let name = PathBuf::from("standard input");
            if io::stdin().is_terminal() && wanted() {
                // Without the sentence it is read as well.
                let _ = streams::aside(&text!("the new content is read from standard input, up to its end (Ctrl-D)\n"));
            }
            return Ok(Self { name, reader: Box::new(io::stdin().lock()), length: None });
        };
        let open = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok((file, metadata.is_file().then_some(metadata.len())))
        };
        let (file, length) = open().map_err(|error| failed(path, error))?;
        Ok(Self { name: path.to_owned(), reader: Box::new(file), length })
    }

    /// Returns the next bytes: the requested number unless the content ends before.
    pub(super) fn chunk(&mut self, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let mut chunk = Vec::new();
        self.reader.by_ref().take(bytes_max).read_to_end(&mut chunk).map_err(|error| failed(&self.name, error))?;
        Ok(chunk)
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Io { action: "read the new content", path: path.to_owned(), source }
}

/// For the library, whose error does not need the name.
impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// Returns a progress bar on standard error for a copy of this many bytes, if it is a terminal and the copy takes long
/// enough.
pub(super) fn progress(bytes: Option<u64>) -> ProgressBar {
    let Some(bytes) = bytes.filter(|bytes| *bytes > PROGRESS_BYTES_MIN && wanted()) else {
        return ProgressBar::hidden();
    };
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left")
        .expect("the template is a constant and was tried");
    ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr()).with_style(style)
}

/// Whether a progress bar would be visible.
pub(super) fn wanted() -> bool {
    terminal::is_seen()
}
