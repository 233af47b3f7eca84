//! Paths of several components, resolved inside a grant as WASI wants it.

use onionskin::fs::{Cause, Kind};

use super::SimFs;
use super::handle::Dir;
use super::state::State;
use crate::disk::Body;

/// How many links one walk follows before it is called a loop, as on Linux.
pub const LINKS_FOLLOWED_MAX: u32 = 40;

impl SimFs {
    /// Walks a relative path to the directory that holds its last component, and hands back that
    /// directory and the component; `.` stands for the directory itself.
    ///
    /// Links on the way are followed; the last one is if `follow` says so. Nothing leads out of
    /// `from`: an absolute path, an absolute link and one `..` too many are `NotPermitted`. A walk
    /// is not a call of its own, since a host makes it as part of one.
    pub fn walk(&self, from: &Dir, path: &str, follow: bool) -> Result<(Dir, String), Cause> {
        let state = self.state.borrow();
        let mut walk = Walk { state: &state, above: vec![from.clone()], followed: 0 };
        let last = walk.along(path, follow)?;
        let dir = walk.above.pop().expect("a walk never leaves its start");
        Ok((dir, last))
    }
}

struct Walk<'s> {
    state: &'s State,
    /// The way here; its end is where the walk stands.
    above: Vec<Dir>,
    followed: u32,
}

impl Walk<'_> {
    fn along(&mut self, path: &str, follow: bool) -> Result<String, Cause> {
        if path.starts_with('/') {
            return Err(Cause::NotPermitted);
        }
        if path.is_empty() {
            return Err(Cause::NoEntry);
        }
        let must_be_dir = path.ends_with('/') || path.ends_with("/.");
        let components: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
        let Some((last, parents)) = components.split_last() else {
            return Ok(".".to_owned());
        };
        for name in parents {
            self.enter(name)?;
        }
        if *last == ".." || must_be_dir {
            self.enter(last)?;
            return Ok(".".to_owned());
        }
        match self.link(last)? {
            Some(text) if follow => self.follow(&text),
            Some(_) | None => Ok((*last).to_owned()),
        }
    }

    fn enter(&mut self, name: &str) -> Result<(), Cause> {
        if name == ".." {
            if self.above.len() == 1 {
                return Err(Cause::NotPermitted);
            }
            self.above.pop();
            return Ok(());
        }
        if let Some(text) = self.link(name)? {
            let last = self.follow(&text)?;
            return if last == "." { Ok(()) } else { self.enter(&last) };
        }
        let here = self.above.last().expect("a walk never leaves its start");
        let ino = self.state.find(here.ino, name.as_bytes())?.ino;
        if self.state.kind(ino) != Kind::Directory {
            return Err(Cause::NotDirectory);
        }
        let path = here.place(name).to_string().into();
        let next = Dir { ino, path, writable: here.writable };
        self.above.push(next);
        Ok(())
    }

    fn follow(&mut self, text: &str) -> Result<String, Cause> {
        self.followed += 1;
        if self.followed > LINKS_FOLLOWED_MAX {
            return Err(Cause::Loop);
        }
        self.along(text, true)
    }

    /// The text of the link under a name, or nothing if it is no link or is not there.
    fn link(&self, name: &str) -> Result<Option<String>, Cause> {
        let here = self.above.last().expect("a walk never leaves its start");
        let Some(entry) = self.state.find_if_any(here.ino, name.as_bytes())? else {
            return Ok(None);
        };
        match &self.state.disk.inode(entry.ino).body {
            Body::Symlink(text) => Ok(Some(text.to_string())),
            Body::File(_) | Body::Directory(_) | Body::Other => Ok(None),
        }
    }
}
