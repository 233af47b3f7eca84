//! Sweeps of what others do: a process dies in the middle of an operation, then somebody changes an entry, and then the
//! next process recovers.
//!
//! These hold, besides the promises of a crash:
//!
//! - The work of others is kept: at its path, at the path to which the operation moves it, or in the quarantine.
//! - All other entries are old or new as a whole, unless the decision is parked.
//! - The next open finds nothing more to do.

use std::sync::Arc;

use onionskin::fs::{Cause, Fs as _};
use serde::Serialize;

use crate::disk::Disk;
use crate::explore::{Context, Plan, Subject, crash_images, guarded, record};
use crate::model::{Model, Power};
use crate::simfs::{SimFs, Stamp};
use crate::tree::{Node, Tree};
use crate::workers;

/// Which changes are made.
#[derive(Clone, Debug, PartialEq)]
pub struct OthersSweep {
    /// After how many crash images somebody changes something.
    pub crashes: usize,
    /// The model of the crashes.
    pub model: Model,
    /// The maximum of reported violations.
    pub shown: usize,
    /// How many threads work. No result depends on it.
    pub threads: usize,
}

impl Default for OthersSweep {
    fn default() -> Self {
        OthersSweep {
            crashes: 16,
            model: Model::Process,
            shown: 8,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The result of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OthersReport {
    /// The name of the subject.
    pub subject: String,
    /// How many times somebody changed something.
    pub changes: u64,
    /// How many times recovery kept the change in the quarantine.
    pub kept: u64,
    /// How many times it left a decision parked.
    pub parked: u64,
    /// The first violations.
    pub violations: Vec<OthersViolation>,
    /// How many violations there are.
    pub violations_total: u64,
}

/// A promise that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OthersViolation {
    /// The change of others.
    pub change: String,
    /// The violation.
    pub text: String,
    /// The states before and after recovery.
    pub detail: String,
}

/// A change of others to one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// The entry is removed, and a file is made in its place.
    Anew,
    /// The same, with a file that was written long before.
    Older,
    /// The file gets another content, and keeps its inode.
    Within,
    /// The entry is removed, and a link is made in its place.
    Link,
    /// A directory is made where nothing is.
    Directory,
}

const CONTENT: &[u8] = b"the work of others";
const TEXT: &str = "the-work-of-others";
/// The name of an entry that comes late.
const LATE: &str = "of-others";

impl Deed {
    fn node(self) -> Node {
        match self {
            Self::Anew | Self::Older | Self::Within => Node::File { bytes: Arc::new(CONTENT.to_vec()), group: None },
            Self::Link => Node::Symlink(TEXT.into()),
            Self::Directory => Node::Directory,
        }
    }

    fn perform(self, fs: &SimFs, path: &str) -> Result<(), Cause> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut dir = fs.root();
        for step in above.split('/').filter(|step| !step.is_empty()) {
            dir = fs.open_dir(&dir, step)?;
        }
        if self == Self::Within {
            let file = fs.open_to_write(&dir, name)?;
            fs.set_size(&file, 0)?;
            return fs.write(&file, 0, CONTENT).map(drop);
        }
        if self == Self::Directory {
            return fs.make_dir(&dir, name);
        }
        match fs.remove_file(&dir, name) {
            Ok(()) | Err(Cause::NoEntry) => {}
            Err(cause) => return Err(cause),
        }
        if self == Self::Link {
            return fs.symlink(TEXT, &dir, name);
        }
        let file = fs.create_file(&dir, name)?;
        fs.write(&file, 0, CONTENT)?;
        if self == Self::Older { fs.set_times_file(&file, Stamp::At(1)) } else { Ok(()) }
    }
}

fn is_own(path: &str) -> bool {
    path.split('/').any(|name| name.starts_with(".onionskin"))
}

/// Changes entries between the crashes of a subject and its recoveries.
///
/// # Panics
/// If the subject has more than 32 stages. A panic of the subject is a violation.
#[must_use]
pub fn meddle(subject: &dyn Subject, sweep: &OthersSweep) -> OthersReport {
    let (recording, mut stages, _) = record(subject, None);
    stages.harmed = true;
    let plan = Plan { threads: 1, ..Plan::default() };
    let context = Context { subject, stages: &stages, plan: &plan, power: Power::new(sweep.model) };
    let images = crash_images(&context, &recording, sweep.crashes);
    let mut report = OthersReport { subject: subject.name(), ..OthersReport::default() };
    let cases = workers::map(images.len(), sweep.threads, |number| {
        let (disk, allowed) = &images[number];
        let changes = changes(&context, &Tree::of(disk));
        changes.iter().map(|(path, deed)| case(&context, disk, *allowed, path, *deed)).collect::<Vec<_>>()
    });
    for (kept, parked, wrong) in cases.into_iter().flatten() {
        report.changes += 1;
        report.kept += u64::from(kept);
        report.parked += u64::from(parked);
        report.violations_total += u64::from(wrong.is_some());
        if report.violations.len() < sweep.shown {
            report.violations.extend(wrong);
        }
    }
    report
}

