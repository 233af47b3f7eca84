//! The selection of paths: a small matcher of globs.
//!
//! `?` matches one character and `*` any number of characters, within a name; `[ab]` and `[a-z]` match one of these
//! characters, `[!ab]` one that is none of them, and `\` makes the next character an ordinary one. `**` matches any
//! number of names. A glob that matches a directory matches all paths below it, too.

use alloc::string::String;
use alloc::vec::Vec;

/// A selection of paths. An empty one selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Globs of which one must match; an empty list selects all paths.
    pub only: Vec<String>,
    /// Globs of which none may match.
    pub except: Vec<String>,
}

impl Select {
    /// Checks whether a path is selected.
    pub fn chooses(&self, path: &str) -> bool {
        (self.only.is_empty() || matches_one(&self.only, path)) && !self.excepts(path)
    }

    /// Checks whether a path is excepted, so that it must not change.
    pub fn excepts(&self, path: &str) -> bool {
        matches_one(&self.except, path)
    }

    /// Checks whether every path is selected.
    pub fn is_all(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }
}

fn matches_one(globs: &[String], path: &str) -> bool {
    globs.iter().any(|glob| matches(glob, path))
}

/// Checks whether a glob matches a path, or a directory that contains it.
pub fn matches(glob: &str, path: &str) -> bool {
    let glob: Vec<&str> = glob.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    let names: Vec<&str> = path.split('/').collect();
    (1..=names.len()).any(|depth| wild(&glob, &names[..depth], |glob| *glob == "**", |glob, name| is_name(glob, name)))
}

fn is_name(glob: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    wild(&parts(glob), &name, |part| *part == Part::Any, Part::is)
}

/// A part of the glob of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Any number of characters.
    Any,
    /// One character.
    One,
    /// This character.
    Letter(char),
    /// One character of, or out of, these ranges.
    Set { is_negated: bool, ranges: Vec<(char, char)> },
}

impl Part {
    fn is(&self, letter: &char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Letter(own) => own == letter,
            Self::Set { is_negated, ranges } => {
                ranges.iter().any(|(first, last)| (first..=last).contains(&letter)) != *is_negated
            }
        }
    }
}

/// Parses the glob of one name. A bracket that is not closed is an ordinary character, as in a shell.
fn parts(glob: &str) -> Vec<Part> {
    let glob: Vec<char> = glob.chars().collect();
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(letter) = glob.get(at) {
        at += 1;
        parts.push(match letter {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' if at < glob.len() => {
                at += 1;
                Part::Letter(glob[at - 1])
            }
            '[' => match set(&glob[at..]) {
                Some((set, length)) => {
                    at += length;
                    set
                }
                None => Part::Letter('['),
            },
            letter => Part::Letter(*letter),
        });
    }
    parts
}

/// Parses a set after its opening bracket; returns it and its length. A closing bracket is the end, unless it is the
/// first character of the set.
fn set(glob: &[char]) -> Option<(Part, usize)> {
    let is_negated = matches!(glob.first(), Some('!' | '^'));
    let start = usize::from(is_negated);
    let end = start + 1 + glob.get(start + 1..)?.iter().position(|letter| *letter == ']')?;
    let (mut ranges, mut at) = (Vec::new(), start);
    while at < end {
        let first = glob[at];
        let is_range = at + 2 < end && glob[at + 1] == '-';
        let last = if is_range { glob[at + 2] } else { first };
        ranges.push((first, last));
        at += if is_range { 3 } else { 1 };
    }
    Some((Part::Set { is_negated, ranges }, end + 1))
}

/// Matches a pattern in which some elements stand for any number of others. The elements between two of those
/// may match at their first occurrence, so one position to backtrack to is enough.
fn wild<P, T>(pattern: &[P], text: &[T], is_any: impl Fn(&P) -> bool, is_one: impl Fn(&P, &T) -> bool) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut back = None;
    while here < text.len() {
        match pattern.get(at) {
            Some(element) if is_any(element) => {
                back = Some((at, here));
                at += 1;
            }
            Some(element) if is_one(element, &text[here]) => (at, here) = (at + 1, here + 1),
            _ => {
                let Some((any, start)) = back else { return false };
                back = Some((any, start + 1));
                (at, here) = (any + 1, start + 1);
            }
        }
    }
    pattern[at..].iter().all(is_any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn a_glob_matches_names_and_what_is_below_them() {
        for (glob, path, expected) in [
            ("a", "a", true),
            ("a", "a/b/c", true),
            ("a", "b/a", false),
            ("*.rs", "lib.rs", true),
            ("*.rs", "src/lib.rs", false),
            ("**/*.rs", "src/deep/lib.rs", true),
            ("**/*.rs", "lib.rs", true),
            ("src/**", "src", true),
            ("src/**/x", "src/x", true),
            ("src/**/x", "src/a/b/x", true),
            ("src/**/x", "src/a/b/y", false),
            ("?b*d", "abccd", true),
            ("?b*d", "bd", false),
            ("*a*b", "xaxbxab", true),
            ("ä?", "äö", true),
            ("a/*", "a/b", true),
            ("a/*", "a", false),
            ("./a/", "a", true),
            ("[ab]c", "bc", true),
            ("[ab]c", "cc", false),
            ("[a-c]*", "bx", true),
            ("[!a-c]*", "bx", false),
            ("[^a]", "b", true),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[!]]", "]", false),
            ("[ä-ü]", "ö", true),
            ("x[ab", "x[ab", true),
            ("[a/b]", "a", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a\\", "a\\", true),
            ("\\[a]", "[a]", true),
        ] {
            assert_eq!(matches(glob, path), expected, "{glob} {path}");
        }
    }

    #[test]
    fn a_choice_leaves_out_what_is_excepted() {
        let select = Select { only: ["src".to_owned()].into(), except: ["**/*.tmp".to_owned()].into() };
        assert!(select.chooses("src/a") && !select.chooses("src/a.tmp") && !select.chooses("docs"));
        assert!(Select::default().is_all() && Select::default().chooses("anything"));
    }
}
