//! One run: a scene, the steps that it takes, and the laws that each must keep.

use std::collections::BTreeMap;

use onionskin::error::ErrorKind;
use onionskin::store::{Durability, Preopens};
use onionskin::workspace::glob::Select;
use onionskin::workspace::{Changed, CommitOptions, Layer, OnConflict, Options, Resolution, Role, Workspace};
use onionskin_sim::{SimFs, tree};

use super::numbers::Random;
use super::outside::Outside;
use super::reference::{Reference, is_elsewhere, is_named};
use crate::model::{Model, Node, carried_out, is_below};
use crate::world::{World, options, plain, shown};

/// The inode and the time of each file and link of the topmost lower.
fn inodes(fs: &SimFs, tree: &Model) -> BTreeMap<String, (u64, Option<u64>)> {
    let mut inodes = BTreeMap::new();
    for (path, node) in &tree.0 {
        if *node != Node::Directory {
            let (dir, name) = fs.walk(&fs.root(), &format!("lower/{path}"), false).expect("it is there");
            let stat = fs.stat_at(&dir, &name).expect("it is there");
            inodes.insert(path.clone(), (u64::from(stat.ino.0), stat.stat.modified));
        }
    }
    inodes
}

/// A state that was kept.
#[derive(Clone)]
struct Checkpoint {
    number: u64,
    shown: Model,
    /// How often somebody else had changed the lowers.
    disturbances: usize,
    reference: Reference,
}

pub(super) struct Run {
    world: World,
    options: Options,
    workspace: Option<Workspace<SimFs>>,
    pub(super) random: Random,
    /// The last steps.
    pub(super) story: Vec<String>,
    tokens: usize,
    reference: Reference,
    checkpoints: Vec<Checkpoint>,
    disturbances: usize,
}

impl Run {
    pub(super) fn new(seed: u64) -> Self {
        let lowers = tree! {
            file "lower/a/a" = "first";
            file "lower/a/b/c" = "deep";
            file "lower/b" = "a file over a directory";
            symlink "lower/c" = "a/a";
            file "lower/a-b/a" = "sorts between";
            file "lower/a-b/b" = "beside";
            file "below/a/a" = "hidden";
            file "below/a/c" = "from below";
            file "below/a/b/a" = "deeper";
            file "below/b/a" = "hidden by a file";
            dir "below/a-b/c";
        };
        let world = World::new(&lowers);
        let mut random = Random(seed);
        let mut options = options();
        options.lowers.truncate(1 + random.below(2));
        let workspace = Workspace::create(world.fs.clone(), &world.preopens(), &options).expect("an empty upper");
        let (story, reference, checkpoints) = (Vec::new(), Reference::default(), Vec::new());
        let workspace = Some(workspace);
        Self { world, options, workspace, random, story, tokens: 0, reference, checkpoints, disturbances: 0 }
    }

    fn workspace(&mut self) -> &mut Workspace<SimFs> {
        self.workspace.as_mut().expect("it is open")
    }

    fn shown(&mut self) -> Model {
        shown(self.workspace())
    }

    /// Returns the lowers as one tree, and the topmost.
    fn lowers(&self) -> (Model, Model) {
        let (lower, below) = self.world.lowers();
        let topmost = plain(&lower);
        let merged =
            if self.options.lowers.len() == 2 { topmost.clone().over(&plain(&below)) } else { topmost.clone() };
        (merged, topmost)
    }

    fn token(&mut self) -> String {
        self.tokens += 1;
        format!("t{}", self.tokens)
    }

    fn preopens(&self) -> Preopens<SimFs> {
        self.world.preopens_to_commit()
    }

    pub(super) fn step(&mut self) {
        let (mut before, topmost) = self.lowers();
        let (act, outside) = (self.random.below(20), 9..=13);
        let told = match act {
            0..=8 => self.change(),
            _ if outside.contains(&act) => {
                let token = format!("o{}", self.token());
                let top = if self.options.lowers.len() == 2 && self.random.below(4) == 0 { "below" } else { "lower" };
                let fs = self.world.fs.clone();
                let told = Outside { fs: &fs, top }.change(&mut self.random, &token);
                self.disturbances += usize::from(!told.is_empty());
                told
            }
            14..=16 => self.commit(),
            17 => self.refresh(),
            18 => self.keep(),
            _ => self.other(),
        };
        let (now, topmost_now) = self.lowers();
        if told.starts_with("commit") {
            self.reference.commit((&before, &topmost), (&now, &topmost_now));
            before = now.clone();
        }
        let shows = self.shown();
        self.story.push(told);
        let workspace = self.workspace.as_mut().expect("it is open");
        let mut is_own = |path: &str| workspace.stat(path).is_ok_and(|node| node.layer == Layer::Upper);
        self.reference.step((&before, &now), &shows, &mut is_own, outside.contains(&act));
    }

    /// What was moved is seen where it is shown. Returns what is shown.
    fn see_moved(&mut self) -> Model {
        let (shown, (lowers, _)) = (self.shown(), self.lowers());
        self.reference.see_moved(&shown, &lowers);
        shown
    }

