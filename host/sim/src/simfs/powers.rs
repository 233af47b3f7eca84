//! The calls that a host lends beyond `wasi:filesystem`, and what they promise: nobody else sees new content, and
//! attributes are durable before they are published.

use onionskin::fs::{Cause, Kind, Named};

use super::SimFs;
use super::call::Verb;
use super::handle::{Dir, File};
use super::monitor::Trespass;
use super::rights::Rights;
use super::state::State;
use crate::disk::{Body, Ino, ROOT};
use crate::op::Event;

const PRIVATE_FILE: u16 = 0o600;
const PRIVATE_DIR: u16 = 0o700;
const OTHERS_READ: u16 = 0o004;
const OTHERS_SEARCH: u16 = 0o001;

impl State {
    /// Gives rights to an inode. In a crash they count as durable at once; that they are synced before the inode gets a
    /// name of a user is checked where it gets it.
    fn give(&mut self, ino: Ino, rights: Rights) {
        self.disk.inode_mut(ino).rights = rights;
        self.trace.events.push(Event::Rights(ino, rights));
        self.monitor.unsynced.push(ino);
    }

    fn set_mode(&mut self, ino: Ino, mode: u16) {
        let rights = Rights { mode, ..self.disk.inode(ino).rights };
        self.give(ino, rights);
    }

    /// Returns the inode of a name whose attributes may be set.
    fn find_to_give(&self, (at, name): Named<'_, Dir>) -> Result<Ino, Cause> {
        self.check_writable(at)?;
        let ino = self.find(at.ino, name.as_bytes())?.ino;
        let owner = self.disk.inode(ino).rights.owner;
        match self.kind(ino) {
            Kind::Symlink => Err(Cause::Loop),
            Kind::Other => Err(Cause::Other),
            Kind::File | Kind::Directory if self.switches.user.is_some_and(|user| user != owner) => {
                Err(Cause::NotPermitted)
            }
            Kind::File | Kind::Directory => Ok(ino),
        }
    }

    /// Gives the rights of another inode, but for an owner that the user cannot give.
    fn give_like(&mut self, ino: Ino, wanted: Rights) -> bool {
        let now = self.disk.inode(ino).rights;
        let may = self.switches.user.is_none() || wanted.owner == now.owner;
        let owner = if may { wanted.owner } else { now.owner };
        self.give(ino, Rights { owner, mode: wanted.mode, ..now });
        may
    }

    /// Notes that all attributes of an inode are durable.
    pub(crate) fn note_synced(&mut self, ino: Ino) {
        self.monitor.unsynced.retain(|one| *one != ino);
    }

    /// Checks that an inode which gets a name has durable attributes, unless the name is one of ours.
    pub(crate) fn check_published(&mut self, ino: Ino, path: &str) {
        let is_ours = path.split('/').any(|name| name.starts_with(".onionskin"));
        if self.switches.lends && !is_ours && self.monitor.unsynced.contains(&ino) {
            self.trespass(Trespass::PublishedUnsynced, path.to_owned());
        }
    }

    /// Checks that nobody else can read any file with content, in a scene where nobody could.
    pub(crate) fn check_secrets(&mut self) {
        if let Some(path) = self.switches.secret.then(|| self.exposed(ROOT, String::new())).flatten() {
            self.trespass(Trespass::Exposed, path);
        }
    }

    /// Returns the first file with content that others can read, below a directory that they can reach.
    fn exposed(&self, dir: Ino, above: String) -> Option<String> {
        if self.disk.inode(dir).rights.mode & OTHERS_SEARCH == 0 {
            return None;
        }
        self.disk.entries(dir)?.values().find_map(|entry| {
            let inode = self.disk.inode(entry.ino);
            let path = format!("{above}{}", entry.name.escape_ascii());
            match &inode.body {
                Body::Directory(_) => self.exposed(entry.ino, format!("{path}/")),
                Body::File(bytes) if inode.rights.mode & OTHERS_READ != 0 && !bytes.is_empty() => Some(path),
                Body::File(_) | Body::Symlink(_) | Body::Other => None,
            }
        })
    }
}

impl SimFs {
    pub(super) fn create_private(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.lent()?;
        self.call(Verb::CreateFile, at.place(name), None, |state, _| {
            let ino = state.make_file(at, name)?;
            state.set_mode(ino, PRIVATE_FILE);
            Ok(File { ino, path: at.place(name).to_string().into(), reads: false, writes: true })
        })
    }

    pub(super) fn make_private(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.lent()?;
        self.call(Verb::MakeDir, at.place(name), None, |state, _| {
            let ino = state.make_dir(at, name)?;
            state.set_mode(ino, PRIVATE_DIR);
            Ok(())
        })
    }

    pub(super) fn give_attributes(&self, from: Named<'_, Dir>, to: Named<'_, Dir>, times: bool) -> Result<bool, Cause> {
        self.lent()?;
        self.call(Verb::SetAttributes, to.0.place(to.1), Some(from.0.place(from.1)), |state, _| {
            let original = if from.1 == "." { from.0.ino } else { state.find(from.0.ino, from.1.as_bytes())?.ino };
            let ino = state.find_to_give(to)?;
            let all = state.give_like(ino, state.disk.inode(original).rights);
            if times {
                let modified = state.disk.inode(original).modified;
                state.stamp(ino, super::Stamp::At(modified));
            }
            Ok(all)
        })
    }

    pub(super) fn hand_down(&self, parent: &Dir, to: Named<'_, Dir>) -> Result<bool, Cause> {
        self.lent()?;
        self.call(Verb::SetAttributes, to.0.place(to.1), Some(parent.here()), |state, _| {
            let ino = state.find_to_give(to)?;
            let wanted = state.rights_of_new(parent.ino, state.kind(ino));
            Ok(state.give_like(ino, wanted))
        })
    }

    pub(super) fn change_mode(&self, to: Named<'_, Dir>, mode: u32) -> Result<(), Cause> {
        self.lent()?;
        self.call(Verb::SetAttributes, to.0.place(to.1), None, |state, _| {
            let ino = state.find_to_give(to)?;
            state.set_mode(ino, (mode & 0o7777) as u16);
            Ok(())
        })
    }

    fn lent(&self) -> Result<(), Cause> {
        if self.switches().lends { Ok(()) } else { Err(Cause::Unsupported) }
    }
}
