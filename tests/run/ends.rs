//! The end of a run: the fate of the changes, and the summary.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::ground::{Ground, put, tree};
use crate::guests::program;
use crate::trial::{Said, Trial as _, as_data, onionskin, written};

/// Creates one lower directory, `top`.
pub(crate) fn ground() -> Ground {
    Ground::new(|top, _| put(top, "other", "other"))
}

/// Runs a program that adds `note`, removes `other`, and exits with this code.
fn note(ground: &Ground, more: &[&str], code: &str) -> Option<Said> {
    let (lower, program) = (as_data(&ground.at("top")), program("greedy")?);
    let program = program.to_str().expect("a plain name");
    Some(onionskin([&["run", "--lower", &lower][..], more, &[program, "note", "/data", code]].concat()))
}

pub(crate) fn workspace(command: &str, upper: &Path, more: &[&OsStr]) -> Said {
    onionskin([&[OsStr::new("workspace"), command.as_ref(), upper.as_os_str()][..], more].concat())
}

pub(crate) const CHANGES: &str = "/data: 2 changes\ndeleted  other\nadded    note   7 B\n";

/// Without an upper directory the changes are shown and discarded; the exit code is that of the program.
#[test]
fn without_an_upper_directory_the_changes_are_discarded() {
    let ground = ground();
    let Some(said) = note(&ground, &[], "1") else { return };
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
    let message = format!("{CHANGES}/data: discarded; --keep or --upper DIR keeps them, --commit applies them\n");
    assert_eq!(said.err, message);
    ground.assert_lowers_stay();
}

/// Kept changes are a workspace, and the commands on workspaces accept it.
#[test]
fn kept_changes_are_a_workspace() {
    let ground = ground();
    let Some(said) = note(&ground, &["--keep"], "0") else { return };
    assert_eq!(said.code, Some(0), "{}", said.err);
    let (_, rest) = said.err.split_once("kept in ").expect("the directory is named");
    let kept = Path::new(rest.split_once(':').expect("followed by the next commands").0);
    let changes = workspace("changes", kept, &[]);
    assert_eq!(changes.out, "deleted  other\nadded    note\n", "{}", changes.err);
    ground.assert_lowers_stay();
    let into = ground.at("top");
    let commit = workspace("commit", kept, &["--into".as_ref(), into.as_ref(), "--yes".as_ref()]);
    assert_eq!(commit.code, Some(0), "{}", commit.err);
    assert_eq!(tree(&into).keys().collect::<Vec<_>>(), ["note"]);
    fs::remove_dir_all(kept).expect("it belongs to the test");
}

/// With an upper directory the next run continues from the previous one.
#[test]
fn an_upper_directory_is_continued_and_discarded() {
    let ground = ground();
    let upper = ground.at("upper");
    let named = ["--upper", upper.to_str().expect("a plain name")];
    let Some(said) = note(&ground, &named, "0") else { return };
    assert!(said.err.starts_with(CHANGES) && said.err.contains("/data: kept in "), "{}", said.err);
    fs::write(ground.at("more"), "more").expect("a writable directory");
    let put = workspace("put", &upper, &["more".as_ref(), "--from".as_ref(), ground.at("more").as_ref()]);
    assert_eq!(put.code, Some(0), "{}", put.err);
    let said = note(&ground, &named, "0").expect("it was built");
    assert!(said.err.starts_with("/data: 3 changes\n"), "{}", said.err);
    let said = note(&ground, &[&named[..], &["--discard"]].concat(), "0").expect("it was built");
    assert!(said.err.ends_with("/data: discarded; --keep or --upper DIR keeps them, --commit applies them\n"));
    assert_eq!(workspace("changes", &upper, &[]).code, Some(1), "there is still a workspace");
    ground.assert_lowers_stay();
}

