//! `put-dir`: many files in one change, in three modes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::world::{World, generations, nothing};

pub(crate) const MODES: [&str; 3] = ["in-place", "swap", "pointer"];

fn world() -> World {
    let world = World::new(&[
        ("root/d/put", "old"),
        ("root/d/gone", "x"),
        ("root/d/sub/gone-too", "x"),
        ("root/d/sub/kept", "kept"),
        ("root/d/run.sh", "#!"),
        ("src/put", "new"),
        ("src/deep/er/added", "added"),
    ]);
    fs::set_permissions(world.at("root/d/run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    world
}

/// Files are put, added and removed together; the other entries stay, modes included.
#[test]
fn put_dir_in_each_mode() {
    for mode in MODES {
        let world = world();
        let arguments =
            ["put-dir", "root", "d", "--from", "src", "--publish", mode, "--remove", "gone", "sub/gone-too"];
        let out = world.done(&arguments);
        assert_eq!(out, "d: 4 paths changed, 8 bytes written, durability full, change 1\n", "{mode}");
        let now = ["put", "deep/er/added", "sub/kept"].map(|name| world.text(&format!("root/d/{name}")));
        assert_eq!(now, ["new", "added", "kept"], "{mode}");
        assert!(["gone", "sub/gone-too"].iter().all(|name| !world.at(&format!("root/d/{name}")).exists()), "{mode}");
        let script = fs::metadata(world.at("root/d/run.sh")).expect("it is there");
        assert_eq!(script.permissions().mode() & 0o777, 0o755, "{mode}");
        assert_eq!(world.at("root/d").is_symlink(), mode == "pointer");
        let again = world.json(&["put-dir", "root", "d", "--from", "src", "--publish", mode]);
        assert_eq!((&again["applied"], &again["skipped"]), (&json!(2), &json!([])), "{mode}");
        world.left_over(if mode == "pointer" { generations } else { nothing });
    }
}

/// Without `--publish` the change is made in place; a missing directory is created; `.` is the root.
#[test]
fn put_dir_creates_its_directory() {
    let world = world();
    world.done(&["put-dir", "root", "new/er", "--from", "src"]);
    world.done(&["put-dir", "root", ".", "--from", "src"]);
    for mode in MODES {
        world.done(&["put-dir", "root", &format!("fresh-{mode}"), "--from", "src", "--publish", mode]);
        assert_eq!(world.text(&format!("root/fresh-{mode}/deep/er/added")), "added", "{mode}");
    }
    assert_eq!([world.text("root/new/er/put"), world.text("root/put")], ["new", "new"]);
    world.left_over(generations);
}

/// Entries that are not regular files are not put, and the message names them.
#[test]
fn put_dir_names_what_it_leaves_out() {
    let world = world();
    world.link("lower", "src/link");
    let made = std::process::Command::new("mkfifo").arg(world.at("src/pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "a new pipe");
    let ran = world.run(&["put-dir", "root", "d", "--from", "src"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "not put, since not a regular file: link, pipe\n"));
    let answer = world.json(&["put-dir", "root", "d", "--from", "src"]);
    assert_eq!(answer["skipped"], json!(["link", "pipe"]));
    world.left_over(nothing);
}

/// Absolute links among the parents are resolved with the grant.
#[test]
fn put_dir_below_an_absolute_link() {
    for mode in MODES {
        let world = world();
        fs::create_dir(world.at("lower/d")).expect("a new directory");
        fs::write(world.at("lower/d/original"), "original").expect("a new file");
        world.link("lower/d", "root/linked");
        let refused = world.run(&["put-dir", "root", "linked", "--from", "src", "--publish", mode]);
        assert_eq!(refused.code, 1, "{mode}: {refused:?}");
        assert!(refused.err.starts_with("error: root/linked: this link leads to "), "{mode}: {}", refused.err);
        world.done(&["put-dir", "root", "linked", "--from", "src", "--publish", mode, "--lower", "lower"]);
        assert_eq!([world.text("root/linked/put"), world.text("root/linked/original")], ["new", "original"], "{mode}");
        assert_eq!(fs::read_dir(world.at("lower/d")).expect("it is there").count(), 1, "{mode}");
        world.left_over(if mode == "pointer" { generations } else { nothing });
    }
}

/// `--explain` prints the whole plan, which has one commit point.
#[test]
fn put_dir_explains_itself() {
    for mode in MODES {
        let world = world();
        let answer = world.json(&["--explain", "put-dir", "root", "d", "--from", "src", "--publish", mode]);
        let steps = answer["steps"].as_array().expect("an array of steps");
        let deciding = steps.iter().filter(|step| step["commits"] == true).count();
        assert_eq!(deciding, 1, "{mode}: {steps:#?}");
        assert!(steps.len() > 15, "{mode}: {} steps", steps.len());
        let text = world.done(&["--explain", "put-dir", "root", "d", "--from", "src", "--publish", mode]);
        assert_eq!(text.matches("COMMIT").count(), 1, "{mode}:\n{text}");
    }
}

/// Conditions name files that the change need not touch: they hold, or nothing changes and the error names those that do
/// not.
#[test]
fn put_dir_with_conditions() {
    // `printf old | sha256sum`
    const OLD: &str = "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4";
    let world = world();
    let put = |expected: &[&str]| {
        let expected = expected.iter().flat_map(|expected| ["--expect", expected]);
        let arguments: Vec<&str> = ["put-dir", "root", "d", "--from", "src"].into_iter().chain(expected).collect();
        world.run(&arguments)
    };
    let unchanged = format!("put=unchanged=sha256:{OLD}");
    let refused = put(&[&unchanged, "gone=absent", &format!("none=unchanged=sha256:{OLD}")]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("d/gone: is not as it was expected to be, nor is d/none"), "{refused:?}");
    assert_eq!(world.text("root/d/put"), "old");
    assert_eq!(put(&["put=unchanged"]).code, 2, "a condition that is none");
    let done = put(&[&unchanged, "none=absent"]);
    assert_eq!((done.code, world.text("root/d/put").as_str()), (0, "new"), "{done:?}");
    let again = put(&[&unchanged]);
    assert!(again.code == 1 && again.err.contains("d/put"), "{again:?}");
}

/// Without `--wait` a root of another owner is refused at once, with the process where the system names it; with it, the
/// command has its turn.
#[test]
fn a_command_waits_for_its_turn() {
    let world = world();
    let root = fs::File::open(world.at("root")).expect("a directory");
    root.lock().expect("nobody else has it");
    let refused = world.run(&["put-dir", "root", "d", "--from", "src", "--wait", "50ms"]);
    assert!(refused.code == 1 && refused.err.contains("another owner has this root open"), "{refused:?}");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(200));
            root.unlock().expect("it is held");
        });
        world.done(&["put-dir", "root", "d", "--from", "src", "--wait", "2m"]);
    });
    assert_eq!(world.text("root/d/put"), "new");
}
