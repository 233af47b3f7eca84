//! The choice of changes: paths as a shell completes them, and globs.

use std::path::Path;

use onionskin_host::{Change, Error, ErrorKind, GuestError, Select, Workspace};

use super::super::text::text;
use super::super::{Stop, streams};
use super::trees::there;

/// Globs with more alternatives are refused.
const ALTERNATIVES_MAX: usize = 1024;

pub(super) const GLOBS: &str = "\
A glob is matched against whole paths. `?` is one character, `*` any number within a name, `[ab]` and `[a-z]` one
of these, `[!ab]` one that is none of them, `{a,b}` one of these parts, `**` any number of names; a backslash makes
the next character an ordinary one. A glob that matches a directory matches all below it.";

/// The globs of a choice.
#[derive(clap::Args)]
pub(super) struct Choice {
    /// Only paths that one of these globs matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Except paths that one of these globs matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    except: Vec<String>,
}

/// Changes that were chosen, and all that there are.
pub(super) struct Chosen {
    pub(super) changes: Vec<Change>,
    pub(super) all: Vec<Change>,
}

impl Choice {
    /// Returns the chosen changes. Without paths and globs these are all.
    pub(super) fn of(&self, workspace: &mut Workspace, upper: &Path, paths: &[String]) -> Result<Chosen, Stop> {
        let all = workspace.changes(&Select::default())?;
        let select = self.select(workspace, upper, paths, &all)?;
        let is_all = select.only.is_empty() && select.except.is_empty();
        let changes = if is_all { all.clone() } else { workspace.changes(&select)? };
        Ok(Chosen { changes, all })
    }

    /// Returns the choice in the form of the contract. A path that is not there is an error; a glob that matches no
    /// change is mentioned.
    pub(super) fn select(
        &self,
        workspace: &mut Workspace,
        upper: &Path,
        paths: &[String],
        all: &[Change],
    ) -> Result<Select, Stop> {
        for path in paths.iter().filter(|path| *path != ".") {
            let is_at =
                |place: &str| place.strip_prefix(path.as_str()).is_some_and(|it| it.is_empty() || it.starts_with('/'));
            if !all.iter().any(|change| is_at(&change.path)) && there(workspace.stat(path))?.is_none() {
                return Err(not_there(upper, path).into());
            }
        }
        let mut only: Vec<String> = paths.iter().filter(|path| *path != ".").map(|path| literal(path)).collect();
        if paths.iter().any(|path| path == ".") {
            only = vec!["**".to_owned()];
        }
        let mut except = Vec::new();
        for (option, globs, into) in [("only", &self.only, &mut only), ("except", &self.except, &mut except)] {
            for glob in globs {
                let alternatives = alternatives(glob).ok_or(Stop::Usage("a glob has more than 1024 alternatives"))?;
                let select = Select { only: alternatives.clone(), except: Vec::new() };
                if workspace.changes(&select)?.is_empty() {
                    streams::aside(&text!("--{} {}: no change matches\n", option, glob))?;
                }
                into.extend(alternatives);
            }
        }
        Ok(Select { only, except })
    }
}

fn not_there(upper: &Path, path: &str) -> Error {
    let message = format!("{path}: is not in the workspace, and is no change of it");
    let error = GuestError { kind: ErrorKind::NotFound, subject: path.to_owned(), message, cause: None };
    Error::Guest { root: upper.to_owned(), error }
}

/// Parses a path inside a workspace, as a shell completes it: `./src/` is `src`.
pub(super) fn path(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(tidied(text, true))
}

/// As [`path`], for a new file, whose name does not end in a slash.
pub(super) fn new_path(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(tidied(text, false))
}

/// Returns a path without names that are empty or `.`. An absolute path, or one with `..`, stays, and is refused later.
fn tidied(text: &str, may_end_in_slash: bool) -> String {
    let ends_in_slash = text.ends_with('/');
    if text.is_empty() || text.starts_with('/') || ends_in_slash && !may_end_in_slash {
        return text.to_owned();
    }
    let names: Vec<&str> = text.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if names.is_empty() { ".".to_owned() } else { names.join("/") }
}

/// Returns the glob that matches this path, and what is below it.
pub(super) fn literal(path: &str) -> String {
    let mut glob = String::new();
    for letter in path.chars() {
        if matches!(letter, '*' | '?' | '[' | '\\') {
            glob.push('\\');
        }
        glob.push(letter);
    }
    glob
}

/// Returns a glob with each of the alternatives in its braces; `None` if there are too many. Braces without a comma, or
/// without their other half, are ordinary characters, as in a shell.
fn alternatives(glob: &str) -> Option<Vec<String>> {
    let (mut done, mut waiting) = (Vec::new(), vec![glob.to_owned()]);
    while let Some(glob) = waiting.pop() {
        match braces(&glob) {
            Some((start, commas, end)) => {
                let cuts: Vec<usize> = [start].into_iter().chain(commas).chain([end]).collect();
                let parts = cuts.windows(2).map(|cut| &glob[cut[0] + 1..cut[1]]);
                let whole = parts.map(|part| format!("{}{part}{}", &glob[..start], &glob[end + 1..]));
                // The first alternative is the first of the result.
                waiting.extend(whole.rev());
            }
            None => done.push(glob),
        }
        if done.len() + waiting.len() > ALTERNATIVES_MAX {
            return None;
        }
    }
    Some(done)
}

/// Finds the first pair of braces with a comma: the positions of the opening one, the commas, and the closing one.
fn braces(glob: &str) -> Option<(usize, Vec<usize>, usize)> {
    let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut found: Option<(usize, Vec<usize>, usize)> = None;
    let mut letters = glob.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '{' => open.push((at, Vec::new())),
            ',' => {
                if let Some((_, commas)) = open.last_mut() {
                    commas.push(at);
                }
            }
            '}' => {
                if let Some((start, commas)) = open.pop()
                    && !commas.is_empty()
                    && found.as_ref().is_none_or(|(first, ..)| start < *first)
                {
                    found = Some((start, commas, at));
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_as_a_shell_completes_them() {
        for (typed, meant) in [("src/", "src"), ("./src", "src"), ("a//b/./c/", "a/b/c"), (".", "."), ("./", ".")] {
            assert_eq!(path(typed), Ok(meant.to_owned()));
        }
        for refused in ["", "/etc", "../x", "a/../b"] {
            assert_eq!(path(refused), Ok(refused.to_owned()));
        }
        assert_eq!(new_path("./a/b"), Ok("a/b".to_owned()));
        assert_eq!(new_path("a/"), Ok("a/".to_owned()));
    }

    #[test]
    fn braces_are_alternatives() {
        for (glob, expected) in [
            ("a", &["a"][..]),
            ("{a,b}", &["a", "b"]),
            ("x{a,b{c,d}}y{1,}", &["xay1", "xay", "xbcy1", "xbcy", "xbdy1", "xbdy"]),
            ("{a}", &["{a}"]),
            ("{a,b", &["{a,b"]),
            ("{{a,b}", &["{a", "{b"]),
            ("\\{a,b}", &["\\{a,b}"]),
            ("*.{rs,toml}", &["*.rs", "*.toml"]),
        ] {
            assert_eq!(
                alternatives(glob).as_deref(),
                Some(&expected.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]),
                "{glob}"
            );
        }
        assert_eq!(alternatives(&"{a,b}".repeat(20)), None);
    }
}
