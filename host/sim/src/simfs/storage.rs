//! The simulated filesystem as the storage of the core.

use onionskin::fs::{Cause, Fs, Kind, Listed, Named, Stat};

use super::call::Verb;
use super::handle::{Dir, File};
use super::monitor::Trespass;
use super::node::{Found, OpenOptions, Stamp};
use super::{Pass, SimFs};
use crate::disk::{Body, Ino};

impl Fs for SimFs {
    type Dir = Dir;
    type File = File;

    fn open_dir(&self, at: &Dir, name: &str) -> Result<Dir, Cause> {
        self.call(Verb::OpenDir, at.place(name), None, |state, _| {
            let ino = state.find(at.ino, name.as_bytes())?.ino;
            match state.kind(ino) {
                Kind::Directory => {
                    let path = at.place(name).to_string().into();
                    Ok(Dir { ino, path, writable: at.writable })
                }
                Kind::Symlink => Err(Cause::Loop),
                Kind::File | Kind::Other => Err(Cause::NotDirectory),
            }
        })
    }

    fn open_file(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.call(Verb::OpenFile, at.place(name), None, |state, _| {
            let ino = state.find(at.ino, name.as_bytes())?.ino;
            let path = at.place(name).to_string();
            match state.kind(ino) {
                Kind::File => {
                    state.check_read(ino)?;
                    Ok(File { ino, path: path.into(), reads: true, writes: false })
                }
                Kind::Directory => Err(Cause::IsDirectory),
                Kind::Symlink => Err(Cause::Loop),
                Kind::Other => {
                    state.trespass(Trespass::OpenedPipe, path);
                    Err(Cause::Other)
                }
            }
        })
    }

    fn create_file(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.call(Verb::CreateFile, at.place(name), None, |state, _| {
            let ino = state.make_file(at, name)?;
            let path = at.place(name).to_string().into();
            Ok(File { ino, path, reads: false, writes: true })
        })
    }

    fn stat(&self, at: &Dir, name: &str) -> Result<Stat, Cause> {
        self.call(Verb::Stat, at.place(name), None, |state, _| {
            let ino = state.find(at.ino, name.as_bytes())?.ino;
            Ok(state.stat(ino))
        })
    }

    fn list(&self, dir: &Dir) -> Result<Vec<Listed>, Cause> {
        self.call(Verb::List, dir.here(), None, |state, _| state.list(dir)?.into_iter().collect())
    }

    fn read_link(&self, at: &Dir, name: &str) -> Result<String, Cause> {
        self.call(Verb::ReadLink, at.place(name), None, |state, _| {
            let ino = state.find(at.ino, name.as_bytes())?.ino;
            match &state.disk.inode(ino).body {
                Body::Symlink(text) if text.starts_with('/') => Err(Cause::NotPermitted),
                Body::Symlink(text) => Ok(text.to_string()),
                Body::File(_) | Body::Directory(_) | Body::Other => Err(Cause::Other),
            }
        })
    }

    fn read(&self, file: &File, offset: u64, length: usize) -> Result<Vec<u8>, Cause> {
        self.call(Verb::Read, file.here(), None, |state, _| state.read(file, offset, length))
    }

    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> Result<usize, Cause> {
        self.call(Verb::Write, file.here(), None, |state, pass| state.write(file, Some(offset), bytes, pass))
    }

    fn sync_file(&self, file: &File) -> Result<(), Cause> {
        self.call(Verb::SyncFile, file.here(), None, |state, pass| state.sync_file(file, pass))
    }

    fn sync_dir(&self, dir: &Dir) -> Result<(), Cause> {
        self.call(Verb::SyncDir, dir.here(), None, |state, pass| state.sync_dir(dir, pass))
    }

    fn make_dir(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.mutate(Verb::MakeDir, at, name, |state| state.make_dir(at, name).map(|_| ()))
    }

    fn remove_dir(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.mutate(Verb::RemoveDir, at, name, |state| state.remove_dir(at, name))
    }

