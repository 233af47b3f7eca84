//! Opening: the size of the lowers does not matter, and the map counts by its records.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use onionskin::fs::Kind;
use onionskin::journal::OldEntry;
use onionskin::path::RelPath;
use onionskin::workspace::map::{Map, Origin, Record, Seen, frame};

use super::{Ground, fill};
use crate::pairs::{Pairs, each};
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

const RECORDS: u64 = 1_000_000;
const FEW_RECORDS: u64 = 100_000;

/// The origin of the records of a map.
#[derive(Clone, Copy)]
enum Made {
    /// Written at once, as by a process whose changes follow those of another.
    Whole,
    /// Half of them written change by change.
    Appended,
}

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    let what = "open a workspace over 100,000 files";
    report.times((what, "over 1,000 files"), bench.places.memory(), Target::Ratio(1.25), |place| {
        let (large, small) = (over(bench, place, 100_000)?, over(bench, place, 1_000)?);
        let open = |ground: &Ground| each(20, || Ok(ground.session().open()?.close()?));
        Pairs::run(bench.pairs(25, 7), || open(&large), || open(&small))
    });
    for (what, kind) in
        [("open a map of 1,000,000 records", Made::Whole), ("the same, half of it appended", Made::Appended)]
    {
        report.times((what, "100,000 records"), bench.places.memory(), Target::Seconds(1.0), |place| {
            let (large, small) = (recorded(bench, place, RECORDS, kind)?, recorded(bench, place, FEW_RECORDS, kind)?);
            Pairs::run(bench.pairs(9, 5), || open(&large), || open(&small))
        });
    }
}

fn open(ground: &Ground) -> Result<Duration> {
    let start = Instant::now();
    let workspace = ground.session().open()?;
    let took = start.elapsed();
    workspace.close()?;
    Ok(took)
}

/// Creates a workspace with few changes over this many files.
fn over(bench: &Bench, place: &Place, files: usize) -> Result<Ground> {
    let ground = Ground::make(bench, place, &format!("over-{files}"))?;
    fill(&ground.lower, "files", files, 16)?;
    let mut workspace = ground.session().create()?;
    workspace.put("own", b"own")?;
    workspace.rename("files", "moved")?;
    workspace.sync()?;
    workspace.close()?;
    Ok(ground)
}

/// Creates a workspace with a map of this many records: for each changed path, its new content and the former state of
/// the lowers.
fn recorded(bench: &Bench, place: &Place, records: u64, kind: Made) -> Result<Ground> {
    let ground = Ground::make(bench, place, &format!("records-{records}"))?;
    ground.session().create()?.close()?;
    let path = ground.upper.join(".onionskin/workspace/map");
    write_map(&path, records, kind)?;
    Ok(ground)
}

fn write_map(path: &Path, records: u64, kind: Made) -> Result<()> {
    let header = Map::decode_header(&fs::read(path)?)?;
    let mut map = Map::default();
    let whole = if let Made::Whole = kind { records } else { records / 2 };
    for number in 0..whole / 2 {
        map.apply(&change(number)?);
    }
    let (mut bytes, mut end) = map.encode(&header);
    for number in whole / 2..records / 2 {
        let (piece, sum) = frame(end.sum, &change(number)?);
        bytes.extend(piece);
        end.sum = sum;
    }
    Ok(fs::write(path, bytes)?)
}

/// The records of an original that was replaced.
fn change(number: u64) -> Result<[Record; 2]> {
    let text = format!("project/source/module-{:04}/file-{number:07}.rs", number / 500);
    let path = RelPath::parse(&text).map_err(|rule| rule.text())?;
    let entry = Some(OldEntry { kind: Kind::File, size: 1000 + number, modified: Some(1_700_000_000_000_000_000) });
    let shows = Record::Shows(path.clone(), Some(Origin::Nowhere));
    Ok([Record::Saw(path, Some(Seen::of(entry))), shows])
}
