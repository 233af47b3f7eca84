//! After any sequence of operations a workspace shows the tree of the reference model, and its originals stay
//! unchanged. `ONIONSKIN_OPERATIONS=N` runs N operations instead of some hundred thousand.

use onionskin::error::{Error, ErrorKind};
use onionskin::store::{Durability, Preopens};
use onionskin::workspace::glob::Select;
use onionskin::workspace::{Change, Changed, CommitOptions, OnConflict, Options, Workspace};
use onionskin_sim::{Fault, Harm, SimFs, Tree, When, tree};
use onionskin_tests_core::proptest::prelude::*;
use onionskin_tests_core::proptest::test_runner::{Config, TestRunner};

use crate::model::{Model, Node, carried_out};
use crate::world::{World, options, plain, shown};

/// The maximal length of a sequence.
const LENGTH: usize = 64;

#[derive(Clone, Debug)]
enum Op {
    Write(String, usize, Vec<u8>),
    Append(String, Vec<u8>),
    Put(String, Vec<u8>),
    /// In pieces, by a draft.
    PutDraft(String, Vec<Vec<u8>>),
    SetSize(String, usize),
    MakeDirectory(String),
    MakeSymlink(String),
    Remove(String),
    RemoveTree(String),
    Rename(String, String),
    Sync,
    Reopen,
    Changes,
    Checkpoint,
    Restore(usize),
    DropCheckpoint(usize),
    Fork(String),
    Export,
    /// Of all changes, or of those that a glob selects.
    Commit(Option<String>),
}

/// An operation, and the number of its call at which the process dies, if it does.
type Step = (Op, Option<u32>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // A few names, so that they collide; some exist only below, some only in the upper lower, some in both.
    let name = || prop::sample::select(vec!["a", "b", "c", "a-b"]);
    let path = move || prop::collection::vec(name(), 1..4).prop_map(|names| names.join("/"));
    let data = || prop::collection::vec(any::<u8>(), 0..6);
    let op = prop_oneof![
        3 => (path(), 0..12_usize, data()).prop_map(|(path, offset, data)| Op::Write(path, offset, data)),
        1 => (path(), data()).prop_map(|(path, data)| Op::Append(path, data)),
        1 => (path(), data()).prop_map(|(path, data)| Op::Put(path, data)),
        1 => (path(), prop::collection::vec(data(), 1..4)).prop_map(|(path, data)| Op::PutDraft(path, data)),
        1 => (path(), 0..12_usize).prop_map(|(path, size)| Op::SetSize(path, size)),
        2 => path().prop_map(Op::MakeDirectory),
        1 => path().prop_map(Op::MakeSymlink),
        2 => path().prop_map(Op::Remove),
        1 => path().prop_map(Op::RemoveTree),
        4 => (path(), path()).prop_map(|(old, new)| Op::Rename(old, new)),
        1 => Just(Op::Sync),
        1 => Just(Op::Reopen),
        1 => Just(Op::Changes),
        1 => prop_oneof![
            2 => Just(Op::Checkpoint),
            2 => (0..4_usize).prop_map(Op::Restore),
            1 => (0..4_usize).prop_map(Op::DropCheckpoint),
            1 => path().prop_map(Op::Fork),
            1 => Just(Op::Export),
            2 => Just(Op::Commit(None)),
            2 => path().prop_map(|path| Op::Commit(Some(path))),
        ],
    ];
    let death = prop::option::weighted(0.1, 0..30_u32);
    prop::collection::vec((op, death), 1..LENGTH)
}

fn lowers() -> Tree {
    tree! {
        file "lower/a/a" = "first";
        file "lower/a/b/c" = "deep";
        file "lower/b" = "a file over a directory";
        symlink "lower/c" = "a/a";
        file "lower/a-b/a" = "sorts between";
        same "lower/a-b/b" = "lower/a-b/a";
        file "below/a/a" = "hidden";
        file "below/a/c" = "from below";
        file "below/a/b/a/b" = "deeper";
        file "below/b/a" = "hidden by a file";
        dir "below/a-b/c";
    }
}

/// Applies an operation to the workspace.
fn real(workspace: &mut Workspace<SimFs>, op: &Op) -> Result<(), ErrorKind> {
    let answer = match op {
        Op::Write(path, offset, data) => workspace.write(path, *offset as u64, data.clone()),
        Op::Append(path, data) => workspace.append(path, data.clone()).map(drop),
        Op::Put(path, data) => workspace.put(path, data.clone()),
        Op::PutDraft(path, pieces) => {
            let mut draft = Ok(None);
            for piece in pieces {
                draft = draft.and_then(|draft| workspace.draft(draft, piece.clone()).map(Some));
            }
            draft.and_then(|draft| workspace.put_draft(draft.expect("there are pieces"), path))
        }
        Op::SetSize(path, size) => workspace.set_size(path, *size as u64),
        Op::MakeDirectory(path) => workspace.make_directory(path),
        Op::MakeSymlink(path) => workspace.make_symlink("a/b", path),
        Op::Remove(path) => workspace.remove(path),
        Op::RemoveTree(path) => workspace.remove_tree(path).map(drop),
        Op::Rename(old, new) => workspace.rename(old, new),
        Op::Sync => workspace.sync(),
        _ => Ok(()),
    };
    answer.map_err(|error| error.kind())
}

