//! How fast: the component under its host against native programs that do the same work.
//!
//! `cargo bench --workspace --bench speed -- [--quick] [--peers | --workspaces | --layers | --linked]
//! [--agentfs] [--format text|json] [--picture FILE]`
//!
//! Both sides of a row run in turns, in one process and on one filesystem, so what slows one slows
//! the other: read the ratios, not the times. It ends in one table, and says which targets are met;
//! missing one is no failure. `--peers` (other people's programs), `--workspaces` and `--layers` (programs on
//! layered directories) measure these alone, and `--linked` compares two ways to layer. Where an overlay
//! cannot be mounted, or a peer is not to be had, its rows say so. `--agentfs` builds one that takes minutes.
//! `--picture` draws the ratios, as an SVG.

mod directory;
mod layers;
mod linked;
mod materialize;
mod pairs;
mod peers;
mod persist;
mod picture;
mod place;
mod report;
mod start;
mod workspace;

use std::env;
use std::path::PathBuf;
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
    /// Whether to build what takes minutes.
    agentfs: bool,
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
    let part = if has("--peers") {
        Part::Peers
    } else if has("--workspaces") {
        Part::Workspaces
    } else if has("--layers") {
        Part::Layers
    } else if has("--linked") {
        Part::Linked
    } else {
        Part::All
    };
    let format = if json { Format::Json } else { Format::Text };
    let report = measure((has("--quick"), has("--agentfs")), part, format);
    match report {
        Ok(report) => {
            report.print();
            let picture = arguments.windows(2).find(|pair| pair[0] == "--picture").map(|pair| &pair[1]);
            if let Some(Err(error)) = picture.map(|path| std::fs::write(path, report.picture())) {
                eprintln!("error: the picture could not be written: {error}");
                return ExitCode::FAILURE;
            }
        }
        Err(error) => eprintln!("error: nothing could be measured: {error}"),
    }
    ExitCode::SUCCESS
}

/// Where the repository is.
fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Peers,
    Workspaces,
    Layers,
    /// What no program of ours uses, and so no part of all.
    Linked,
}

fn measure((quick, agentfs): (bool, bool), part: Part, format: Format) -> Result<Report> {
    let places = Places::make()?;
    let onionskin = Onionskin::builder().cache_directory(places.cache()).build()?;
    let bench = Bench { onionskin, places, quick, agentfs };
    let mut report = Report::new(format, &bench.places);
    if part == Part::All {
        report.section("Beside native programs that do the same work");
        persist::measure(&bench, &mut report);
        directory::measure(&bench, &mut report);
        materialize::measure(&bench, &mut report);
        start::measure(&bench, &mut report);
    }
    if matches!(part, Part::All | Part::Peers) {
        peers::measure(&bench, &mut report);
    }
    if matches!(part, Part::All | Part::Workspaces) {
        report.section("Workspaces");
        workspace::measure(&bench, &mut report);
    }
    if matches!(part, Part::All | Part::Layers) {
        report.section("Programs on layered directories");
        layers::measure(&bench, &mut report);
    }
    if part == Part::Linked {
        report.section("Two ways to layer");
        layers::compare(&bench, &mut report);
    }
    Ok(report)
}
