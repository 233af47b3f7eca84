//! The program, from its start to its answer.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::pairs::{Pairs, each};
use crate::report::{Report, Target};
use crate::{Bench, Result};

const PROGRAM: &str = env!("CARGO_BIN_EXE_onionskin");
const PEER: &str = "true, the program";

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    for (verb, on_disk) in [("inspect", true), ("probe", true), ("probe", false)] {
        let place = if on_disk { Ok(bench.places.disk()) } else { bench.places.memory() };
        let what = format!("`onionskin {verb} ROOT`, start to answer");
        report.times((what, PEER), place, Target::Seconds(0.03), |place| {
            let root = place.directory("start")?;
            let ours = || each(1, || run(Command::new(PROGRAM).arg(verb).arg(&root), bench.places.cache()));
            let peer = || each(1, || run(&mut Command::new("true"), bench.places.cache()));
            Pairs::run(bench.pairs(25, 7), ours, peer)
        });
    }
}

fn run(command: &mut Command, cache: &Path) -> Result<()> {
    let status = command.env("ONIONSKIN_CACHE_DIR", cache).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{PROGRAM}: {status}").into()) }
}
