//! The terminal of the person who started the command, for questions.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};

use super::text::{Text, text};

/// Brings a terminal that a program has written to into a state in which a text is visible, below everything
/// that is on the screen: ends a sequence that the program began; leaves the second screen; resets colours, letters
/// and margins, the modes for wrapping and for the cursor, and the reports of the mouse and of pastes; moves to the
/// last line, and begins a new one.
const RESET: &str = concat!(
    "\x18\x1b\\",
    "\x1b[?1049l\x1b[!p\x0f\x1b(B\x1b[0m\x1b[r\x1b[?6l\x1b[?7h\x1b[?25h\x1b[?5l\x1b[20l\x1b[4l",
    "\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l",
    "\x1b[999;1H\x1b[J\r\n",
);

/// The terminal on which the messages of the command appear. It is opened by its own name: standard input can be a file,
/// and a program that ran before may have left a part of it.
pub(crate) struct Terminal {
    lines: BufReader<File>,
    screen: File,
}

impl Terminal {
    /// Opens the terminal that standard error is. `None` if that is something else: a person would not see what was
    /// printed before.
    pub(crate) fn open() -> Option<Self> {
        if !is_seen() {
            return None;
        }
        let screen = by_name().or_else(|| File::options().read(true).write(true).open("/dev/tty").ok())?;
        let lines = BufReader::new(screen.try_clone().ok()?);
        Some(Self { lines, screen })
    }

    /// Resets the terminal after a program that wrote to it. What was typed for the program, and what the terminal
    /// answered to it, is no answer to a later question.
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        rustix::termios::tcflush(&self.screen, rustix::termios::QueueSelector::IFlush)?;
        self.screen.write_all(RESET.as_bytes())
    }

    /// Shows a text.
    pub(crate) fn show(&mut self, text: &Text) -> io::Result<()> {
        self.screen.write_all(text.as_str().as_bytes())
    }

    /// Asks, and returns the line that is typed, without spaces around it; `None` at the end of input.
    pub(crate) fn ask(&mut self, question: &Text) -> io::Result<Option<String>> {
        self.show(&text!("{} ", question))?;
        let mut line = String::new();
        let length = self.lines.read_line(&mut line)?;
        Ok((length > 0).then(|| line.trim().to_owned()))
    }
}

/// Opens standard error again, for both directions.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "nothing is printed")]
fn by_name() -> Option<File> {
    use rustix::fs::{Mode, OFlags, open};
    let name = rustix::termios::ttyname(io::stderr(), Vec::new()).ok()?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    open(&name, flags, Mode::empty()).ok().map(File::from)
}

#[cfg(not(unix))]
fn by_name() -> Option<File> {
    None
}

/// Whether standard error is a terminal.
#[expect(clippy::disallowed_methods, reason = "nothing is printed")]
pub(crate) fn is_seen() -> bool {
    io::stderr().is_terminal()
}

/// Whether standard output is a terminal.
#[expect(clippy::disallowed_methods, reason = "nothing is printed")]
pub(crate) fn is_answer_seen() -> bool {
    io::stdout().is_terminal()
}
