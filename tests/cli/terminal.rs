//! Questions, colour and progress appear on a terminal, and nowhere else.

use std::process::Command;

use crate::screen::{self, Seen};
use crate::workspace::{changed, shown};
use crate::world::World;

/// Runs the program on a terminal with this typed input.
fn run(world: &World, arguments: &[&str], typed: &str) -> Seen {
    run_with(world, arguments, typed, &[])
}

fn run_with(world: &World, arguments: &[&str], typed: &str, variables: &[(&str, &str)]) -> Seen {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    command
        .args(arguments)
        .current_dir(world.at(""))
        .env("ONIONSKIN_CACHE_DIR", crate::ground::cache())
        .env_remove("NO_COLOR")
        .envs(variables.iter().copied());
    screen::run(command, typed)
}

/// A commit shows its changes, deletions first, and is made when the answer is yes.
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

/// A side is chosen for the conflicts that are listed, and for no others: what comes while the question is open is
/// refused.
#[test]
fn a_side_is_chosen_for_what_is_listed() {
    for side in ["--ours", "--theirs"] {
        let world = changed();
        let before = world.done(&["workspace", "changes", "up"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
        command
            .args(["workspace", "commit", "up", "--into", "lower", side])
            .current_dir(world.at(""))
            .env("ONIONSKIN_CACHE_DIR", crate::ground::cache());
        let theirs = || std::fs::write(world.at("lower/a.txt"), "somebody's, and longer\n").expect("a file");
        let Seen { code, screen } = screen::run_beside(command, "y\n", theirs);
        assert_eq!(code, 1, "{screen}");
        assert!(!screen.contains("conflict  a.txt") && screen.contains("nothing was committed: a.txt"), "{screen}");
        assert_eq!(world.text("lower/a.txt"), "somebody's, and longer\n");
        assert_eq!(world.done(&["workspace", "changes", "up"]), before);
        assert!(world.at("lower/gone").exists());
    }
}

/// A discard asks likewise; `--yes` answers in advance.
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

/// Colour is used on a terminal unless it is switched off there.
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

/// A short operation shows no progress.
#[test]
fn a_short_operation_shows_no_progress() {
    let world = changed();
    let Seen { code, screen } = run(&world, &["workspace", "export", "up", "out"], "");
    assert_eq!(code, 0, "{screen}");
    assert_eq!(screen.lines().count(), 1, "{screen}");
}
