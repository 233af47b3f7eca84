//! Materializing: a path that shares its content by a link gets a copy of its own.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::fs::{Fs, Kind, Stat};
use crate::journal::{Change, Op};
use crate::path::{At, RelPath, RootId};
use crate::persist::companions::{self, Travels};
use crate::persist::decide;
use crate::persist::expect::Expected;
use crate::persist::file::{self, check_chunk};
use crate::plan::{Attributes, Plan};
use crate::resolve::Missing;
use crate::store::{Durability, Receipt, State, Store, Symlinks, WriteOptions, parse};
use crate::tree::{self, Seen};

/// Source of the content of a materialized path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The target of the link, or the file itself if it has several names.
    LinkTarget,
    /// This guest path.
    Path(alloc::string::String),
}

/// Content of a materialized path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The content of its source.
    Keep,
    /// These bytes.
    Replace(Vec<u8>),
}

/// A file to copy: its source, the metadata there, and its destination.
struct Copied {
    from: At,
    seen: Stat,
    to: RelPath,
}

/// Number of attempts to read a source that changes while it is read.
const ATTEMPTS: usize = 2;

impl<F: Fs> Store<F> {
    /// Makes a path independent of the entries with which it shares its content.
    ///
    /// # Errors
    ///
    /// See the contract of `store.materialize`.
    pub fn materialize(&self, path: &str, origin: &Source, holds: Content) -> Result<Receipt, Error> {
        if let Content::Replace(bytes) = &holds {
            check_chunk(path, bytes.len())?;
        }
        let path = parse(path)?;
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let parent = state.real_parent(&path, Symlinks::Replace)?;
        let path = parent.child(path.name());
        let stat = state.exec.look(&At::store(path.clone()))?;
        match holds {
            Content::Replace(bytes) => state.materialize_replacing(&path, bytes),
            Content::Keep => state.materialize_keeping(&path, stat, origin),
        }
    }
}

impl<F: Fs> State<F> {
    /// Materializes with given content, for which only the companions of a database need care.
    fn materialize_replacing(&mut self, path: &RelPath, bytes: Vec<u8>) -> Result<Receipt, Error> {
        let options = WriteOptions::default();
        let travels =
            if companions::is_database(&bytes) { companions::travel(self, path, None)? } else { Travels::default() };
        if travels.is_empty() {
            return self.replace(path, bytes, &options);
        }
        self.resolve(path, options.symlinks, Missing::Refuse)?;
        let number = self.take_number();
        let length = bytes.len() as u64;
        let old = self.exec.kind(path)?;
        let as_of = self.attributes_for(path, old);
        let mut plan = self.staging_plan(number);
        file::stage(&mut plan, &control::staged(number, 0), bytes, as_of, Durability::Full);
        self.run(plan).inspect_err(|_| self.abandon(number))?;
        self.publish_copies(number, [(path.clone(), length)].into(), travels.removed)
    }

    /// Copies the present content of the path.
    fn materialize_keeping(&mut self, path: &RelPath, stat: Stat, origin: &Source) -> Result<Receipt, Error> {
        match stat.kind {
            Kind::Directory => return Err(ErrorKind::IsDirectory.at(path)),
            Kind::Other => return Err(ErrorKind::NotAFile.at(path)),
            Kind::File if stat.links == 1 => return Ok(self.receipt(Durability::Full, 0, 0)),
            Kind::Symlink if self.pointer_if_readable(path)?.is_some() => {
                return Err(ErrorKind::IsDirectory.at(path));
            }
            Kind::File | Kind::Symlink => {}
        }
        let from = match origin {
            Source::Path(guest) => self.source(guest)?,
            Source::LinkTarget if stat.kind == Kind::Symlink => {
                let path = self.link_target(&At::store(path.clone()))?;
                At::store(path)
            }
            Source::LinkTarget => At::store(path.clone()),
        };
        let (from, from_stat) = self.resolve_source(&from).map_err(|error| name_the_link(error, path, origin))?;
        match from_stat.kind {
            Kind::File => self.materialize_file(path, stat, &from, from_stat),
            Kind::Directory if stat.kind == Kind::Symlink => self.materialize_tree(path, &from),
            Kind::Directory => Err(name_the_link(ErrorKind::IsDirectory.at(&from), path, origin)),
            Kind::Symlink | Kind::Other => Err(name_the_link(ErrorKind::NotAFile.at(&from), path, origin)),
        }
    }

