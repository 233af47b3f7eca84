//! The files and links that a list of changes is about, on both sides: in the lowers and in the workspace.

use std::collections::{BTreeMap, BTreeSet};

use onionskin_host::{Change, ChangeKind, Error, ErrorKind, NodeKind, Workspace};

use super::handle::Kind;
use super::originals::{Content, Originals};
use super::patch::{Mode, Side};

/// Larger contents are in no patch.
const CONTENT_BYTES_MAX: u64 = 64 << 20;

/// The reason for an original that another program changes meanwhile.
const CHANGED: &str = "its original changed while it was read";

/// Both sides of a list of changes. Directories are in it by their entries.
pub(super) struct Trees {
    originals: Originals,
    before: BTreeMap<String, Before>,
    after: BTreeMap<String, After>,
    /// What cannot be expressed by files and links.
    missing: Vec<Missing>,
}

/// An entry of the lowers.
struct Before {
    mode: Mode,
    size: u64,
}

/// An entry of the workspace.
struct After {
    is_link: bool,
    size: u64,
    /// The path of its original in the lowers.
    origin: String,
}

/// A part that is left out, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) path: String,
    pub(super) reason: &'static str,
}

/// Two sides of a difference, by their paths.
pub(super) struct Pair {
    old: Option<String>,
    new: Option<String>,
}

/// The content before and after; an absent side is none.
pub(super) type Sides = (Option<Side>, Option<Side>);

impl Pair {
    /// Returns the present path, or the former one.
    pub(super) fn path(&self) -> &str {
        self.new.as_deref().or(self.old.as_deref()).unwrap_or_default()
    }
}

impl Trees {
    /// Collects both sides of these changes, which are a part of all.
    pub(super) fn of(workspace: &mut Workspace, chosen: &[Change], all: &[Change]) -> Result<Self, Error> {
        let is_chosen: BTreeSet<&str> = chosen.iter().map(|change| change.path.as_str()).collect();
        let others: BTreeSet<&str> =
            all.iter().map(|change| change.path.as_str()).filter(|path| !is_chosen.contains(path)).collect();
        let originals = Originals::open(workspace.lowers())?;
        let mut trees = Self { originals, before: BTreeMap::new(), after: BTreeMap::new(), missing: Vec::new() };
        for change in chosen {
            let path = change.path.as_str();
            match &change.what {
                ChangeKind::Deleted => trees.add_before(&origin_of_deleted(path, all))?,
                ChangeKind::Modified => {
                    trees.add_before(&origin(path, all))?;
                    trees.add_after(workspace, path, all, &others, Depth::Entry)?;
                }
                ChangeKind::Added | ChangeKind::Retyped(_) => {
                    let is_new = matches!(change.what, ChangeKind::Added);
                    if !is_new || trees.originals.has_content(path)? {
                        trees.add_before(&origin(path, all))?;
                    }
                    trees.add_after(workspace, path, all, &others, Depth::Entry)?;
                }
                ChangeKind::Renamed(from) => {
                    trees.add_before(from)?;
                    if trees.originals.has_content(path)? {
                        trees.add_before(path)?;
                    }
                    trees.add_after(workspace, path, all, &others, Depth::Tree)?;
                }
            }
        }
        trees.leave_out_blocked();
        trees.note_emptied(workspace)?;
        Ok(trees)
    }