/// Applies an operation to the reference model.
fn reference(model: &mut Model, op: &Op) -> Result<(), ErrorKind> {
    match op {
        Op::Write(path, offset, data) => model.write(path, *offset, data),
        Op::Append(path, data) => model.append(path, data),
        Op::Put(path, data) => model.put(path, data),
        Op::PutDraft(path, pieces) => model.put(path, &pieces.concat()),
        Op::SetSize(path, size) => model.set_size(path, *size),
        Op::MakeDirectory(path) => model.make(path, Node::Directory),
        Op::MakeSymlink(path) => model.make(path, Node::Link("a/b".to_owned())),
        Op::Remove(path) => model.remove(path),
        Op::RemoveTree(path) => model.remove_tree(path).map(drop),
        Op::Rename(old, new) => model.rename(old, new),
        _ => Ok(()),
    }
}

/// A sequence in progress.
struct Run {
    world: World,
    workspace: Option<Workspace<SimFs>>,
    model: Model,
    /// The checkpoints that exist, with their trees.
    kept: Vec<(u64, Model)>,
    lower: Tree,
    below: Tree,
}

impl Run {
    fn workspace(&mut self) -> &mut Workspace<SimFs> {
        self.workspace.as_mut().expect("it is open")
    }

    fn reopen(&mut self) -> Result<(), TestCaseError> {
        self.workspace = None;
        prop_assert_eq!(self.world.fs.intrusions(), []);
        self.world.restart();
        self.workspace = Some(self.world.open_after_commit());
        Ok(())
    }

    /// Applies an operation on the workspace as a whole; returns whether it was one.
    fn whole(&mut self, op: &Op, preopens: &Preopens<SimFs>) -> Result<(), ErrorKind> {
        let fs = self.world.fs.clone();
        let number = |kept: &[(u64, Model)], index: usize| kept.get(index).map_or(99, |(number, _)| *number);
        let answer = match op {
            Op::Checkpoint => self.workspace().checkpoint("kept").map(|number| {
                let model = self.model.clone();
                self.kept.push((number, model));
            }),
            Op::Restore(index) => {
                let number = number(&self.kept, *index);
                self.workspace().restore(number).map(|before| {
                    let model = std::mem::replace(&mut self.model, self.kept[*index].1.clone());
                    self.kept.push((before, model));
                })
            }
            Op::DropCheckpoint(index) => {
                let number = number(&self.kept, *index);
                self.workspace().drop_checkpoint(number).map(|()| drop(self.kept.remove(*index)))
            }
            Op::Fork(path) => self.fork(fs, preopens, path),
            Op::Export => {
                let answer = self.workspace().export(fs, preopens, "/out", &[], Durability::Visible);
                answer.map(|_| {
                    let out = self.world.fs.tree().below("out");
                    assert_eq!(plain(&out), self.model, "the exported tree");
                    self.world.empty("out");
                })
            }
            Op::Commit(glob) => {
                let only = glob.iter().cloned().collect();
                let options = CommitOptions {
                    into: "/lower".to_owned(),
                    paths: Select { only, except: Vec::new() },
                    durability: Durability::Full,
                    conflicts: OnConflict::Fail,
                };
                self.workspace().commit(fs, preopens, &options).map(drop)
            }
            _ => Ok(()),
        };
        answer.map_err(|error| error.kind())
    }

    fn fork(&mut self, fs: SimFs, preopens: &Preopens<SimFs>, path: &str) -> Result<(), Error> {
        let options = Options { upper: "/fork".to_owned(), ..options() };
        let mut fork = self.workspace().fork(fs, preopens, &options)?;
        assert_eq!(shown(&mut fork), self.model, "the fork");
        let mut model = self.model.clone();
        let expected = model.write(path, 1, b"fork");
        assert_eq!(fork.write(path, 1, b"fork".to_vec()).map_err(|error| error.kind()), expected);
        assert_eq!(shown(&mut fork), model, "the fork, written");
        fork.discard()
    }

    /// Asserts that the changes, applied to the tree of the lowers, give the tree of the workspace.
    fn check_changes(&mut self) -> Result<(), TestCaseError> {
        let before = plain(&self.lower).over(&plain(&self.below));
        let mut changes = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page =
                self.workspace().changes(&Select::default(), after.as_deref(), 3).expect("changes can be listed");
            prop_assert!(page.changes.len() <= 3);
            changes.extend(page.changes);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let is_deleted = |changed: &Changed| changed.change == Change::Deleted;
        prop_assert!(changes.is_sorted_by_key(|changed| !is_deleted(changed)), "{changes:?}");
        let replayed = carried_out(&before, &before, &changes, &self.model);
        prop_assert_eq!(replayed, self.model.clone(), "{:#?}", changes);
        Ok(())
    }