    /// Changes something in the workspace.
    fn change(&mut self) -> String {
        let (path, other, token) = (self.random.path(), self.random.path(), self.token());
        let act = self.random.below(12);
        let mut expected = self.see_moved();
        let workspace = self.workspace.as_mut().expect("it is open");
        let (told, answer, wanted) = match act {
            0..=2 => {
                let answer = workspace.put(&path, token.clone().into());
                (format!("put {path}"), answer, expected.put(&path, token.as_bytes()))
            }
            3 => {
                let answer = workspace.write(&path, 1, token.clone().into());
                (format!("write {path}"), answer, expected.write(&path, 1, token.as_bytes()))
            }
            4 | 5 => (format!("mkdir {path}"), workspace.make_directory(&path), expected.make(&path, Node::Directory)),
            6 => {
                let made = expected.make(&path, Node::Link(token.clone()));
                (format!("link {path}"), workspace.make_symlink(&token, &path), made)
            }
            7 => (format!("rm {path}"), workspace.remove(&path), expected.remove(&path)),
            8 => {
                let answer = workspace.remove_tree(&path).map(drop);
                (format!("rm -r {path}"), answer, expected.remove_tree(&path).map(drop))
            }
            _ => {
                let wanted = expected.rename(&path, &other);
                (format!("mv {path} {other}"), workspace.rename(&path, &other), wanted)
            }
        };
        assert_eq!(answer.map_err(|error| error.kind()), wanted, "{told}");
        let (found, (lowers, _)) = (self.shown(), self.lowers());
        // A directory that somebody else replaced is one for as long as there are changes in it.
        let ended = |path: &str| {
            let was_directory = expected.0.get(path) == Some(&Node::Directory);
            was_directory
                && match found.0.get(path) {
                    None => lowers.0.get(path) != Some(&Node::Directory),
                    // Where it was moved, it is that of another path.
                    Some(node) => *node != Node::Directory && lowers.0.values().any(|lower| node == lower),
                }
        };
        let ends: Vec<&String> = expected.0.keys().filter(|path| ended(path)).collect();
        for path in found.0.keys().chain(expected.0.keys()) {
            let is_ended = ends.iter().any(|end| path == *end || is_below(path, end));
            assert!(is_ended || found.0.get(path) == expected.0.get(path), "{told}: {path} is {:?}", found.0.get(path));
        }
        told
    }

    fn reviewed(&mut self, select: &Select) -> Vec<Changed> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.workspace().changes(select, after.as_deref(), 4).expect("changes can be listed");
            all.extend(page.changes);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    fn commit(&mut self) -> String {
        let select = self.random.select();
        let conflicts = [OnConflict::Fail, OnConflict::Ours, OnConflict::Theirs][self.random.below(3)];
        let told = format!("commit {select:?} {conflicts:?} over {}", self.options.lowers.len());
        let (merged, topmost) = self.lowers();
        let (shows, inodes_before) = (self.shown(), inodes(&self.world.fs, &topmost));
        let rows = self.reviewed(&select);
        let named = self.workspace().conflicts(&select).expect("conflicts can be listed");
        assert!(self.disturbances > 0 || named.is_empty(), "{told}: conflicts without a cause: {named:?}");
        let (fs, preopens) = (self.world.fs.clone(), self.preopens());
        let options = CommitOptions {
            into: "/lower".to_owned(),
            paths: select.clone(),
            durability: Durability::Visible,
            conflicts,
        };
        let answer = self.workspace().commit(fs, &preopens, &options);
        let (_, after) = self.lowers();
        let shows_after = self.shown();
        if conflicts == OnConflict::Fail && !named.is_empty() {
            assert_eq!(answer.expect_err("it is in conflict").kind(), ErrorKind::Conflicts, "{told}");
            assert_eq!((after, shows_after), (topmost, shows), "{told}");
            return told;
        }
        answer.unwrap_or_else(|error| panic!("{told}: {error}"));
        let rows: Vec<Changed> = rows.into_iter().filter(|row| !matches!(row.role, Role::Stays(_))).collect();
        let predicted = carried_out(&topmost, &merged, &rows, &shows);
        let gives_up = conflicts == OnConflict::Theirs && !named.is_empty();
        if gives_up {
            for path in topmost.0.keys().chain(after.0.keys()) {
                let found = after.0.get(path);
                assert!(found == topmost.0.get(path) || found == predicted.0.get(path), "{told}: {path} is {found:?}");
            }
        } else {
            // The first law.
            assert_eq!(after, predicted, "{told}: the review was {rows:#?}");
            assert_eq!(shows_after, shows, "{told}: the workspace shows something else");
        }
        let inodes_after = inodes(&self.world.fs, &after);
        for (path, inode) in &inodes_before {
            let is_excepted = select.excepts(path);
            let is_listed = predicted.0.get(path) != topmost.0.get(path);
            let is_moved = rows.iter().any(|row| row.path == *path);
            if is_excepted || !(is_listed || is_moved) {
                assert_eq!(inodes_after.get(path), Some(inode), "{told}: {path} was not chosen");
            }
        }
        for path in after.0.keys().filter(|path| select.excepts(path)) {
            assert_eq!(after.0.get(path), topmost.0.get(path), "{told}: {path} is excepted");
        }
        // The second law.
        for path in topmost.0.keys().chain(after.0.keys()) {
            let there = merged.0.get(path);
            let is_changed = after.0.get(path) != topmost.0.get(path) && after.0.get(path) != there;
            let is_known = self.reference.has_seen(path, there);
            let is_moved = there.is_some_and(|node| is_elsewhere(&shows, path, node));
            let is_free = conflicts == OnConflict::Ours && is_named(&named, path);
            assert!(
                !is_changed || is_known || is_moved || is_free,
                "{told}: {path} was {there:?} and is lost: {:?} became {:?}, by {:?}; named {named:?}, of {rows:#?}",
                topmost.0.get(path),
                after.0.get(path),
                self.reference
            );
        }
        if conflicts == OnConflict::Ours {
            self.reference.accept(&named, &merged);
        }
        told
    }

