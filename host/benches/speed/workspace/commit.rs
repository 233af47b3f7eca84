//! A commit of many small files.

use std::fs;
use std::process::Command;
use std::time::Instant;

use onionskin_host::{CommitOptions, Durability};

use super::{Ground, fill, names};
use crate::pairs::Pairs;
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

const FILES: usize = 10_000;
const LENGTH: usize = 1 << 10;
const DIRECTORY: &str = "files";

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    let what = "commit 10,000 changed files of 1 KiB, visible";
    report.times((what, "cp -r"), bench.places.memory(), Target::Ratio(2.0), |place| changed(bench, place));
    // Here each change before the commit waits for its sync, and there are ten thousand.
    report.times((what, "cp -r"), Ok(bench.places.disk()), Target::Ratio(2.0), |place| changed(bench, place));
    let what = "commit 10,000 new files of 1 KiB, visible";
    report.times((what, "cp -r"), Ok(bench.places.disk()), Target::Ratio(2.0), |place| added(bench, place));
}

fn visible() -> CommitOptions {
    CommitOptions::default().durability(Durability::Visible)
}

fn changed(bench: &Bench, place: &Place) -> Result<Pairs> {
    let ground = Ground::make(bench, place, "commit")?;
    let (from, to) = (place.directory("commit-from")?, place.directory("commit-to")?);
    for root in [&ground.lower, &from, &to] {
        fill(root, DIRECTORY, FILES, LENGTH)?;
    }
    let mut workspace = ground.fresh()?;
    let mut round = 0;
    Pairs::run(
        bench.pairs(9, 3),
        || {
            round += 1;
            let content = vec![round; LENGTH];
            for name in names(DIRECTORY, FILES) {
                workspace.put(&name, &content)?;
            }
            let start = Instant::now();
            let receipt = workspace.commit(&ground.lower, &visible())?;
            let took = start.elapsed();
            let last = names(DIRECTORY, FILES).last().ok_or("there are files")?;
            if receipt.applied != FILES as u64 || fs::read(ground.lower.join(last))? != content {
                return Err("some changes were not committed".into());
            }
            Ok(took)
        },
        || {
            let start = Instant::now();
            let status = Command::new("cp").arg("-r").arg(from.join(DIRECTORY)).arg(&to).status()?;
            if status.success() { Ok(start.elapsed()) } else { Err(format!("cp: {status}").into()) }
        },
    )
}

fn added(bench: &Bench, place: &Place) -> Result<Pairs> {
    let ground = Ground::make(bench, place, "commit")?;
    let (from, to) = (place.directory("commit-from")?, place.directory("commit-to")?);
    fill(&from, DIRECTORY, FILES, LENGTH)?;
    Pairs::run(
        bench.pairs(5, 3),
        || {
            let mut workspace = ground.fresh()?;
            workspace.make_directory(DIRECTORY)?;
            for (number, name) in names(DIRECTORY, FILES).enumerate() {
                if number % 1000 == 0 {
                    workspace.make_directory(name.rsplit_once('/').ok_or("a file is in a directory")?.0)?;
                }
                workspace.put(&name, &[b'x'; LENGTH])?;
            }
            let start = Instant::now();
            let receipt = workspace.commit(&ground.lower, &visible())?;
            let took = start.elapsed();
            fs::remove_dir_all(ground.lower.join(DIRECTORY))?;
            if receipt.applied > FILES as u64 { Ok(took) } else { Err("some changes were not committed".into()) }
        },
        || {
            let start = Instant::now();
            let status = Command::new("cp").arg("-r").arg(from.join(DIRECTORY)).arg(&to).status()?;
            let took = start.elapsed();
            fs::remove_dir_all(to.join(DIRECTORY))?;
            if status.success() { Ok(took) } else { Err(format!("cp: {status}").into()) }
        },
    )
}
