//! Calls on names: make, remove, rename, link. Each checks in the order Linux does.

use std::sync::Arc;

use onionskin::fs::{Cause, Kind};

use super::handle::Dir;
use super::state::{State, check_name};
use crate::disk::{Body, Entries, Entry, Ino};

impl State {
    /// Makes an inode and gives it a name that must be free.
    pub(crate) fn make(&mut self, at: &Dir, name: &str, body: Body) -> Result<Ino, Cause> {
        check_name(name.as_bytes())?;
        self.check_writable(at)?;
        if self.find_if_any(at.ino, name.as_bytes())?.is_some() {
            return Err(Cause::AlreadyExists);
        }
        self.check_add(at.ino)?;
        let ino = self.birth(at.ino, body);
        let set = self.set(at.ino, name.as_bytes(), ino);
        self.change(vec![set], &at.place(name));
        Ok(ino)
    }

    pub(crate) fn make_file(&mut self, at: &Dir, name: &str) -> Result<Ino, Cause> {
        self.make(at, name, Body::File(Arc::default()))
    }

    pub(crate) fn make_dir(&mut self, at: &Dir, name: &str) -> Result<Ino, Cause> {
        self.make(at, name, Body::Directory(Entries::new()))
    }

    pub(crate) fn make_symlink(&mut self, text: &str, at: &Dir, name: &str) -> Result<(), Cause> {
        if !self.switches.symlinks {
            return Err(Cause::Unsupported);
        }
        if text.starts_with('/') {
            return Err(Cause::NotPermitted);
        }
        if text.is_empty() {
            return Err(Cause::NoEntry);
        }
        self.make(at, name, Body::Symlink(Arc::from(text))).map(|_| ())
    }

    pub(crate) fn remove_file(&mut self, at: &Dir, name: &str) -> Result<(), Cause> {
        let entry = self.find_to_remove(at, name)?;
        if self.kind(entry.ino) == Kind::Directory {
            return Err(Cause::IsDirectory);
        }
        self.check_not_mounted(at.ino, entry.ino)?;
        let del = self.del(at.ino, &entry);
        self.change(vec![del], &at.place(name));
        Ok(())
    }

    pub(crate) fn remove_dir(&mut self, at: &Dir, name: &str) -> Result<(), Cause> {
        let entry = self.find_to_remove(at, name)?;
        let entries = self.disk.entries(entry.ino).ok_or(Cause::NotDirectory)?;
        if !entries.is_empty() {
            return Err(Cause::NotEmpty);
        }
        self.check_not_mounted(at.ino, entry.ino)?;
        let del = self.del(at.ino, &entry);
        self.change(vec![del], &at.place(name));
        Ok(())
    }

    fn find_to_remove(&self, at: &Dir, name: &str) -> Result<Entry, Cause> {
        check_name(name.as_bytes())?;
        self.check_writable(at)?;
        let entry = self.find(at.ino, name.as_bytes())?.clone();
        self.check_take(at.ino, entry.ino)?;
        Ok(entry)
    }

    /// A mount point is busy: it can be neither removed nor renamed.
    fn check_not_mounted(&self, parent: Ino, ino: Ino) -> Result<(), Cause> {
        let mounted = self.disk.inode(parent).device != self.disk.inode(ino).device;
        if mounted { Err(Cause::Busy) } else { Ok(()) }
    }

    pub(crate) fn rename(&mut self, from: (&Dir, &str), to: (&Dir, &str)) -> Result<(), Cause> {
        let ((from_dir, from_name), (to_dir, to_name)) = (from, to);
        check_name(from_name.as_bytes())?;
        check_name(to_name.as_bytes())?;
        self.check_writable(from_dir)?;
        self.check_writable(to_dir)?;
        if self.disk.inode(from_dir.ino).device != self.disk.inode(to_dir.ino).device {
            return Err(Cause::CrossDevice);
        }
        let source = self.find(from_dir.ino, from_name.as_bytes())?.clone();
        let target = self.find_if_any(to_dir.ino, to_name.as_bytes())?;
        if self.disk.contains(source.ino, to_dir.ino) {
            return Err(Cause::Other);
        }
        if let Some(target) = &target {
            // Both names lead to one inode: POSIX wants success and nothing done.
            if target.ino == source.ino {
                return Ok(());
            }
            if self.disk.contains(target.ino, from_dir.ino) {
                return Err(Cause::NotEmpty);
            }
            self.check_take(from_dir.ino, source.ino)?;
            self.check_take(to_dir.ino, target.ino)?;
            self.check_kinds(source.ino, target.ino)?;
        } else {
            self.check_take(from_dir.ino, source.ino)?;
            self.check_add(to_dir.ino)?;
        }
        self.check_new_parent(source.ino, from_dir, to_dir)?;
        self.check_not_mounted(from_dir.ino, source.ino)?;
        if let Some(target) = &target {
            self.check_not_mounted(to_dir.ino, target.ino)?;
        }
        // From here on the filesystem itself is asked, which looks at what is in a directory last.
        self.check_pinned(source.ino)?;
        self.check_project(source.ino, to_dir.ino)?;
        if target.as_ref().and_then(|target| self.disk.entries(target.ino)).is_some_and(|below| !below.is_empty()) {
            return Err(Cause::NotEmpty);
        }
        let del = self.del(from_dir.ino, &source);
        let name = target.as_ref().map_or(to_name.as_bytes(), |target| &target.name);
        let set = self.set(to_dir.ino, name, source.ino);
        self.change(vec![del, set], &to_dir.place(to_name));
        self.check_published(source.ino, &to_dir.place(to_name).to_string());
        Ok(())
    }

    fn check_kinds(&self, source: Ino, target: Ino) -> Result<(), Cause> {
        match (self.disk.entries(source), self.disk.entries(target)) {
            (Some(_), None) => Err(Cause::NotDirectory),
            (None, Some(_)) => Err(Cause::IsDirectory),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    pub(crate) fn link(&mut self, from: (&Dir, &str), to: (&Dir, &str)) -> Result<(), Cause> {
        let ((from_dir, from_name), (to_dir, to_name)) = (from, to);
        check_name(to_name.as_bytes())?;
        if !from_dir.writable || !to_dir.writable {
            return Err(Cause::NotPermitted);
        }
        let source = self.find(from_dir.ino, from_name.as_bytes())?.clone();
        if self.find_if_any(to_dir.ino, to_name.as_bytes())?.is_some() {
            return Err(Cause::AlreadyExists);
        }
        if self.disk.inode(source.ino).device != self.disk.inode(to_dir.ino).device {
            return Err(Cause::CrossDevice);
        }
        self.check_writable(to_dir)?;
        if self.kind(source.ino) == Kind::Directory {
            return Err(Cause::NotPermitted);
        }
        if !self.switches.hard_links {
            return Err(Cause::Unsupported);
        }
        self.check_link(source.ino)?;
        self.check_add(to_dir.ino)?;
        self.check_project(source.ino, to_dir.ino)?;
        let set = self.set(to_dir.ino, to_name.as_bytes(), source.ino);
        self.change(vec![set], &to_dir.place(to_name));
        self.check_published(source.ino, &to_dir.place(to_name).to_string());
        Ok(())
    }
}