    /// Returns the differences, and what they leave out.
    pub(super) fn pairs(&self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        let mut renamed = BTreeSet::new();
        for (path, after) in &self.after {
            let is_overwritten = self.before.contains_key(path);
            // The source is gone and the target is new: then a patch can name both.
            let source = Some(&after.origin).filter(|origin| {
                *origin != path
                    && !is_overwritten
                    && self.before.get(*origin).is_some_and(|it| (it.mode == Mode::Link) == after.is_link)
                    && !self.after.contains_key(*origin)
                    && !renamed.contains(*origin)
            });
            let old = match source {
                Some(origin) => {
                    renamed.insert(origin.clone());
                    Some(origin.clone())
                }
                None => is_overwritten.then(|| path.clone()),
            };
            let is_same_kind = old.as_ref().is_none_or(|old| (self.before[old].mode == Mode::Link) == after.is_link);
            if is_same_kind {
                pairs.push(Pair { old, new: Some(path.clone()) });
            } else {
                pairs.push(Pair { old, new: None });
                pairs.push(Pair { old: None, new: Some(path.clone()) });
            }
        }
        let gone = self.before.keys().filter(|path| !self.after.contains_key(*path) && !renamed.contains(*path));
        pairs.extend(gone.map(|path| Pair { old: Some(path.clone()), new: None }));
        // The former path of a renamed one is its place in the list.
        pairs.sort_by(|one, other| one.path().cmp(other.path()));
        pairs
    }

    pub(super) fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Reads both sides of a difference; the reason, if one of them is left out.
    pub(super) fn read(&self, workspace: &mut Workspace, pair: &Pair) -> Result<Result<Sides, Missing>, Error> {
        let missing = |reason| Missing { path: pair.path().to_owned(), reason };
        let before = pair.old.as_ref().map(|path| &self.before[path]);
        let after = pair.new.as_ref().map(|path| &self.after[path]);
        let is_large = |size: Option<u64>| size.is_some_and(|size| size > CONTENT_BYTES_MAX);
        if is_large(before.map(|it| it.size)) || is_large(after.map(|it| it.size)) {
            return Ok(Err(missing("it is larger than 64 MiB")));
        }
        let mut sides = (None, None);
        if let (Some(path), Some(before)) = (&pair.old, before) {
            match self.originals.read(path, before.mode, before.size)? {
                Content::Read(content) => sides.0 = Some(Side { path: path.clone(), mode: before.mode, content }),
                Content::Denied => return Ok(Err(missing("its original cannot be read"))),
                Content::Changed => return Ok(Err(missing(CHANGED))),
            }
        }
        if let (Some(path), Some(after)) = (&pair.new, after) {
            let original = self.before.get(&after.origin);
            let content = match after.is_link {
                true => match self.target(workspace, path, &after.origin)? {
                    Some(target) => target.into_bytes(),
                    None => return Ok(Err(missing(CHANGED))),
                },
                false => read(workspace, path)?,
            };
            let mode = match original {
                _ if after.is_link => Mode::Link,
                Some(Before { mode: Mode::Executable, .. }) => Mode::Executable,
                _ => Mode::File,
            };
            sides.1 = Some(Side { path: path.clone(), mode, content });
        }
        Ok(Ok(sides))
    }

    /// Adds what the lowers have at a path and below it.
    fn add_before(&mut self, path: &str) -> Result<(), Error> {
        let Some((kind, size)) = self.originals.find(path)? else { return Ok(()) };
        match kind {
            Kind::Directory => {
                let names = self.originals.list(path)?;
                if names.is_empty() {
                    self.leave_out(path, "a patch has no empty directories");
                }
                for name in names {
                    match name.into_string() {
                        Ok(name) => self.add_before(&below(path, &name))?,
                        Err(_) => self.leave_out(path, "a name in it is not UTF-8"),
                    }
                }
            }
            Kind::Content(mode) => {
                self.before.insert(path.to_owned(), Before { mode, size });
            }
            Kind::Other => self.leave_out(path, "it is neither a file nor a link"),
        }
        Ok(())
    }

    /// Returns the target of a link of the workspace. An absolute one of a lower is hidden there, and read on the host;
    /// `None` if that is no longer what it was.
    fn target(&self, workspace: &mut Workspace, path: &str, origin: &str) -> Result<Option<String>, Error> {
        match (workspace.read_link(path), self.before.get(origin)) {
            (Err(Error::Guest { error, .. }), Some(before)) if error.kind == ErrorKind::LinkUnreadable => {
                Ok(match self.originals.read(origin, before.mode, before.size)? {
                    Content::Read(target) => Some(String::from_utf8_lossy(&target).into_owned()),
                    Content::Denied | Content::Changed => None,
                })
            }
            (read, _) => read.map(Some),
        }
    }

