//! Text for people, in which nothing from outside can act on a terminal or hide.
//!
//! Names, link targets, labels, contents and messages come from files and programs that need not be trusted. A
//! [`Text`] is made of literals of this program, by [`text!`], and of values, which become visible escapes where
//! they could move the cursor, break the line, reorder or hide other text. Only a `Text` is printed; see
//! [`super::streams`]. Answers in JSON stay exact: there the escapes are those of JSON.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Text that can be printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(String);

/// Makes a [`Text`] as `format!` does. The values are escaped, the literal is not; a variable cannot be named in it.
macro_rules! text {
    ($literal:literal $(, $value:expr)* $(,)?) => {
        $crate::text::Text::of_escaped(format!(concat!($literal) $(, $crate::text::Shown(&$value))*))
    };
}
pub(crate) use text;

/// A value that can be a part of a text.
pub(crate) trait Show {
    /// Writes it, escaped. Two values of one type are never shown alike, with the exceptions of [`Sentence`] and
    /// [`Text`].
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A value in the middle of a format.
pub(crate) struct Shown<'a, T: Show + ?Sized>(pub(crate) &'a T);

/// A message of several words, with names that it quotes in its own way: backslashes stay single.
pub(crate) struct Sentence<T>(pub(crate) T);

/// A value by `Display`, for types that have digits and fixed words only.
macro_rules! show_as_is {
    ($($kind:ty),*) => {
        $(impl Show for $kind {
            fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        })*
    };
}
show_as_is!(i32, u8, u32, u64, usize);

impl<T: Show + ?Sized> fmt::Display for Shown<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(out)
    }
}

impl<T: Show + ?Sized> Show for &T {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::show(self, out)
    }
}

impl Show for str {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // At an end a blank cannot be seen.
        let inner = self.trim_matches(' ');
        let start = self.len() - self.trim_start_matches(' ').len();
        let is_at_end = |at: usize| at < start || at >= start + inner.len();
        self.char_indices().try_for_each(|(at, letter)| match letter {
            '\\' => out.write_str("\\\\"),
            ' ' if is_at_end(at) => out.write_str("\\x20"),
            letter if is_blank(letter) => code(letter, out),
            letter => escape(letter, out),
        })
    }
}

impl Show for String {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().show(out)
    }
}

/// A byte that is not UTF-8 is shown as `\xHH`.
impl Show for OsStr {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_encoded_bytes().utf8_chunks().try_for_each(|chunk| {
            chunk.valid().show(out)?;
            chunk.invalid().iter().try_for_each(|byte| write!(out, "\\x{byte:02x}"))
        })
    }
}

impl Show for OsString {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_os_str().show(out)
    }
}

impl Show for Path {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_os_str().show(out)
    }
}

impl Show for PathBuf {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_os_str().show(out)
    }
}

/// It is escaped already.
impl Show for Text {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<T: fmt::Display> Show for Sentence<T> {
    fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().chars().try_for_each(|letter| escape(letter, out))
    }
}

impl<T: Show + ?Sized> From<&T> for Text {
    fn from(value: &T) -> Self {
        Self(Shown(value).to_string())
    }
}

impl From<String> for Text {
    fn from(value: String) -> Self {
        Self::from(&value)
    }
}

impl Text {
    /// For [`text!`] alone: every value in it was escaped.
    pub(crate) fn of_escaped(text: String) -> Self {
        Self(text)
    }

    /// Lines of a content, each with an end of line. A line break is the only letter that is not escaped.
    pub(crate) fn of_lines(lines: &str) -> Self {
        lines.split_terminator('\n').map(|line| text!("{}\n", Sentence(line))).collect()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of letters.
    pub(crate) fn width(&self) -> usize {
        self.0.chars().count()
    }

    pub(crate) fn push(&mut self, more: &Self) {
        self.0.push_str(&more.0);
    }

    /// Adds spaces.
    pub(crate) fn pad(&mut self, spaces: usize) {
        self.0.extend(std::iter::repeat_n(' ', spaces));
    }

    /// Removes spaces at the end.
    pub(crate) fn trim_end(&mut self) {
        self.0.truncate(self.0.trim_end().len());
    }

    /// Returns the text with each line in the colour of its beginning, if it has one.
    pub(crate) fn coloured(&self, colours: &[(&str, u8)]) -> Self {
        let mut coloured = String::new();
        for line in self.0.lines() {
            // Writing to a string does not fail.
            let _ = match colours.iter().find(|(start, _)| line.starts_with(start)) {
                Some((_, colour)) => writeln!(coloured, "\x1b[{colour}m{line}\x1b[0m"),
                None => writeln!(coloured, "{line}"),
            };
        }
        Self(coloured)
    }

    /// Returns the texts with this text between them.
    pub(crate) fn join(texts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let texts: Vec<String> = texts.into_iter().map(|text| text.0).collect();
        Self(texts.join(between))
    }
}

impl FromIterator<Self> for Text {
    fn from_iter<I: IntoIterator<Item = Self>>(texts: I) -> Self {
        Self(texts.into_iter().map(|text| text.0).collect())
    }
}

/// Checks whether a letter acts on a terminal or on the text around it, or is invisible: controls, C1 and line breaks
/// among them, changes of direction, and letters without width.
pub(crate) fn is_acting(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Checks whether a letter of a name looks as a blank, or as nothing. Contents have many of them: the blank of Chinese
/// texts, and the sign that chooses the form of the letter before.
fn is_blank(letter: char) -> bool {
    matches!(letter,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{2800}' | '\u{3000}'
        | '\u{fe00}'..='\u{fe0f}')
}

/// Writes a letter, or its escape.
fn escape(letter: char, out: &mut impl fmt::Write) -> fmt::Result {
    match letter {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        letter if letter.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(letter)),
        letter if is_acting(letter) => code(letter, out),
        letter => out.write_char(letter),
    }
}

fn code(letter: char, out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "\\u{{{:x}}}", u32::from(letter))
}

