//! A directory published by a link to numbered generations, as others first wrote it: the link alone says whose they are.

use onionskin::fs::{Cause, Fs};

use super::{MIXED, Planted, Search, failed, remove_tree, write};
use crate::explore::{Class, Failure, Subject};
use crate::model::Model;
use crate::simfs::SimFs;
use crate::tree;
use crate::tree::Tree;

pub(super) fn all() -> Vec<Planted> {
    vec![Planted {
        name: "pointer-shared-number",
        description: "a copy of the link counts on where the original is: the generations of the original are removed",
        subject: Box::new(SharedNumber),
        search: Search::Crashes(Model::Process),
        shows: MIXED,
    }]
}

/// Publishes through `copy`, which leads to a generation of `site`.
struct SharedNumber;

fn old() -> Tree {
    tree! { file "ws/all/1/file" = "of the site"; symlink "ws/site" = "all/1"; symlink "ws/copy" = "all/1"; }
}

/// Every generation but the two newest is removed, whatever links lead to.
fn publish(fs: &SimFs, number: u64) -> Result<(), Cause> {
    let ws = fs.open_dir(&fs.root(), "ws")?;
    let all = fs.open_dir(&ws, "all")?;
    let name = number.to_string();
    fs.make_dir(&all, &name)?;
    let new = fs.open_dir(&all, &name)?;
    write(fs, &new, "file", b"of the copy", true)?;
    fs.sync_dir(&new)?;
    fs.sync_dir(&all)?;
    fs.symlink(&format!("all/{number}"), &ws, "link")?;
    fs.rename((&ws, "link"), (&ws, "copy"))?;
    fs.sync_dir(&ws)?;
    remove_tree(fs, &all, &(number - 2).to_string())
}

impl Subject for SharedNumber {
    fn name(&self) -> String {
        "generations of a copied link".to_owned()
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&old());
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        for number in [2, 3] {
            publish(fs, number).map_err(failed(Class::NotCommitted))?;
            fs.acknowledge();
        }
        Ok(())
    }

    fn recover(&self, _: &SimFs) -> Result<(), Failure> {
        Ok(())
    }

    fn stages(&self, seen: Vec<Tree>) -> Vec<Tree> {
        seen
    }

    /// The site shows what it showed, whatever is published through the copy.
    fn matches(&self, found: &Tree, _: &Tree) -> bool {
        found.below("ws/all/1") == old().below("ws/all/1")
    }
}
