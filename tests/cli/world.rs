//! A directory to run the program in, and the result of a run.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::ground;

/// The working directory of runs; paths on the command line and in messages are relative to it.
pub(crate) struct World {
    directory: TempDir,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// Creates these files, given by path and content, and the directories `root` and `lower`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = ground::scratch();
        for name in ["root", "lower"] {
            fs::create_dir(directory.path().join(name)).expect("a new directory");
        }
        for (name, content) in files {
            ground::write(&directory.path().join(name), content);
        }
        Self { directory }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Creates an absolute link.
    pub(crate) fn link(&self, to: &str, name: &str) {
        std::os::unix::fs::symlink(self.at(to), self.at(name)).expect("a new link");
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn tree(&self) -> ground::Tree {
        ground::read(self.directory.path())
    }

    /// Runs the program without input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Runs the program with this standard input, and asserts that it prints no backtrace, not even on request.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut running = Command::new(env!("CARGO_BIN_EXE_onionskin"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env("ONIONSKIN_CACHE_DIR", ground::cache())
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // The program may end before it has read everything.
        let _ = running.stdin.take().expect("it is piped").write_all(input.as_bytes());
        let output = running.wait_with_output().expect("the program ends");
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        let code = output.status.code().unwrap_or_else(|| panic!("{arguments:?}: {}", output.status));
        let ran = Ran { code, out: text(output.stdout), err: text(output.stderr) };
        for word in ["panicked", "stack backtrace", "RUST_BACKTRACE"] {
            assert!(!ran.err.contains(word) && !ran.out.contains(word), "{arguments:?}: {ran:?}");
        }
        ran
    }

    /// Returns the output of a shell command line, errors included; the program is in its PATH.
    pub(crate) fn shell(&self, line: &str) -> String {
        let directory = Path::new(env!("CARGO_BIN_EXE_onionskin")).parent().expect("a program is in a directory");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([directory.into()].into_iter().chain(std::env::split_paths(&path)));
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {line}; }} 2>&1")])
            .current_dir(self.directory.path())
            .env("PATH", path.expect("no directory on the way has a colon in its name"))
            .env("ONIONSKIN_CACHE_DIR", ground::cache())
            .output()
            .expect("there is a shell");
        String::from_utf8(output.stdout).expect("it writes UTF-8")
    }

    /// As [`World::run_with`], for a run that must succeed without a word on standard error.
    pub(crate) fn done_with(&self, arguments: &[&str], input: &str) -> String {
        let ran = self.run_with(arguments, input);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}: {ran:?}");
        ran.out
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        self.done_with(arguments, "")
    }

    /// As [`World::done_with`], with the answer as JSON: one object on one line.
    pub(crate) fn json_with(&self, arguments: &[&str], input: &str) -> Value {
        let out = self.done_with(&[&["--format", "json"], arguments].concat(), input);
        assert_eq!(out.lines().count(), 1, "{arguments:?}: {out}");
        let value: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"));
        assert!(value.is_object(), "{arguments:?}: {out}");
        value
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.json_with(arguments, "")
    }

    /// Asserts that no record is left except those that the filter accepts.
    pub(crate) fn left_over(&self, known: fn(&Path) -> bool) {
        let left: Vec<PathBuf> = ground::ours(&self.tree()).into_iter().filter(|path| !known(path)).collect();
        assert_eq!(left, ground::NONE);
    }
}

/// A filter that accepts no record.
pub(crate) fn nothing(_: &Path) -> bool {
    false
}

/// A filter that accepts the generations of a directory that is published by pointer.
pub(crate) fn generations(path: &Path) -> bool {
    let store = Path::new("root/.onionskin/directories");
    path.starts_with(store) || store.starts_with(path)
}
