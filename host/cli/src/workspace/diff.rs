//! One change of a text, line by line.

use std::fs;
use std::io;
use std::path::PathBuf;

use onionskin_host::{Change, ChangeKind, Error, NodeKind, Workspace};
use similar::TextDiff;

use super::show;

/// Larger files are not compared.
const BYTES_MAX: u64 = 8 << 20;

/// Unchanged lines around changed ones.
const CONTEXT_LINES: usize = 3;

/// The output for one change.
pub(super) struct Diff {
    /// Lines, or one line with the reason why there are none.
    pub(super) text: String,
    pub(super) is_text: bool,
}

/// Shows a change. `all` has the moved directories, and so the path of an original.
pub(super) fn of(workspace: &mut Workspace, change: &Change, all: &[Change]) -> Result<Diff, Error> {
    let path = &change.path;
    let before = match &change.what {
        ChangeKind::Added => Some(String::new()),
        ChangeKind::Deleted if change.kind != NodeKind::File => None,
        ChangeKind::Deleted | ChangeKind::Modified => original(workspace, &source(path, all))?,
        ChangeKind::Renamed(_) | ChangeKind::Retyped(_) => None,
    };
    let after = match (&change.what, change.kind) {
        (ChangeKind::Deleted, _) => Some(String::new()),
        (_, NodeKind::File) if change.size <= BYTES_MAX => present(workspace, path)?,
        (_, _) => None,
    };
    let (Some(before), Some(after)) = (before, after) else {
        let note = match &change.what {
            ChangeKind::Renamed(from) => format!(" from {from}"),
            ChangeKind::Retyped(was) => format!(": {}, was {}", show::kind(change.kind), show::kind(*was)),
            _ => format!(": {}", if change.kind == NodeKind::File { "no text" } else { show::kind(change.kind) }),
        };
        let text = format!("{} {path}{note}\n", show::word(&change.what));
        return Ok(Diff { text, is_text: false });
    };
    let name = |side: &str, is_there: bool| if is_there { format!("{side}/{path}") } else { "/dev/null".to_owned() };
    let old = name("a", change.what != ChangeKind::Added);
    let new = name("b", change.what != ChangeKind::Deleted);
    let mut text = TextDiff::from_lines(before.as_str(), after.as_str())
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&old, &new)
        .to_string();
    if text.is_empty() {
        text = format!("{} {path}: empty\n", show::word(&change.what));
    }
    Ok(Diff { text, is_text: true })
}

/// Returns the path of an original in the lowers, if there is one.
fn source(path: &str, all: &[Change]) -> String {
    let below = |change: &Change| {
        let ChangeKind::Renamed(from) = &change.what else { return None };
        let rest = path.strip_prefix(change.path.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| (change.path.len(), format!("{from}{rest}")))
    };
    all.iter().filter_map(below).max().map_or_else(|| path.to_owned(), |(_, source)| source)
}

/// Returns the text of a file of the lowers, read on the host; `None` if it is not text.
fn original(workspace: &Workspace, path: &str) -> Result<Option<String>, Error> {
    for lower in workspace.lowers() {
        let place: PathBuf = lower.join(path);
        let failed = |source| Error::Io { action: "read the original", path: place.clone(), source };
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_file() && found.len() <= BYTES_MAX => {
                return Ok(String::from_utf8(fs::read(&place).map_err(failed)?).ok().filter(|text| is_text(text)));
            }
            Ok(_) => return Ok(None),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(None)
}

/// Returns the text of a file of the workspace.
fn present(workspace: &mut Workspace, path: &str) -> Result<Option<String>, Error> {
    let mut content = Vec::new();
    for chunk in workspace.chunks(path) {
        content.extend(chunk?);
    }
    Ok(String::from_utf8(content).ok().filter(|text| is_text(text)))
}

fn is_text(text: &str) -> bool {
    !text.contains('\0')
}
