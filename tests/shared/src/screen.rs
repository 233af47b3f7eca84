//! A terminal with typed input.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::process::{Command, Stdio};

/// The result of a run on a terminal: the exit code and the text on the screen.
pub struct Seen {
    pub code: i32,
    pub screen: String,
}

/// Opens a new terminal: the side of the person, and the side of the program.
#[expect(unsafe_code, reason = "the standard library cannot open terminals")]
fn terminal() -> (File, OwnedFd) {
    let (mut person, mut program) = (-1, -1);
    // SAFETY: both places are ours, and the null arguments are optional.
    let made = unsafe {
        libc::openpty(&raw mut person, &raw mut program, std::ptr::null_mut(), std::ptr::null(), std::ptr::null())
    };
    assert_eq!(made, 0, "no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: both descriptors are open and have no other owner.
    unsafe { (File::from(OwnedFd::from_raw_fd(person)), OwnedFd::from_raw_fd(program)) }
}

/// The end of a question.
const QUESTION: &[u8] = b"] ";

/// The end of the typed text, at the beginning of a line.
const END: &str = "\x04";

/// Runs a command on a terminal, and types a line of this text after each question; after the last line, the end of
/// the input.
pub fn run(command: Command, typed: &str) -> Seen {
    run_after(command, "", typed)
}

/// As [`run`], with a text that is typed before the command starts.
pub fn run_after(mut command: Command, ahead: &str, typed: &str) -> Seen {
    let (mut person, program) = terminal();
    person.write_all(ahead.as_bytes()).expect("the text can be typed");
    command.stdin(program.try_clone().expect("another handle"));
    seen(command, (person, program), typed)
}

/// As [`run`], with the standard input that the command has.
pub fn run_with_input(command: Command, typed: &str) -> Seen {
    seen(command, terminal(), typed)
}

/// As [`run`], with an act of somebody else before each answer.
pub fn run_beside(mut command: Command, typed: &str, act: impl FnMut()) -> Seen {
    let (person, program) = terminal();
    command.stdin(program.try_clone().expect("another handle"));
    seen_beside(command, (person, program), typed, act)
}

fn seen(command: Command, terminal: (File, OwnedFd), typed: &str) -> Seen {
    seen_beside(command, terminal, typed, || {})
}

fn seen_beside(
    mut command: Command,
    (mut person, program): (File, OwnedFd),
    typed: &str,
    mut act: impl FnMut(),
) -> Seen {
    let side = || Stdio::from(program.try_clone().expect("another handle"));
    let mut running = command.stdout(side()).stderr(side()).spawn().expect("the program starts");
    // The screen ends once no process holds the side of the program.
    drop((command, program));
    let (mut screen, mut answered) = (Vec::new(), 0);
    let mut lines = typed.split_inclusive('\n');
    let mut piece = [0; 4096];
    // On Linux the end of the screen is an error.
    while let Ok(length @ 1..) = person.read(&mut piece) {
        screen.extend_from_slice(&piece[..length]);
        if screen.len() > answered && screen.ends_with(QUESTION) {
            answered = screen.len();
            act();
            person.write_all(lines.next().unwrap_or(END).as_bytes()).expect("the text can be typed");
        }
    }
    let code = running.wait().expect("the program ends").code().expect("by itself");
    Seen { code, screen: String::from_utf8(screen).expect("the program writes UTF-8").replace("\r\n", "\n") }
}