/// Changes are committed if the program exits with success, and kept otherwise.
#[test]
fn a_commit_requires_a_successful_program() {
    let ground = ground();
    let Some(said) = note(&ground, &["--commit"], "1") else { return };
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("not committed, since the program exited with 1; kept in "), "{}", said.err);
    ground.assert_lowers_stay();
    let (_, rest) = said.err.split_once("kept in ").expect("the directory is named");
    fs::remove_dir_all(rest.split_once(':').expect("followed by the next commands").0).expect("it belongs to the test");
    let said = note(&ground, &["--commit"], "0").expect("it was built");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.ends_with(&format!("/data: committed to {}\n", ground.at("top").display())), "{}", said.err);
    assert_eq!(tree(&ground.at("top")).keys().collect::<Vec<_>>(), ["note"]);
    let again = note(&ground, &["--commit"], "0").expect("it was built");
    assert_eq!((again.code, again.err.as_str()), (Some(0), "/data: nothing changed\n"));
}

/// On request the summary is one JSON object, on the last line of standard error.
#[test]
fn the_summary_is_available_as_json() {
    let ground = ground();
    let Some(said) = note(&ground, &["--format", "json", "--commit"], "0") else { return };
    let message: Value = serde_json::from_str(said.err.lines().last().expect("a line")).expect("JSON");
    assert_eq!(message["exit"], 0);
    let layer = &message["layers"][0];
    assert_eq!((&layer["guest"], &layer["fate"]), (&"/data".into(), &"committed".into()));
    assert_eq!((&layer["changes"][0]["kind"], &layer["changes"][0]["path"]), (&"deleted".into(), &"other".into()));
}

/// Each of several directories has its own upper directory.
#[test]
fn several_directories_have_an_upper_each() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    let (top, base) = (as_data(&ground.at("top")), format!("{}::/srv/base", ground.at("base").display()));
    let (upper, greedy) = (ground.at("upper"), greedy.to_str().expect("a plain name").to_owned());
    let run = ["run", "--lower", &top, "--lower", &base, "--upper", upper.to_str().expect("a plain name")];
    for directory in ["/data", "/srv/base"] {
        let said = onionskin([&run[..], &[&greedy, "note", directory, "0"]].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    assert_eq!(workspace("changes", &upper.join("data"), &[]).out, "deleted  other\nadded    note\n");
    assert_eq!(workspace("changes", &upper.join("srv-base"), &[]).out, "added  note\n");
    ground.assert_lowers_stay();
}

/// Arguments after the program belong to the program: none of them is an option of the command.
#[test]
fn the_arguments_of_the_program_are_its_own() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    let (top, greedy) = (as_data(&ground.at("top")), greedy.to_str().expect("a plain name").to_owned());
    let own = ["look", "--commit", "-h", "--format", "json", "--", "--upper", "x", "--help"];
    let said = onionskin([&["run", "--lower", &top, &greedy][..], &own].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with(&format!("arguments {own:?}\n")), "{}", said.out);
    let said = onionskin(["run", &greedy, "-h"]);
    assert!(said.code == Some(1) && said.err.contains("usage: greedy"), "{said:?}");
    let said = onionskin(["run", "--lower", &top, "--unheard-of", &greedy]);
    assert_eq!(said.code, Some(2), "what is before it is the command's: {said:?}");
    ground.assert_lowers_stay();
}

