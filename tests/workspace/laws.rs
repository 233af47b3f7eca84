//! The two laws of a commit, searched: what a review lists is what a commit does, and what somebody else did to the
//! lowers is kept or was named as a conflict.
//!
//! Between any two calls somebody else changes the lowers: files, links and directories take each other's place, move,
//! vanish, and are replaced by copies of themselves. Commits take random paths, over one lower and over two.
//! `ONIONSKIN_LAWS=N` takes N steps instead of the bounded number; `ONIONSKIN_LAWS_SEED=N` begins with that seed.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};

use onionskin::error::ErrorKind;
use onionskin::fs::{Cause, Fs as _, Kind};
use onionskin::store::{Durability, Preopens};
use onionskin::workspace::glob::Select;
use onionskin::workspace::{Changed, CommitOptions, OnConflict, Options, Resolution, Role, Workspace};
use onionskin_sim::{Dir, SimFs, Stamp, tree};

use crate::model::{Model, Node, carried_out, is_below};
use crate::world::{World, options, plain, shown};

/// The number of steps that a run takes before it begins anew.
const LENGTH: usize = 48;
/// The number of steps without `ONIONSKIN_LAWS`: less than a minute of one core.
const STEPS: usize = 30_000;

/// The seeds of failures that were found and mended: they are always tried.
const FOUND: [u64; 46] = [
    886, 981, 1896, 1945, 2097, 2704, 8974, 11683, 12965, 30638, 31168, 43403, 52092, 60842, 100246, 101234, 106663,
    110494, 113039, 115584, 1005261, 1008523, 1042516, 1045814, 1053627, 2000336, 2017376, 2017554, 2026485, 2044161,
    3109507, 3115059, 3123198, 3127369, 3147881, 3151273, 4012329, 4013480, 4015475, 4045246, 5002738, 6037215,
    7013245, 7017406, 8005726, 9002151,
];

/// A generator of random numbers: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is less than a usize")
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    pub(crate) fn path(&mut self) -> String {
        let depth = [1, 1, 2, 2, 2, 3][self.below(6)];
        let names: Vec<&str> = (0..depth).map(|_| self.one_of(&["a", "b", "c", "a-b"])).collect();
        names.join("/")
    }

    fn glob(&mut self) -> String {
        match self.below(6) {
            0..=2 => self.path(),
            3 => format!("**/{}", self.one_of(&["a", "b", "c", "a-b"])),
            4 => format!("{}/*", self.path()),
            _ => self.one_of(&["*", "a*", "**/?", "*/b", "a/**/c"]).to_owned(),
        }
    }

    pub(crate) fn select(&mut self) -> Select {
        let mut globs = |most: usize| (0..self.below(most)).map(|_| self.glob()).collect::<Vec<_>>();
        let (only, except) = (globs(3), globs(3));
        Select { only, except }
    }
}

/// Somebody else, who changes a directory.
pub(crate) struct Outside<'a> {
    pub(crate) fs: &'a SimFs,
    pub(crate) top: &'a str,
}

impl Outside<'_> {
    fn place(&self, path: &str) -> Option<(Dir, String)> {
        self.fs.walk(&self.fs.root(), &format!("{}/{path}", self.top), false).ok()
    }

    fn remove(&self, dir: &Dir, name: &str) {
        match self.fs.stat(dir, name).map(|stat| stat.kind) {
            Ok(Kind::Directory) => {
                let inner = self.fs.open_dir(dir, name).expect("a directory can be opened");
                for (below, _) in self.fs.list(&inner).expect("a directory can be listed") {
                    self.remove(&inner, &below);
                }
                self.fs.remove_dir(dir, name).expect("it is empty now");
            }
            Ok(_) => self.fs.remove_file(dir, name).expect("it is there"),
            Err(cause) => assert_eq!(cause, Cause::NoEntry),
        }
    }

    fn write(&self, dir: &Dir, name: &str, bytes: &[u8]) {
        let file = self.fs.create_file(dir, name).expect("the name is free");
        self.fs.write(&file, 0, bytes).expect("there is room");
    }

    /// Makes another tree of the same content take the place of an entry.
    fn clone(&self, dir: &Dir, name: &str, path: &str) {
        let tree = plain(&self.fs.tree().below(self.top));
        let Some(top) = tree.0.get(path) else { return };
        self.remove(dir, name);
        self.make(dir, name, top);
        for (below, node) in tree.0.iter().filter(|(below, _)| is_below(below, path)) {
            let (dir, name) = self.place(below).expect("its directory was made before");
            self.make(&dir, &name, node);
        }
    }

    fn make(&self, dir: &Dir, name: &str, node: &Node) {
        match node {
            Node::Directory => self.fs.make_dir(dir, name).expect("the name is free"),
            Node::File(bytes) => self.write(dir, name, bytes),
            Node::Link(text) => self.fs.symlink(text, dir, name).expect("the name is free"),
        }
    }

    /// Makes an entry, in the place of what is there.
    pub(crate) fn replace(&self, path: &str, node: &Node) {
        let (dir, name) = self.place(path).expect("its directory is there");
        self.remove(&dir, &name);
        self.make(&dir, &name, node);
    }

    /// Changes something; says what.
    fn change(&self, random: &mut Random, token: &str) -> String {
        let (path, act) = (random.path(), random.below(9));
        let Some((dir, name)) = self.place(&path) else { return String::new() };
        let is_there = self.fs.stat(&dir, &name).is_ok();
        let done = match act {
            0 | 1 => {
                self.remove(&dir, &name);
                self.write(&dir, &name, token.as_bytes());
                "writes"
            }
            2 | 3 => {
                self.remove(&dir, &name);
                "removes"
            }
            4 => {
                self.remove(&dir, &name);
                self.fs.make_dir(&dir, &name).expect("the name is free");
                "makes the directory"
            }
            5 => {
                self.remove(&dir, &name);
                self.fs.symlink(token, &dir, &name).expect("the name is free");
                "links"
            }
            6 if is_there => {
                let to = random.path();
                match self.place(&to) {
                    Some((other, new)) if self.fs.stat(&other, &new).is_err() && !is_below(&to, &path) => {
                        let _links_may_lead_into_itself = self.fs.rename((&dir, &name), (&other, &new));
                    }
                    _ => return String::new(),
                }
                return format!("{} moves {path} to {to}", self.top);
            }
            7 => {
                self.clone(&dir, &name, &path);
                "replaces by a copy"
            }
            _ => {
                let stat = self.fs.stat(&dir, &name);
                let Some(stat) = stat.ok().filter(|stat| stat.kind == Kind::File) else {
                    return String::new();
                };
                // Another content of the same length and time.
                let bytes: Vec<u8> = token.bytes().cycle().take(usize::try_from(stat.size).expect("short")).collect();
                self.remove(&dir, &name);
                self.write(&dir, &name, &bytes);
                self.fs.set_times(&dir, &name, Stamp::At(stat.modified.expect("it has a time"))).expect("it is there");
                "writes the same length at the same time to"
            }
        };
        format!("{} {done} {path}", self.top)
    }
}

