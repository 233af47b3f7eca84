//! Writes to originals: copied up by a workspace, and by other overlays.
//!
//! The overlays that the system mounts are among the rows of workspaces.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::programs::{output_of, package};
use crate::pairs::Pairs;
use crate::place::Place;
use crate::report::{Report, Target};
use crate::workspace::{Ground, fill, large, names};
use crate::{Bench, Result};

const AGENTFS: &str = "agentfs-sdk, which syncs nothing";
const DIRECTORY: &str = "files";
const LARGE: &str = "large";
const LARGE_BYTES: u64 = 64 << 20;
const COLD_BYTES: u64 = 256 << 20;
const FILES: usize = 1_000;
const FILE_BYTES: usize = 1 << 10;

pub(super) fn measure(bench: &Bench, report: &mut Report) {
    let agentfs = match bench.agentfs {
        true => package("agentfs").map_err(|error| error.to_string()),
        false => Err("`--agentfs` builds it, in seven minutes of processor time".to_owned()),
    };
    report.times(("append to 1,000 originals", AGENTFS), bench.places.memory(), Target::None, |place| {
        let ground = Ground::make(bench, place, "agentfs")?;
        fill(&ground.lower, DIRECTORY, FILES, FILE_BYTES)?;
        let some: Vec<String> = names(DIRECTORY, FILES).collect();
        beside_agentfs(bench, place, (&ground, agentfs.as_deref().map_err(String::clone)?), &some)
    });
    report.times(("copy up 64 MiB", AGENTFS), bench.places.memory(), Target::None, |place| {
        let ground = Ground::make(bench, place, "agentfs")?;
        large(&ground.lower.join(LARGE), LARGE_BYTES)?;
        beside_agentfs(bench, place, (&ground, agentfs.as_deref().map_err(String::clone)?), &[LARGE.to_owned()])
    });
    let what = "copy up 256 MiB that are not cached";
    report
        .times((what, "cp --reflink=never, fsync"), Ok(bench.places.disk()), Target::None, |place| cold(bench, place));
}

/// Writes four bytes into each of the files, at its end or, of the only one, in its middle.
fn beside_agentfs(
    bench: &Bench,
    place: &Place,
    (ground, agentfs): (&Ground, &Path),
    names: &[String],
) -> Result<Pairs> {
    let ours = || {
        let mut workspace = ground.fresh()?;
        let start = Instant::now();
        for name in names {
            match names {
                [_] => workspace.write(name, LARGE_BYTES / 2, b"more")?,
                _ => workspace.append(name, b"more").map(drop)?,
            }
        }
        Ok(start.elapsed())
    };
    let peer = || {
        let database = place.directory("agentfs-database")?.join("delta.db");
        let output = output_of(Command::new(agentfs).arg(&ground.lower).arg(&database).arg("4").args(names))?;
        Ok(Duration::try_from_secs_f64(output.trim().parse()?)?)
    };
    Pairs::run(bench.pairs(7, 3), ours, peer)
}

/// The original has to be read from the disk each time.
fn cold(bench: &Bench, place: &Place) -> Result<Pairs> {
    let ground = Ground::make(bench, place, "cold")?;
    let original = ground.lower.join(LARGE);
    large(&original, COLD_BYTES)?;
    let copy = place.directory("cold-peer")?.join(LARGE);
    let ours = || {
        let mut workspace = ground.fresh()?;
        forget(&original)?;
        let start = Instant::now();
        workspace.write(LARGE, COLD_BYTES / 2, b"!")?;
        let took = start.elapsed();
        workspace.discard()?;
        Ok(took)
    };
    let peer = || {
        forget(&original)?;
        crate::workspace::cp(&original, &copy, true)
    };
    Pairs::run(bench.pairs(5, 3), ours, peer)
}

/// Evicts a file from the cache of the system, as far as the system permits.
fn forget(path: &Path) -> Result<()> {
    let file = format!("if={}", path.display());
    output_of(Command::new("dd").args([file.as_str(), "iflag=nocache", "count=0", "status=none"])).map(drop)
}