/// Returns the changes that others can make: of each entry that the operation may change or carry, and a new entry in
/// each directory.
fn changes(context: &Context<'_>, tree: &Tree) -> Vec<(String, Deed)> {
    let trees: Vec<&Tree> = std::iter::once(tree).chain(&context.stages.trees).collect();
    let is_left = |path: &str| trees.iter().all(|other| other.get(path) == trees[0].get(path));
    // A stage has the other names of the file, too.
    let has_names =
        |path: &str| trees[1..].iter().any(|tree| matches!(tree.get(path), Some(Node::File { group: Some(_), .. })));
    let is_dir = |path: &str| path.is_empty() || tree.get(path) == Some(&Node::Directory);
    let mut changes = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for (path, _) in trees.iter().flat_map(|tree| tree.iter()) {
        let Ok(path) = str::from_utf8(path) else { continue };
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        if is_own(path) || !known.insert(path.to_owned()) || (!path.starts_with("ws") && is_left(path)) {
            continue;
        }
        match tree.get(path) {
            Some(Node::Directory) => {
                changes.push((format!("{path}/{LATE}"), Deed::Anew));
                changes.push((format!("{path}/{LATE}"), Deed::Older));
                changes.push((format!("{path}/{LATE}"), Deed::Link));
            }
            _ if !is_dir(above) || has_names(path) => {}
            Some(Node::File { group: None, .. }) => {
                changes.extend([Deed::Anew, Deed::Older, Deed::Within, Deed::Link].map(|deed| (path.to_owned(), deed)));
            }
            Some(_) => changes.extend([Deed::Anew, Deed::Older, Deed::Link].map(|deed| (path.to_owned(), deed))),
            None => changes
                .extend([Deed::Anew, Deed::Older, Deed::Link, Deed::Directory].map(|deed| (path.to_owned(), deed))),
        }
    }
    changes
}

/// One change and the recovery after it: whether the change was moved to the quarantine, whether a decision is parked,
/// and the violation.
fn case(
    context: &Context<'_>,
    disk: &Disk,
    allowed: u32,
    path: &str,
    deed: Deed,
) -> (bool, bool, Option<OthersViolation>) {
    let subject = context.subject;
    let fs = SimFs::mount(disk.clone(), subject.switches());
    if deed.perform(&fs, path).is_err() {
        return (false, false, None);
    }
    fs.settle();
    fs.restart();
    let before = fs.tree();
    let opened = guarded(|| subject.recover(&fs));
    let tree = fs.tree();
    let holds = |name: &str| tree.iter().any(|(path, _)| String::from_utf8_lossy(path).contains(name));
    let places: Vec<String> = tree
        .iter()
        .filter(|(other, node)| {
            // Of directories there are many.
            **node == deed.node() && (deed != Deed::Directory || *other == path.as_bytes())
        })
        .map(|(path, _)| String::from_utf8_lossy(path).into_owned())
        .collect();
    let parked = holds(".onionskin/parked-");
    let mut changed = vec![path.to_owned()];
    changed.extend(places.iter().filter(|place| *place != path && !place.contains("/quarantine-")).cloned());
    let is_there = places.iter().any(|place| place == path);
    let kept = !is_there && places.iter().any(|place| place.contains(".onionskin/quarantine-"));
    let text = match opened {
        Err(error) => Some(format!("locked out: {error}")),
        // An empty directory holds no work.
        Ok(()) if places.is_empty() && deed != Deed::Directory => Some("the work of others is lost".to_owned()),
        Ok(()) if !parked && !is_stage(context, allowed, &tree, &changed) => {
            Some("neither old nor new beside it".to_owned())
        }
        Ok(()) => {
            fs.restart();
            let again = guarded(|| subject.recover(&fs));
            let is_same = parked || fs.tree() == tree;
            match again {
                Err(error) => Some(format!("locked out the second time: {error}")),
                Ok(()) => (!is_same).then(|| format!("another state the second time:\n{}", fs.tree())),
            }
        }
    };
    let violation = text.map(|text| OthersViolation {
        change: format!("{deed:?} {path}"),
        text,
        detail: format!("before:\n{before}after:\n{tree}"),
    });
    (kept, parked, violation)
}

/// Whether a tree is an allowed state, but for the entry that others changed, in all places of it.
fn is_stage(context: &Context<'_>, allowed: u32, tree: &Tree, changed: &[String]) -> bool {
    let subject = context.subject;
    let mut bare = tree.without(|path| subject.is_leftover(path) || path.contains(".onionskin/quarantine-"));
    let controls = bare.iter().map(|(path, _)| String::from_utf8_lossy(path).into_owned());
    let controls: Vec<String> = controls.filter(|path| path.ends_with("/.onionskin")).collect();
    for place in controls {
        let is_emptied = bare.below(&place).is_empty() && !tree.below(&place).is_empty();
        bare = if is_emptied { bare.remove(&place) } else { bare };
    }
    let restored = |stage: &Tree| {
        changed.iter().fold(bare.clone(), |tree, path| {
            let is_within = |other: &[u8]| {
                other.strip_prefix(path.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
            };
            let above = path.rsplit_once('/').map_or("", |(above, _)| above);
            let mut tree = tree.remove(path);
            // A directory that was to be removed stays for the sake of a new entry.
            if tree.below(above).is_empty() && !above.is_empty() && stage.get(above).is_none() {
                tree = tree.remove(above);
            }
            if tree.get(above) != Some(&Node::Directory) {
                return tree;
            }
            stage
                .iter()
                .filter(|(other, _)| is_within(other))
                .fold(tree, |tree, (path, node)| tree.with(path, node.clone()))
        })
    };
    // A state on the way, which a stage counts for, may have what no stage has.
    let passes = subject.passes();
    let stages = &context.stages.trees;
    (0..stages.len()).filter(|number| allowed & 1 << number != 0).any(|number| {
        let stage = &stages[number];
        std::iter::once(stage).chain(&passes).any(|known| {
            let found = restored(known);
            // A generation goes when others replace the link to it.
            subject.matches_harmed(&found, stage)
                || has_records(stage, changed) && found.without(is_own) == stage.without(is_own)
        })
    })
}

/// Whether a tree has records that follow what others change.
fn has_records(tree: &Tree, changed: &[String]) -> bool {
    let is_pointer =
        |path: &String| matches!(tree.get(path), Some(Node::Symlink(text)) if text.contains(".onionskin/directories/"));
    changed.iter().any(is_pointer)
}
