//! Known bugs, each of which the explorer must find: the protocols that Onionskin replaces, and its
//! own protocol with one rule broken.

mod files;
mod links;
mod own;
mod pointer;
mod swap;

use onionskin::fs::{Cause, Fs};

use crate::explore::{Class, Failure, Subject};
use crate::model::Model;
use crate::simfs::{Dir, Harm, SimFs};

/// A bug, and how it shows.
pub struct Planted {
    /// Its name.
    pub name: &'static str,
    /// The description of the bug.
    pub description: &'static str,
    /// Who has it.
    pub subject: Box<dyn Subject>,
    /// The search that finds it.
    pub search: Search,
    /// A part of the text of a violation.
    pub shows: &'static str,
}

/// The search that finds a bug.
#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    /// Crashes, under a model.
    Crashes(Model),
    /// Calls that fail like this.
    Faults(Vec<Harm>),
    /// Obstacles with these answers.
    Obstacles(Vec<Cause>),
    /// Changes of others between a kill and the recovery.
    Others,
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Planted> {
    let mut all = swap::all();
    all.extend(links::all());
    all.extend(files::all());
    all.extend(own::all());
    all.extend(pointer::all());
    all
}

const MIXED: &str = "neither old nor new";

fn failed(class: Class) -> impl Fn(Cause) -> Failure {
    move |cause| Failure::new(class, cause)
}

fn exists(fs: &SimFs, dir: &Dir, name: &str) -> Result<bool, Cause> {
    match fs.stat(dir, name) {
        Ok(_) => Ok(true),
        Err(Cause::NoEntry) => Ok(false),
        Err(cause) => Err(cause),
    }
}

/// Writes a new file, with a sync if that is wanted.
fn write(fs: &SimFs, dir: &Dir, name: &str, bytes: &[u8], synced: bool) -> Result<(), Cause> {
    let file = fs.create_file(dir, name)?;
    let mut done = 0;
    while done < bytes.len() {
        done += fs.write(&file, done as u64, &bytes[done..])?;
    }
    if synced { fs.sync_file(&file) } else { Ok(()) }
}

/// Removes a file, if it is there.
fn remove(fs: &SimFs, dir: &Dir, name: &str) -> Result<(), Cause> {
    match fs.remove_file(dir, name) {
        Ok(()) | Err(Cause::NoEntry) => Ok(()),
        Err(cause) => Err(cause),
    }
}

/// Removes a directory of files and directories, if it is there.
fn remove_tree(fs: &SimFs, dir: &Dir, name: &str) -> Result<(), Cause> {
    if !exists(fs, dir, name)? {
        return Ok(());
    }
    let inside = fs.open_dir(dir, name)?;
    for (entry, kind) in fs.list(&inside)? {
        if kind == onionskin::fs::Kind::Directory {
            remove_tree(fs, &inside, &entry)?;
        } else {
            fs.remove_file(&inside, &entry)?;
        }
    }
    fs.remove_dir(dir, name)
}
