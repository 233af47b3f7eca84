//! Setting the scene beyond the calls of a run. All of it is durable at once and none of it is a call.

use onionskin::fs::Kind;

use crate::disk::{Disk, Ino, ROOT, fold_case};
use crate::tree::{Node, Tree};

use super::SimFs;
use super::rights::{Rights, Seal};
use super::state::State;

impl SimFs {
    /// Replaces the content of the disk by a tree, all of it durable. The tree may have entries that calls cannot
    /// create: absolute links, pipes, names that are not UTF-8.
    pub fn plant(&self, tree: &Tree) {
        let mut state = self.state.borrow_mut();
        let own = std::mem::take(&mut state.monitor.own);
        let disk =
            if state.switches.ignore_case { tree.to_disk_with(|name| fold_case(name).into()) } else { tree.to_disk() };
        *state = super::State::new(disk.clone(), crate::op::Trace::new(disk), state.switches);
        state.monitor.own = own;
    }

    /// Adds one node to the disk, with the directories above it, and makes everything durable. Earlier marks are
    /// removed: plant first, then mark.
    pub fn plant_at(&self, path: &[u8], node: Node) {
        self.plant(&self.tree().with(path, node));
    }

    /// Mounts a subtree read-only: changes below are `ReadOnly`. A read-only grant on the other
    /// hand is a handle: see [`super::Dir::read_only`].
    ///
    /// # Panics
    /// If nothing is at `path`.
    pub fn set_read_only(&self, path: &str) {
        self.mark(path, |disk, ino| disk.inode_mut(ino).read_only = true);
    }

    /// Marks a subtree as an original: the monitor reports every change of names below.
    ///
    /// # Panics
    /// If nothing is at `path`.
    pub fn set_lower(&self, path: &str) {
        self.mark(path, |disk, ino| disk.inode_mut(ino).lower = true);
    }

    /// Makes a subtree another filesystem: renames and links across are `CrossDevice`.
    ///
    /// # Panics
    /// If nothing is at `path`.
    pub fn set_device(&self, path: &str, device: u16) {
        self.mark(path, |disk, ino| disk.inode_mut(ino).device = device);
    }

    /// Gives one entry an owner and a mode.
    ///
    /// # Panics
    /// If nothing is at `path`.
    pub fn set_owner(&self, path: &str, owner: u32, mode: u16) {
        self.mark_one(path, |rights| (rights.owner, rights.mode) = (owner, mode));
    }

    /// Gives every file and directory below the root one of several modes, by its number. With `secret` others can read
    /// no file; else some.
    pub fn vary_modes(&self, secret: bool) {
        const DIRECTORIES: [u16; 3] = [0o755, 0o711, 0o2775];
        const SECRETS: [u16; 3] = [0o600, 0o640, 0o700];
        const FILES: [u16; 3] = [0o600, 0o664, 0o755];
        let mut state = self.state.borrow_mut();
        for number in 1..state.disk.len() {
            let ino = Ino(number as u32);
            let modes = match state.kind(ino) {
                Kind::Directory => DIRECTORIES,
                Kind::File if secret => SECRETS,
                Kind::File => FILES,
                Kind::Symlink | Kind::Other => continue,
            };
            state.disk.inode_mut(ino).rights.mode = modes[number % modes.len()];
        }
        state.settle();
    }

    /// Seals one entry.
    ///
    /// # Panics
    /// If nothing is at `path`.
    pub fn seal(&self, path: &str, seal: Seal) {
        self.mark_one(path, |rights| rights.seal = seal);
    }

    /// Makes a subtree a subvolume or project: renames and links of entries across are `CrossDevice`.
    ///
    /// # Panics
    /// If nothing is at `path`.
    pub fn set_project(&self, path: &str, project: u16) {
        self.mark(path, |disk, ino| disk.inode_mut(ino).rights.project = project);
    }

    fn mark_one(&self, path: &str, set: impl Fn(&mut Rights)) {
        let mut state = self.state.borrow_mut();
        let ino = state.inode_at(path);
        set(&mut state.disk.inode_mut(ino).rights);
        state.settle();
    }

    fn mark(&self, path: &str, set: impl Fn(&mut Disk, Ino)) {
        let mut state = self.state.borrow_mut();
        let ino = state.inode_at(path);
        let mut pending = vec![ino];
        while let Some(ino) = pending.pop() {
            set(&mut state.disk, ino);
            let entries = state.disk.entries(ino);
            pending.extend(entries.into_iter().flat_map(|entries| entries.values()).map(|e| e.ino));
        }
        state.settle();
    }
}

impl State {
    fn inode_at(&self, path: &str) -> Ino {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.fold(ROOT, |ino, name| {
            let entries = self.disk.entries(ino).expect("the path was planted");
            entries.get(self.key(name.as_bytes()).as_ref()).expect("the path was planted").ino
        })
    }
}