    fn remove_file(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.mutate(Verb::RemoveFile, at, name, |state| state.remove_file(at, name))
    }

    fn rename(&self, from: (&Dir, &str), to: (&Dir, &str)) -> Result<(), Cause> {
        let (place, target) = (from.0.place(from.1), to.0.place(to.1));
        self.call(Verb::Rename, place, Some(target), |state, _| state.rename(from, to))
    }

    fn link(&self, from: (&Dir, &str), to: (&Dir, &str)) -> Result<(), Cause> {
        let (place, target) = (from.0.place(from.1), to.0.place(to.1));
        self.call(Verb::Link, place, Some(target), |state, _| state.link(from, to))
    }

    fn symlink(&self, target: &str, at: &Dir, name: &str) -> Result<(), Cause> {
        self.mutate(Verb::Symlink, at, name, |state| state.make_symlink(target, at, name))
    }

    fn open_to_write(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        match self.open_at(at, name, OpenOptions { read: true, write: true, ..OpenOptions::default() })? {
            Found::File(file) => Ok(file),
            Found::Dir(_) => Err(Cause::IsDirectory),
        }
    }

    fn set_size(&self, file: &File, size: u64) -> Result<(), Cause> {
        SimFs::set_size(self, file, size)
    }

    fn identity(&self, dir: &Dir) -> Result<u128, Cause> {
        Ok(number(self.stat_dir(dir)?.metadata_hash()))
    }

    fn identity_of(&self, at: &Dir, name: &str) -> Result<u128, Cause> {
        Ok(number(self.stat_at(at, name)?.metadata_hash()))
    }

    fn stat_open(&self, file: &File) -> Result<Stat, Cause> {
        self.stat_file(file)
    }

    fn set_modified(&self, file: &File, modified: u64) -> Result<(), Cause> {
        self.set_times_file(file, Stamp::At(modified))
    }

    fn create_private_file(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.create_private(at, name)
    }

    fn make_private_dir(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.make_private(at, name)
    }

    fn copy_attributes(&self, from: Named<'_, Dir>, to: Named<'_, Dir>, times: bool) -> Result<bool, Cause> {
        self.give_attributes(from, to, times)
    }

    fn inherit_attributes(&self, parent: &Dir, to: Named<'_, Dir>) -> Result<bool, Cause> {
        self.hand_down(parent, to)
    }

    fn set_mode(&self, at: Named<'_, Dir>, mode: u32) -> Result<(), Cause> {
        self.change_mode(at, mode)
    }
}

impl SimFs {
    /// Returns the metadata of an open file.
    ///
    /// # Errors
    /// Injected ones alone.
    pub fn stat_file(&self, file: &File) -> Result<Stat, Cause> {
        self.call(Verb::StatFile, file.here(), None, |state, _| Ok(state.stat(file.ino)))
    }

    /// Whether two names lead to one inode.
    ///
    /// # Errors
    /// [`Cause::NoEntry`], and injected ones.
    pub fn is_same(&self, a: (&Dir, &str), b: (&Dir, &str)) -> Result<bool, Cause> {
        let (place, to) = (a.0.place(a.1), b.0.place(b.1));
        self.call(Verb::IsSame, place, Some(to), |state, _| {
            let find =
                |(dir, name): (&Dir, &str)| -> Result<Ino, Cause> { Ok(state.find(dir.ino, name.as_bytes())?.ino) };
            Ok(find(a)? == find(b)?)
        })
    }

    fn mutate<T>(
        &self,
        verb: Verb,
        at: &Dir,
        name: &str,
        act: impl FnOnce(&mut super::State) -> Result<T, Cause>,
    ) -> Result<T, Cause> {
        self.call(verb, at.place(name), None, |state, _: Pass| act(state))
    }
}

/// Combines the two into a number as the component does, so that its records mean the same here.
fn number((lower, upper): (u64, u64)) -> u128 {
    u128::from(upper) << 64 | u128::from(lower)
}
