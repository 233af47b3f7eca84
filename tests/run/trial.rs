//! Runs the same program on a plain directory and on a layered one.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ground::{Ground, tree};

/// The output of the command.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `onionskin` without a terminal.
pub(crate) fn onionskin<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_onionskin"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Writes a module or component in the text format.
pub(crate) fn written(ground: &Ground, name: &str, text: &str) -> PathBuf {
    let place = ground.at(name);
    fs::write(&place, onionskin_tests::wat::parse_str(text).expect("it is WebAssembly")).expect("a writable directory");
    place
}

/// `HOST::/data`.
pub(crate) fn as_data(host: &Path) -> String {
    format!("{}::/data", host.to_str().expect("a plain name"))
}

/// Runs programs on the directories of a ground, and compares.
pub(crate) trait Trial {
    /// Runs a program on the plain copy, which is `/data`.
    fn plain(&self, program: &Path, arguments: &[&str]) -> Said;

    /// Runs a program on the lower directories, with the changes of earlier runs.
    fn layered(&self, more: &[&str], program: &Path, arguments: &[&str]) -> Said;

    /// Runs a program on both, and asserts the same output and exit code.
    fn compare(&self, program: &Path, arguments: &[&str]) -> Said;

    /// Asserts that the merged tree equals the plain copy, and that the lowers are unchanged.
    fn assert_same_trees(&self);
}

impl Trial for Ground {
    fn plain(&self, program: &Path, arguments: &[&str]) -> Said {
        let program = program.to_str().expect("a plain name");
        onionskin([&["run", "--dir", &as_data(&self.at("plain")), program][..], arguments].concat())
    }

    fn layered(&self, more: &[&str], program: &Path, arguments: &[&str]) -> Said {
        let (top, base, upper) = (as_data(&self.at("top")), as_data(&self.at("base")), self.at("upper"));
        let run = ["run", "--lower", &top, "--lower", &base, "--upper", upper.to_str().expect("a plain name")];
        let program = program.to_str().expect("a plain name");
        onionskin([&run[..], more, &[program], arguments].concat())
    }

    fn compare(&self, program: &Path, arguments: &[&str]) -> Said {
        let (plain, layered) = (self.plain(program, arguments), self.layered(&[], program, arguments));
        let differing = plain.out.lines().zip(layered.out.lines()).filter(|(plain, layered)| plain != layered);
        let differing: Vec<_> =
            differing.map(|(plain, layered)| format!("plain:   {plain}\nlayered: {layered}")).collect();
        assert!(differing.is_empty(), "{arguments:?}: {} lines differ:\n{}", differing.len(), differing.join("\n"));
        assert_eq!(plain.out, layered.out, "{arguments:?}: {}", layered.err);
        assert_eq!(plain.code, layered.code, "{arguments:?}: {}\n{}", plain.err, layered.err);
        let said_besides = layered.err.contains(plain.err.trim_end());
        assert!(said_besides, "{arguments:?}: plain said\n{}\nlayered said\n{}", plain.err, layered.err);
        layered
    }

    fn assert_same_trees(&self) {
        let out = self.at("out");
        if out.exists() {
            fs::remove_dir_all(&out).expect("it is ours");
        }
        let said = onionskin([OsStr::new("workspace"), "export".as_ref(), self.at("upper").as_ref(), out.as_ref()]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let (plain, layered) = (tree(&self.at("plain")), tree(&out));
        for (path, holds) in &plain {
            assert_eq!(layered.get(path), Some(holds), "{path}");
        }
        assert_eq!(plain.keys().collect::<Vec<_>>(), layered.keys().collect::<Vec<_>>());
        self.assert_lowers_stay();
    }
}
