//! The proof of a commit: one path of the topmost lower, whose state shows whether the commit was decided.
//!
//! A commit changes two roots, so the map after it is written first, as `next`; then the lower decides; then
//! `next` becomes the map. An open that finds `next` compares the lower with the proof in it.

use super::map::{Map, Seen};
use super::target::Target;
use super::{Workspace, layout, lower};
use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Fs, Kind, Stat};
use crate::journal::{Change as Step, LINK_LENGTH, OldEntry, Op};
use crate::path::{At, RelPath};
use crate::plan::Plan;
use crate::recover::{Finding, Verdict};
use crate::store::{Preopens, Store};

impl<F: Fs + Clone> Workspace<F> {
    /// Finishes a commit that a crash interrupted: the lower shows whether it was decided.
    pub(super) fn settle_commit(&mut self, fs: F, preopens: &Preopens<F>) -> Result<bool, Error> {
        let bytes = super::read_map(&mut self.state.exec, &layout::next())?;
        let (_, header, _) = Map::decode(&bytes).map_err(|what| super::damaged(&layout::next(), what))?;
        // The open completes a decided commit, or parks it.
        let mut target = Store::open(fs, preopens, &self.places[0], &self.owner, false)?.into_state();
        let place = self.places[0].trim_end_matches('/');
        let is_work = |finding: &Finding| !matches!(finding.verdict, Verdict::Clean | Verdict::Swept);
        for finding in target.take_findings().into_iter().filter(is_work) {
            self.findings.push(Finding { path: format!("{place}/{}", finding.path), ..finding });
        }
        let parked = |path: &RelPath| target.is_parked_at(path);
        let topmost = self.lowers[0].clone();
        let is_done = match &header.proof {
            None => true,
            // No other decision changes the path: a commit is refused before it writes its map.
            Some((path, _)) if parked(path) => true,
            Some((path, seen)) => {
                let at = At { root: topmost.root, path: topmost.path.join(path) };
                evidence(&mut self.state.exec, &at)? == *seen
            }
        };
        drop(target);
        let plan = if is_done {
            adopt()
        } else {
            let mut plan = Plan::new();
            plan.remove_file(&layout::next(), "the commit was never decided");
            plan.sync_dir(&layout::directory(), "or it could be taken for one that was");
            plan
        };
        self.state.run(plan)?;
        Ok(is_done)
    }
}

impl<F: Fs> Target<F> {
    /// A path that tells whether the commit was decided, and what it looks like then. Nothing when
    /// there is none: then it makes no difference.
    pub(super) fn proof(&mut self) -> Result<Option<(RelPath, Seen)>, Error> {
        let mut best: Option<(u64, RelPath, Seen)> = None;
        for index in 0..self.ops.len() {
            let Op { path, change } = self.ops[index].clone();
            // What is removed to make room comes back as something else.
            let is_last = self.ops.get(index + 1).is_none_or(|next| next.path != path);
            let (cost, seen) = match change {
                Step::Delete { .. } | Step::RemoveDir if is_last => (0, Seen::of(None)),
                Step::MakeDir => {
                    let entry = OldEntry { kind: Kind::Directory, size: 0, modified: None };
                    (0, Seen::of(Some(entry)))
                }
                Step::Put { staged, length, .. } => {
                    let cost = if length == LINK_LENGTH { 1 } else { length.saturating_add(1) };
                    if best.as_ref().is_some_and(|(known, _, _)| *known <= cost) {
                        continue;
                    }
                    (cost, evidence(&mut self.state.exec, &At::store(control::staged(self.number, staged)))?)
                }
                _ => continue,
            };
            if best.as_ref().is_none_or(|(known, _, _)| cost < *known)
                && evidence(&mut self.state.exec, &At::store(path.clone()))? != seen
            {
                best = Some((cost, path, seen));
            }
            if cost == 0 && best.is_some() {
                break;
            }
        }
        Ok(best.map(|(_, path, seen)| (path, seen)))
    }
}

/// Builds the plan that makes the waiting map the current one.
pub(super) fn adopt() -> Plan {
    let mut plan = Plan::new();
    let (from, to) = (layout::next(), layout::map());
    plan.rename(&from, &to, "the lower has what this map does not hold any more");
    plan.decides();
    plan.sync_dir(&layout::directory(), "or files could be gone that the former map names");
    plan
}

/// Returns the state of a place, by kind and content.
fn evidence<F: Fs>(exec: &mut Executor<F>, at: &At) -> Result<Seen, Error> {
    let found = lower::stat(exec, core::slice::from_ref(at), &RelPath::ROOT)?;
    let below = match &found {
        Some((at, stat)) => lower::content(exec, at, stat)?,
        None => 0,
    };
    let size = |stat: &Stat| if stat.kind == Kind::File { stat.size } else { 0 };
    let entry = found.map(|(_, stat)| OldEntry { kind: stat.kind, size: size(&stat), modified: None });
    Ok(Seen { entry, below, kept: None })
}
