//! Speed: the component under its host, compared with native programs that do the same work.
//!
//! `cargo bench --workspace --bench speed -- --help` lists the options.
//!
//! Both sides of a row run in turns, in one process and on one filesystem, so that a disturbance affects both: compare
//! the ratios, not the times. The output ends in one table with the targets; missing one is not a failure. Where an
//! overlay cannot be mounted, or a peer is not available, its rows say so.

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

/// An error of a measurement, which its row reports.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The setting of every row.
struct Bench {
    onionskin: Onionskin,
    places: Places,
    quick: bool,
    /// Whether to build peers that take minutes to build.
    agentfs: bool,
}

impl Bench {
    /// Returns the number of pairs: the first, or the second in a quick run.
    fn pairs(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

/// Measures the component under its host, compared with native programs that do the same work
#[derive(Parser)]
struct Arguments {
    /// Run fewer pairs of each
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    part: Parts,
    /// Build agentfs-sdk, which takes minutes, and measure it too.
    #[arg(long)]
    agentfs: bool,
    /// The format of the table
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Draw the ratios, as an SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// The flag that `cargo bench` passes, and `cargo test` does not
    #[arg(long, hide = true)]
    bench: bool,
}

/// The parts that can be measured alone.
#[derive(Clone, Copy, clap::Args)]
#[group(multiple = false)]
struct Parts {
    /// Compare with other libraries
    #[arg(long)]
    peers: bool,
    /// Measure workspaces
    #[arg(long)]
    workspaces: bool,
    /// Measure programs on layered directories
    #[arg(long)]
    layers: bool,
    /// Compare two ways to layer
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
    // Opened first, so that an error comes before minutes of measurement.
    let open = |path: &PathBuf| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
    let picture = arguments.picture.as_ref().map(open).transpose()?;
    let report = measure(arguments)?;
    report.print();
    if let Some(mut picture) = picture {
        picture.write_all(report.picture().as_bytes())?;
    }
    Ok(())
}

/// Returns the path of the repository.
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
        report.section("Compared with native programs that do the same work");
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
    // No program uses this, so it is not part of a complete run.
    if linked {
        report.section("Two ways to layer");
        layers::compare(&bench, &mut report);
    }
    Ok(report)
}
