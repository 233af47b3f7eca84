//! One run that meets an obstacle, and the processes after it.

use onionskin::fs::Cause;

use super::ObstacleViolation;
use crate::explore::{Class, Context, Failure, RunError, guarded};
use crate::simfs::{Call, Obstacle, Recording, SimFs, Verb};
use crate::tree::{Node, Tree};

/// The result of one case.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) refused: u32,
    /// What an operation claimed; nothing of a recovery.
    pub(super) claim: Option<Result<(), Class>>,
    /// Whether a decision was parked while the obstacle stood.
    pub(super) parked: bool,
    /// Whether an open failed because of an entry that every open needs.
    pub(super) needed: bool,
    pub(super) violations: Vec<ObstacleViolation>,
}

/// The environment of the cases.
pub(super) struct Bench<'c> {
    context: Context<'c>,
    /// The trees that a reader may see: before the operation, after each acknowledgement, and what else is allowed.
    seen: Vec<Tree>,
    /// The calls of the operation without an obstacle.
    calls: Vec<Call>,
}

/// Whether a path belongs to Onionskin.
fn is_own(path: &str) -> bool {
    path.split('/').any(|name| name.starts_with(".onionskin"))
}

impl<'c> Bench<'c> {
    pub(super) fn new(context: Context<'c>, recording: &Recording) -> Self {
        let after = recording.acknowledged.iter().map(|(_, disk)| disk);
        let seen = std::iter::once(&recording.trace.base).chain(after).map(Tree::of);
        let seen = seen.chain(context.stages.trees.iter().cloned()).chain(context.subject.passes());
        Bench { context, seen: seen.collect(), calls: recording.calls.clone() }
    }

    /// Returns the calls of a recovery without an obstacle.
    pub(super) fn calls(&self, fs: &SimFs) -> Vec<Call> {
        // A recovery that fails without an obstacle is the explorer's finding.
        let _ = guarded(|| self.context.subject.recover(fs));
        fs.calls()
    }

    /// Performs the operation with an obstacle.
    pub(super) fn operation(&self, fs: SimFs, obstacle: &Obstacle) -> Outcome {
        fs.obstruct(obstacle.clone());
        let result = guarded(|| self.context.subject.run(&fs));
        let allowed = self.context.stages.claimed(&result, fs.recording().acknowledged.len());
        let claim = result.as_ref().copied().map_err(|error| match error {
            RunError::Failed(failure) => failure.class,
            RunError::Panicked(_) => Class::Other,
        });
        self.conclude(&fs, obstacle, Some(claim), allowed, &result)
    }

    /// Recovers with an obstacle.
    pub(super) fn recovery(&self, fs: SimFs, obstacle: &Obstacle, allowed: u32) -> Outcome {
        fs.obstruct(obstacle.clone());
        let result = guarded(|| self.context.subject.recover(&fs));
        self.conclude(&fs, obstacle, None, allowed, &result)
    }

    fn conclude(
        &self,
        fs: &SimFs,
        obstacle: &Obstacle,
        claim: Option<Result<(), Class>>,
        allowed: u32,
        result: &Result<(), RunError>,
    ) -> Outcome {
        let refused = fs.obstructed();
        let mut outcome = Outcome { refused, claim, parked: false, needed: false, violations: Vec::new() };
        if refused == 0 {
            return outcome;
        }
        let mut wrong: Vec<(String, String)> = Vec::new();
        if let Err(RunError::Panicked(text)) = result {
            wrong.push((format!("panic: {text}"), String::new()));
        }
        if let Some(intrusion) = fs.intrusions().first() {
            wrong.push((format!("trespassed: {intrusion:?}"), String::new()));
        }
        let is_decided = matches!(claim, Some(Err(Class::NeedsRecovery | Class::OutcomeUnknown)));
        if is_decided && self.is_asked(obstacle) {
            wrong.push(("decided, though the obstacle stood before".to_owned(), String::new()));
        }
        let before = fs.tree();
        self.standing(fs, obstacle, &mut outcome, &mut wrong);
        let standing = fs.tree();
        self.gone(fs, allowed, &mut wrong, || format!("after the run:\n{before}after an open:\n{standing}"));
        let result = match result {
            Ok(()) => "success".to_owned(),
            Err(error) => error.to_string(),
        };
        let describe =
            |(text, detail)| ObstacleViolation { obstacle: format!("{obstacle:?}, result: {result}"), text, detail };
        outcome.violations = wrong.into_iter().map(describe).collect();
        outcome
    }