/// A variable is passed through by its name.
#[test]
fn variables_are_passed_through_by_name() {
    let Some(greedy) = program("greedy") else { return };
    let said = Command::new(env!("CARGO_BIN_EXE_onionskin"))
        .args(["run", "--env", "HANDED", "--env", "MISSING", "--env", "SAID=x"])
        .arg(&greedy)
        .arg("look")
        .env("HANDED", "through")
        .env("NOT_HANDED", "through")
        .env_remove("MISSING")
        .output()
        .expect("the program starts");
    let out = String::from_utf8_lossy(&said.stdout);
    assert!(out.contains(r#"environment [("HANDED", "through"), ("SAID", "x")]"#), "{out}");
}

/// A program that imports no filesystem runs unmodified, and exit codes are passed on unchanged.
#[test]
fn exit_codes_arrive_whole_and_a_program_without_files_runs() {
    let ground = ground();
    let module = |code: u32| {
        let text = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_start") (call $exit (i32.const {code}))))"#
        );
        written(&ground, "module.wasm", &text)
    };
    let component = |code: u32| {
        let text = format!(
            r#"(component
                (import "wasi:cli/exit@0.2.12" (instance $exit
                    (export "exit-with-code" (func (param "status-code" u8)))))
                (core func $lowered (canon lower (func $exit "exit-with-code")))
                (core module $m
                    (import "exit" "with-code" (func $exit (param i32)))
                    (func (export "run") (result i32) (call $exit (i32.const {code})) (i32.const 0)))
                (core instance $i (instantiate $m
                    (with "exit" (instance (export "with-code" (func $lowered))))))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $command (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $command)))"#
        );
        written(&ground, "component.wasm", &text)
    };
    for code in [0, 1, 42, 255] {
        for program in [module(code), component(code)] {
            for said in [ground.layered(&[], &program, &[]), ground.plain(&program, &[])] {
                assert_eq!(said.code, Some(code.cast_signed()), "{program:?}: {said:?}");
            }
        }
    }
    // What does not fit into a byte is a failure, and no byte of it.
    for code in [256, 512, u32::MAX] {
        let said = ground.layered(&["--commit"], &module(code), &[]);
        assert_eq!(said.code, Some(1), "{code}: {said:?}");
    }
    ground.assert_lowers_stay();
}

/// An argument that a module of preview 1 cannot take is refused with its length, and does not end it with a trap.
#[test]
fn an_argument_that_is_too_long_for_a_module_is_refused() {
    let ground = ground();
    let text = r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (drop (call $sizes (i32.const 0) (i32.const 4)))))"#;
    let program = written(&ground, "module.wasm", text);
    let said = ground.layered(&[], &program, &[&"x".repeat(59_000)]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = ground.layered(&[], &program, &[&"x".repeat(59_001)]);
    assert!(said.code == Some(1) && said.err.contains("59001 bytes"), "{said:?}");
}

/// The upper directory of a program is readable by its owner only; and a temporary one is removed with its run, or by
/// the next run if that was killed. One that has to be kept stays.
#[test]
fn uppers_are_private_and_a_temporary_one_does_not_outlive_its_run() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    let mode = |place: &Path| fs::metadata(place).expect("it is there").permissions().mode() & 0o777;
    note(&ground, &["--upper", ground.at("upper").to_str().expect("a plain name")], "0").expect("it was built");
    assert_eq!(mode(&ground.at("upper")), 0o700);

    let temporary = ground.at("tmp");
    fs::create_dir(&temporary).expect("a writable directory");
    let uppers = || -> Vec<PathBuf> {
        let entries = fs::read_dir(&temporary).expect("a readable directory");
        entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir()).collect()
    };
    let run = |more: &[&str], arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
        command.args(["run", "--lower", &as_data(&ground.at("top"))]).args(more).arg(&greedy).args(arguments);
        command.env("TMPDIR", &temporary).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let begun = |more: &[&str]| {
        let before = uppers();
        let running = run(more, &["sleep"]).spawn().expect("the program starts");
        let is_made = |upper: &PathBuf| upper.join(".onionskin/workspace/map").exists() && !before.contains(upper);
        while !uppers().iter().any(is_made) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        running
    };
    let mut lives = begun(&[]);
    let mut killed = begun(&[]);
    killed.kill().expect("it runs");
    killed.wait().expect("it ends");
    assert_eq!(uppers().len(), 2);
    assert!(uppers().iter().all(|upper| mode(upper) == 0o700));
    assert!(run(&[], &["note", "/data", "0"]).status().expect("it starts").success());
    assert_eq!(uppers().len(), 1, "that of the living run is left");
    lives.kill().expect("it runs");
    lives.wait().expect("it ends");
    let mut wanted = begun(&["--keep"]);
    wanted.kill().expect("it runs");
    wanted.wait().expect("it ends");
    assert!(run(&[], &["note", "/data", "0"]).status().expect("it starts").success());
    assert_eq!(uppers().len(), 1, "what is to be kept is there");
    assert_eq!(fs::read_dir(&temporary).expect("a readable directory").count(), 1, "and nothing else");
    ground.assert_lowers_stay();
}

