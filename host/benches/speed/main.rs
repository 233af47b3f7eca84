//! How fast: the component under its host against native programs that do the same work.
//!
//! `cargo bench --workspace --bench speed -- --help` lists what can be asked for.
//!
//! Both sides of a row run in turns, in one process and on one filesystem, so what slows one slows
//! the other: read the ratios, not the times. It ends in one table, and says which targets are met;
//! missing one is no failure. Where an overlay cannot be mounted, or a peer is not to be had, its rows say so.

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

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
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

/// The component under its host, against native programs that do the same work.
#[derive(Parser)]
struct Arguments {
    /// Fewer pairs of each.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    part: Parts,
    /// Build agentfs-sdk, which takes minutes, and measure it too.
    #[arg(long)]
    agentfs: bool,
    /// How to print the table.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Draw the ratios, as an SVG.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// What `cargo bench` says, and `cargo test` does not.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is measured alone.
#[derive(Clone, Copy, clap::Args)]
#[group(multiple = false)]
struct Parts {
    /// Other people's programs.
    #[arg(long)]
    peers: bool,
    /// Workspaces.
    #[arg(long)]
    workspaces: bool,
    /// Programs on layered directories.
    #[arg(long)]
    layers: bool,
    /// Two ways to layer, beside each other.
    #[arg(long)]
    linked: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.bench {
        println!("nothing measured: run `cargo bench --workspace --bench speed`");
        return Ok(());
    }
    // Before minutes go by for nothing.
    let open = |path: &PathBuf| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
    let picture = arguments.picture.as_ref().map(open).transpose()?;
    let report = measure(arguments)?;
    report.print();
    if let Some(mut picture) = picture {
        picture.write_all(report.picture().as_bytes())?;
    }
    Ok(())
}

/// Where the repository is.
fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn measure(arguments: &Arguments) -> Result<Report> {
    let places = Places::make()?;
    let onionskin = Onionskin::builder().cache_directory(places.cache()).build()?;
    let bench = Bench { onionskin, places, quick: arguments.quick, agentfs: arguments.agentfs };
    let mut report = Report::new(arguments.format, &bench.places);
    let Parts { peers, workspaces, layers, linked } = arguments.part;
    let all = !(peers || workspaces || layers || linked);
    if all {
        report.section("Beside native programs that do the same work");
        persist::measure(&bench, &mut report);
        directory::measure(&bench, &mut report);
        materialize::measure(&bench, &mut report);
        start::measure(&bench, &mut report);
    }
    if all || peers {
        peers::measure(&bench, &mut report);
    }
    if all || workspaces {
        report.section("Workspaces");
        workspace::measure(&bench, &mut report);
    }
    if all || layers {
        report.section("Programs on layered directories");
        layers::measure(&bench, &mut report);
    }
    // What no program of ours uses, and so no part of all.
    if linked {
        report.section("Two ways to layer");
        layers::compare(&bench, &mut report);
    }
    Ok(report)
}