    /// Replaces a link on the way to a written path by a directory.
    pub(crate) fn materialize_directory_link(&mut self, link: &RelPath) -> Result<(), Error> {
        let at = self.link_target(&At::store(link.clone()))?;
        let (from, stat) =
            self.resolve_source(&At::store(at)).map_err(|error| name_the_link(error, link, &Source::LinkTarget))?;
        if stat.kind != Kind::Directory {
            return Err(ErrorKind::NotDirectory.at(link));
        }
        self.materialize_tree(link, &from).map(|_| ())
    }

    fn materialize_file(&mut self, path: &RelPath, link: Stat, from: &At, stat: Stat) -> Result<Receipt, Error> {
        companions::refuse_alone(self, path, from)?;
        let travels = companions::travel(self, path, Some(from))?;
        let single = travels.is_empty();
        let mut copies = Vec::from([Copied { from: from.clone(), seen: stat, to: path.clone() }]);
        for (from, to) in travels.copied {
            let seen = self.exec.look(&from)?;
            copies.push(Copied { from, seen, to });
        }
        let number = self.take_number();
        let copied = self.copy_unchanged(number, single, &mut copies).and_then(|()| {
            let same = self.exec.stat(path)? == Some(link);
            if same { Ok(()) } else { Err(ErrorKind::Conflicts.at(path)) }
        });
        match copied {
            Ok(()) if single => {
                self.publish(&control::file(number), path, &WriteOptions::default(), copies[0].seen.size)
            }
            Ok(()) => {
                let copies = copies.into_iter().map(|copied| (copied.to, copied.seen.size)).collect();
                self.publish_copies(number, copies, travels.removed)
            }
            Err(error) => {
                if single {
                    self.discard(control::file(number));
                } else {
                    self.abandon(number);
                }
                Err(error)
            }
        }
    }

    /// Copies sources to staging in a consistent state: a source that changed during the copy is read again.
    fn copy_unchanged(&mut self, number: u64, single: bool, copies: &mut [Copied]) -> Result<(), Error> {
        let staged = |index| if single { control::file(number) } else { control::staged(number, index) };
        let mut plan = if single { self.control_plan() } else { self.staging_plan(number) };
        let mut changed = Vec::new();
        for _ in 0..ATTEMPTS {
            for (index, copied) in (0..).zip(copies.iter()) {
                copy(&mut plan, &copied.from, &staged(index));
            }
            self.run(core::mem::take(&mut plan))?;
            changed.clear();
            for (index, copied) in (0..).zip(copies.iter_mut()) {
                let now = self.exec.look(&copied.from)?;
                if now != copied.seen {
                    changed.push(copied.from.path.shown().to_string());
                    copied.seen = now;
                }
                plan.remove_file(&staged(index), "the source changed while it was read");
            }
            if changed.is_empty() {
                return Ok(());
            }
        }
        Err(Error::conflicts(&changed))
    }

    /// Publishes staged copies of a database and its companions in one transaction.
    fn publish_copies(
        &mut self,
        number: u64,
        copies: Vec<(RelPath, u64)>,
        removed: Vec<RelPath>,
    ) -> Result<Receipt, Error> {
        let mut bytes = 0;
        let mut ops = Vec::new();
        for (staged, (path, length)) in (0..).zip(copies) {
            let old = self.exec.stat(&path)?.map(Into::into);
            bytes += length;
            ops.push(Op { path, change: Change::Put { staged, length, digest: None, old } });
        }
        for path in removed {
            let old = self.exec.stat(&path)?.map(Into::into);
            ops.push(Op { path, change: Change::Delete { old } });
        }
        let applied = ops.len() as u64;
        let journal = self.journal(number, ops, false);
        self.decide(&journal, &Expected::default())?;
        Ok(self.receipt(Durability::Full, applied, bytes))
    }

    /// Returns the plan that makes the staging directory of a transaction.
    pub(crate) fn staging_plan(&self, number: u64) -> Plan {
        let mut plan = self.control_plan();
        plan.make_dir(&control::transaction(number), "staging is out of the way of readers");
        plan
    }

