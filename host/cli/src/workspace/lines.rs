//! Contents as lines, and the lines that differ.

use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops};

use super::super::text::{Sentence, Text, is_acting, text};

/// Larger contents are not compared line by line.
pub(super) const BYTES_MAX: usize = 8 << 20;

/// Unchanged lines around changed ones.
const CONTEXT_LINES: usize = 3;

/// After this time the search for the smallest difference ends with a larger one, which is as exact.
const PATIENCE: Duration = Duration::from_secs(2);

/// The nature of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nature {
    /// Text in which no letter acts on a terminal: it may be in a patch as it is.
    Plain,
    /// Text with letters that act.
    Acting,
    /// No text.
    Binary,
}

/// Returns the nature of a content.
pub(super) fn nature(content: &[u8]) -> Nature {
    if content.len() > BYTES_MAX || content.contains(&0) {
        return Nature::Binary;
    }
    let letters = decoded(content);
    let is_utf8 = matches!(letters, std::borrow::Cow::Borrowed(_));
    // Bytes beyond ASCII are letters of Latin-1, if the other bytes are those of a text.
    let is_of_text =
        |letter: char| !letter.is_ascii_control() || matches!(letter, '\t' | '\n' | '\r' | '\x0c' | '\x1b');
    if !is_utf8 && !letters.chars().all(is_of_text) {
        return Nature::Binary;
    }
    // A carriage return at the end of a line does nothing.
    let is_acting = |line: &str| line.strip_suffix('\r').unwrap_or(line).chars().any(|it| it != '\t' && is_acting(it));
    let (lines, last) = letters.rsplit_once('\n').unwrap_or(("", &letters));
    let acts = lines.split('\n').any(is_acting) || last.chars().any(|it| it != '\t' && self::is_acting(it));
    if acts { Nature::Acting } else { Nature::Plain }
}

/// Returns the text of a content: UTF-8, or else Latin-1, in which every byte is a letter.
pub(super) fn decoded(content: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(content) {
        Ok(text) => text.into(),
        Err(_) => content.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

/// The fate of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Same,
    Removed,
    Added,
}

impl Fate {
    /// Returns the sign at the beginning of the line in a patch.
    pub(super) const fn sign(self) -> char {
        match self {
            Self::Same => ' ',
            Self::Removed => '-',
            Self::Added => '+',
        }
    }
}

/// A line of a hunk, with its line break, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) fate: Fate,
    pub(super) bytes: Vec<u8>,
}

impl Line {
    /// Returns the line without its line break, for people.
    pub(super) fn shown(&self) -> Text {
        let bytes = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let line = decoded(bytes);
        // A tab moves the cursor as it does in the file.
        Text::join(line.split('\t').map(|part| text!("{}", Sentence(part))), "\t")
    }

    pub(super) fn is_ended(&self) -> bool {
        self.bytes.ends_with(b"\n")
    }
}

/// Changed lines with unchanged ones around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hunk {
    /// The index of its first line before, and the number of lines.
    pub(super) old: (usize, usize),
    /// The same after.
    pub(super) new: (usize, usize),
    pub(super) lines: Vec<Line>,
}

impl Hunk {
    /// Returns its head in a patch.
    pub(super) fn head(&self) -> String {
        // An empty range is named by the line before it.
        let range = |(start, length): (usize, usize)| match length {
            0 => format!("{start},0"),
            1 => format!("{}", start + 1),
            length => format!("{},{length}", start + 1),
        };
        format!("@@ -{} +{} @@", range(self.old), range(self.new))
    }

    /// Returns it for people.
    pub(super) fn shown(&self) -> Text {
        let mut text = text!("{}\n", self.head());
        for line in &self.lines {
            text.push(&text!("{}{}\n", line.fate.sign().to_string(), line.shown()));
            if !line.is_ended() {
                text.push(&text!("\\ No newline at end of file\n"));
            }
        }
        text
    }
}

/// Returns the lines of a content, each with its line break.
pub(super) fn lines(content: &[u8]) -> Vec<&[u8]> {
    content.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Compares two contents.
pub(super) fn hunks(old: &[u8], new: &[u8]) -> Vec<Hunk> {
    let (old, new) = (lines(old), lines(new));
    let operations = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(Instant::now() + PATIENCE));
    group_diff_ops(operations, CONTEXT_LINES).iter().filter_map(|group| hunk(group, &old, &new)).collect()
}