/// A temporary upper directory whose commit failed is kept, and the message names the next commands.
#[test]
fn a_commit_that_fails_loses_nothing() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    // Another program writes the file that this one has read and removed.
    let mut run = Command::new(env!("CARGO_BIN_EXE_onionskin"))
        .args(["run", "--commit", "--lower", &as_data(&ground.at("top"))])
        .arg(&greedy)
        .args(["note-and-wait", "/data"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    BufReader::new(run.stdout.as_mut().expect("it is piped")).read_line(&mut line).expect("it prints a line");
    fs::write(ground.at("top").join("other"), "of another program").expect("a writable directory");
    drop(run.stdin.take());
    let ended = run.wait_with_output().expect("it ends");
    let message = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{message}");
    let (_, rest) = message.split_once("/data: not committed; kept in ").expect("the directory is named");
    let kept = Path::new(rest.split_once(':').expect("followed by the next commands").0);
    assert_eq!(workspace("changes", kept, &[]).out, "deleted  other\nadded    note\n");
    fs::remove_dir_all(kept).expect("it belongs to the test");
}

/// Impossible requests are refused before the program starts, with the path and the way out.
#[test]
fn impossible_requests_are_refused() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    let greedy = greedy.to_str().expect("a plain name");
    let (top, missing) = (as_data(&ground.at("top")), as_data(&ground.at("missing")));
    let inside = ground.at("top").join("upper");
    fs::write(ground.at("not"), "no program").expect("a writable directory");
    let not = ground.at("not");
    // A component without imports and exports.
    let empty = ground.at("empty.wasm");
    fs::write(&empty, b"\0asm\x0d\0\x01\0").expect("a writable directory");
    let same = format!("{}::/data", ground.at("base").display());
    let odd = format!("{}::/data#upper", ground.at("top").display());
    let cases: [(&[&str], i32, &str); 10] = [
        (&["--lower", &top, "--review", greedy, "look"], 2, "no terminal to ask on"),
        (&["--lower", &missing, greedy, "look"], 1, "missing"),
        (&["--lower", &top, "--dir", &same, greedy, "look"], 1, "/data: two directories have this name"),
        (&["--lower", &odd, greedy, "look"], 1, "a name with # would be taken for a layer"),
        (
            &["--lower", &top, "--upper", inside.to_str().expect("plain"), greedy, "look"],
            1,
            "keep the upper directory apart",
        ),
        (&["--lower", &top, not.to_str().expect("plain")], 1, "It has to be a command of WASI"),
        (&["--lower", &top, empty.to_str().expect("plain")], 1, "no exported instance named `wasi:cli/run"),
        (&["--upper", "x", greedy], 2, "--lower"),
        (&["--lower", &top, "--commit", "--keep", greedy], 2, "cannot be used with"),
        (&["--lower", &top, "--timeout", "5", greedy], 2, "the unit is one of ms, s, m and h"),
    ];
    for (arguments, code, text) in cases {
        let said = onionskin([&["run"][..], arguments].concat());
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(text) && said.out.is_empty(), "{arguments:?}: {}", said.err);
    }
    assert!(!inside.exists(), "it was created all the same");
    ground.assert_lowers_stay();
}

