//! Several files, and several writers, as others first wrote them.

use onionskin::fs::{Cause, Fs};

use super::{MIXED, Planted, Search, failed, remove, write};
use crate::explore::{Class, Failure, Subject};
use crate::model::Model;
use crate::simfs::{Dir, File, Found, OpenOptions, SimFs};
use crate::tree;
use crate::tree::Tree;

pub(super) fn all() -> Vec<Planted> {
    vec![
        Planted {
            name: "files-without-log",
            description: "each file is replaced with care, one after another: the process dies, and generations are mixed",
            subject: Box::new(NoLog),
            search: Search::Crashes(Model::Process),
            shows: MIXED,
        },
        Planted {
            name: "fixed-temporary-name",
            description: "two writers use one temporary name: one truncates what the other is about to publish",
            subject: Box::new(FixedName),
            search: Search::Crashes(Model::Process),
            shows: MIXED,
        },
    ]
}

struct NoLog;

impl Subject for NoLog {
    fn name(&self) -> String {
        "atomic files without a log".to_owned()
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&tree! { file "d/a" = "old"; file "d/b" = "old"; });
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        let operate = |fs: &SimFs| -> Result<(), Cause> {
            let dir = fs.open_dir(&fs.root(), "d")?;
            for name in ["a", "b"] {
                write(fs, &dir, "t", b"new", true)?;
                fs.rename((&dir, "t"), (&dir, name))?;
                fs.sync_dir(&dir)?;
            }
            Ok(())
        };
        operate(fs).map_err(failed(Class::Other))
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        sweep(fs).map_err(failed(Class::Other))
    }
}

fn sweep(fs: &SimFs) -> Result<(), Cause> {
    remove(fs, &fs.open_dir(&fs.root(), "d")?, "t")
}

/// Two writers, in the order that does the harm.
struct FixedName;

/// Opens the temporary file, truncates it, and writes the first half.
fn begin(fs: &SimFs, dir: &Dir, half: &[u8]) -> Result<File, Cause> {
    let how = OpenOptions { create: true, truncate: true, write: true, ..OpenOptions::default() };
    let Found::File(file) = fs.open_at(dir, "t", how)? else { return Err(Cause::IsDirectory) };
    fs.write(&file, 0, half)?;
    Ok(file)
}

fn end(fs: &SimFs, dir: &Dir, file: &File, half: &[u8]) -> Result<(), Cause> {
    fs.write(file, 5, half)?;
    fs.sync_file(file)?;
    fs.rename((dir, "t"), (dir, "a"))?;
    fs.sync_dir(dir)
}

impl Subject for FixedName {
    fn name(&self) -> String {
        "a fixed temporary name, two writers".to_owned()
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&tree! { file "d/a" = "old"; });
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        let operate = |fs: &SimFs| -> Result<(), Cause> {
            let dir = fs.open_dir(&fs.root(), "d")?;
            let first = begin(fs, &dir, b"first")?;
            let _second = begin(fs, &dir, b"other")?;
            end(fs, &dir, &first, b" half")
        };
        operate(fs).map_err(failed(Class::Other))
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        sweep(fs).map_err(failed(Class::Other))
    }

    fn stages(&self, _: Vec<Tree>) -> Vec<Tree> {
        vec![tree! { file "d/a" = "old"; }, tree! { file "d/a" = "first half"; }]
    }
}
