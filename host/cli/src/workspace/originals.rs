//! The lowers as one tree, read on the host by handles, one name at a time and without following a link: what another
//! program swaps in does not lead out of a lower. As in the component, a directory that is published by `pointer` is
//! read in the generation that its link names.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::PathBuf;

use onionskin_host::Error;

use super::handle::{Handle, Kind};
use super::patch::Mode;

/// The path of a lower, and its open directory.
type Lower = (PathBuf, Handle);

/// The beginning of reserved names, in any case.
const RESERVED: &str = ".onionskin";

/// The place of generations, in the root of a lower.
const GENERATIONS: &str = ".onionskin/directories/";

/// The offset of the length of the path in the record of a directory of generations, a log with one entry.
const RECORD_PATH: usize = 33;

/// The lowers. The topmost is the first.
pub(super) struct Originals(Vec<Lower>);

/// The result of reading an original.
pub(super) enum Content {
    Read(Vec<u8>),
    /// This user may not read it.
    Denied,
    /// It is no longer what it was when it was found.
    Changed,
}

/// The result of a look into one lower.
enum Looked {
    Found(Kind, u64),
    /// Something that is no directory is in the way, and hides what lies below.
    Hidden,
    Missing,
}

impl Originals {
    /// Opens the lowers.
    pub(super) fn open(lowers: &[PathBuf]) -> Result<Self, Error> {
        let open = |path: &PathBuf| match Handle::open(path) {
            Ok(handle) => Ok((path.clone(), handle)),
            Err(source) => Err(Error::Io { action: "open the directory", path: path.clone(), source }),
        };
        lowers.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Finds an entry; returns its kind and its length in bytes.
    pub(super) fn find(&self, path: &str) -> Result<Option<(Kind, u64)>, Error> {
        Ok(self.topmost(path)?.map(|(_, kind, size)| (kind, size)))
    }

    /// Checks whether there is an entry that is no directory.
    pub(super) fn has_content(&self, path: &str) -> Result<bool, Error> {
        Ok(self.find(path)?.is_some_and(|(kind, _)| kind != Kind::Directory))
    }

    fn topmost(&self, path: &str) -> Result<Option<(&Lower, Kind, u64)>, Error> {
        for lower in &self.0 {
            match look(lower, path)? {
                Looked::Found(kind, size) => return Ok(Some((lower, kind, size))),
                Looked::Hidden => return Ok(None),
                Looked::Missing => {}
            }
        }
        Ok(None)
    }

    /// Lists the names in a directory of all lowers, sorted.
    pub(super) fn list(&self, path: &str) -> Result<Vec<OsString>, Error> {
        let mut names = BTreeSet::new();
        for lower in &self.0 {
            match look(lower, path)? {
                Looked::Found(Kind::Directory, _) => {
                    let place = place(&lower.1, path);
                    let listed = with_parent(&lower.1, &place, |parent, name| parent.enter(name)?.names());
                    let failed = |source| Error::Io { action: "list the directory", path: lower.0.join(path), source };
                    names.extend(listed.map_err(failed)?);
                }
                Looked::Found(..) | Looked::Hidden => break,
                Looked::Missing => {}
            }
        }
        names.retain(|name| !name.to_string_lossy().to_ascii_lowercase().starts_with(RESERVED));
        Ok(names.into_iter().collect())
    }

    /// Reads the content of a file or the target of a link that was found with this mode and length.
    pub(super) fn read(&self, path: &str, mode: Mode, size: u64) -> Result<Content, Error> {
        let Some((lower, kind, _)) = self.topmost(path)? else { return Ok(Content::Changed) };
        if kind != Kind::Content(mode) {
            return Ok(Content::Changed);
        }
        let place = place(&lower.1, path);
        let read = with_parent(&lower.1, &place, |parent, name| {
            if mode == Mode::Link {
                return parent.link(name).map(Some);
            }
            let (mut content, file) = (Vec::new(), parent.file(name)?);
            if !file.metadata()?.is_file() {
                return Ok(None);
            }
            file.take(size.saturating_add(1)).read_to_end(&mut content)?;
            Ok((content.len() as u64 == size).then_some(content))
        });
        match read {
            Ok(content) => Ok(content.map_or(Content::Changed, Content::Read)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Content::Denied),
            Err(error) if has_changed(&error) => Ok(Content::Changed),
            Err(source) => Err(Error::Io { action: "read the original", path: lower.0.join(path), source }),
        }
    }
}

/// Checks whether an error says that an entry is gone or of another kind: of a link where there was none, and of a file
/// in the place of a link.
fn has_changed(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
    #[cfg(unix)]
    let is_link = rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP);
    #[cfg(not(unix))]
    let is_link = false;
    is_link || matches!(error.kind(), NotFound | NotADirectory | InvalidInput)
}

fn look((root, lower): &Lower, path: &str) -> Result<Looked, Error> {
    match with_parent(lower, &place(lower, path), Handle::look) {
        Ok((kind, size)) => Ok(Looked::Found(kind, size)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Looked::Missing),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(Looked::Hidden),
        Err(source) => Err(Error::Io { action: "look at the original", path: root.join(path), source }),
    }
}

/// Returns the path in a lower at which a path is found: in a generation, if a link of `pointer` is at it or above it.
fn place(lower: &Handle, path: &str) -> String {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    for end in ends {
        match with_parent(lower, &path[..end], Handle::look) {
            Ok((Kind::Directory, _)) => {}
            Ok((Kind::Content(Mode::Link), _)) => {
                return generation(lower, &path[..end]).map_or_else(|| path.to_owned(), |shown| shown + &path[end..]);
            }
            // The caller finds the same.
            Ok(_) | Err(_) => break,
        }
    }
    path.to_owned()
}

/// Returns the generation that a link shows, if it belongs to the path of the link. Of a record that must not be read the
/// text of the link is believed.
fn generation(lower: &Handle, link: &str) -> Option<String> {
    let text = with_parent(lower, link, Handle::link).ok()?;
    let text = str::from_utf8(&text).ok()?;
    let shown = text.strip_prefix(&"../".repeat(link.matches('/').count()))?;
    let (directory, number) = shown.strip_prefix(GENERATIONS)?.split_once('/')?;
    let is_number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let mut record = Vec::new();
    let read = with_parent(lower, &format!("{GENERATIONS}{directory}/owner"), Handle::file)
        .and_then(|file| file.take(2 * 4096).read_to_end(&mut record));
    let is_owner = match read {
        Ok(_) => {
            let length = u16::try_from(link.len()).ok()?.to_le_bytes();
            record.get(RECORD_PATH..).is_some_and(|rest| rest.starts_with(&[&length, link.as_bytes()].concat()))
        }
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    let is_there = || with_parent(lower, shown, Handle::look).is_ok();
    (is_number(directory) && is_number(number) && is_owner && is_there()).then(|| shown.to_owned())
}

/// Calls with the directory of a path, and its last name.
fn with_parent<T>(lower: &Handle, path: &str, call: impl FnOnce(&Handle, &str) -> io::Result<T>) -> io::Result<T> {
    let Some((directories, name)) = path.rsplit_once('/') else { return call(lower, path) };
    let mut names = directories.split('/');
    let mut parent = lower.enter(names.next().unwrap_or_default())?;
    for name in names {
        parent = parent.enter(name)?;
    }
    call(&parent, name)
}
