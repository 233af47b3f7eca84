//! Copy-on-write as others first wrote it.

use onionskin::fs::{Cause, Fs};

use super::{MIXED, Planted, Search, failed, remove, write};
use crate::explore::{Class, Failure, Subject};
use crate::model::Model;
use crate::simfs::{Dir, Found, OpenOptions, SimFs};
use crate::tree;
use crate::tree::Tree;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    KeepsUnsynced,
    EmptyFirst,
    ThroughHardLink,
}

struct Materialize(Bug);

pub(super) fn all() -> Vec<Planted> {
    let planted = |name, description, bug, model, shows| {
        let subject = Box::new(Materialize(bug));
        Planted { name, description, subject, search: Search::Crashes(model), shows }
    };
    vec![
        planted(
            "materialize-unsynced",
            "a link is replaced by a copy that is not synced: the power goes, and the copy is empty",
            Bug::KeepsUnsynced,
            Model::Any,
            MIXED,
        ),
        planted(
            "materialize-empty-first",
            "a link gives way to an empty file that is to be written: the process dies, and the content is gone",
            Bug::EmptyFirst,
            Model::Process,
            MIXED,
        ),
        planted(
            "write-through-hard-link",
            "a file is written in place, and the original is another name of it",
            Bug::ThroughHardLink,
            Model::Process,
            "trespassed",
        ),
    ]
}

fn scene() -> Tree {
    tree! { file "lower/original" = "ground truth"; symlink "ws/file" = "../lower/original"; same "ws/shared" = "lower/original"; }
}

impl Materialize {
    fn operate(&self, fs: &SimFs) -> Result<(), Cause> {
        let ws = fs.open_dir(&fs.root(), "ws")?;
        match self.0 {
            Bug::KeepsUnsynced => {
                write(fs, &ws, "file.tmp", b"ground truth", false)?;
                fs.rename((&ws, "file.tmp"), (&ws, "file"))
            }
            Bug::EmptyFirst => {
                write(fs, &ws, "file.tmp", b"", true)?;
                fs.rename((&ws, "file.tmp"), (&ws, "file"))?;
                fs.sync_dir(&ws)?;
                fill(fs, &ws, "file")
            }
            Bug::ThroughHardLink => fill(fs, &ws, "shared"),
        }
    }
}

fn fill(fs: &SimFs, dir: &Dir, name: &str) -> Result<(), Cause> {
    let how = OpenOptions { write: true, truncate: name == "shared", ..OpenOptions::default() };
    let Found::File(file) = fs.open_at(dir, name, how)? else { return Err(Cause::IsDirectory) };
    fs.write(&file, 0, b"ground truth")?;
    fs.sync_file(&file)
}

impl Subject for Materialize {
    fn name(&self) -> String {
        format!("seed materialize, {:?}", self.0)
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&scene());
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.operate(fs).map_err(failed(Class::Other))
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        let clean = |fs: &SimFs| remove(fs, &fs.open_dir(&fs.root(), "ws")?, "file.tmp");
        clean(fs).map_err(failed(Class::Other))
    }

    fn stages(&self, _: Vec<Tree>) -> Vec<Tree> {
        vec![scene(), scene().remove("ws/file").file("ws/file", "ground truth")]
    }
}