/// Checks whether what is at a path of the lowers is shown at another path.
fn is_elsewhere(shows: &Model, path: &str, there: &Node) -> bool {
    shows.0.iter().any(|(other, node)| {
        let is_same_name = other.rsplit('/').next() == path.rsplit('/').next();
        other != path && node == there && (*node != Node::Directory || is_same_name)
    })
}

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

/// What the changes at a path are based on.
#[derive(Clone, Debug, Default)]
struct Based {
    /// What the lowers had when a difference began, and what commits brought to light there since.
    states: Vec<Option<Node>>,
    /// Somebody else has made the same change, for now.
    is_equal: bool,
}

/// A state that was kept.
#[derive(Clone)]
struct Checkpoint {
    number: u64,
    shown: Model,
    /// How often somebody else had changed the lowers.
    disturbances: usize,
    based: BTreeMap<String, Based>,
}

struct Run {
    world: World,
    options: Options,
    workspace: Option<Workspace<SimFs>>,
    random: Random,
    /// The last steps.
    story: Vec<String>,
    tokens: usize,
    /// For each path at which the workspace differs from the lowers: what its differences are based on.
    based: BTreeMap<String, Based>,
    checkpoints: Vec<Checkpoint>,
    disturbances: usize,
}

impl Run {
    fn new(seed: u64) -> Self {
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
        let (story, based, checkpoints) = (Vec::new(), BTreeMap::new(), Vec::new());
        let workspace = Some(workspace);
        Self { world, options, workspace, random, story, tokens: 0, based, checkpoints, disturbances: 0 }
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

    fn step(&mut self) {
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
            // What the commit changed, and what lowers below show again, is known.
            for (path, based) in &mut self.based {
                let differs = |one: &Model, other: &Model| one.0.get(path) != other.0.get(path);
                if differs(&before, &now) || differs(&topmost, &topmost_now) {
                    based.states.push(now.0.get(path).cloned());
                }
            }
            before = now.clone();
        }
        let shows = self.shown();
        self.story.push(told);
        let is_outside = outside.contains(&act);
        let differs = |path: &String| shows.0.get(path) != now.0.get(path);
        self.based.retain(|path, based| {
            let is_over = !differs(path) && !is_outside && !based.is_equal;
            based.is_equal |= !differs(path);
            !is_over
        });
        for path in shows.0.keys().chain(now.0.keys()).filter(|path| differs(path)) {
            let based = self.based.entry(path.clone()).or_insert_with(|| Based { is_equal: true, ..Based::default() });
            if std::mem::take(&mut based.is_equal) {
                based.states.push(before.0.get(path).cloned());
            }
        }
    }

    /// What was moved is known by what is shown in its new place, and can be removed there. Returns what is shown.
    fn know_what_was_moved(&mut self) -> Model {
        let (shown, (lowers, _)) = (self.shown(), self.lowers());
        for (path, based) in &mut self.based {
            let there = lowers.0.get(path).filter(|node| is_elsewhere(&shown, path, node));
            if there.is_some_and(|node| !based.states.iter().flatten().any(|state| state == node)) {
                based.states.push(there.cloned());
            }
        }
        shown
    }

