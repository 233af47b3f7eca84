//! Builds the component and the overlay, so that the library can embed both and no compiled file is
//! committed.
//!
//! `ONIONSKIN_COMPONENT=path`, `ONIONSKIN_WITH_POWERS=path` and `ONIONSKIN_OVERLAY=path` use a file that is built
//! already.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";

/// The embedded builds: the name, the variable that names a file built already, and the build flags.
const EMBEDDED: [(&str, &str, &[&str]); 3] = [
    ("onionskin.wasm", "ONIONSKIN_COMPONENT", &[]),
    ("powers.wasm", "ONIONSKIN_WITH_POWERS", &["--features", "powers"]),
    ("overlay.wasm", "ONIONSKIN_OVERLAY", &["--features", "overlay"]),
];

/// The variables of the outer build that an inner cargo must not inherit: flags for another target, and the
/// wrappers with which clippy and caches replace the compiler.
const OUTER_ONLY: &[&str] = &[
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CLIPPY_ARGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    for (name, prebuilt, flags) in EMBEDDED {
        println!("cargo::rerun-if-env-changed={prebuilt}");
        let component = match env::var_os(prebuilt) {
            Some(prebuilt) => {
                let prebuilt = PathBuf::from(prebuilt);
                println!("cargo::rerun-if-changed={}", prebuilt.display());
                prebuilt
            }
            None => build(&out, flags)?,
        };
        fs::copy(&component, out.join(name))
            .map_err(|error| format!("cannot copy the component {}: {error}", component.display()))?;
    }
    Ok(())
}

fn build(out: &Path, flags: &[&str]) -> Result<PathBuf, String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("..");
    for source in ["src", "wit", "build.rs", "Cargo.toml", ".cargo"] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    require_target(&root)?;
    let target_dir = out.join("component");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(&root)
        // One crate type: where the library is built as well, cargo disables link-time optimization.
        .args(["rustc", "--package", "onionskin", "--lib", "--crate-type", "cdylib"])
        .args(["--profile", "component", "--target", TARGET])
        .args(flags)
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir);
    for name in OUTER_ONLY {
        cargo.env_remove(name);
    }
    let status = cargo.status().map_err(|error| format!("cannot run cargo to build the component: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the component did not build ({status}); see above, or run `cargo rustc -p onionskin \
             --lib --crate-type cdylib --profile component --target {TARGET}` for the messages"
        ));
    }
    Ok(target_dir.join(TARGET).join("component/onionskin.wasm"))
}

/// Checks that the target is installed. Without it the inner build fails in every dependency; this reports
/// the cause in one line.
fn require_target(root: &Path) -> Result<(), String> {
    let output = Command::new(variable("RUSTC")?)
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    let libraries = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    Err(format!("the target {TARGET} is not installed: run `rustup target add {TARGET}` and build again"))
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}"))
}
