//! A program as the subject of the explorer.

use std::fs;
use std::path::Path;

use onionskin_host::Error;
use onionskin_sim::explore::{Class, Failure, Subject};
use onionskin_sim::{SimFs, Tree};

use crate::simulated::{Ended, How, Program};

/// A program whose run is crashed, and that decides itself on every crash state: the only requirement is that its check
/// exits with 0.
///
/// A check may repair the files; it is crashed as well, and checked again. On standard input it gets the text that the
/// run had printed before the crash, which acknowledges changes that must be present.
pub struct Guest<'g> {
    /// The program.
    pub program: &'g Program,
    /// The arguments of the run.
    pub run: Vec<String>,
    /// The arguments of the check.
    pub check: Vec<String>,
    /// The initial files.
    pub files: Tree,
}

impl Guest<'_> {
    /// Runs both without a crash: the run, and the check before and after it. If one of them fails the program is not
    /// ready to be crashed, and the text names it.
    ///
    /// # Errors
    /// The program does not start.
    pub fn rehearse(&self) -> Result<Option<String>, Error> {
        let fs = SimFs::holding(&self.program.scene(&self.files));
        for (arguments, when) in [(&self.check, "before the run"), (&self.run, ""), (&self.check, "after the run")] {
            let ended = self.program.start(&fs, arguments)?;
            if ended.how != How::Exited(0) {
                return Ok(Some(describe_end(arguments, &ended, when)));
            }
        }
        Ok(None)
    }

    fn perform(&self, fs: &SimFs, arguments: &[String]) -> Result<(), Failure> {
        let ended = self.program.start(fs, arguments).map_err(|error| Failure::new(Class::Other, error))?;
        match ended.how {
            How::Exited(0) => Ok(()),
            _ => Err(Failure::new(Class::Other, describe_end(arguments, &ended, ""))),
        }
    }
}

/// Returns the content of a directory of the host as the files of a [`Guest`]. Each hard link becomes a file of its
/// own.
///
/// # Errors
/// An entry below cannot be read.
pub fn files(directory: &Path) -> Result<Tree, Error> {
    let mut files = Tree::new();
    let mut waiting = vec![(directory.to_owned(), Vec::new())];
    while let Some((directory, prefix)) = waiting.pop() {
        let failed = |source| Error::Io { action: "read the files for the program", path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (kind, place) = (entry.file_type().map_err(failed)?, entry.path());
            let name = [&prefix, entry.file_name().as_encoded_bytes()].concat();
            if kind.is_dir() {
                files = files.dir(&name);
                waiting.push((place, [&name, &b"/"[..]].concat()));
            } else if kind.is_symlink() {
                let text = fs::read_link(&place).map_err(failed)?;
                files = files.symlink(&name, &text.to_string_lossy());
            } else if kind.is_file() {
                files = files.file(&name, fs::read(&place).map_err(failed)?);
            }
        }
    }
    Ok(files)
}

/// Describes the end of a run, and its output.
fn describe_end(arguments: &[String], ended: &Ended, when: &str) -> String {
    let how = match &ended.how {
        How::Exited(code) => format!("exited with {code}"),
        How::Trapped(message) => format!("trapped: {message}"),
        How::Died => "was stopped".to_owned(),
    };
    let space = if when.is_empty() { "" } else { " " };
    let output = ended.output.trim_end();
    let colon = if output.is_empty() { "" } else { ": " };
    format!("`{}`{space}{when} {how}{colon}{output}", arguments.join(" "))
}

impl Subject for Guest<'_> {
    fn name(&self) -> String {
        self.program.name().to_owned()
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&self.program.scene(&self.files));
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.perform(fs, &self.run)
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        self.perform(fs, &self.check)
    }

    /// The check alone decides on leftovers.
    fn is_leftover(&self, _: &str) -> bool {
        true
    }
}
