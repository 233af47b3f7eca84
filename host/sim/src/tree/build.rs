//! Writing a tree down.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Node, Tree, split, steps};

impl Tree {
    /// A tree with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Tree { nodes: BTreeMap::new() }
    }

    /// The tree with one more node, and the directories above it. The former entry is replaced, with everything below
    /// it.
    ///
    /// # Panics
    /// If the path is empty, or leads through something that is no directory.
    #[must_use]
    pub fn with(mut self, path: impl AsRef<[u8]>, node: Node) -> Self {
        let path = path.as_ref();
        self.make_parents(path);
        self.nodes.retain(|other, _| !steps(other).any(|step| step == path));
        self.nodes.insert(path.to_vec(), node);
        self.number_groups();
        self
    }

    /// The tree with a file.
    #[must_use]
    pub fn file(self, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> Self {
        self.with(path, Node::File { bytes: Arc::new(bytes.as_ref().to_vec()), group: None })
    }

    /// The tree with a directory.
    #[must_use]
    pub fn dir(self, path: impl AsRef<[u8]>) -> Self {
        self.with(path, Node::Directory)
    }

    /// The tree with a symbolic link.
    #[must_use]
    pub fn symlink(self, path: impl AsRef<[u8]>, text: &str) -> Self {
        self.with(path, Node::Symlink(text.into()))
    }

    /// The tree with a pipe.
    #[must_use]
    pub fn other(self, path: impl AsRef<[u8]>) -> Self {
        self.with(path, Node::Other)
    }

    /// The tree with a second name for a file: a hard link.
    ///
    /// # Panics
    /// If there is no file at `of`.
    #[must_use]
    pub fn same(mut self, path: impl AsRef<[u8]>, of: impl AsRef<[u8]>) -> Self {
        let free = u32::try_from(self.nodes.len()).expect("far fewer than 2^32 files");
        let shared = match self.nodes.get_mut(of.as_ref()) {
            Some(Node::File { bytes, group }) => {
                *group = Some(group.unwrap_or(free));
                Node::File { bytes: bytes.clone(), group: *group }
            }
            Some(Node::Directory | Node::Symlink(_) | Node::Other) | None => {
                panic!("only a file has a second name")
            }
        };
        self.with(path, shared)
    }

    /// Returns the tree without a path and everything below it.
    #[must_use]
    pub fn remove(mut self, path: impl AsRef<[u8]>) -> Self {
        self.nodes.retain(|other, _| !steps(other).any(|step| step == path.as_ref()));
        self.number_groups();
        self
    }

    fn make_parents(&mut self, path: &[u8]) {
        let (parent, name) = split(path);
        assert!(!name.is_empty(), "a path ends in a name");
        for step in steps(parent).filter(|step| !step.is_empty()) {
            let node = self.nodes.entry(step.to_vec()).or_insert(Node::Directory);
            assert_eq!(*node, Node::Directory, "a path leads through directories");
        }
    }
}

/// A [`Tree`] written down: `dir`, `file = bytes`, `symlink = text`, `same = path` (a hard link)
/// and `other`, each with a path; directories above a path come by themselves.
///
/// ```
/// use onionskin_sim::{Tree, tree};
///
/// let tree = tree! {
///     dir "empty";
///     file "a/one" = "1";
///     same "b" = "a/one";
///     symlink "link" = "a/one";
///     other "pipe";
/// };
/// assert!(tree.is_same("b", "a/one"));
/// assert_eq!(tree.len(), 6);
/// ```
#[macro_export]
macro_rules! tree {
    (@ $tree:expr;) => { $tree };
    (@ $tree:expr; dir $path:expr; $($rest:tt)*) => {
        $crate::tree!(@ $tree.dir($path); $($rest)*)
    };
    (@ $tree:expr; file $path:tt = $bytes:expr; $($rest:tt)*) => {
        $crate::tree!(@ $tree.file($path, $bytes); $($rest)*)
    };
    (@ $tree:expr; symlink $path:tt = $text:expr; $($rest:tt)*) => {
        $crate::tree!(@ $tree.symlink($path, $text); $($rest)*)
    };
    (@ $tree:expr; same $path:tt = $of:expr; $($rest:tt)*) => {
        $crate::tree!(@ $tree.same($path, $of); $($rest)*)
    };
    (@ $tree:expr; other $path:expr; $($rest:tt)*) => {
        $crate::tree!(@ $tree.other($path); $($rest)*)
    };
    ($($rest:tt)*) => { $crate::tree!(@ $crate::Tree::new(); $($rest)*) };
}
