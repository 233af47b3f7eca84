//! Paths below a root, parsed once at the boundary: a [`RelPath`] is valid and needs no further check.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;

use crate::limits::{DEPTH_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, RECORD_DEPTH_MAX};

/// The prefix of every reserved name. Callers' names must not begin with it, in any case, because some
/// filesystems fold case.
pub const RESERVED_PREFIX: &str = ".onionskin";

/// A rule that a path may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathRule {
    /// It must not be empty.
    Empty,
    /// It must be relative.
    Absolute,
    /// No component may be `.` or `..`.
    Dots,
    /// No component may be empty: no doubled and no trailing slash.
    EmptyComponent,
    /// No NUL is permitted.
    Nul,
    /// No backslash: a separator on some hosts, a letter on others.
    Backslash,
    /// A component has too many bytes.
    NameLength,
    /// The path has too many bytes.
    PathLength,
    /// The path has too many components.
    Depth,
    /// A component begins with [`RESERVED_PREFIX`].
    Reserved,
}

impl PathRule {
    /// Returns the rule as text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Empty => "it must not be empty",
            Self::Absolute => "it must be relative to the root",
            Self::Dots => "no component may be `.` or `..`",
            Self::EmptyComponent => "it must have no doubled and no trailing slash",
            Self::Nul => "it must not contain NUL",
            Self::Backslash => "it must not contain a backslash",
            Self::NameLength => "a component has more than 255 bytes",
            Self::PathLength => "it has more than 4095 bytes",
            Self::Depth => "it has more than 128 components",
            Self::Reserved => "names that begin with `.onionskin` are reserved",
        }
    }
}

/// A path below a root: never absolute, without `.` or `..`, within all limits.
///
/// The empty path is the root itself; it is not parsed but taken from [`RelPath::ROOT`]. A clone shares the
/// text. The order of paths is that of their texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RelPath(Option<Rc<str>>);

impl RelPath {
    /// The root itself.
    pub const ROOT: Self = Self(None);

