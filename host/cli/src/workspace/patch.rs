//! A difference in the format that `git apply` reads.
//!
//! A patch is exact, byte by byte. A content with letters that act on a terminal is therefore in it as bytes in base 85,
//! after its lines as a comment in which these letters are escapes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha1_smol::Sha1;

use super::super::text::{Text, is_acting, text};
use super::lines::{self, Hunk, Nature};
use super::show;

/// The mode of an entry, as git has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    File,
    Executable,
    Link,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
        }
    }
}

/// One side of a difference. The content of a link is its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) path: String,
    pub(super) mode: Mode,
    pub(super) content: Vec<u8>,
}

/// The difference of one path: of two, if it was renamed. One of the sides is there.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    pub(super) old: Option<Side>,
    pub(super) new: Option<Side>,
    /// The lines that name it.
    names: Vec<String>,
    nature: Nature,
    /// For a text.
    pub(super) hunks: Vec<Hunk>,
}

impl Patch {
    /// Compares two sides; `None` if they are equal. Sides of different kinds are two differences, not one.
    pub(super) fn of(old: Option<Side>, new: Option<Side>) -> Option<Self> {
        if old == new {
            return None;
        }
        let content = |side: &Option<Side>| side.as_ref().map(|it| it.content.clone()).unwrap_or_default();
        let (before, after) = (content(&old), content(&new));
        let nature = lines::nature(&before).max(lines::nature(&after));
        let hunks = if nature == Nature::Binary { Vec::new() } else { lines::hunks(&before, &after) };
        let names = names(old.as_ref(), new.as_ref(), nature == Nature::Plain);
        Some(Self { old, new, names, nature, hunks })
    }

    fn contents(&self) -> (&[u8], &[u8]) {
        let [old, new] = [&self.old, &self.new].map(|side| side.as_ref().map_or(&[][..], |it| &it.content));
        (old, new)
    }

    /// Returns the present path, or the former one.
    pub(super) fn path(&self) -> &str {
        self.new.as_ref().or(self.old.as_ref()).map_or("", |side| &side.path)
    }

    /// Whether both contents are texts, or are equal.
    pub(super) fn is_text(&self) -> bool {
        self.nature != Nature::Binary || self.is_content_equal()
    }

    fn is_content_equal(&self) -> bool {
        let (old, new) = self.contents();
        old == new
    }

    /// Returns the names of both sides before the hunks.
    fn sides(&self) -> [String; 2] {
        let name = |prefix, side: &Option<Side>| match side {
            Some(side) => {
                let name = quoted(prefix, &side.path);
                // The tab ends a name with spaces.
                if side.path.contains(' ') && !name.starts_with('"') { name + "\t" } else { name }
            }
            None => "/dev/null".to_owned(),
        };
        [format!("--- {}", name("a/", &self.old)), format!("+++ {}", name("b/", &self.new))]
    }

    /// Returns the lines of a text for people; empty for other contents.
    fn text(&self) -> Text {
        let mut text = Text::default();
        if self.hunks.is_empty() {
            return text;
        }
        for name in self.sides() {
            text.push(&text!("{}\n", Name(&name)));
        }
        for hunk in &self.hunks {
            text.push(&hunk.shown());
        }
        text
    }

    /// Returns the lines that name it, for people.
    pub(super) fn head(&self) -> Text {
        self.names.iter().map(|line| text!("{}\n", Name(line))).collect()
    }

    /// Returns the difference for people on a terminal.
    pub(super) fn shown(&self) -> Text {
        let mut text = self.head();
        if !self.is_text() {
            let (old, new) = self.contents();
            let size = |side: &[u8]| show::size(side.len() as u64);
            text.push(&text!("Binary content: {}, was {}\n", size(new), size(old)));
        }
        text.push(&self.text());
        text
    }

    /// Returns the difference as bytes for `git apply`, in which no letter acts.
    pub(super) fn exact(&self) -> Vec<u8> {
        let mut patch = Vec::new();
        if self.nature == Nature::Acting {
            patch.extend(self.text().as_str().split_inclusive('\n').flat_map(|line| ["# ", line]).flat_map(str::bytes));
        }
        for line in &self.names {
            patch.extend(line.bytes().chain([b'\n']));
        }
        let (old, new) = self.contents();
        if old == new {
            return patch;
        }
        if self.nature != Nature::Plain {
            patch.extend(b"GIT binary patch\n");
            literal(new, &mut patch);
            literal(old, &mut patch);
            return patch;
        }
        for name in self.sides() {
            patch.extend(name.bytes().chain([b'\n']));
        }
        for hunk in &self.hunks {
            patch.extend(hunk.head().bytes().chain([b'\n']));
            for line in &hunk.lines {
                patch.push(line.fate.sign() as u8);
                patch.extend(&line.bytes);
                if !line.is_ended() {
                    patch.extend(b"\n\\ No newline at end of file\n");
                }
            }
        }
        patch
    }

