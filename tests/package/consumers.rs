//! New projects, by the commands in `docs/package.md` and `docs/embedding.md`.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use onionskin_host::run::plug;
use onionskin_host::{COMPONENT, OVERLAY, WITH_POWERS};
use tempfile::TempDir;

use crate::plain::Host;
use crate::{ground, guests, package, read};

const PAGE: &str = include_str!("../../docs/package.md");
const EMBEDDING: &str = include_str!("../../docs/embedding.md");

/// Returns the commands of a section, by block, and the output that it shows.
fn section(page: &'static str, heading: &str) -> (Vec<&'static str>, &'static str) {
    let from = page.split("\n## ").find(|section| section.starts_with(heading));
    let from = from.unwrap_or_else(|| panic!("the page has no section {heading}"));
    let blocks: Vec<&str> = from.split("```").skip(1).step_by(2).collect();
    let lines: Vec<&str> = blocks.iter().filter_map(|block| block.strip_prefix("sh\n")).collect();
    let shown = blocks.iter().find_map(|block| block.strip_prefix("text\n"));
    assert!(!lines.is_empty(), "{heading} has no lines to run");
    (lines, shown.unwrap_or_else(|| panic!("{heading} shows nothing")))
}

/// Runs commands verbatim, in one shell, and returns the output of the last.
fn run(lines: &str, place: &Path, package: &Path) -> String {
    run_with(lines, place, &[("PACKAGE", package.as_os_str())])
}

fn run_with(lines: &str, place: &Path, variables: &[(&str, &OsStr)]) -> String {
    let mut shell = Command::new("bash");
    shell.args(["-euc", lines]).current_dir(place);
    // A foreign project: none of the variables of this build may be in its environment.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_NET_RETRY" {
            shell.env_remove(name);
        }
    }
    shell.envs(variables.iter().copied());
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

/// The program is built verbatim. Where `wac` and `wasmtime` are installed it is also composed and run verbatim;
/// otherwise their libraries do that.
#[test]
fn a_new_program_in_rust() {
    let Some(package) = package("a new program in Rust") else { return };
    let (lines, shown) = section(PAGE, "A program in Rust");
    let place = place();
    let [build, rest] = lines[..] else { panic!("there are two blocks: to build, and to run") };
    let data = place.path().join("notes/data");
    if has("wac") && has("wasmtime") {
        assert!(run(&format!("{build}{rest}"), place.path(), &package).ends_with(shown));
        return is_done(&data);
    }
    ground::say("a new program in Rust: wac and wasmtime are not installed, so their libraries compose and run it");
    run(build, place.path(), &package);
    let program = read(&place.path().join("notes/target/wasm32-wasip2/release/notes.wasm"));
    let composed =
        plug(program, &read(&package.join("onionskin.wasm"))).expect("its imports match the exports of the release");
    fs::create_dir(&data).expect("a new directory");
    let ended = Host::new(&composed, place.path()).run(&[(data.clone(), "data")], &[], "");
    assert_eq!((ended.code, ended.out.as_str()), (0, shown), "{}", ended.err);
    is_done(&data);
}

fn in_one_go(heading: &str) {
    let Some(package) = package(heading) else { return };
    let (lines, shown) = section(PAGE, heading);
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

/// A program outside of the repository has its own wasmtime, and uses a store, a workspace and a plugin.
///
/// It is built in the target directory of this build, with the features that the tests ask for, so that wasmtime is not
/// compiled once more; the program and its commands are verbatim.
#[test]
fn a_new_program_that_embeds_the_host() {
    if package("a new program that embeds the host").is_none() {
        return;
    }
    let Some(plugin) = guests::program("rust") else { return };
    let (lines, shown) = section(EMBEDDING, "A new program");
    let [write, build] = lines[..] else { panic!("there are two blocks: to write it, and to run it") };
    let place = place();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there");
    let target = repository.join("target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(target, |target| repository.join(target));
    run_with(write, place.path(), &[("ONIONSKIN", repository.as_os_str())]);

    let project = place.path().join("embedded");
    let manifest = fs::read_to_string(project.join("Cargo.toml")).expect("it was made");
    let ours = fs::read_to_string(repository.join("Cargo.toml")).expect("it is there");
    let profiles = &ours[ours.find("[profile.dev]").expect("there are profiles")..];
    let profiles = &profiles[..profiles.find("[profile.release]").expect("there is another one")];
    let tests = repository.join("tests/shared");
    // They ask for what the packages of the repository ask of the crates below wasmtime.
    let features = format!(
        "fnv = \"1\"\nrustc-hash = \"2\"\nhyper = {{ version = \"1\", features = [\"http1\", \"server\"] }}\nhyper-util = {{ \
         version = \"0.1\", default-features = false, features = [\"tokio\"] }}\nonionskin-tests = {{ path = {tests:?} }}"
    );
    fs::write(project.join("Cargo.toml"), format!("{manifest}{features}\n\n{profiles}")).expect("it can be written");
    fs::copy(repository.join("Cargo.lock"), project.join("Cargo.lock")).expect("it can be written");

    let mut variables = vec![
        ("PLUGIN".to_owned(), plugin.into_os_string()),
        ("CARGO_TARGET_DIR".to_owned(), target.clone().into_os_string()),
    ];
    for (name, wasm) in [("COMPONENT", COMPONENT), ("WITH_POWERS", WITH_POWERS), ("OVERLAY", OVERLAY)] {
        let built = place.path().join(name);
        fs::write(&built, wasm).expect("it can be written");
        variables.push((format!("ONIONSKIN_{name}"), built.into_os_string()));
    }
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_os_str())).collect();
    let engines = compiled_engines(&target);
    assert_eq!(run_with(build, &project, &variables), shown);
    assert_eq!(compiled_engines(&target), engines, "it asks for other features, so wasmtime was compiled once more");
    let read = |path: &str| fs::read_to_string(project.join(path)).expect("it is there");
    assert_eq!((read("project/notes.txt").as_str(), read("store/a.txt").as_str()), ("zero\none\ntwo\n", "hello"));
}

/// Returns the number of builds of wasmtime in a target directory.
fn compiled_engines(target: &Path) -> usize {
    let entries = fs::read_dir(target.join("debug/deps")).expect("this build is in it");
    let names = entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("libwasmtime-") && name.ends_with(".rlib")).count()
}