    /// Whether an operation can learn of an obstacle before its decision: it stands from the beginning, and is about
    /// an entry that a rename takes away or replaces.
    fn is_asked(&self, obstacle: &Obstacle) -> bool {
        let is_met = |call: &Call| {
            let mut places = std::iter::once(&call.place).chain(&call.to);
            call.verb == obstacle.verb && places.any(|place| place.to_string() == obstacle.path)
        };
        let is_there = self.seen[0].get(&obstacle.path).is_some();
        let first = self.calls.iter().position(is_met);
        obstacle.verb == Verb::Rename && !is_own(&obstacle.path) && is_there && first == Some(obstacle.after as usize)
    }

    /// The next process, while the obstacle stands: it opens, and other paths can be changed.
    fn standing(&self, fs: &SimFs, obstacle: &Obstacle, outcome: &mut Outcome, wrong: &mut Vec<(String, String)>) {
        let subject = self.context.subject;
        fs.restart();
        let opened = guarded(|| subject.recover(fs));
        let tree = fs.tree();
        let holds = |name| tree.iter().any(|(path, _)| String::from_utf8_lossy(path).contains(name));
        outcome.parked = holds(".onionskin/parked-");
        let is_decided = outcome.parked || holds(".onionskin/log");
        if let Some(text) = self.first_other(&tree, is_decided) {
            wrong.push((format!("a reader finds {text} while the obstacle stands"), tree.to_string()));
        }
        let (used, is_needed) = match opened {
            Err(error) => (Err(error), subject.opens_by(obstacle, &tree)),
            Ok(()) => {
                let beside = SimFs::mount(fs.disk(), subject.switches());
                beside.obstruct(Obstacle { after: 0, ..obstacle.clone() });
                (guarded(|| subject.use_beside(&beside)), subject.changes_by(obstacle, &tree))
            }
        };
        match used {
            Ok(()) => {}
            Err(RunError::Failed(failure)) if is_needed => {
                outcome.needed = true;
                if !names(&failure, obstacle) {
                    wrong.push((format!("the error does not name the obstacle: {failure}"), String::new()));
                }
            }
            Err(error) => wrong.push((format!("locked out while the obstacle stands: {error}"), tree.to_string())),
        }
    }

    /// The obstacle is gone: the next open finds an allowed state.
    fn gone(&self, fs: &SimFs, allowed: u32, wrong: &mut Vec<(String, String)>, detail: impl FnOnce() -> String) {
        fs.clear();
        fs.restart();
        let reached = guarded(|| self.context.subject.recover(fs))
            .map_err(|error| format!("recovery failed: {error}"))
            .and_then(|()| self.context.check(fs, &fs.recording(), &mut String::new()));
        let text = match reached {
            Ok(reached) if reached & allowed != 0 => return,
            Ok(0) => "neither old nor new".to_owned(),
            Ok(reached) => format!("stages {reached:#b} where {allowed:#b} is allowed"),
            Err(text) => text,
        };
        wrong.push((format!("{text}, when the obstacle is gone"), format!("{}at the end:\n{}", detail(), fs.tree())));
    }

    /// Returns the first entry that is neither old nor new. An entry may be missing while a decision is not completed.
    fn first_other(&self, tree: &Tree, is_decided: bool) -> Option<String> {
        let subject = self.context.subject;
        if self.context.stages.of(subject, &tree.without(|path| subject.is_leftover(path))) != 0 {
            return None;
        }
        let is_read = |path: &[u8]| {
            let text = String::from_utf8_lossy(path);
            !is_own(&text) && subject.is_read(&text)
        };
        let same =
            |node: Option<&Node>, path: &[u8]| self.seen.iter().any(|seen| content(seen.get(path)) == content(node));
        let other = tree.iter().find(|(path, node)| is_read(path) && !same(Some(node), path));
        if let Some((path, _)) = other {
            return Some(format!("{} changed", String::from_utf8_lossy(path)));
        }
        let lost = |path: &[u8]| tree.get(path).is_none() && self.seen.iter().all(|seen| seen.get(path).is_some());
        let missing = self.seen[0].iter().find(|(path, _)| is_read(path) && lost(path));
        missing.filter(|_| !is_decided).map(|(path, _)| format!("{} missing", String::from_utf8_lossy(path)))
    }
}

/// Whether an error names the entry that an obstacle is about. A root has the name that the caller gave it, a rename
/// is named by its target, and a host that does not permit a change to our directory may not permit any.
fn names(failure: &Failure, obstacle: &Obstacle) -> bool {
    let Some((_, path)) = obstacle.path.split_once('/') else { return true };
    let is_grant = obstacle.cause == Cause::NotPermitted || obstacle.cause == Cause::ReadOnly;
    let name = path.rsplit('/').next().unwrap_or(path);
    obstacle.verb == Verb::Rename || (is_grant && path == ".onionskin") || failure.text.contains(name)
}

/// The content of an entry, whatever other names it has.
fn content(node: Option<&Node>) -> Option<Node> {
    node.map(|node| match node {
        Node::File { bytes, .. } => Node::File { bytes: bytes.clone(), group: None },
        other => other.clone(),
    })
}
