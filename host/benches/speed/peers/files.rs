//! One file of 4 KiB, replaced by the Rust host and by other libraries.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use onionskin_host::{Durability, OpenOptions, WriteOptions};

use super::programs::{Programs, Way};
use crate::pairs::{Pairs, each};
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

pub(super) const BYTES: usize = 4 << 10;
const NAME: &str = "metadata.json";

/// A durability, its name for the programs, and the number of changes in one measurement.
pub(super) const PROMISES: [(Durability, &str, u32); 3] =
    [(Durability::Full, "durable", 5), (Durability::Data, "data", 5), (Durability::Visible, "visible", 200)];

pub(super) fn measure(bench: &Bench, report: &mut Report, programs: &Programs) {
    for (durability, how, batch) in PROMISES {
        // atomic-write-file has only one durability, which npm's package never provides.
        let ways = match durability {
            Durability::Full => &[Way::Tempfile, Way::AtomicWriteFile, Way::Python][..],
            _ => &[Way::Tempfile, Way::Python, Way::Npm][..],
        };
        for &way in ways {
            report.times((format!("persist 4 KiB, {how}"), way.name()), place(bench, how), Target::None, |place| {
                let (ours, theirs) = (place.directory("peers-ours")?, place.directory("peers-peer")?);
                let store = bench.onionskin.store(&ours).open(&OpenOptions::default())?;
                let options = WriteOptions::default().durability(durability);
                let replace = || {
                    each(batch, || {
                        store.replace(NAME, &[b'x'; BYTES], &options)?;
                        Ok(())
                    })
                };
                let peer = || programs.run(way, &theirs, batch, how, BYTES);
                let pairs = Pairs::run(bench.pairs(40, 9), replace, peer)?;
                store.close()?;
                Ok(pairs)
            });
        }
    }
    for way in [Way::Tempfile, Way::Python, Way::Npm] {
        let what = "a program that replaces one file, start to end, visible";
        report
            .times((what, way.name()), bench.places.memory(), Target::None, |place| cold(bench, place, programs, way));
    }
}

/// Returns the place for a durability: in memory if nothing is synced.
pub(super) fn place<'a>(bench: &'a Bench, how: &str) -> Result<&'a Place> {
    if how == "visible" { bench.places.memory() } else { Ok(bench.places.disk()) }
}

/// Both sides are programs that are started, replace one file, and end.
fn cold(bench: &Bench, place: &Place, programs: &Programs, way: Way) -> Result<Pairs> {
    let (ours, theirs, input) =
        (place.directory("cold-ours")?, place.directory("cold-peer")?, place.directory("cold")?);
    let input = input.join("input");
    fs::write(&input, [b'x'; BYTES])?;
    let start_to_end = || -> Result<Duration> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
        command.arg("replace").arg(&ours).args([NAME, "--durability", "visible"]);
        command.env("ONIONSKIN_CACHE_DIR", bench.places.cache()).stdin(File::open(&input)?).stdout(Stdio::null());
        let start = Instant::now();
        let status = command.status()?;
        if status.success() { Ok(start.elapsed()) } else { Err(format!("onionskin: {status}").into()) }
    };
    let peer = || {
        let start = Instant::now();
        programs.run(way, &theirs, 1, "visible", BYTES)?;
        Ok(start.elapsed())
    };
    Pairs::run(bench.pairs(25, 9), start_to_end, peer)
}
