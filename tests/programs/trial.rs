//! Runs the command on a program.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The output of the command.
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Output {
    /// Returns the text of every reported violation, with its crash state.
    pub(crate) fn violations(&self) -> Vec<(String, String)> {
        let report: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.err));
        let models = report["operations"][0]["models"].as_array().expect("the models").iter();
        let violations = models.flat_map(|model| model["violations"].as_array().expect("the violations").clone());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        violations.map(|found| (text(&found["text"]), text(&found["image"]))).collect()
    }
}

/// Runs `onionskin crash --component` with a run and a check.
pub(crate) fn crash(program: &Path, run: &str, check: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    command.arg("crash").arg("--component").arg(program).args(["--run", run, "--check", check]).args(more);
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}