/// Returns JSON on one line, exact, in which acting letters are escapes of JSON.
pub(crate) fn json(value: &Value) -> String {
    let plain = value.to_string();
    let mut text = String::with_capacity(plain.len());
    for letter in plain.chars() {
        if is_acting(letter) {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(letter);
        }
    }
    text
}

/// Returns an argument of the command line as it is shown.
pub(crate) fn argument(argument: &OsStr) -> Cow<'_, OsStr> {
    match argument.to_str() {
        Some(text) if !text.chars().any(is_acting) => Cow::Borrowed(argument),
        _ => Cow::Owned(Text::from(argument).0.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Letters that act, each with its escape.
    const ACTING: [(char, &str); 12] = [
        ('\0', "\\x00"),
        ('\t', "\\t"),
        ('\n', "\\n"),
        ('\r', "\\r"),
        ('\x1b', "\\x1b"),
        ('\x7f', "\\x7f"),
        ('\u{85}', "\\u{85}"),
        ('\u{9b}', "\\u{9b}"),
        ('\u{200f}', "\\u{200f}"),
        ('\u{2028}', "\\u{2028}"),
        ('\u{202e}', "\\u{202e}"),
        ('\u{e0041}', "\\u{e0041}"),
    ];

    /// Acting letters are escaped in a name and in a sentence, and nothing else of a sentence is.
    #[test]
    fn acting_letters_become_escapes() {
        for (letter, escape) in ACTING {
            let name = format!("a{letter}b\\");
            assert_eq!(text!("{}:\n", name).as_str(), format!("a{escape}b\\\\:\n"));
            assert_eq!(text!("{}", Sentence(&name)).as_str(), format!("a{escape}b\\"));
            assert_eq!(Text::from(&name), Text::from(Path::new(&name)));
        }
        assert_eq!(Text::from("größe 大 'x'").as_str(), "größe 大 'x'");
    }

    /// What looks as a blank is escaped in a name, and left in a content, but for blanks between other letters.
    #[test]
    fn blanks_of_names_are_seen() {
        assert_eq!(Text::from(" a b  ").as_str(), "\\x20a b\\x20\\x20");
        assert_eq!(Text::from("a\u{a0}b\u{3000}\u{fe0f}").as_str(), "a\\u{a0}b\\u{3000}\\u{fe0f}");
        assert_eq!(Text::of_lines(" a\u{a0}b \n").as_str(), " a\u{a0}b \n");
    }

    /// No letter reaches the terminal that acts on it, of all that there are; and no two names look alike.
    #[test]
    fn no_letter_acts_and_no_two_look_alike() {
        let mut seen = std::collections::HashSet::new();
        for letter in '\0'..=char::MAX {
            let shown = Text::from(letter.to_string().as_str());
            assert!(!shown.as_str().chars().any(is_acting), "{letter:?}");
            assert!(seen.insert(shown.0), "{letter:?} looks as another letter does");
        }
        let escaped = Text::from("\x1b").0;
        assert_ne!(Text::from(escaped.as_str()), Text::from("\x1b"));
    }

    /// JSON says the same after a parse, and has no acting letter.
    #[test]
    fn json_is_exact_and_does_not_act() {
        for (letter, _) in ACTING {
            let value = json!({"path": format!("a{letter}b"), format!("{letter}"): 1});
            let text = json(&value);
            assert!(!text.chars().any(is_acting), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), value);
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_name_that_is_not_utf8_is_shown_by_its_bytes() {
        use std::os::unix::ffi::OsStrExt as _;
        assert_eq!(Text::from(OsStr::from_bytes(b"a\xff\\b")).as_str(), "a\\xff\\\\b");
    }
}
