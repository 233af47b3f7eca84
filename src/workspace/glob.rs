//! The selection of paths: a small matcher of globs.
//!
//! `?` matches one character and `*` any number of characters, within a name; `**` matches any number of
//! names. A glob that matches a directory matches all paths below it, too.

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
        let hits = |globs: &[String]| globs.iter().any(|glob| matches(glob, path));
        (self.only.is_empty() || hits(&self.only)) && !hits(&self.except)
    }

    /// Checks whether every path is selected.
    pub fn is_all(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }
}

/// Checks whether a glob matches a path, or a directory that contains it.
pub fn matches(glob: &str, path: &str) -> bool {
    let glob: Vec<&str> = glob.split('/').filter(|name| !name.is_empty()).collect();
    let names: Vec<&str> = path.split('/').collect();
    (1..=names.len()).any(|depth| wild(&glob, &names[..depth], |glob| *glob == "**", |glob, name| is_name(glob, name)))
}

fn is_name(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    wild(&glob, &name, |letter| *letter == '*', |glob, letter| *glob == '?' || glob == letter)
}

/// Matches a pattern in which some elements stand for any number of others. The elements between two of those
/// may match at their first occurrence, so one position to backtrack to is enough.
fn wild<T>(pattern: &[T], text: &[T], is_any: impl Fn(&T) -> bool, is_one: impl Fn(&T, &T) -> bool) -> bool {
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