    fn step(&mut self, op: &Op, death: Option<u32>) -> Result<(), TestCaseError> {
        let preopens = self.world.preopens_to_commit();
        // The explorer crashes these operations.
        if let Some(call) = death.filter(|_| !matches!(op, Op::Fork(_) | Op::Export)) {
            let before = self.world.fs.counts().calls;
            self.world.fs.harm(Fault::once(When::Call(before + call), Harm::Die));
        }
        let old = self.model.clone();
        let mut after = old.clone();
        let expected = reference(&mut after, op);
        let mut answer = real(self.workspace(), op);
        if answer.is_ok() && answer == expected {
            // At most one of the two has an effect.
            self.model = after.clone();
            answer = self.whole(op, &preopens);
        }
        let died = self.world.fs.harmed() > 0;
        self.world.fs.heal();
        if died {
            self.reopen()?;
            let found = shown(self.workspace());
            let mut allowed = vec![&old, &after];
            if let Op::Restore(index) = op {
                allowed.extend(self.kept.get(*index).map(|(_, model)| model));
            }
            prop_assert!(allowed.contains(&&found), "{op:?} killed: {found:#?}");
            self.model = found;
            let there: Vec<u64> =
                self.workspace().checkpoints().expect("it can be listed").iter().map(|kept| kept.number).collect();
            self.kept.retain(|(number, _)| there.contains(number));
        } else {
            let is_told = match op {
                // Moved content may have gone; a dropped checkpoint has gone.
                Op::Restore(index) | Op::DropCheckpoint(index) if self.kept.len() <= *index => {
                    answer.is_ok() || answer == Err(ErrorKind::NotFound)
                }
                _ => answer == expected,
            };
            prop_assert!(is_told, "{op:?}: {answer:?} for {expected:?}");
            if matches!(op, Op::Reopen) {
                self.reopen()?;
            }
        }
        let (lower, below) = self.world.lowers();
        prop_assert_eq!(&below, &self.below);
        if let Op::Commit(glob) = op {
            self.lower = lower;
            if !died && glob.is_none() {
                let now = plain(&self.lower).over(&plain(&self.below));
                for (path, node) in &self.model.0 {
                    prop_assert_eq!(now.0.get(path), Some(node), "committed: {}", path);
                }
                for path in plain(&self.lower).0.keys() {
                    prop_assert!(self.model.0.contains_key(path), "left in the lower: {path}");
                }
            }
            prop_assert_eq!(shown(self.workspace()), self.model.clone(), "after {:?}", op);
        } else {
            prop_assert_eq!(&lower, &self.lower);
        }
        if matches!(op, Op::Changes | Op::Commit(_)) {
            self.check_changes()?;
            prop_assert_eq!(
                self.workspace().conflicts(&Select::default()).expect("it can be listed"),
                Vec::<String>::new()
            );
        }
        Ok(())
    }
}

/// Runs a sequence.
fn check(steps: &[Step]) -> Result<(), TestCaseError> {
    let world = World::new(&lowers());
    let (lower, below) = world.lowers();
    let model = plain(&lower).over(&plain(&below));
    let workspace = Some(world.create());
    let mut run = Run { world, workspace, model, kept: Vec::new(), lower, below };
    for (number, (op, death)) in steps.iter().enumerate() {
        let answer = run.step(op, *death);
        answer.map_err(|error| TestCaseError::fail(format!("step {number}: {error}")))?;
    }
    let found = shown(run.workspace());
    prop_assert_eq!(found, run.model.clone());
    run.check_changes()?;
    run.reopen()
}

#[test]
fn a_workspace_equals_the_reference_model() {
    let wanted = std::env::var("ONIONSKIN_OPERATIONS").map_or(150_000, |text| text.parse().expect("a number"));
    // The average length is half of the maximum.
    let cases = u32::try_from(wanted / (LENGTH / 2)).expect("fewer than 2^32 sequences");
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let operations = std::cell::Cell::new(0);
    let answer = runner.run(&steps(), |steps| {
        operations.set(operations.get() + steps.len());
        check(&steps)
    });
    println!("{} operations", operations.get());
    answer.unwrap_or_else(|failure| panic!("{failure}"));
}

/// A directory takes the place of one that a commit moved away, and a lower below still has entries of both: nobody
/// changed anything, so there is no conflict.
#[test]
fn a_directory_moved_back_after_a_commit_is_no_conflict() {
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let steps =
        [Op::RemoveTree(b.clone()), Op::Rename(a.clone(), b.clone()), Op::Commit(None), Op::Rename(b, a), Op::Changes];
    check(&steps.map(|op| (op, None))).expect("it is as in the model");
}
