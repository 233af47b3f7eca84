//! The simulated filesystem behind a wrapper that can alter its calls on purpose: a mutation of the
//! protocol without a change of its code.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use onionskin::fs::{Cause, Fs, Listed, Named, Stat};

use crate::simfs::{Dir, Fault, File, Harm, SimFs, When};

/// Two calls, as they are printed: one, and the one that follows it.
pub type Pair = (String, String);

/// The way in which a [`FaultyFs`] alters the calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    /// No call is altered.
    #[default]
    None,
    /// No call is altered, and [`FaultyFs::pairs`] is kept.
    Watch,
    /// Wherever the first of these calls is followed at once by the second, they change places.
    Swap(Pair),
    /// A sync does nothing: the one printed like this, and of several such in one run the one with
    /// this number, from 0.
    SkipSync(String, u32),
    /// Syncs of paths that contain this text do nothing.
    SkipSyncs(&'static str),
    /// A change that fails is taken for one that succeeded.
    SwallowErrors,
    /// A sync that fails is made again.
    RetrySyncs,
    /// The target of a rename is removed first.
    RemoveFirst,
    /// A log has its final name from the start.
    LogInPlace,
    /// Questions about entries are answered without being asked, as if nothing stood in the way.
    AskNothing,
    /// A removal that fails ends the run.
    FatalSweep,
    /// What others changed is not kept.
    KeepNothing,
}

/// A simulated filesystem whose calls are altered by a [`Mutation`].
#[derive(Clone)]
pub struct FaultyFs {
    fs: SimFs,
    mutation: Rc<Mutation>,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    /// The call that waits for the next.
    held: Option<Change>,
    /// The last change, if nothing was asked since then.
    last: Option<String>,
    pairs: Vec<Pair>,
    syncs: Vec<(String, u32)>,
    /// How many of the syncs that are looked for were met.
    met: u32,
}

impl FaultyFs {
    /// Returns a filesystem whose calls are altered.
    #[must_use]
    pub fn new(fs: &SimFs, mutation: &Mutation) -> Self {
        FaultyFs { fs: fs.clone(), mutation: Rc::new(mutation.clone()), state: Rc::default() }
    }

    /// The wrapped filesystem.
    #[must_use]
    pub fn fs(&self) -> &SimFs {
        &self.fs
    }

    /// Every change that can be delayed and was followed by another without a query in between that could observe their
    /// order: all but the creation of a file, which the next call needs.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair> {
        self.state.borrow().pairs.clone()
    }

    /// Every sync, as it is printed, and its number among those that are printed like it.
    #[must_use]
    pub fn syncs(&self) -> Vec<(String, u32)> {
        self.state.borrow().syncs.clone()
    }

    /// Lets a call go that still waits for the next.
    ///
    /// # Errors
    /// What the call fails with.
    pub fn settle(&self) -> Result<(), Cause> {
        if *self.mutation == Mutation::None {
            return Ok(());
        }
        let mut state = self.state.borrow_mut();
        state.last = None;
        state.held.take().map_or(Ok(()), |held| held.make(&self.fs))
    }

    fn ask<T>(&self, question: impl FnOnce(&SimFs) -> Result<T, Cause>) -> Result<T, Cause> {
        self.settle()?;
        question(&self.fs)
    }

    /// An open depends on no delayed change, unless it opens a new entry.
    fn open<T>(&self, open: impl Fn(&SimFs) -> Result<T, Cause>) -> Result<T, Cause> {
        match *self.mutation {
            Mutation::None => open(&self.fs),
            _ => open(&self.fs).or_else(|_| self.ask(open)),
        }
    }

    fn note(&self, label: impl FnOnce() -> String, waits: bool) {
        if *self.mutation != Mutation::Watch {
            return;
        }
        let label = label();
        let mut state = self.state.borrow_mut();
        if label.starts_with("sync-") {
            let number = state.syncs.iter().filter(|(known, _)| *known == label).count();
            state.syncs.push((label.clone(), u32::try_from(number).expect("a run makes few syncs")));
        }
        if let Some(last) = state.last.take() {
            state.pairs.push((last, label.clone()));
        }
        state.last = waits.then_some(label);
    }

    fn change(&self, change: Change) -> Result<(), Cause> {
        self.note(|| change.to_string(), true);
        if let Mutation::Swap((first, second)) = &*self.mutation {
            let label = change.to_string();
            let held = self.state.borrow_mut().held.take();
            if let Some(held) = held {
                if label == *second {
                    return change.make(&self.fs).and_then(|()| held.make(&self.fs));
                }
                held.make(&self.fs)?;
            }
            if label == *first {
                self.state.borrow_mut().held = Some(change);
                return Ok(());
            }
        }
        self.make(&change)
    }

    fn make(&self, change: &Change) -> Result<(), Cause> {
        if let (Mutation::RemoveFirst, Change::Rename(_, (dir, name))) = (&*self.mutation, change) {
            match self.fs.remove_file(dir, name) {
                Ok(()) | Err(Cause::NoEntry | Cause::IsDirectory) => {}
                Err(cause) => return Err(cause),
            }
        }
        match (&*self.mutation, change) {
            (Mutation::SkipSync(label, number), Change::SyncFile(_) | Change::SyncDir(_))
                if change.to_string() == *label =>
            {
                let mut state = self.state.borrow_mut();
                state.met += 1;
                if state.met == *number + 1 { Ok(()) } else { change.make(&self.fs) }
            }
            (Mutation::SkipSyncs(part), Change::SyncFile(_) | Change::SyncDir(_))
                if change.to_string().contains(part) =>
            {
                Ok(())
            }
            (Mutation::LogInPlace, Change::Rename((_, name), _)) if name.starts_with("draft-") => Ok(()),
            (Mutation::SwallowErrors, _) => {
                change.make(&self.fs).unwrap_or_default();
                Ok(())
            }
            (Mutation::AskNothing, Change::Rename((at, name), (_, target)))
                if at.path().contains("/.onionskin/ask-") =>
            {
                match name.as_str() {
                    "directory" => Err(Cause::NotDirectory),
                    _ if target.ends_with(".ask") => Ok(()),
                    _ => Err(Cause::IsDirectory),
                }
            }
            (Mutation::AskNothing, Change::Rename((_, name), _)) if name.ends_with(".ask") => Ok(()),
            (Mutation::FatalSweep, Change::RemoveFile(..) | Change::RemoveDir(..)) => {
                let answer = change.make(&self.fs);
                if answer.is_err() {
                    self.fs.harm(Fault::sticky(When::Call(0), Harm::Die));
                }
                answer
            }
            (Mutation::KeepNothing, Change::Link(_, (_, name))) if name == "unfinished" => Ok(()),
            (Mutation::KeepNothing, Change::Rename((_, name), _)) if name == "unfinished" => Ok(()),
            (Mutation::RetrySyncs, Change::SyncFile(_) | Change::SyncDir(_)) => {
                change.make(&self.fs).or_else(|_| change.make(&self.fs))
            }
            _ => change.make(&self.fs),
        }
    }

    fn name<'n>(&self, name: &'n str) -> &'n str {
        if *self.mutation == Mutation::LogInPlace && name.starts_with("draft-") { "log" } else { name }
    }
}