    /// Parses what a caller gave.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, PathRule> {
        let path = Self::parse_any(text)?;
        if path.components().any(is_reserved) { Err(PathRule::Reserved) } else { Ok(path) }
    }

    /// Parses text that may hold names of ours, as in a link of ours.
    ///
    /// # Errors
    ///
    /// The first rule that the text breaks, except [`PathRule::Reserved`].
    pub fn parse_any(text: &str) -> Result<Self, PathRule> {
        if text.is_empty() {
            return Err(PathRule::Empty);
        }
        if text.len() > PATH_BYTES_MAX {
            return Err(PathRule::PathLength);
        }
        if text.starts_with('/') {
            return Err(PathRule::Absolute);
        }
        for (index, name) in text.split('/').enumerate() {
            if index >= DEPTH_MAX {
                return Err(PathRule::Depth);
            }
            check_name(name)?;
        }
        Ok(Self::of(text))
    }

    /// Parses text that a record holds: any path that a tree may have, with names of ours and backslashes, as deep as
    /// it is. What is written into a record was read from a tree, and is read back by this rule alone.
    ///
    /// # Errors
    ///
    /// [`PathRule::Empty`], [`PathRule::Absolute`], [`PathRule::EmptyComponent`], [`PathRule::Dots`],
    /// [`PathRule::Nul`]: no tree has such a path. [`PathRule::Depth`] for more components than a record may have.
    pub fn parse_record(text: &str) -> Result<Self, PathRule> {
        if text.is_empty() {
            return Err(PathRule::Empty);
        }
        if text.starts_with('/') {
            return Err(PathRule::Absolute);
        }
        for name in text.split('/') {
            match name {
                "" => return Err(PathRule::EmptyComponent),
                "." | ".." => return Err(PathRule::Dots),
                _ if name.contains('\0') => return Err(PathRule::Nul),
                _ => {}
            }
        }
        if text.split('/').count() > RECORD_DEPTH_MAX { Err(PathRule::Depth) } else { Ok(Self::of(text)) }
    }

    /// Creates a path from a text that was checked.
    fn of(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }

    /// Returns the path as text, components joined by `/`; empty for the root.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", |text| text)
    }

    /// Returns the path as shown in messages: `.` for the root.
    pub fn shown(&self) -> &str {
        self.0.as_ref().map_or(".", |text| text)
    }

    /// Checks whether this is the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the components, from the root down; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.as_str().split('/').filter(|name| !name.is_empty())
    }

    /// Returns the number of components.
    pub fn depth(&self) -> usize {
        self.components().count()
    }

    /// Splits the path into its parent directory and its name; returns `None` for the root.
    pub fn split(&self) -> Option<(Self, &str)> {
        let text: &str = self.0.as_ref()?;
        Some(match text.rsplit_once('/') {
            Some((parent, name)) => (Self::of(parent), name),
            None => (Self::ROOT, text),
        })
    }

    /// Splits the path into its first component and the rest; returns `None` for the root.
    pub fn split_first(&self) -> Option<(&str, Self)> {
        let text: &str = self.0.as_ref()?;
        Some(match text.split_once('/') {
            Some((name, below)) => (name, Self::of(below)),
            None => (text, Self::ROOT),
        })
    }

    /// Returns the parent directory; the root for the root.
    pub fn parent(&self) -> Self {
        self.split().map_or(Self::ROOT, |(parent, _)| parent)
    }

    /// Returns the last component; empty for the root.
    pub fn name(&self) -> &str {
        let text = self.as_str();
        text.rsplit_once('/').map_or(text, |(_, name)| name)
    }

    /// This path and one more component, which the caller knows to be one: a name read from a
    /// directory, or one of ours. It may have a backslash, which callers' paths may not.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        debug_assert!(!matches!(name, "" | "." | "..") && !name.contains('/'), "a child is one component");
        self.followed_by(name)
    }

    /// Appends another path.
    #[must_use]
    pub fn join(&self, below: &Self) -> Self {
        if below.is_root() { self.clone() } else { self.followed_by(below.as_str()) }
    }

    /// Like [`RelPath::join`], with a text that the caller knows to be valid names joined by `/`.
    pub(crate) fn followed_by(&self, text: &str) -> Self {
        match self.as_str() {
            "" => Self::of(text),
            above => Self::of(&format!("{above}/{text}")),
        }
    }

    /// Returns the rest of this path below `above`: empty for `above` itself, `None` for a path elsewhere.
    pub fn below(&self, above: &Self) -> Option<Self> {
        if !self.is_within(above) {
            return None;
        }
        let rest = self.as_str().get(above.as_str().len()..).unwrap_or_default();
        Some(Self::of(rest.trim_start_matches('/')))
    }

    /// Checks whether this is `above` or a path below it.
    pub fn is_within(&self, above: &Self) -> bool {
        above.is_root()
            || self.as_str().strip_prefix(above.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Identifies the open directory that a path is below: 0 is the root of the store, the others are preopens
/// from which content is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(pub usize);

impl RootId {
    /// The root of the store, the only root that is changed.
    pub const STORE: Self = Self(0);
}

/// A location: a path below one of the roots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct At {
    /// The root that the path is below.
    pub root: RootId,
    /// The path below that root.
    pub path: RelPath,
}

impl At {
    /// Returns a location below the root of the store.
    pub fn store(path: RelPath) -> Self {
        Self { root: RootId::STORE, path }
    }
}

impl From<&RelPath> for At {
    /// Returns the location below the root of the store.
    fn from(path: &RelPath) -> Self {
        Self::store(path.clone())
    }
}

impl From<(RootId, &RelPath)> for At {
    fn from((root, path): (RootId, &RelPath)) -> Self {
        Self { root, path: path.clone() }
    }
}

impl From<&Self> for At {
    fn from(at: &Self) -> Self {
        at.clone()
    }
}

/// Checks whether a name is reserved, in any case.
pub fn is_reserved(name: &str) -> bool {
    name.get(..RESERVED_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_PREFIX))
}

