//! How fast: the component under its host against native programs that do the same work.
//!
//! `cargo bench --workspace --bench speed -- [--quick] [--workspaces | --layers | --linked] [--format text|json]`
//!
//! Both sides of a row run in turns, in one process and on one filesystem, so what slows one slows
//! the other: read the ratios, not the times. It ends in one table, and says which targets are met;
//! missing one is no failure. `--workspaces` and `--layers` (programs on layered directories) measure
//! these alone, and `--linked` compares two ways to layer. Where an overlay cannot be mounted its rows say so.

mod directory;
mod layers;
mod linked;
mod materialize;
mod pairs;
mod persist;
mod place;
mod report;
mod start;
mod workspace;

use std::env;
use std::process::ExitCode;

use onionskin_host::Onionskin;
use place::Places;
use report::{Format, Report};

/// What can go wrong while measuring; it ends in the row that it kept from being measured.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What every row is measured with.
struct Bench {
    onionskin: Onionskin,
    places: Places,
    quick: bool,
}

impl Bench {
    /// How many pairs to run: the first number, or the second when there is little time.
    fn pairs(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if !has("--bench") {
        println!("nothing measured: run `cargo bench --workspace --bench speed`");
        return ExitCode::SUCCESS;
    }
    let json = has("--format=json") || arguments.windows(2).any(|pair| pair == ["--format", "json"]);
    let part = if has("--workspaces") {
        Part::Workspaces
    } else if has("--layers") {
        Part::Layers
    } else if has("--linked") {
        Part::Linked
    } else {
        Part::All
    };
    let format = if json { Format::Json } else { Format::Text };
    let report = measure(has("--quick"), part, format);
    match report {
        Ok(report) => report.print(),
        Err(error) => eprintln!("error: nothing could be measured: {error}"),
    }
    ExitCode::SUCCESS
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Workspaces,
    Layers,
    /// What no program of ours uses, and so no part of all.
    Linked,
}

fn measure(quick: bool, part: Part, format: Format) -> Result<Report> {
    let places = Places::make()?;
    let onionskin = Onionskin::builder().cache_directory(places.cache()).build()?;
    let bench = Bench { onionskin, places, quick };
    let mut report = Report::new(format, &bench.places);
    if part == Part::All {
        persist::measure(&bench, &mut report);
        directory::measure(&bench, &mut report);
        materialize::measure(&bench, &mut report);
        start::measure(&bench, &mut report);
    }
    if matches!(part, Part::All | Part::Workspaces) {
        workspace::measure(&bench, &mut report);
    }
    if matches!(part, Part::All | Part::Layers) {
        layers::measure(&bench, &mut report);
    }
    if part == Part::Linked {
        layers::compare(&bench, &mut report);
    }
    Ok(report)
}
