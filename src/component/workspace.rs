//! The exports of `workspace`, call by call.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::bindings::exports::onionskin::fs::{types, workspace as wit};
use super::convert::{durability_in, error_out, finding_out, kind_out, ownership_in, receipt_out};
use super::exports::Component;
use super::wasi_fs::{WasiFs, preopens};
use crate::error::Error;
use crate::workspace::glob::Select;
use crate::workspace::{
    self as core_workspace, Change, Changed, CommitOptions, Layer, OnConflict, Options, Quota, Reason, Resolution, Role,
};

/// An open workspace.
pub(super) struct Workspace(RefCell<core_workspace::Workspace<WasiFs>>);

type Answer<T> = Result<T, types::Error>;

impl Workspace {
    fn with<T>(&self, act: impl FnOnce(&mut core_workspace::Workspace<WasiFs>) -> Result<T, Error>) -> Answer<T> {
        act(&mut self.0.borrow_mut()).map_err(error_out)
    }
}

fn handed_out(workspace: Result<core_workspace::Workspace<WasiFs>, Error>) -> Answer<wit::Workspace> {
    workspace.map(|workspace| wit::Workspace::new(Workspace(RefCell::new(workspace)))).map_err(error_out)
}

fn options_in(value: wit::Options) -> Options {
    Options {
        upper: value.upper,
        lowers: value.lowers,
        owner: ownership_in(value.owner),
        quota: quota_in(value.quota),
        moved: matches!(value.moved, wit::Relocation::Accept),
        trace: false,
    }
}

const fn quota_in(value: wit::Quota) -> Quota {
    Quota { bytes: value.bytes, entries: value.entries }
}

fn select_in(value: wit::Select) -> Select {
    Select { only: value.only, except: value.except }
}

const fn layer_out(value: Layer) -> wit::Layer {
    match value {
        Layer::Lower => wit::Layer::Lower,
        Layer::Upper => wit::Layer::Upper,
    }
}

fn change_out(value: Changed) -> wit::Change {
    let what = match value.change {
        Change::Deleted => wit::ChangeKind::Deleted,
        Change::Added => wit::ChangeKind::Added,
        Change::Modified => wit::ChangeKind::Modified,
        Change::Renamed(source) => wit::ChangeKind::Renamed(source),
        Change::Retyped(kind) => wit::ChangeKind::Retyped(kind_out(kind)),
    };
    let role = match value.role {
        Role::Chosen => wit::Role::Chosen,
        Role::Along => wit::Role::Along,
        Role::Stays(reason) => wit::Role::Stays(reason_out(reason)),
    };
    let replaced = value.replaced.map(|replaced| wit::Replaced { kind: kind_out(replaced.kind), size: replaced.size });
    let (path, kind, size, target) = (value.path, kind_out(value.kind), value.size, value.target);
    wit::Change { path, what, kind, size, target, replaced, role }
}

const fn reason_out(value: Reason) -> wit::Reason {
    match value {
        Reason::Excepted => wit::Reason::Excepted,
        Reason::BelowTopmost => wit::Reason::BelowTopmost,
        Reason::Unreadable => wit::Reason::Unreadable,
        Reason::Special => wit::Reason::Special,
        Reason::AbsoluteLink => wit::Reason::AbsoluteLink,
        Reason::IllegalName => wit::Reason::IllegalName,
    }
}

impl wit::Guest for Component {
    type Workspace = Workspace;

    fn abandon(upper: String, owner: types::Ownership) -> Answer<()> {
        core_workspace::abandon(WasiFs, &preopens(), &upper, &ownership_in(owner)).map_err(error_out)
    }

    fn describe(upper: String) -> Answer<Vec<String>> {
        core_workspace::describe(WasiFs, &preopens(), &upper).map_err(error_out)
    }
}

impl wit::GuestWorkspace for Workspace {
    fn create(options: wit::Options) -> Answer<wit::Workspace> {
        handed_out(core_workspace::Workspace::create(WasiFs, &preopens(), &options_in(options)))
    }

    fn open(options: wit::Options) -> Answer<wit::Workspace> {
        handed_out(core_workspace::Workspace::open(WasiFs, &preopens(), &options_in(options)))
    }

    fn observe(options: wit::Options) -> Answer<wit::Workspace> {
        handed_out(core_workspace::Workspace::observe(WasiFs, &preopens(), &options_in(options)))
    }

    fn recovered(&self) -> Vec<types::Finding> {
        self.0.borrow().recovered().iter().cloned().map(finding_out).collect()
    }

    fn stat(&self, path: String) -> Answer<wit::Stat> {
        let node = self.with(|workspace| workspace.stat(&path))?;
        let (kind, origin) = (kind_out(node.kind), layer_out(node.layer));
        Ok(wit::Stat { kind, size: node.size, modified: node.modified, origin })
    }

    fn read(&self, path: String, offset: u64, length: u32) -> Answer<Vec<u8>> {
        self.with(|workspace| workspace.read(&path, offset, length as usize))
    }

    fn read_link(&self, path: String) -> Answer<String> {
        self.with(|workspace| workspace.read_link(&path))
    }

    fn list(&self, path: String, after: Option<String>, most: u32) -> Answer<Vec<wit::Entry>> {
        let entries = self.with(|workspace| workspace.list(&path, after.as_deref(), most as usize))?;
        let out = |entry: core_workspace::Entry| {
            let (kind, origin) = (kind_out(entry.kind), layer_out(entry.layer));
            wit::Entry { name: entry.name, kind, origin }
        };
        Ok(entries.into_iter().map(out).collect())
    }