    /// Takes what somebody else did into the workspace.
    fn refresh(&mut self) -> String {
        let select = self.random.select();
        let all = [Resolution::Ours, Resolution::Theirs, Resolution::Merge, Resolution::Mark];
        let resolution = all[self.random.below(all.len())];
        let told = format!("refresh {select:?} {resolution:?} over {}", self.options.lowers.len());
        let ((lowers, topmost), shows) = (self.lowers(), self.shown());
        let named = self.workspace().conflicts(&select).expect("conflicts can be listed");
        let answer = self.workspace().refresh(&select, resolution);
        let shows_after = self.shown();
        assert_eq!(self.lowers(), (lowers.clone(), topmost), "{told}");
        match answer {
            Ok(paths) => assert_eq!(paths, named, "{told}"),
            Err(error) => {
                assert_eq!((error.kind(), shows_after), (ErrorKind::Conflicts, shows), "{told}");
                assert!(matches!(resolution, Resolution::Merge | Resolution::Mark), "{told}: {error}");
                return told;
            }
        }
        let left = self.workspace().conflicts(&select).expect("conflicts can be listed");
        assert!(left.is_empty(), "{told}: {left:?} are in conflict after all of {named:?}");
        for path in shows.0.keys().chain(shows_after.0.keys()) {
            let (before, after) = (shows.0.get(path), shows_after.0.get(path));
            let is_right = match resolution {
                Resolution::Ours => before == after,
                Resolution::Theirs => before == after || after == lowers.0.get(path),
                Resolution::Merge | Resolution::Mark => before == after || is_named(&named, path),
            };
            assert!(is_right, "{told}: {path} was {before:?} and is {after:?}; named {named:?}");
        }
        self.reference.accept(&named, &lowers);
        told
    }

    fn keep(&mut self) -> String {
        match self.random.below(3) {
            0 => {
                let number = self.workspace().checkpoint("kept").expect("there is room");
                let shown = self.shown();
                self.kept(number, shown);
                format!("checkpoint {number}")
            }
            1 if !self.checkpoints.is_empty() => {
                let index = self.random.below(self.checkpoints.len());
                let Checkpoint { number, shown, disturbances, reference } = self.checkpoints[index].clone();
                let present = self.see_moved();
                match self.workspace().restore(number) {
                    Ok(before) => {
                        self.kept(before, present);
                        if disturbances == self.disturbances {
                            assert_eq!(self.shown(), shown, "restore {number}");
                        }
                        // What its changes were based on was known then.
                        self.reference.restore(reference);
                    }
                    Err(error) => {
                        assert_eq!((error.kind(), self.shown()), (ErrorKind::Conflicts, present));
                        assert!(disturbances < self.disturbances, "restore {number} is refused: {error}");
                    }
                }
                format!("restore {number}")
            }
            _ => {
                // The fork goes on, and the first one ends.
                let upper = if self.options.upper == "/upper" { "/fork" } else { "/upper" };
                let options = Options { upper: upper.to_owned(), ..self.options.clone() };
                let (fs, preopens) = (self.world.fs.clone(), self.world.preopens());
                let fork = self.workspace().fork(fs, &preopens, &options).expect("the directory is empty");
                let former = self.workspace.replace(fork).expect("it is open");
                former.discard().expect("it can be given up");
                self.options = options;
                self.checkpoints.clear();
                "fork".to_owned()
            }
        }
    }

    fn kept(&mut self, number: u64, shown: Model) {
        let (disturbances, reference) = (self.disturbances, self.reference.clone());
        self.checkpoints.push(Checkpoint { number, shown, disturbances, reference });
    }

    fn other(&mut self) -> String {
        self.workspace().sync().expect("there is room");
        self.workspace = None;
        assert_eq!(self.world.fs.intrusions(), []);
        let opened = Workspace::open(self.world.fs.clone(), &self.preopens(), &self.options);
        self.workspace = Some(opened.expect("it is there"));
        "reopen".to_owned()
    }
}
