//! The reference model: a plain tree in memory, small enough to be obviously correct.

use std::collections::BTreeMap;

use onionskin::error::ErrorKind;
use onionskin::workspace::{Change, Changed};

/// The entry at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Directory,
    File(Vec<u8>),
    Link(String),
}

/// A tree: every path but that of the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model(pub(crate) BTreeMap<String, Node>);

type Done<T = ()> = Result<T, ErrorKind>;

impl Model {
    /// Lays one tree over another: directories merge, every other entry hides the one below.
    pub(crate) fn over(mut self, below: &Model) -> Model {
        for (path, node) in &below.0 {
            let hidden = above(path).any(|above| self.0.get(above).is_some_and(|node| *node != Node::Directory));
            if !hidden {
                self.0.entry(path.clone()).or_insert_with(|| node.clone());
            }
        }
        self
    }

    fn get(&self, path: &str) -> Done<&Node> {
        if let Some(node) = self.0.get(path) {
            return Ok(node);
        }
        let Some(nearest) = above(path).find_map(|above| self.0.get(above)) else { return Err(ErrorKind::NotFound) };
        Err(match nearest {
            Node::Directory => ErrorKind::NotFound,
            Node::File(_) => ErrorKind::NotDirectory,
            Node::Link(_) => ErrorKind::SymlinkRefused,
        })
    }

    /// Returns the content of a file that exists or may be created.
    fn content(&mut self, path: &str) -> Done<&mut Vec<u8>> {
        match self.get(path) {
            Err(_) => self.parent(path)?,
            Ok(Node::File(_)) => {}
            Ok(Node::Directory) => return Err(ErrorKind::IsDirectory),
            Ok(Node::Link(_)) => return Err(ErrorKind::SymlinkRefused),
        }
        match self.0.entry(path.to_owned()).or_insert_with(|| Node::File(Vec::new())) {
            Node::File(bytes) => Ok(bytes),
            Node::Directory | Node::Link(_) => unreachable!("its kind was checked"),
        }
    }

    fn parent(&self, path: &str) -> Done {
        let Some((parent, _)) = path.rsplit_once('/') else { return Ok(()) };
        match self.get(parent)? {
            Node::Directory => Ok(()),
            Node::File(_) => Err(ErrorKind::NotDirectory),
            Node::Link(_) => Err(ErrorKind::SymlinkRefused),
        }
    }

    fn has_below(&self, path: &str) -> bool {
        self.0.keys().any(|other| is_below(other, path))
    }

    pub(crate) fn write(&mut self, path: &str, offset: usize, data: &[u8]) -> Done {
        let bytes = self.content(path)?;
        if !data.is_empty() {
            bytes.resize(bytes.len().max(offset + data.len()), 0);
            bytes[offset..offset + data.len()].copy_from_slice(data);
        }
        Ok(())
    }

    pub(crate) fn append(&mut self, path: &str, data: &[u8]) -> Done {
        self.content(path)?.extend_from_slice(data);
        Ok(())
    }

    pub(crate) fn put(&mut self, path: &str, data: &[u8]) -> Done {
        *self.content(path)? = data.to_vec();
        Ok(())
    }

    pub(crate) fn set_size(&mut self, path: &str, size: usize) -> Done {
        self.get(path)?;
        self.content(path)?.resize(size, 0);
        Ok(())
    }

    pub(crate) fn make(&mut self, path: &str, node: Node) -> Done {
        if self.0.contains_key(path) {
            return Err(ErrorKind::AlreadyExists);
        }
        self.parent(path)?;
        self.0.insert(path.to_owned(), node);
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &str) -> Done {
        self.get(path)?;
        if self.has_below(path) {
            return Err(ErrorKind::NotCommitted);
        }
        self.0.remove(path);
        Ok(())
    }

    pub(crate) fn remove_tree(&mut self, path: &str) -> Done<u64> {
        self.get(path)?;
        let before = self.0.len();
        self.0.retain(|other, _| other != path && !is_below(other, path));
        Ok((before - self.0.len()) as u64)
    }

    pub(crate) fn rename(&mut self, old: &str, new: &str) -> Done {
        let is_directory = *self.get(old)? == Node::Directory;
        if old == new {
            return Ok(());
        }
        if is_below(new, old) {
            return Err(ErrorKind::InvalidArgument);
        }
        match self.0.get(new) {
            None => self.parent(new)?,
            Some(Node::Directory) if !is_directory => return Err(ErrorKind::IsDirectory),
            Some(Node::Directory) if self.has_below(new) => return Err(ErrorKind::NotCommitted),
            Some(Node::File(_) | Node::Link(_)) if is_directory => return Err(ErrorKind::NotDirectory),
            Some(_) => {}
        }
        for (path, node) in std::mem::take(&mut self.0) {
            let path = match path.strip_prefix(old) {
                Some("") => new.to_owned(),
                Some(rest) if rest.starts_with('/') => format!("{new}{rest}"),
                // The entry that had the new name is replaced.
                _ if path == new => continue,
                _ => path,
            };
            self.0.insert(path, node);
        }
        Ok(())
    }
}

/// Returns the tree after the changes of a list are carried out on `start`. Entries are moved from `sources`, and other
/// contents come from `now`.
pub(crate) fn carried_out(start: &Model, sources: &Model, changes: &[Changed], now: &Model) -> Model {
    let mut tree = start.clone();
    let mut gone: Vec<&str> = Vec::new();
    for changed in changes {
        match &changed.change {
            Change::Renamed(source) => gone.push(source),
            Change::Deleted | Change::Retyped(_) => gone.push(&changed.path),
            Change::Added | Change::Modified => {}
        }
    }
    tree.0.retain(|path, _| !gone.iter().any(|gone| path == gone || is_below(path, gone)));
    for changed in changes {
        let path = &changed.path;
        match &changed.change {
            Change::Deleted => {}
            Change::Renamed(source) => {
                tree.0.retain(|other, _| !is_below(other, path));
                tree.0.insert(path.clone(), sources.0[source].clone());
                for (below, node) in &sources.0 {
                    // What is listed below a moved directory is not moved with it.
                    let rest = below.strip_prefix(source.as_str()).filter(|rest| rest.starts_with('/'));
                    let others =
                        || gone.iter().any(|gone| is_below(gone, source) && (below == gone || is_below(below, gone)));
                    if let Some(rest) = rest.filter(|_| !others()) {
                        tree.0.insert(format!("{path}{rest}"), node.clone());
                    }
                }
            }
            Change::Added | Change::Modified | Change::Retyped(_) => {
                tree.0.retain(|other, _| !is_below(other, path) || now.0.get(path) == Some(&Node::Directory));
                tree.0.insert(path.clone(), now.0[path].clone());
            }
        }
    }
    tree
}

/// Checks whether a path is below a directory.
pub(crate) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the directories above a path, the nearest first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(end, _)| &path[..end])
}
