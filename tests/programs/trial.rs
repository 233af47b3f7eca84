//! Building a guest, and running the command on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const TARGET: &str = "wasm32-wasip2";

/// What this build has of its own: flags for another target, and the stand-ins for the compiler.
const OUTER_ONLY: [&str; 6] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

/// Builds a package of `tests/guests`, and says where its program is.
pub(crate) fn build(package: &str, program: &str, settings: &[(&str, &str)]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests").join(package).join("Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--target", TARGET, "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(&target).envs(settings.iter().copied());
    for name in OUTER_ONLY {
        cargo.env_remove(name);
    }
    let built = cargo.output().expect("cargo runs");
    assert!(built.status.success(), "{package} did not build:\n{}", String::from_utf8_lossy(&built.stderr));
    target.join(TARGET).join("release").join(program).with_extension("wasm")
}

/// What the command said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The text of every violation that is told, with the state it is about.
    pub(crate) fn violations(&self) -> Vec<(String, String)> {
        let told: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.err));
        let models = told["operations"][0]["models"].as_array().expect("the models").iter();
        let violations = models.flat_map(|model| model["violations"].as_array().expect("what is broken").clone());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        violations.map(|found| (text(&found["text"]), text(&found["image"]))).collect()
    }
}

/// `onionskin crash --component`, with a run and a check.
pub(crate) fn crash(program: &Path, run: &str, check: &str, more: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    command.arg("crash").arg("--component").arg(program).args(["--run", run, "--check", check]).args(more);
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}
