//! New projects, from the lines of `docs/package.md`.
//!
//! Where `ONIONSKIN_PACKAGE` does not name a release that was made, as `.ci/run package` does, they
//! are left out, and say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wasmparser::Payload;

use crate::compose::compose;

const PAGE: &str = include_str!("../../docs/package.md");

/// The release; none where it was not made.
fn package(what: &str) -> Option<PathBuf> {
    let package = std::env::var_os("ONIONSKIN_PACKAGE").map(PathBuf::from);
    if package.is_none() {
        eprintln!("skipped: {what}: ONIONSKIN_PACKAGE names no release; `.ci/run package` makes one");
    }
    package
}

/// The blocks of a section: the lines that are run, and what is shown in the end.
fn section(heading: &str) -> (Vec<&'static str>, &'static str) {
    let from = PAGE.split("\n## ").find(|section| section.starts_with(heading));
    let from = from.unwrap_or_else(|| panic!("docs/package.md has no section {heading}"));
    let blocks: Vec<&str> = from.split("```").skip(1).step_by(2).collect();
    let lines: Vec<&str> = blocks.iter().filter_map(|block| block.strip_prefix("sh\n")).collect();
    let shown = blocks.iter().find_map(|block| block.strip_prefix("text\n"));
    assert!(!lines.is_empty(), "{heading} has no lines to run");
    (lines, shown.unwrap_or_else(|| panic!("{heading} shows nothing")))
}

/// Runs lines as they stand, in one shell, and says what they print in the end.
fn run(lines: &str, place: &Path, package: &Path) -> String {
    let mut shell = Command::new("bash");
    shell.args(["-euc", lines]).current_dir(place).env("PACKAGE", package);
    // A project of somebody else: nothing of this build is in its environment.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_NET_RETRY" {
            shell.env_remove(name);
        }
    }
    let output = shell.output().expect("there is a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{lines}\n{out}{err}");
    out
}

fn place() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn is_done(data: &Path) {
    let read = |name: &str| fs::read_to_string(data.join("today").join(name)).unwrap_or_default();
    assert_eq!((read("title.txt").as_str(), read("events.json").as_str()), ("Trip", "[]"));
    assert!(!data.join(".onionskin").exists(), "something is left");
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// It is built as it stands. Where `wac` and `wasmtime` are installed it is composed and run as it
/// stands, too; otherwise it is composed by the library that `wac` is made of, and asks for WASI alone.
#[test]
fn a_new_program_in_rust() {
    let Some(package) = package("a new program in Rust") else { return };
    let (lines, shown) = section("A program in Rust");
    let place = place();
    let [build, rest] = lines[..] else { panic!("there are two blocks: to build, and to run") };
    if has("wac") && has("wasmtime") {
        assert!(run(&format!("{build}{rest}"), place.path(), &package).ends_with(shown));
        return is_done(&place.path().join("notes/data"));
    }
    eprintln!("not run: wac and wasmtime are not installed; what they would run is composed, and looked at");
    run(build, place.path(), &package);
    let read = |path: PathBuf| fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let program = read(place.path().join("notes/target/wasm32-wasip2/release/notes.wasm"));
    assert!(
        imports(&program).iter().any(|import| import.starts_with("onionskin:fs/store@")),
        "{:?}",
        imports(&program)
    );
    let composed = imports(&compose(&program, &read(package.join("onionskin.wasm"))));
    assert!(composed.iter().all(|import| import.starts_with("wasi:")), "{composed:?}");
    assert!(composed.iter().any(|import| import.starts_with("wasi:filesystem/types@")), "{composed:?}");
}

/// What a component asks its host for.
fn imports(component: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        match payload.expect("it is WebAssembly") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 0 => {
                names.extend(imports.into_iter().map(|import| import.expect("it is valid").name.name.to_owned()));
            }
            _ => {}
        }
    }
    names
}

fn in_one_go(heading: &str) {
    let Some(package) = package(heading) else { return };
    let (lines, shown) = section(heading);
    let place = place();
    assert!(run(&lines.concat(), place.path(), &package).ends_with(shown));
    is_done(&place.path().join("data"));
}

#[test]
fn a_new_project_in_node() {
    in_one_go("Node");
}

#[test]
fn a_new_project_in_python() {
    in_one_go("Python");
}