    /// Changes something in the workspace.
    fn change(&mut self) -> String {
        let (path, other, token) = (self.random.path(), self.random.path(), self.token());
        let act = self.random.below(12);
        let mut expected = self.know_what_was_moved();
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
            let is_known =
                self.based.get(path).is_some_and(|based| based.states.iter().any(|state| state.as_ref() == there));
            let is_named = named.iter().any(|named| path == named || is_below(path, named) || is_below(named, path));
            let is_moved = there.is_some_and(|node| is_elsewhere(&shows, path, node));
            let is_free = conflicts == OnConflict::Ours && is_named;
            assert!(
                !is_changed || is_known || is_moved || is_free,
                "{told}: {path} was {there:?} and is lost: {:?} became {:?}, based on {:?}; named {named:?}, of {rows:#?}",
                topmost.0.get(path),
                after.0.get(path),
                self.based.get(path)
            );
        }
        if conflicts == OnConflict::Ours {
            self.accept(&named, &merged);
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
        let is_named =
            |path: &String| named.iter().any(|named| path == named || is_below(path, named) || is_below(named, path));
        for path in shows.0.keys().chain(shows_after.0.keys()) {
            let (before, after) = (shows.0.get(path), shows_after.0.get(path));
            let is_right = match resolution {
                Resolution::Ours => before == after,
                Resolution::Theirs => before == after || after == lowers.0.get(path),
                Resolution::Merge | Resolution::Mark => before == after || is_named(path),
            };
            assert!(is_right, "{told}: {path} was {before:?} and is {after:?}; named {named:?}");
        }
        self.accept(&named, &lowers);
        told
    }

    /// What the lowers have at the paths of conflicts is known once a side was chosen.
    fn accept(&mut self, named: &[String], lowers: &Model) {
        for (path, based) in &mut self.based {
            if named.iter().any(|named| path == named || is_below(path, named) || is_below(named, path)) {
                based.states.push(lowers.0.get(path).cloned());
            }
        }
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
                let Checkpoint { number, shown, disturbances, based } = self.checkpoints[index].clone();
                let present = self.know_what_was_moved();
                match self.workspace().restore(number) {
                    Ok(before) => {
                        self.kept(before, present);
                        if disturbances == self.disturbances {
                            assert_eq!(self.shown(), shown, "restore {number}");
                        }
                        // What its changes were based on was known then.
                        for (path, Based { states, .. }) in based {
                            let fresh = || Based { is_equal: true, ..Based::default() };
                            self.based.entry(path).or_insert_with(fresh).states.extend(states);
                        }
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
        let (disturbances, based) = (self.disturbances, self.based.clone());
        self.checkpoints.push(Checkpoint { number, shown, disturbances, based });
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

#[test]
fn a_review_is_the_commit_and_nothing_is_lost_in_silence() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let steps = number("ONIONSKIN_LAWS").map_or(STEPS, |steps| usize::try_from(steps).expect("a number"));
    let first = number("ONIONSKIN_LAWS_SEED").unwrap_or(1);
    for seed in FOUND.into_iter().chain((first..).take(steps.div_ceil(LENGTH))) {
        if let Err(failed) = take(seed, None) {
            let Failed { step, story, failure, .. } = shortened(seed, failed);
            println!("ONIONSKIN_LAWS_SEED={seed}, step {step}, after:");
            story.iter().filter(|told| !told.is_empty()).for_each(|told| println!("  {told}"));
            resume_unwind(failure);
        }
    }
    println!("{steps} steps");
}

/// A step that failed.
struct Failed {
    step: usize,
    /// The steps before it.
    story: Vec<String>,
    failure: Box<dyn Any + Send>,
    /// The numbers with which each step began.
    numbers: Vec<u64>,
}

/// Takes the steps of a seed: all of them, or some, with the numbers that each had among all.
fn take(seed: u64, some: Option<&[(u64, bool)]>) -> Result<(), Failed> {
    let mut run = Run::new(seed);
    let mut numbers = Vec::new();
    for step in 0..some.map_or(LENGTH, <[_]>::len) {
        if let Some((number, is_taken)) = some.map(|some| some[step]) {
            if !is_taken {
                continue;
            }
            run.random = Random(number);
        }
        numbers.push(run.random.0);
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| run.step())) {
            return Err(Failed { step, story: run.story, failure, numbers });
        }
    }
    Ok(())
}

/// Leaves out the steps without which it fails as well.
fn shortened(seed: u64, mut failed: Failed) -> Failed {
    let mut some: Vec<(u64, bool)> = failed.numbers.iter().map(|number| (*number, true)).collect();
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    for step in (0..failed.step).rev() {
        some[step].1 = false;
        match take(seed, Some(&some)) {
            Err(shorter) => failed = Failed { step: failed.step, ..shorter },
            Ok(()) => some[step].1 = true,
        }
    }
    set_hook(hook);
    let last = take(seed, Some(&some));
    last.err().unwrap_or(failed)
}