    /// Adds what the workspace has at a path, and below it where that is asked. The `others` were not chosen.
    fn add_after(
        &mut self,
        workspace: &mut Workspace,
        path: &str,
        all: &[Change],
        others: &BTreeSet<&str>,
        depth: Depth,
    ) -> Result<(), Error> {
        let Some(found) = there(workspace.stat(path))? else { return Ok(()) };
        match found.kind {
            NodeKind::Directory => {
                let entries = workspace.list(path)?;
                if entries.is_empty() {
                    self.leave_out(path, "a patch has no empty directories");
                }
                for entry in entries.iter().filter(|_| depth == Depth::Tree) {
                    let path = below(path, &entry.name);
                    if !others.contains(path.as_str()) {
                        self.add_after(workspace, &path, all, others, depth)?;
                    }
                }
            }
            NodeKind::File | NodeKind::Symlink => {
                let is_link = found.kind == NodeKind::Symlink;
                let size = if is_link { 0 } else { found.size };
                self.after.insert(path.to_owned(), After { is_link, size, origin: origin(path, all) });
            }
            NodeKind::Other => self.leave_out(path, "it is neither a file nor a link"),
        }
        Ok(())
    }

    /// Leaves out what is in the place of a directory of which a part is left out: that part would be in the way.
    fn leave_out_blocked(&mut self) {
        let is_below = |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
        let is_blocked = |path: &&String| self.missing.iter().any(|missing| is_below(&missing.path, path));
        let blocked: Vec<String> = self.after.keys().filter(is_blocked).cloned().collect();
        for path in blocked {
            self.after.remove(&path);
            self.leave_out(&path, "a directory that a patch does not have is in its place");
        }
    }

    /// Leaves out the directories that stay without entries: `git apply` removes them with the last one.
    fn note_emptied(&mut self, workspace: &mut Workspace) -> Result<(), Error> {
        let gone = self.before.keys().filter(|path| !self.after.contains_key(*path));
        let parents: BTreeSet<String> =
            gone.filter_map(|path| path.rsplit_once('/')).map(|(parent, _)| parent.to_owned()).collect();
        for parent in parents {
            let is_directory = there(workspace.stat(&parent))?.is_some_and(|found| found.kind == NodeKind::Directory);
            if is_directory && workspace.list(&parent)?.is_empty() {
                self.leave_out(&parent, "a patch has no empty directories");
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &str, reason: &'static str) {
        let missing = Missing { path: path.to_owned(), reason };
        if !self.missing.contains(&missing) {
            self.missing.push(missing);
        }
    }
}

/// Whether a directory is looked at, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Entry,
    Tree,
}

/// Returns the content of a file of the workspace.
fn read(workspace: &mut Workspace, path: &str) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    for chunk in workspace.chunks(path) {
        content.extend(chunk?);
    }
    Ok(content)
}

/// Returns what was found, or `None` if there is nothing.
pub(super) fn there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::Guest { error, .. }) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NotDirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn below(directory: &str, name: &str) -> String {
    format!("{directory}/{name}")
}

/// Returns the path that an entry of the workspace had in the lowers: it, or a directory above it, was renamed.
fn origin(path: &str, all: &[Change]) -> String {
    renamed(path, all, true)
}

/// The same for an entry that is gone: at the target of a rename it is what was there before.
fn origin_of_deleted(path: &str, all: &[Change]) -> String {
    renamed(path, all, false)
}

fn renamed(path: &str, all: &[Change], itself: bool) -> String {
    let source = |change: &Change| {
        let ChangeKind::Renamed(from) = &change.what else { return None };
        let rest = path.strip_prefix(change.path.as_str())?;
        let is_at = rest.starts_with('/') || itself && rest.is_empty();
        is_at.then(|| (change.path.len(), format!("{from}{rest}")))
    };
    all.iter().filter_map(source).max().map_or_else(|| path.to_owned(), |(_, source)| source)
}
