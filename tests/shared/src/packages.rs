//! Builds guests.

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// Settings of the outer build that must not reach the inner one: flags for another target, and wrappers of the
/// compiler.
const OUTER_ONLY: [&str; 6] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

/// Builds a package of `tests/guests`, and returns the path of its program.
pub fn build(package: &str, program: &str, settings: &[(&str, &str)]) -> PathBuf {
    let target = crate::target_tmp().join("guests");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests").join(package).join("Cargo.toml");
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
