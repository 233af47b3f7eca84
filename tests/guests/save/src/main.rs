//! Saves a note in two ways, and checks that it is whole.
//!
//!     save naive TEXT      a new file, renamed over the old one; nothing is synced
//!     save careful TEXT    the same, with the file synced before, and the directory after
//!     save check           checks that the note is whole, old or new; and new if standard input,
//!                          which is the printed text, acknowledges it

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

const NOTE: &str = "note";
const NEXT: &str = "note.next";
/// The end of a whole note.
const END: &str = "\n-- end of note\n";
/// The line that acknowledges a saved note.
const SAVED: &str = "saved: ";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["naive", text] => save(text, false),
        ["careful", text] => save(text, true),
        ["check"] => check(),
        _ => Err(io::Error::other("usage: save naive TEXT | careful TEXT | check")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn save(text: &str, careful: bool) -> io::Result<()> {
    let mut next = File::create(NEXT)?;
    next.write_all(format!("{text}{END}").as_bytes())?;
    if careful {
        next.sync_all()?;
    }
    fs::rename(NEXT, NOTE)?;
    if careful {
        File::open(".")?.sync_all()?;
    }
    println!("{SAVED}{text}");
    Ok(())
}

fn check() -> io::Result<()> {
    let note = fs::read_to_string(NOTE)?;
    let Some(text) = note.strip_suffix(END) else {
        return Err(io::Error::other(format!("the note is not whole: {note:?}")));
    };
    let mut printed = String::new();
    io::stdin().read_to_string(&mut printed)?;
    match printed.lines().filter_map(|line| line.strip_prefix(SAVED)).next_back() {
        Some(saved) if saved != text => Err(io::Error::other(format!("saved was {saved:?}, and there is {text:?}"))),
        Some(_) | None => Ok(()),
    }
}