/// A run with two directories in which earlier runs have left changes, whose program changes no more.
fn commits_two(ground: &Ground, upper: &Path) -> Option<Said> {
    let greedy = program("greedy")?.to_str().expect("a plain name").to_owned();
    let (top, base) = (as_data(&ground.at("top")), format!("{}::/srv/base", ground.at("base").display()));
    let run = ["run", "--lower", &top, "--lower", &base, "--upper", upper.to_str().expect("a plain name")];
    for directory in ["/data", "/srv/base"] {
        let said = onionskin([&run[..], &[&greedy, "note", directory, "0"]].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    fs::write(ground.at("idle.wasm"), onionskin_tests::wat::parse_str(IDLE).expect("it is WebAssembly")).expect("ours");
    let idle = ground.at("idle.wasm");
    Some(onionskin([&run[..], &["--commit", idle.to_str().expect("a plain name")]].concat()))
}

const IDLE: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// Of several directories each is committed by itself, in order. The first failure ends that, and the account says
/// which ones are committed, and where the changes of the others are.
#[test]
fn the_account_of_several_commits_is_true() {
    let (ground, other) = (ground(), ground());
    let upper = ground.at("upper");
    // Nobody else holds them.
    let Some(said) = commits_two(&other, &other.at("upper")) else { return };
    assert_eq!(said.code, Some(0), "{}", said.err);
    let (top, base) = (other.at("top"), other.at("base"));
    let end = format!("/data: committed to {}\n/srv/base: committed to {}\n", top.display(), base.display());
    assert!(said.err.ends_with(&end), "{}", said.err);
    // Another owner holds the second one.
    let onionskin = onionskin_host::Onionskin::load().expect("the component");
    let held = onionskin.store(ground.at("base")).open(&onionskin_host::OpenOptions::default()).expect("it is free");
    let said = commits_two(&ground, &upper).expect("it was built");
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains(&format!("/data: committed to {}\n", ground.at("top").display())), "{}", said.err);
    let kept = format!("/srv/base: not committed; kept in {}:", upper.join("srv-base").display());
    assert!(said.err.contains(&kept), "{}", said.err);
    assert!(said.err.contains(&format!("{}: ", ground.at("base").display())), "the cause is named: {}", said.err);
    assert_eq!(tree(&ground.at("top")).keys().collect::<Vec<_>>(), ["note"]);
    assert_eq!(workspace("changes", &upper.join("data"), &[]).out, "");
    drop(held);
    let into = ground.at("base");
    let commit = workspace("commit", &upper.join("srv-base"), &["--into".as_ref(), into.as_ref(), "--yes".as_ref()]);
    assert_eq!(commit.code, Some(0), "{}", commit.err);
    assert!(into.join("note").exists());
}

/// A conflict in any of them is found before one is committed.
#[test]
fn a_conflict_in_one_of_several_directories_commits_none() {
    let ground = ground();
    let upper = ground.at("upper");
    let (top, base) = (as_data(&ground.at("top")), format!("{}::/srv/base", ground.at("base").display()));
    let Some(greedy) = program("greedy") else { return };
    let run = ["run", "--lower", &top, "--lower", &base, "--upper", upper.to_str().expect("a plain name")];
    let greedy = greedy.to_str().expect("a plain name");
    let said = onionskin([&run[..], &[greedy, "note", "/srv/base", "0"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    fs::write(ground.at("base/note"), "somebody's").expect("a writable directory");
    let before = tree(&ground.at("top"));
    let said = commits_two(&ground, &upper).expect("it was built");
    assert_eq!(said.code, Some(1), "{}", said.err);
    for (guest, name) in [("/data", "data"), ("/srv/base", "srv-base")] {
        let kept = format!("{guest}: not committed; kept in {}:", upper.join(name).display());
        assert!(said.err.contains(&kept), "{}", said.err);
    }
    assert_eq!(tree(&ground.at("top")), before);
    assert_eq!(fs::read_to_string(ground.at("base/note")).expect("it is there"), "somebody's");
}
