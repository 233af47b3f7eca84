//! What is asked and shown on a terminal, and what is not where nobody looks.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::{Command, Stdio};

use crate::workspace::{changed, shown};
use crate::world::World;

/// What a run on a terminal came to: its exit code, and all that was on the screen.
struct Seen {
    code: i32,
    screen: String,
}

/// A new terminal: the side of the person, and that of the program.
#[expect(unsafe_code, reason = "the standard library makes no terminals")]
fn terminal() -> (File, OwnedFd) {
    let (mut person, mut program) = (-1, -1);
    // SAFETY: both places are ours, and what is null is not asked for.
    let made = unsafe {
        libc::openpty(&raw mut person, &raw mut program, std::ptr::null_mut(), std::ptr::null(), std::ptr::null())
    };
    assert_eq!(made, 0, "no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: both are open, and nobody else has them.
    unsafe { (File::from(OwnedFd::from_raw_fd(person)), OwnedFd::from_raw_fd(program)) }
}

/// Runs the program on a terminal at which somebody types this.
fn run(world: &World, arguments: &[&str], typed: &str) -> Seen {
    run_with(world, arguments, typed, &[])
}

fn run_with(world: &World, arguments: &[&str], typed: &str, variables: &[(&str, &str)]) -> Seen {
    let (mut person, program) = terminal();
    let side = || Stdio::from(program.try_clone().expect("another handle"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    command
        .args(arguments)
        .current_dir(world.at(""))
        .env("ONIONSKIN_CACHE_DIR", crate::ground::cache())
        .env_remove("NO_COLOR")
        .envs(variables.iter().copied())
        .stdin(side())
        .stdout(side())
        .stderr(side());
    let mut running = command.spawn().expect("the program starts");
    // The screen ends when nobody holds the side of the program any more.
    drop((command, program));
    person.write_all(typed.as_bytes()).expect("somebody types");
    let mut screen = Vec::new();
    let mut piece = [0; 4096];
    // Linux ends it with an error.
    while let Ok(length @ 1..) = person.read(&mut piece) {
        screen.extend_from_slice(&piece[..length]);
    }
    let code = running.wait().expect("the program ends").code().expect("by itself");
    Seen { code, screen: String::from_utf8(screen).expect("the program writes UTF-8").replace("\r\n", "\n") }
}

/// A commit shows what it will do, deletions first, and does it when it is told so.
#[test]
fn a_commit_asks() {
    let world = changed();
    let commit = ["workspace", "commit", "up", "--into", "lower"];
    let before = shown(&world, "lower");
    for no in ["n\n", "\n", "nonsense\n"] {
        let Seen { code, screen } = run(&world, &commit, no);
        assert_eq!(code, 1, "{screen}");
        assert!(screen.contains("deleted   gone\nmodified  a.txt"), "{screen}");
        assert!(screen.contains("Write 5 changes to lower? [y/N]"), "{screen}");
        assert_eq!(shown(&world, "lower"), before, "{screen}");
    }
    let Seen { code, screen } = run(&world, &commit, "y\n");
    assert_eq!((code, world.at("lower/gone").exists()), (0, false), "{screen}");
}

/// So does a discard; `--yes` answers before.
#[test]
fn a_discard_asks() {
    let world = changed();
    world.done(&["workspace", "checkpoint", "up"]);
    let Seen { code, screen } = run(&world, &["workspace", "discard", "up"], "n\n");
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("Give up 5 changes and 1 checkpoint in up? [y/N]"), "{screen}");
    assert_eq!(world.json(&["workspace", "status", "up"])["changes"], 5);
    let Seen { code, screen } = run(&world, &["workspace", "discard", "up"], "yes\n");
    assert_eq!((code, world.at("up/.onionskin").exists()), (0, false), "{screen}");
    let world = changed();
    let Seen { code, screen } = run(&world, &["workspace", "discard", "up", "--yes"], "");
    assert_eq!((code, screen.contains("[y/N]")), (0, false), "{screen}");
}

/// Colour is for a terminal, unless it is not wanted there.
#[test]
fn colour_is_for_a_terminal() {
    let world = changed();
    for (command, line) in [("changes", "deleted   gone"), ("diff", "--- a/gone")] {
        let command = ["workspace", command, "up"];
        let Seen { code, screen } = run(&world, &command, "");
        assert_eq!((code, screen.contains(&format!("\x1b[31m{line}"))), (0, true), "{screen}");
        let plain = run_with(&world, &command, "", &[("NO_COLOR", "1")]).screen;
        assert!(!plain.contains('\x1b') && plain.contains(line), "{plain}");
        let piped = world.done(&command);
        assert!(!piped.contains('\x1b') && piped.contains(line), "{piped}");
    }
}

/// What is over at once shows no progress.
#[test]
fn what_is_short_shows_no_progress() {
    let world = changed();
    let Seen { code, screen } = run(&world, &["workspace", "export", "up", "out"], "");
    assert_eq!(code, 0, "{screen}");
    assert_eq!(screen.lines().count(), 1, "{screen}");
}