fn hunk(group: &[DiffOp], old: &[&[u8]], new: &[&[u8]]) -> Option<Hunk> {
    let (first, last) = (group.first()?, group.last()?);
    let mut lines = Vec::new();
    let mut add = |fate, all: &[&[u8]]| lines.extend(all.iter().map(|line| Line { fate, bytes: line.to_vec() }));
    for operation in group {
        match *operation {
            DiffOp::Equal { old_index, len, .. } => add(Fate::Same, &old[old_index..old_index + len]),
            DiffOp::Delete { old_index, old_len, .. } => add(Fate::Removed, &old[old_index..old_index + old_len]),
            DiffOp::Insert { new_index, new_len, .. } => add(Fate::Added, &new[new_index..new_index + new_len]),
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                add(Fate::Removed, &old[old_index..old_index + old_len]);
                add(Fate::Added, &new[new_index..new_index + new_len]);
            }
        }
    }
    let range = |first: std::ops::Range<usize>, last: std::ops::Range<usize>| (first.start, last.end - first.start);
    Some(Hunk {
        old: range(first.old_range(), last.old_range()),
        new: range(first.new_range(), last.new_range()),
        lines,
    })
}

/// Returns the content after these hunks of it, and no others. `hunks` are all that lead from `old` to another content.
pub(super) fn applied<'a>(old: &[u8], hunks: impl IntoIterator<Item = &'a Hunk>) -> Vec<u8> {
    let old = lines(old);
    let (mut content, mut at) = (Vec::new(), 0);
    for hunk in hunks {
        content.extend(old[at..hunk.old.0].concat());
        content.extend(hunk.lines.iter().filter(|line| line.fate != Fate::Removed).flat_map(|line| line.bytes.clone()));
        at = hunk.old.0 + hunk.old.1;
    }
    content.extend(old[at..].concat());
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_1_is_text_and_acting_letters_are_found() {
        for (content, expected) in [
            (&b""[..], Nature::Plain),
            (b"a\tb\r\n\xc3\xa9\n", Nature::Plain),
            (b"caf\xe9 \xfcber\r\n", Nature::Plain),
            (b"a\rb\n", Nature::Acting),
            (b"end\r", Nature::Acting),
            (b"\x1b[2J", Nature::Acting),
            (b"\xe2\x80\xae", Nature::Acting),
            (b"caf\xe9 \x9b2J", Nature::Acting),
            (b"a\0b", Nature::Binary),
            (b"\xff\x01\x02", Nature::Binary),
        ] {
            assert_eq!(nature(content), expected, "{content:?}");
        }
        assert_eq!(decoded(b"caf\xe9"), "café");
    }

    #[test]
    fn a_head_names_an_empty_range_by_the_line_before() {
        let head = |old: &str, new: &str| hunks(old.as_bytes(), new.as_bytes())[0].head();
        assert_eq!(head("", "a\n"), "@@ -0,0 +1 @@");
        assert_eq!(head("a\n", ""), "@@ -1 +0,0 @@");
        assert_eq!(head("a\nb\n", "a\nc\n"), "@@ -1,2 +1,2 @@");
    }

    /// All hunks give the new content, and none the old one; any choice gives the chosen lines and the others as they
    /// were.
    #[test]
    fn any_choice_of_hunks_can_be_applied() {
        let old: String = (0..60).map(|line| format!("{line}\n")).collect();
        let new = old.replace("\n10\n", "\nten\n").replace("\n30\n", "\n") + "last";
        let all = hunks(old.as_bytes(), new.as_bytes());
        assert_eq!(all.len(), 3);
        assert_eq!(applied(old.as_bytes(), &all), new.as_bytes());
        assert_eq!(applied(old.as_bytes(), &[]), old.as_bytes());
        let middle = applied(old.as_bytes(), &all[1..2]);
        assert_eq!(middle, old.replace("\n30\n", "\n").as_bytes());
        assert_eq!(applied(old.as_bytes(), &all[2..]), (old.clone() + "last").as_bytes());
    }
}
