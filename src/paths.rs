//! Paths in order, with a value for each.

use alloc::vec::{self, Vec};
use core::ops::Deref;
use core::slice;

use crate::path::RelPath;

/// A map from paths, in their order: a sorted list, which is a fraction of the code of a tree. What
/// comes in order goes in at once; what does not moves what is behind it, so values are small.
#[derive(Clone, Debug)]
pub struct PathMap<V>(Vec<(RelPath, V)>);

/// A set of paths, in their order.
pub type PathSet = PathMap<()>;

impl<V> PathMap<V> {
    /// No paths.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn find(&self, path: &RelPath) -> Result<usize, usize> {
        // The usual case first: in order.
        match self.0.last() {
            Some((last, _)) if last < path => Err(self.0.len()),
            _ => self.0.binary_search_by(|(other, _)| other.cmp(path)),
        }
    }

    /// The value of a path.
    pub fn get(&self, path: &RelPath) -> Option<&V> {
        self.find(path).ok().map(|index| &self.0[index].1)
    }

    /// Whether a path is in.
    pub fn has(&self, path: &RelPath) -> bool {
        self.find(path).is_ok()
    }

    /// Sets the value of a path; returns the former one.
    #[inline(never)]
    pub fn set(&mut self, path: RelPath, value: V) -> Option<V> {
        match self.find(&path) {
            Ok(index) => Some(core::mem::replace(&mut self.0[index].1, value)),
            Err(index) => {
                self.0.insert(index, (path, value));
                None
            }
        }
    }

    /// The paths.
    pub fn paths(&self) -> impl DoubleEndedIterator<Item = &RelPath> {
        self.0.iter().map(|(path, _)| path)
    }

    /// Takes a path out.
    pub fn remove(&mut self, path: &RelPath) {
        if let Ok(index) = self.find(path) {
            self.0.remove(index);
        }
    }
}

impl PathSet {
    /// Puts a path in.
    pub fn add(&mut self, path: &RelPath) {
        self.set(path.clone(), ());
    }
}

impl<V> Default for PathMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Deref for PathMap<V> {
    type Target = [(RelPath, V)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V> IntoIterator for PathMap<V> {
    type Item = (RelPath, V);
    type IntoIter = vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, V> IntoIterator for &'a PathMap<V> {
    type Item = &'a (RelPath, V);
    type IntoIter = slice::Iter<'a, (RelPath, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
