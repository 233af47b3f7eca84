//! Standard output and standard error. Nothing else of this program prints, which a lint checks: see `clippy.toml`.

use std::fmt;
use std::io::{self, Write};

use serde_json::Value;

use super::text::{self, Text};

/// Prints an answer.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn answer(text: &Text) -> io::Result<()> {
    print(&mut io::stdout().lock(), text.as_str())
}

/// Prints an aside.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn aside(text: &Text) -> io::Result<()> {
    print(&mut io::stderr().lock(), text.as_str())
}

/// Prints an answer for programs: one line.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn answer_json(value: &Value) -> io::Result<()> {
    print(&mut io::stdout().lock(), format_args!("{}\n", text::json(value)))
}

/// As [`aside_json`], after a program that may have left a line without an end there.
pub(crate) fn aside_json_after_program(value: &Value) -> io::Result<()> {
    aside(&super::text::text!("\n"))?;
    aside_json(value)
}

/// As [`answer_json`], on standard error.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn aside_json(value: &Value) -> io::Result<()> {
    print(&mut io::stderr().lock(), format_args!("{}\n", text::json(value)))
}

/// Returns standard output for bytes that are passed on as they are.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn exact() -> impl Write {
    io::stdout().lock()
}

fn print(out: &mut impl Write, what: impl fmt::Display) -> io::Result<()> {
    // In one piece: others write to the same terminal.
    out.write_all(what.to_string().as_bytes())?;
    out.flush()
}