/// Checks that a text is one component.
///
/// # Errors
///
/// The first rule that the text breaks.
pub fn check_name(name: &str) -> Result<(), PathRule> {
    match name {
        "" => Err(PathRule::EmptyComponent),
        "." | ".." => Err(PathRule::Dots),
        _ if name.len() > NAME_BYTES_MAX => Err(PathRule::NameLength),
        _ if name.contains('\0') => Err(PathRule::Nul),
        _ if name.contains('\\') => Err(PathRule::Backslash),
        _ if name.contains('/') => Err(PathRule::EmptyComponent),
        _ => Ok(()),
    }
}

/// Finds the preopen that a guest path belongs to, as wasi-libc does: the longest name that is a
/// prefix of whole components wins. Returns its index and the rest of the path, which may be empty,
/// or the rule that the rest breaks.
///
/// Returns its index and the rest of the path, which may be empty, or the rule that the rest breaks. `.` and
/// a leading `./` are dropped on both sides; doubled and trailing slashes are ignored. Returns `None` if no
/// name matches, or if the path contains `..`, which could leave the match.
pub fn match_preopen(names: &[&str], path: &str) -> Option<(usize, Result<RelPath, PathRule>)> {
    let (absolute, wanted) = parts(path)?;
    let mut best: Option<(usize, usize)> = None;
    for (index, name) in names.iter().enumerate() {
        let Some((name_absolute, name_parts)) = parts(name) else { continue };
        let matches = name_absolute == absolute && wanted.starts_with(&name_parts);
        if matches && best.is_none_or(|(_, length)| name_parts.len() > length) {
            best = Some((index, name_parts.len()));
        }
    }
    let (index, length) = best?;
    let rest = wanted[length..].join("/");
    if rest.is_empty() {
        return Some((index, Ok(RelPath::ROOT)));
    }
    Some((index, RelPath::parse_any(&rest)))
}

/// Returns whether a path is absolute, and its components without empty ones and `.`.
fn parts(path: &str) -> Option<(bool, Vec<&str>)> {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => return None,
            _ => names.push(name),
        }
    }
    (!path.is_empty()).then(|| (path.starts_with('/'), names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_breaks_a_rule_names_the_rule() {
        let long_name = "n".repeat(256);
        let long_path = ["n"; 2100].join("/");
        let deep_path = ["n"; 129].join("/");
        for (text, rule) in [
            ("", PathRule::Empty),
            ("/a", PathRule::Absolute),
            ("..", PathRule::Dots),
            ("a/../b", PathRule::Dots),
            ("./a", PathRule::Dots),
            ("a/", PathRule::EmptyComponent),
            ("a//b", PathRule::EmptyComponent),
            ("a\0b", PathRule::Nul),
            ("a\\b", PathRule::Backslash),
            (long_name.as_str(), PathRule::NameLength),
            (long_path.as_str(), PathRule::PathLength),
            (deep_path.as_str(), PathRule::Depth),
            (".onionskin", PathRule::Reserved),
            ("a/.OnionSkin-x/b", PathRule::Reserved),
        ] {
            assert_eq!(RelPath::parse(text), Err(rule), "{text:?}");
        }
    }

    #[test]
    fn what_is_within_what_goes_by_components() {
        let path = |text| RelPath::parse(text).expect("a good path");
        assert!(path("a/b").is_within(&path("a")));
        assert!(path("a").is_within(&path("a")));
        assert!(!path("ab").is_within(&path("a")));
        assert!(path("a").is_within(&RelPath::ROOT));
    }

    #[test]
    fn the_longest_preopen_wins_and_dots_match_nothing() {
        let names = ["/data", "/", "/data/cache", "rel"];
        let found =
            |path| match_preopen(&names, path).map(|(index, rest)| (index, rest.expect("a good path").to_string()));
        assert_eq!(found("/data/cache/a"), Some((2, "a".into())));
        assert_eq!(found("/data/cached"), Some((0, "cached".into())));
        assert_eq!(found("/data/"), Some((0, ".".into())));
        assert_eq!(found("/other/x"), Some((1, "other/x".into())));
        assert_eq!(found("rel/x"), Some((3, "x".into())));
        assert_eq!(found("/data/../x"), None);
        assert_eq!(found("nowhere"), None);
        assert_eq!(found(""), None);
        assert_eq!(match_preopen(&["."], "a/b").map(|found| found.0), Some(0));
    }
}