    /// Returns the difference as a text, if it is one, exact but for Latin-1, which becomes UTF-8.
    pub(super) fn as_text(&self) -> Option<String> {
        if !self.is_text() {
            return None;
        }
        let mut text = String::new();
        for line in &self.names {
            text.push_str(line);
            text.push('\n');
        }
        if !self.hunks.is_empty() {
            for name in self.sides() {
                text.push_str(&name);
                text.push('\n');
            }
        }
        for hunk in &self.hunks {
            text.push_str(&hunk.head());
            text.push('\n');
            for line in &hunk.lines {
                text.push(line.fate.sign());
                text.push_str(&lines::decoded(&line.bytes));
                if !line.is_ended() {
                    text.push_str("\n\\ No newline at end of file\n");
                }
            }
        }
        Some(text)
    }
}

/// A line with names that are quoted.
struct Name<'a>(&'a str);

impl super::super::text::Show for Name<'_> {
    fn show(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.0.trim_end_matches('\t'))
    }
}

/// Returns the lines that name a difference, before its content.
fn names(old: Option<&Side>, new: Option<&Side>, is_plain: bool) -> Vec<String> {
    let path = |side: Option<&Side>, other: Option<&Side>| side.or(other).map(|it| it.path.clone()).unwrap_or_default();
    let (from, to) = (path(old, new), path(new, old));
    let mut names = vec![format!("diff --git {} {}", quoted("a/", &from), quoted("b/", &to))];
    match (old, new) {
        (None, Some(new)) => names.push(format!("new file mode {}", new.mode.as_str())),
        (Some(old), None) => names.push(format!("deleted file mode {}", old.mode.as_str())),
        (Some(old), Some(new)) => {
            if old.mode != new.mode {
                names.push(format!("old mode {}", old.mode.as_str()));
                names.push(format!("new mode {}", new.mode.as_str()));
            }
            if from != to {
                if old.content == new.content {
                    names.push("similarity index 100%".to_owned());
                }
                names.push(format!("rename from {}", quoted("", &from)));
                names.push(format!("rename to {}", quoted("", &to)));
            }
        }
        (None, None) => {}
    }
    if old.map(|it| &it.content) != new.map(|it| &it.content) {
        let digest = |side: Option<&Side>| {
            let digest = side.map_or_else(|| "0".repeat(DIGEST_LETTERS), |it| blob(&it.content));
            if is_plain { digest[..DIGEST_LETTERS_SHORT].to_owned() } else { digest }
        };
        let mode = match (old, new) {
            (Some(old), Some(new)) if old.mode == new.mode => format!(" {}", new.mode.as_str()),
            _ => String::new(),
        };
        names.push(format!("index {}..{}{mode}", digest(old), digest(new)));
    }
    names
}

const DIGEST_LETTERS: usize = 40;
const DIGEST_LETTERS_SHORT: usize = 7;

/// Returns the name of a content in git.
fn blob(content: &[u8]) -> String {
    let mut digest = Sha1::new();
    digest.update(format!("blob {}\0", content.len()).as_bytes());
    digest.update(content);
    digest.hexdigest()
}

/// Returns a path as git quotes it: in quotes, with escapes, if it has letters that need them.
fn quoted(prefix: &str, path: &str) -> String {
    if !path.chars().any(|letter| is_acting(letter) || matches!(letter, '"' | '\\')) {
        return format!("{prefix}{path}");
    }
    let mut name = format!("\"{prefix}");
    for letter in path.chars() {
        match letter {
            '"' | '\\' => name.extend(['\\', letter]),
            '\n' => name.push_str("\\n"),
            '\t' => name.push_str("\\t"),
            '\r' => name.push_str("\\r"),
            letter if is_acting(letter) => {
                let mut bytes = [0; 4];
                for byte in letter.encode_utf8(&mut bytes).bytes() {
                    name.push_str(&format!("\\{byte:03o}"));
                }
            }
            letter => name.push(letter),
        }
    }
    name.push('"');
    name
}

/// Adds a content as git has binary ones: compressed, in base 85, 52 bytes in a line after a letter for their number.
fn literal(content: &[u8], patch: &mut Vec<u8>) {
    const LINE_BYTES: usize = 52;
    const DIGITS: &[u8; 85] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed = compressed.write_all(content).and_then(|()| compressed.finish());
    let compressed = compressed.expect("a vector takes every byte");
    patch.extend(format!("literal {}\n", content.len()).bytes());
    for line in compressed.chunks(LINE_BYTES) {
        let length = line.len() as u8;
        patch.push(if length <= 26 { b'A' + length - 1 } else { b'a' + length - 27 });
        for group in line.chunks(4) {
            let mut bytes = [0; 4];
            bytes[..group.len()].copy_from_slice(group);
            let mut number = u32::from_be_bytes(bytes);
            let mut digits = [0; 5];
            for digit in digits.iter_mut().rev() {
                *digit = DIGITS[(number % 85) as usize];
                number /= 85;
            }
            patch.extend(digits);
        }
        patch.push(b'\n');
    }
    patch.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_git_does() {
        assert_eq!(quoted("a/", "größe x"), "a/größe x");
        assert_eq!(quoted("a/", "t\tq\"b\\\x1b"), "\"a/t\\tq\\\"b\\\\\\033\"");
        assert_eq!(quoted("", "\u{202e}"), "\"\\342\\200\\256\"");
    }

    #[test]
    fn contents_have_the_names_of_git() {
        assert_eq!(blob(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(blob(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
