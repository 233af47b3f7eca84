//! Content: read through the workspace, and copied up at the first write.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Ground;
use crate::pairs::{Pairs, each};
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

const NAME: &str = "data.bin";
const READ_BYTES: u64 = 64 << 20;
const PIECE_BYTES: u32 = 64 << 10;
const COPIED_BYTES: u64 = 256 << 20;

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    let what = "read 64 KiB of a lower, by the workspace";
    report.times((what, "native, pread"), bench.places.memory(), Target::Ratio(1.3), |place| read(bench, place));
    let what = "copy up 256 MiB";
    report.times((what, "cp --reflink=never"), bench.places.memory(), Target::Ratio(1.2), |place| {
        copy_up(bench, place, false)
    });
    report.times((what, "cp --reflink=never, fsync"), Ok(bench.places.disk()), Target::Ratio(1.2), |place| {
        copy_up(bench, place, true)
    });
}

pub(crate) fn large(path: &Path, length: u64) -> Result<()> {
    let mut file = File::create(path)?;
    let block: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
    for _ in 0..length / block.len() as u64 {
        file.write_all(&block)?;
    }
    Ok(file.sync_all()?)
}

fn read(bench: &Bench, place: &Place) -> Result<Pairs> {
    let ground = Ground::make(bench, place, "read")?;
    let original = ground.lower.join(NAME);
    large(&original, READ_BYTES)?;
    let mut workspace = ground.fresh()?;
    let pieces = u32::try_from(READ_BYTES / u64::from(PIECE_BYTES))?;
    let offsets = |at: &mut u64| {
        let offset = *at;
        *at = (*at + u64::from(PIECE_BYTES)) % READ_BYTES;
        offset
    };
    let (mut ours, mut peer) = (0, 0);
    let file = File::open(&original)?;
    Pairs::run(
        bench.pairs(25, 9),
        || {
            each(pieces, || {
                let piece = workspace.read(NAME, offsets(&mut ours), PIECE_BYTES)?;
                if piece.len() == PIECE_BYTES as usize { Ok(()) } else { Err("a piece is short".into()) }
            })
        },
        || {
            each(pieces, || {
                // As in a program that receives the bytes: in memory of its own.
                let mut piece = vec![0; PIECE_BYTES as usize];
                Ok(file.read_exact_at(&mut piece, offsets(&mut peer))?)
            })
        },
    )
}

fn copy_up(bench: &Bench, place: &Place, synced: bool) -> Result<Pairs> {
    let ground = Ground::make(bench, place, "copy-up")?;
    let original = ground.lower.join(NAME);
    large(&original, COPIED_BYTES)?;
    let copy = place.directory("copy-up-peer")?.join(NAME);
    Pairs::run(
        bench.pairs(9, 3),
        || {
            let mut workspace = ground.fresh()?;
            let start = Instant::now();
            workspace.write(NAME, COPIED_BYTES / 2, b"!")?;
            let took = start.elapsed();
            let size = workspace.stat(NAME)?.size;
            workspace.discard()?;
            if size == COPIED_BYTES { Ok(took) } else { Err("the copy differs in length".into()) }
        },
        || cp(&original, &copy, synced),
    )
}

pub(crate) fn cp(from: &Path, to: &Path, synced: bool) -> Result<Duration> {
    let start = Instant::now();
    let status = Command::new("cp").arg("--reflink=never").arg(from).arg(to).status()?;
    if !status.success() {
        return Err(format!("cp: {status}").into());
    }
    if synced {
        File::open(to)?.sync_all()?;
    }
    let took = start.elapsed();
    std::fs::remove_file(to)?;
    Ok(took)
}
