//! Whether a text is JSON, as RFC 8259 has it. Nothing is made of it: it is written as it was given.

use alloc::string::String;
use alloc::vec::Vec;

use crate::text::{decimal, joined};

/// Checks a text.
///
/// # Errors
/// What was expected, and where.
pub fn check(text: &str) -> Result<(), String> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    scan.document().map_err(|expected| {
        let before = scan.bytes.get(..scan.at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        joined(&["expected ", expected, " at line ", &decimal(line as u64), ", byte ", &decimal(column as u64)])
    })
}

/// A text, and how far it was read.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Scanned = Result<(), &'static str>;

impl Scan<'_> {
    /// One value, with nothing after it. What is open is on a list, not on the stack of calls, which
    /// a caller could make overflow.
    fn document(&mut self) -> Scanned {
        let mut open = Vec::new();
        loop {
            self.space();
            match self.peek() {
                b'{' => {
                    self.at += 1;
                    self.space();
                    if !self.eat(b'}') {
                        self.name()?;
                        open.push(b'}');
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    self.space();
                    if !self.eat(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                b'"' => self.string()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => self.number()?,
            }
            // After a value, all that ends with it.
            loop {
                self.space();
                let Some(&close) = open.last() else {
                    return if self.at == self.bytes.len() { Ok(()) } else { Err("the end of the text") };
                };
                if self.eat(b',') {
                    if close == b'}' {
                        self.space();
                        self.name()?;
                    }
                    break;
                }
                if !self.eat(close) {
                    return Err(if close == b'}' { "`,` or `}`" } else { "`,` or `]`" });
                }
                open.pop();
            }
        }
    }

    /// The name of a member, and the colon after it.
    fn name(&mut self) -> Scanned {
        self.string()?;
        self.space();
        if self.eat(b':') { Ok(()) } else { Err("`:`") }
    }

    fn string(&mut self) -> Scanned {
        if !self.eat(b'"') {
            return Err("a string");
        }
        loop {
            let byte = self.peek();
            if byte < b' ' {
                return Err("the end of a string");
            }
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                _ => {}
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Scanned {
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 1;
                Ok(())
            }
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_ascii_hexdigit() {
                        return Err("a hexadecimal digit");
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err("an escape"),
        }
    }

    fn word(&mut self, word: &str) -> Scanned {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err("a value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Scanned {
        let negative = self.eat(b'-');
        // No other digit follows a zero at the front.
        if !self.eat(b'0') {
            self.digits().map_err(|digit| if negative { digit } else { "a value" })?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Scanned {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err("a digit") }
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    /// The next byte; at the end a NUL, which stands nowhere in JSON.
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, wrong) in [
            ("", "expected a value at line 1, byte 1"),
            ("[1,\n 2,]", "expected a value at line 2, byte 4"),
            ("{\"a\" 1}", "expected `:` at line 1, byte 6"),
            ("{\"a\":1", "expected `,` or `}` at line 1, byte 7"),
            ("01", "expected the end of the text at line 1, byte 2"),
            ("-x", "expected a digit at line 1, byte 2"),
            ("\"\\u12G4\"", "expected a hexadecimal digit at line 1, byte 6"),
            ("\"a\nb\"", "expected the end of a string at line 1, byte 3"),
            ("nul", "expected a value at line 1, byte 1"),
        ] {
            assert_eq!(check(text).expect_err(text), wrong);
        }
    }

    #[test]
    fn nesting_is_not_limited_by_the_stack() {
        let depth = 1 << 20;
        assert_eq!(check(&["[".repeat(depth), "]".repeat(depth)].concat()), Ok(()));
    }
}
