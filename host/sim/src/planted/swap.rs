//! The directory swap as others first wrote it: a staging directory, a backup, two renames.

use onionskin::fs::{Cause, Fs};

use super::{MIXED, Planted, Search, exists, failed, remove_tree, write};
use crate::explore::{Class, Failure, Subject};
use crate::model::Model;
use crate::simfs::{Harm, SimFs};
use crate::tree;
use crate::tree::Tree;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    NoSyncs,
    Synced,
    SecondProcess,
    DropsDirectories,
}

struct Swap(Bug);

pub(super) fn all() -> Vec<Planted> {
    let planted = |name, description, bug, search| Planted {
        name,
        description,
        subject: Box::new(Swap(bug)),
        search,
        shows: MIXED,
    };
    vec![
        planted(
            "swap-no-syncs",
            "nothing is synced: the power goes, and conversations are empty or gone",
            Bug::NoSyncs,
            Search::Crashes(Model::Ordered),
        ),
        Planted {
            shows: "what was acknowledged is lost",
            ..planted(
                "swap-no-syncs-acknowledged",
                "nothing is synced: what the user saw saved is not there after the power went",
                Bug::NoSyncs,
                Search::Crashes(Model::Any),
            )
        },
        planted(
            "swap-orphan",
            "files are synced, the name of the staging directory is not: recovery takes the only copy for an orphan",
            Bug::Synced,
            Search::Crashes(Model::Any),
        ),
        planted(
            "swap-rollback",
            "the result of the rename back is dropped and the staging removed: the next start removes the last copy",
            Bug::Synced,
            Search::Faults(vec![Harm::Fail(Cause::Io)]),
        ),
        planted(
            "swap-second-process",
            "a second process starts and cleans up what the first is working with",
            Bug::SecondProcess,
            Search::Crashes(Model::Process),
        ),
        planted(
            "swap-drops-directories",
            "only the files of the directory are carried: what is in sub-directories is gone, without any crash",
            Bug::DropsDirectories,
            Search::Crashes(Model::Process),
        ),
    ]
}

fn old() -> Tree {
    tree! { file "ws/d/a" = "old a"; file "ws/d/b" = "old b"; file "ws/d/notes/deep" = "unmanaged"; }
}

fn new() -> Tree {
    old().file("ws/d/a", "new a").file("ws/d/b", "new b")
}

impl Swap {
    fn stage(&self, fs: &SimFs) -> Result<(), Cause> {
        let synced = self.0 != Bug::NoSyncs;
        let ws = fs.open_dir(&fs.root(), "ws")?;
        fs.make_dir(&ws, "d.staging")?;
        let staging = fs.open_dir(&ws, "d.staging")?;
        write(fs, &staging, "a", b"new a", synced)?;
        write(fs, &staging, "b", b"new b", synced)?;
        if self.0 != Bug::DropsDirectories {
            let from = fs.open_dir(&fs.open_dir(&ws, "d")?, "notes")?;
            fs.make_dir(&staging, "notes")?;
            let to = fs.open_dir(&staging, "notes")?;
            fs.link((&from, "deep"), (&to, "deep"))?;
            if synced {
                fs.sync_dir(&to)?;
            }
        }
        if synced { fs.sync_dir(&staging) } else { Ok(()) }
    }

    fn publish(&self, fs: &SimFs) -> Result<(), Failure> {
        let ws = fs.open_dir(&fs.root(), "ws").map_err(failed(Class::NotCommitted))?;
        if self.0 == Bug::SecondProcess {
            clean(fs).map_err(failed(Class::Other))?;
        }
        fs.rename((&ws, "d"), (&ws, "d.backup")).map_err(failed(Class::NotCommitted))?;
        let renamed = fs.rename((&ws, "d.staging"), (&ws, "d"));
        if let Err(cause) = renamed {
            if self.0 == Bug::SecondProcess {
                clean(fs).map_err(failed(Class::Other))?;
            }
            let _dropped = fs.rename((&ws, "d.backup"), (&ws, "d"));
            let _dropped = remove_tree(fs, &ws, "d.staging");
            return Err(Failure::new(Class::NotCommitted, cause));
        }
        if self.0 != Bug::NoSyncs {
            fs.sync_dir(&ws).map_err(failed(Class::Other))?;
        }
        remove_tree(fs, &ws, "d.backup").map_err(failed(Class::Other))
    }
}

/// The recovery of the next start: a backup is restored if a swap was in progress, otherwise it is an orphan.
fn clean(fs: &SimFs) -> Result<(), Cause> {
    let ws = fs.open_dir(&fs.root(), "ws")?;
    let under_way = exists(fs, &ws, "d.staging")?;
    if under_way && !exists(fs, &ws, "d")? && exists(fs, &ws, "d.backup")? {
        fs.rename((&ws, "d.backup"), (&ws, "d"))?;
    }
    remove_tree(fs, &ws, "d.staging")?;
    remove_tree(fs, &ws, "d.backup")
}

impl Subject for Swap {
    fn name(&self) -> String {
        format!("seed swap, {:?}", self.0)
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&old());
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.stage(fs).map_err(failed(Class::NotCommitted))?;
        self.publish(fs)
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        clean(fs).map_err(failed(Class::Other))
    }

    fn stages(&self, _: Vec<Tree>) -> Vec<Tree> {
        vec![old(), new()]
    }
}
