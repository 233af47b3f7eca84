//! Somebody else, who changes the lowers.

use onionskin::fs::{Cause, Fs as _, Kind};
use onionskin_sim::{Dir, SimFs, Stamp};

use super::numbers::Random;
use crate::model::{Node, is_below};
use crate::world::plain;

/// Somebody else, who changes a directory.
pub(crate) struct Outside<'a> {
    pub(crate) fs: &'a SimFs,
    pub(crate) top: &'a str,
}

impl Outside<'_> {
    fn place(&self, path: &str) -> Option<(Dir, String)> {
        self.fs.walk(&self.fs.root(), &format!("{}/{path}", self.top), false).ok()
    }

    fn remove(&self, dir: &Dir, name: &str) {
        match self.fs.stat(dir, name).map(|stat| stat.kind) {
            Ok(Kind::Directory) => {
                let inner = self.fs.open_dir(dir, name).expect("a directory can be opened");
                for (below, _) in self.fs.list(&inner).expect("a directory can be listed") {
                    self.remove(&inner, &below);
                }
                self.fs.remove_dir(dir, name).expect("it is empty now");
            }
            Ok(_) => self.fs.remove_file(dir, name).expect("it is there"),
            Err(cause) => assert_eq!(cause, Cause::NoEntry),
        }
    }

    fn write(&self, dir: &Dir, name: &str, bytes: &[u8]) {
        let file = self.fs.create_file(dir, name).expect("the name is free");
        self.fs.write(&file, 0, bytes).expect("there is room");
    }

    /// Makes another tree of the same content take the place of an entry.
    fn clone(&self, dir: &Dir, name: &str, path: &str) {
        let tree = plain(&self.fs.tree().below(self.top));
        let Some(top) = tree.0.get(path) else { return };
        self.remove(dir, name);
        self.make(dir, name, top);
        for (below, node) in tree.0.iter().filter(|(below, _)| is_below(below, path)) {
            let (dir, name) = self.place(below).expect("its directory was made before");
            self.make(&dir, &name, node);
        }
    }

    fn make(&self, dir: &Dir, name: &str, node: &Node) {
        match node {
            Node::Directory => self.fs.make_dir(dir, name).expect("the name is free"),
            Node::File(bytes) => self.write(dir, name, bytes),
            Node::Link(text) => self.fs.symlink(text, dir, name).expect("the name is free"),
        }
    }

    /// Makes an entry, in the place of what is there.
    pub(crate) fn replace(&self, path: &str, node: &Node) {
        let (dir, name) = self.place(path).expect("its directory is there");
        self.remove(&dir, &name);
        self.make(&dir, &name, node);
    }

    /// Changes something; says what.
    pub(super) fn change(&self, random: &mut Random, token: &str) -> String {
        let (path, act) = (random.path(), random.below(9));
        let Some((dir, name)) = self.place(&path) else { return String::new() };
        let is_there = self.fs.stat(&dir, &name).is_ok();
        let done = match act {
            0 | 1 => {
                self.remove(&dir, &name);
                self.write(&dir, &name, token.as_bytes());
                "writes"
            }
            2 | 3 => {
                self.remove(&dir, &name);
                "removes"
            }
            4 => {
                self.remove(&dir, &name);
                self.fs.make_dir(&dir, &name).expect("the name is free");
                "makes the directory"
            }
            5 => {
                self.remove(&dir, &name);
                self.fs.symlink(token, &dir, &name).expect("the name is free");
                "links"
            }
            6 if is_there => {
                let to = random.path();
                match self.place(&to) {
                    Some((other, new)) if self.fs.stat(&other, &new).is_err() && !is_below(&to, &path) => {
                        let _links_may_lead_into_itself = self.fs.rename((&dir, &name), (&other, &new));
                    }
                    _ => return String::new(),
                }
                return format!("{} moves {path} to {to}", self.top);
            }
            7 => {
                self.clone(&dir, &name, &path);
                "replaces by a copy"
            }
            _ => {
                let stat = self.fs.stat(&dir, &name);
                let Some(stat) = stat.ok().filter(|stat| stat.kind == Kind::File) else {
                    return String::new();
                };
                // Another content of the same length and time.
                let bytes: Vec<u8> = token.bytes().cycle().take(usize::try_from(stat.size).expect("short")).collect();
                self.remove(&dir, &name);
                self.write(&dir, &name, &bytes);
                self.fs.set_times(&dir, &name, Stamp::At(stat.modified.expect("it has a time"))).expect("it is there");
                "writes the same length at the same time to"
            }
        };
        format!("{} {done} {path}", self.top)
    }
}