/// A change that can wait.
enum Change {
    Write(File, u64, Vec<u8>),
    SyncFile(File),
    SyncDir(Dir),
    MakeDir(Dir, String),
    RemoveDir(Dir, String),
    RemoveFile(Dir, String),
    Rename((Dir, String), (Dir, String)),
    Link((Dir, String), (Dir, String)),
    Symlink(String, Dir, String),
    SetSize(File, u64),
}

impl Change {
    fn make(&self, fs: &SimFs) -> Result<(), Cause> {
        match self {
            Change::Write(file, offset, bytes) => {
                let mut done = 0;
                while done < bytes.len() {
                    done += fs.write(file, offset + done as u64, &bytes[done..])?;
                }
                Ok(())
            }
            Change::SyncFile(file) => fs.sync_file(file),
            Change::SyncDir(dir) => fs.sync_dir(dir),
            Change::MakeDir(at, name) => fs.make_dir(at, name),
            Change::RemoveDir(at, name) => fs.remove_dir(at, name),
            Change::RemoveFile(at, name) => fs.remove_file(at, name),
            Change::Rename(from, to) => fs.rename((&from.0, &from.1), (&to.0, &to.1)),
            Change::Link(from, to) => fs.link((&from.0, &from.1), (&to.0, &to.1)),
            Change::Symlink(text, at, name) => fs.symlink(text, at, name),
            Change::SetSize(file, size) => fs.set_size(file, *size),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Write(file, ..) => write!(f, "write {}", file.path()),
            Change::SyncFile(file) => write!(f, "sync-file {}", file.path()),
            Change::SyncDir(dir) => write!(f, "sync-dir {}", dir.path()),
            Change::MakeDir(at, name) => write!(f, "make-dir {}/{name}", at.path()),
            Change::RemoveDir(at, name) => write!(f, "remove-dir {}/{name}", at.path()),
            Change::RemoveFile(at, name) => write!(f, "remove-file {}/{name}", at.path()),
            Change::Rename(from, to) => {
                write!(f, "rename {}/{} -> {}/{}", from.0.path(), from.1, to.0.path(), to.1)
            }
            Change::Link(from, to) => write!(f, "link {}/{} -> {}/{}", from.0.path(), from.1, to.0.path(), to.1),
            Change::Symlink(_, at, name) => write!(f, "symlink {}/{name}", at.path()),
            Change::SetSize(file, size) => write!(f, "set-size {} to {size}", file.path()),
        }
    }
}

impl Fs for FaultyFs {
    type Dir = Dir;
    type File = File;

    fn open_dir(&self, at: &Dir, name: &str) -> Result<Dir, Cause> {
        self.open(|fs| fs.open_dir(at, name))
    }