    fn write(&self, path: String, offset: u64, data: Vec<u8>) -> Answer<()> {
        self.with(|workspace| workspace.write(&path, offset, data))
    }

    fn append(&self, path: String, data: Vec<u8>) -> Answer<u64> {
        self.with(|workspace| workspace.append(&path, data))
    }

    fn put(&self, path: String, data: Vec<u8>) -> Answer<()> {
        self.with(|workspace| workspace.put(&path, data))
    }

    fn draft(&self, draft: Option<u64>, data: Vec<u8>) -> Answer<u64> {
        self.with(|workspace| workspace.draft(draft, data))
    }

    fn put_draft(&self, draft: u64, path: String) -> Answer<()> {
        self.with(|workspace| workspace.put_draft(draft, &path))
    }

    fn drop_draft(&self, draft: u64) -> Answer<()> {
        self.with(|workspace| workspace.drop_draft(draft))
    }

    fn quota(&self) -> wit::Quota {
        let Quota { bytes, entries } = self.0.borrow().quota();
        wit::Quota { bytes, entries }
    }

    fn set_quota(&self, quota: wit::Quota) -> Answer<()> {
        self.with(|workspace| workspace.set_quota(quota_in(quota)))
    }

    fn set_size(&self, path: String, size: u64) -> Answer<()> {
        self.with(|workspace| workspace.set_size(&path, size))
    }

    fn make_directory(&self, path: String) -> Answer<()> {
        self.with(|workspace| workspace.make_directory(&path))
    }

    fn make_symlink(&self, target: String, path: String) -> Answer<()> {
        self.with(|workspace| workspace.make_symlink(&target, &path))
    }

    fn remove(&self, path: String) -> Answer<()> {
        self.with(|workspace| workspace.remove(&path))
    }

    fn remove_tree(&self, path: String) -> Answer<u64> {
        self.with(|workspace| workspace.remove_tree(&path))
    }

    fn rename(&self, old: String, new: String) -> Answer<()> {
        self.with(|workspace| workspace.rename(&old, &new))
    }

    fn changes(&self, paths: wit::Select, after: Option<String>, most: u32) -> Answer<wit::ChangePage> {
        let page = self.with(|workspace| workspace.changes(&select_in(paths), after.as_deref(), most as usize))?;
        let changes = page.changes.into_iter().map(change_out).collect();
        Ok(wit::ChangePage { changes, next: page.next })
    }

    fn conflicts(&self, paths: wit::Select) -> Answer<Vec<String>> {
        self.with(|workspace| workspace.conflicts(&select_in(paths)))
    }

    fn refresh(&self, paths: wit::Select, resolution: wit::Resolution) -> Answer<Vec<String>> {
        let resolution = match resolution {
            wit::Resolution::Ours => Resolution::Ours,
            wit::Resolution::Theirs => Resolution::Theirs,
            wit::Resolution::Merge => Resolution::Merge,
            wit::Resolution::Mark => Resolution::Mark,
        };
        self.with(|workspace| workspace.refresh(&select_in(paths), resolution))
    }

    fn sync(&self) -> Answer<()> {
        self.with(core_workspace::Workspace::sync)
    }

    fn checkpoint(&self, label: String) -> Answer<u64> {
        self.with(|workspace| workspace.checkpoint(&label))
    }

    fn checkpoints(&self) -> Answer<Vec<wit::Kept>> {
        let kept = self.with(core_workspace::Workspace::checkpoints)?;
        Ok(kept.into_iter().map(|kept| wit::Kept { number: kept.number, label: kept.label }).collect())
    }

    fn restore(&self, checkpoint: u64) -> Answer<u64> {
        self.with(|workspace| workspace.restore(checkpoint))
    }

    fn drop_checkpoint(&self, checkpoint: u64) -> Answer<()> {
        self.with(|workspace| workspace.drop_checkpoint(checkpoint))
    }

    fn fork(&self, options: wit::Options) -> Answer<wit::Workspace> {
        handed_out(self.0.borrow_mut().fork(WasiFs, &preopens(), &options_in(options)))
    }

    fn commit(&self, options: wit::CommitOptions) -> Answer<types::Receipt> {
        let options = CommitOptions {
            into: options.into,
            paths: select_in(options.paths),
            durability: durability_in(options.durability),
            conflicts: match options.conflicts {
                wit::OnConflict::Fail => OnConflict::Fail,
                wit::OnConflict::Ours => OnConflict::Ours,
                wit::OnConflict::Theirs => OnConflict::Theirs,
            },
        };
        self.with(|workspace| workspace.commit(WasiFs, &preopens(), &options)).map(receipt_out)
    }

    fn left_outs(&self) -> Answer<Vec<wit::LeftOut>> {
        let left_out = self.with(core_workspace::Workspace::left_out)?;
        let out = |left: core_workspace::LeftOut| {
            let reason = reason_out(left.reason);
            wit::LeftOut { path: left.path, source: left.source, reason }
        };
        Ok(left_out.into_iter().map(out).collect())
    }

    fn export_to(&self, to: String, without: Vec<String>, durability: types::Durability) -> Answer<types::Receipt> {
        let durability = durability_in(durability);
        self.with(|workspace| workspace.export(WasiFs, &preopens(), &to, &without, durability)).map(receipt_out)
    }

    fn discard(this: wit::Workspace) -> Answer<()> {
        let Self(workspace) = this.into_inner();
        workspace.into_inner().discard().map_err(error_out)
    }
}