    /// Replaces a link to a directory by a directory with a copy of all entries of its target.
    fn materialize_tree(&mut self, link: &RelPath, from: &At) -> Result<Receipt, Error> {
        if from.root == RootId::STORE && link.is_within(&from.path) {
            return Err(ErrorKind::SymlinkLoop.at(link));
        }
        let old = self.exec.stat(link)?.map(Into::into);
        // With the link that is replaced, by which recovery distinguishes it from what others put in its place.
        let switch = || [Change::Switch, Change::Delete { old }].map(|change| Op { path: link.clone(), change }).into();
        let mut changed = Vec::new();
        for _ in 0..ATTEMPTS {
            let mut seen = tree::read_stats(&mut self.exec, from)?;
            self.read_links(from, &mut seen)?;
            let number = self.take_number_beside(link)?;
            let intent = self.journal(number, switch(), false);
            let mut plan = self.staging_plan(number);
            decide::intend(&mut plan, &intent);
            copy_tree(&mut plan, &seen, from, &control::sibling_new(link, number));
            plan.sync_parent(link, "or the log could name a sibling that was lost");
            let copied = self.run(plan);
            let now = copied.and_then(|_| tree::read_stats(&mut self.exec, from));
            changed = tree::changes(&seen, &now.inspect_err(|_| self.abandon(number))?);
            if changed.is_empty() {
                self.control_durable = true;
                self.decide(&intent, &Expected::default())?;
                let bytes =
                    seen.iter().filter(|entry| entry.stat.kind == Kind::File).map(|entry| entry.stat.size).sum();
                return Ok(self.receipt(Durability::Full, seen.len() as u64 + 1, bytes));
            }
            self.abandon(number);
        }
        Err(Error::conflicts(&changed))
    }

    /// Reads the texts of the links in a tree. Each link must stay inside the tree, or the copy would not be
    /// independent.
    fn read_links(&mut self, top: &At, tree: &mut [Seen]) -> Result<(), Error> {
        for entry in tree {
            let at = At { root: top.root, path: top.path.join(&entry.path) };
            match entry.stat.kind {
                Kind::File | Kind::Directory => {}
                Kind::Other => return Err(ErrorKind::NotAFile.at(&at)),
                Kind::Symlink => {
                    if !self.link_target(&at)?.is_within(&top.path) {
                        return Err(ErrorKind::SymlinkEscapes.at(&at));
                    }
                    entry.link = Some(self.exec.read_link(at.root, &at.path)?);
                }
            }
        }
        Ok(())
    }
}

/// Appends the steps that copy a file.
fn copy(plan: &mut Plan, from: &At, to: &RelPath) {
    plan.create(to, "the copy grows where nobody looks");
    plan.copy(from, 0, u64::MAX, to, "what the link showed");
    keep(plan, from, to);
    plan.sync_file(to, "or the name could be durable before the content");
}

/// Appends the step that gives a copy the attributes and times of its original.
fn keep(plan: &mut Plan, from: &At, to: &RelPath) {
    let as_of = Attributes::Of { from: from.clone(), times: true };
    plan.set_attributes(to, as_of, "or the copy would lose its mode, owner and times");
}

fn copy_tree(plan: &mut Plan, tree: &[Seen], from: &At, to: &RelPath) {
    // Parents before children.
    let mut directories = Vec::from([(from.clone(), to.clone())]);
    plan.make_dir(to, "the directory that will take the place of the link");
    for entry in tree {
        let target = to.join(&entry.path);
        let source = At { root: from.root, path: from.path.join(&entry.path) };
        if let Some(text) = &entry.link {
            plan.symlink(text, &target, "a link that stays inside the copy");
        } else if entry.stat.kind == Kind::Directory {
            plan.make_dir(&target, "a directory that the link showed");
            directories.push((source, target));
        } else {
            copy(plan, &source, &target);
        }
    }
    // Children first: a directory may forbid to add entries, and the top opens the copy to others.
    directories.reverse();
    for (from, to) in &directories {
        keep(plan, from, to);
    }
    for (_, to) in &directories {
        plan.sync_dir(to, "or the copy could lose entries");
    }
}

/// Maps an error about the target of a link to the link itself.
fn name_the_link(error: Error, link: &RelPath, origin: &Source) -> Error {
    match origin {
        Source::LinkTarget if error.kind() == ErrorKind::NotFound => ErrorKind::NotFound.at(link),
        Source::LinkTarget => error,
        Source::Path(guest) => error.about(guest),
    }
}
