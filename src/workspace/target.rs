//! The root that a commit or an export changes, and the decision that is being made for it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::difference::Delta;
use super::lower;
use crate::control;
use crate::error::{Error, ErrorKind};
use crate::fs::{Fs, Kind, Stat};
use crate::journal::{Change as Step, Journal, LINK_LENGTH, Old, Op};
use crate::path::{At, RelPath};
use crate::persist::expect::Expected;
use crate::plan::{Attributes, Plan};
use crate::store::{Durability, Receipt, State};

/// What a path of the target is to hold.
pub(super) enum Content {
    /// An empty file.
    Empty,
    /// A copy of this.
    Copy(At),
    /// This itself, a file of our own of such a length.
    Give(At, u64),
    /// This itself, an entry that the target has elsewhere.
    Share(At, Kind),
    /// The file that is staged under this number, once more.
    Again(u32),
    /// A link with this text.
    Link(String),
}

/// A decision that is being made for another root.
pub(super) struct Target<F: Fs> {
    pub(super) state: State<F>,
    pub(super) number: u64,
    /// Where the target reads from: the upper, and the lowers.
    pub(super) upper: At,
    pub(super) lowers: Vec<At>,
    /// The target is the topmost lower; else it is an empty directory.
    pub(super) is_lower: bool,
    pub(super) ops: Vec<Op>,
    pub(super) staged: u32,
    pub(super) bytes: u64,
    /// Whether content is synced.
    pub(super) synced: bool,
    /// Files of the upper with several names that are staged already, and the numbers of their staging.
    pub(super) shared: Vec<(u64, u32)>,
}

impl<F: Fs> Target<F> {
    /// Appends a change.
    pub(super) fn push(&mut self, path: &RelPath, change: Step) -> Result<(), Error> {
        let (at, _) = self.look(path)?;
        self.ops.push(Op { path: at, change });
        Ok(())
    }

    /// Returns the place and the entry of a path that is to be changed. Below a link of `pointer` it is in the generation
    /// that the link shows.
    fn look(&mut self, path: &RelPath) -> Result<(RelPath, Option<Stat>), Error> {
        if !self.is_lower {
            return Ok((path.clone(), None));
        }
        self.state.check_parked(path)?;
        let (at, looked) = lower::look(&mut self.state.exec, &At::store(RelPath::ROOT), path)?;
        if !control::may_change(&at.path) {
            let way = "it is published by `pointer`: a commit changes what is in it, and not the directory; except it";
            return Err(ErrorKind::Unsupported.at(path).because(way));
        }
        Ok((at.path, looked.found()))
    }

    /// Refuses a commit over an entry that has changed since it was compared.
    pub(super) fn check_unchanged(&mut self, delta: &Delta) -> Result<(), Error> {
        let look = |stat: Stat| match stat.kind {
            Kind::Directory => (stat.kind, 0, None),
            Kind::File | Kind::Symlink | Kind::Other => (stat.kind, stat.size, stat.modified),
        };
        let (_, now) = self.look(&delta.path)?;
        if now.map(look) == delta.topmost().map(look) {
            return Ok(());
        }
        Err(Error::conflicts(&[delta.path.to_string()]))
    }

    /// Stages a file or link for a path, in place of the present entry.
    pub(super) fn put(&mut self, path: &RelPath, content: Content, old: Old) -> Result<(), Error> {
        let (at, _) = self.look(path)?;
        let staged = control::staged(self.number, self.staged);
        let mut plan = Plan::new();
        if self.staged == 0 {
            plan = self.state.staging_plan(self.number);
        }
        let why = "content of the commit";
        let is_file = !matches!(content, Content::Link(_) | Content::Share(_, Kind::Symlink | Kind::Other));
        let is_shared = matches!(content, Content::Share(..) | Content::Again(_));
        let as_of = match &content {
            Content::Copy(from) if from.root != self.upper.root || !from.path.is_within(&self.upper.path) => {
                Attributes::Of { from: from.clone(), times: true }
            }
            _ => self.state.attributes_for(&at, old.map(|old| old.kind)),
        };
        let mut given = 0;
        match content {
            Content::Empty => plan.create(&staged, why),
            Content::Copy(from) => {
                plan.create(&staged, why);
                plan.copy(&from, 0, u64::MAX, &staged, why);
            }
            Content::Give(from, length) => {
                plan.share_from(&from, &staged, "content that nobody else has");
                given = length;
            }
            Content::Share(from, _) => plan.carry(&from.path, &staged, "content that keeps its inode"),
            Content::Again(former) => {
                let former = At::store(control::staged(self.number, former));
                plan.share_from(&former, &staged, "a further name of one file");
            }
            Content::Link(text) => plan.symlink(&text, &staged, why),
        }
        if is_file && !is_shared {
            plan.set_attributes(&staged, as_of, "or the file would lose its mode and owner");
        }
        if is_file && self.synced {
            plan.sync_file(&staged, "or the log could name content that was lost");
        }
        let before = self.state.exec.moved();
        let answer = self.state.run(plan);
        self.state.exec.close(&staged);
        answer?;
        let new = given.max(self.state.exec.moved() - before);
        self.bytes += new;
        let length = match is_shared {
            _ if !is_file => LINK_LENGTH,
            true => self.state.exec.stat(&staged)?.map_or(0, |stat| stat.size),
            false => new,
        };
        self.ops.push(Op { path: at, change: Step::Put { staged: self.staged, length, digest: None, old } });
        self.staged += 1;
        Ok(())
    }

    /// Refuses a change of what a decision that cannot be completed changes.
    pub(super) fn check_parked(&self) -> Result<(), Error> {
        self.state.check_log()?;
        self.ops.iter().try_for_each(|op| self.state.check_parked(&op.path))
    }

    /// Returns the decision on what is staged; nothing if nothing changes.
    pub(super) fn journal(&mut self) -> Option<Journal> {
        let ops = core::mem::take(&mut self.ops);
        if ops.is_empty() {
            return None;
        }
        let journal = self.state.journal(self.number, ops, !self.synced);
        Some(Journal { kept: self.is_lower, ..journal })
    }

    /// Decides on what is staged, and completes it.
    pub(super) fn decide(&mut self, journal: Option<&Journal>, durability: Durability) -> Result<Receipt, Error> {
        if let Some(journal) = journal {
            self.state.decide(journal, &Expected::default())?;
        }
        let applied = journal.map_or(0, |journal| journal.ops.len() as u64);
        let achieved = if self.synced { Durability::Full } else { durability };
        Ok(self.state.receipt(achieved, applied, self.bytes))
    }
}