    fn open_file(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.open(|fs| fs.open_file(at, name))
    }

    fn create_file(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        let name = self.name(name);
        let label = || format!("create {}/{name}", at.path());
        self.note(label, false);
        let held = self.state.borrow_mut().held.take();
        let (before, after) = match (held, &*self.mutation) {
            (Some(held), Mutation::Swap((_, second))) if *second == label() => (None, Some(held)),
            (held, _) => (held, None),
        };
        before.map_or(Ok(()), |held| held.make(&self.fs))?;
        let file = self.fs.create_file(at, name)?;
        after.map_or(Ok(()), |held| held.make(&self.fs))?;
        Ok(file)
    }

    fn stat(&self, at: &Dir, name: &str) -> Result<Stat, Cause> {
        self.ask(|fs| fs.stat(at, name))
    }

    fn list(&self, dir: &Dir) -> Result<Vec<Listed>, Cause> {
        self.ask(|fs| fs.list(dir))
    }

    fn read_link(&self, at: &Dir, name: &str) -> Result<String, Cause> {
        self.ask(|fs| fs.read_link(at, name))
    }

    fn read(&self, file: &File, offset: u64, length: usize) -> Result<Vec<u8>, Cause> {
        self.ask(|fs| fs.read(file, offset, length))
    }

    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> Result<usize, Cause> {
        if !matches!(*self.mutation, Mutation::Swap(_)) {
            // As it is, with the writes that are cut short by a fault.
            self.note(|| format!("write {}", file.path()), true);
            return self.fs.write(file, offset, bytes);
        }
        self.change(Change::Write(file.clone(), offset, bytes.to_vec())).map(|()| bytes.len())
    }

    fn sync_file(&self, file: &File) -> Result<(), Cause> {
        self.change(Change::SyncFile(file.clone()))
    }

    fn sync_dir(&self, dir: &Dir) -> Result<(), Cause> {
        self.change(Change::SyncDir(dir.clone()))
    }

    fn make_dir(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.change(Change::MakeDir(at.clone(), name.to_owned()))
    }

    fn remove_dir(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        if name == ".onionskin" {
            // It stays when something is in it: its failure is an answer.
            return self.ask(|fs| fs.remove_dir(at, name));
        }
        self.change(Change::RemoveDir(at.clone(), name.to_owned()))
    }

    fn remove_file(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.change(Change::RemoveFile(at.clone(), name.to_owned()))
    }

    fn rename(&self, from: (&Dir, &str), to: (&Dir, &str)) -> Result<(), Cause> {
        if from.1 == ".onionskin-reach" {
            // A question, put as a rename of nothing.
            return self.ask(|fs| fs.rename(from, to));
        }
        self.change(Change::Rename((from.0.clone(), from.1.to_owned()), (to.0.clone(), to.1.to_owned())))
    }

    fn link(&self, from: (&Dir, &str), to: (&Dir, &str)) -> Result<(), Cause> {
        if !self.fs.switches().hard_links {
            return self.ask(|fs| fs.link(from, to));
        }
        self.change(Change::Link((from.0.clone(), from.1.to_owned()), (to.0.clone(), to.1.to_owned())))
    }

    fn create_private_file(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.ask(|fs| fs.create_private_file(at, name))
    }

    fn make_private_dir(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.ask(|fs| fs.make_private_dir(at, name))
    }

    fn copy_attributes(&self, from: Named<'_, Dir>, to: Named<'_, Dir>, times: bool) -> Result<bool, Cause> {
        self.ask(|fs| fs.copy_attributes(from, to, times))
    }

    fn inherit_attributes(&self, parent: &Dir, to: Named<'_, Dir>) -> Result<bool, Cause> {
        self.ask(|fs| fs.inherit_attributes(parent, to))
    }

    fn set_mode(&self, at: Named<'_, Dir>, mode: u32) -> Result<(), Cause> {
        self.ask(|fs| fs.set_mode(at, mode))
    }

    fn symlink(&self, target: &str, at: &Dir, name: &str) -> Result<(), Cause> {
        self.change(Change::Symlink(target.to_owned(), at.clone(), name.to_owned()))
    }

    fn open_to_write(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.open(|fs| fs.open_to_write(at, name))
    }

    fn set_size(&self, file: &File, size: u64) -> Result<(), Cause> {
        self.change(Change::SetSize(file.clone(), size))
    }

    fn identity(&self, dir: &Dir) -> Result<u128, Cause> {
        self.ask(|fs| fs.identity(dir))
    }

    fn identity_of(&self, at: &Dir, name: &str) -> Result<u128, Cause> {
        self.ask(|fs| fs.identity_of(at, name))
    }

    fn stat_open(&self, file: &File) -> Result<Stat, Cause> {
        self.ask(|fs| fs.stat_open(file))
    }

    fn set_modified(&self, file: &File, modified: u64) -> Result<(), Cause> {
        self.ask(|fs| fs.set_modified(file, modified))
    }
}
