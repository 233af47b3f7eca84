//! Programs on a layered directory, compared with the same programs on a plain directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use onionskin_host::run::{How, Layers, Mount, Program, World};
use rusqlite::Connection;

use crate::linked::Linked;
use crate::pairs::Pairs;
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result, repository};

/// The size of the file that is read from start to end, in bytes.
const LARGE: usize = 256 << 20;
/// The number of files of the tree that is walked.
const FILES: usize = 10_000;
/// The number of durable SQLite transactions, of one row each.
const TRANSACTIONS: &str = "1000";

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    let peer = "same program, plain directory";
    for (what, name) in [("stat", "stat"), ("open", "open"), ("read 4 KiB", "read")] {
        report.times((format!("layer: {what}"), peer), bench.places.memory(), Target::Ratio(1.3), |place| {
            let trial =
                Trial::new(bench, place, "pace", |lower| Ok(fs::write(lower.join("file"), vec![7; 64 << 10])?))?;
            trial.measured(bench.pairs(15, 5), &[name, "/data/file", "20000", "/out/time"])
        });
    }
    report.times(("layer: read 256 MiB, 64 KiB at once", peer), bench.places.memory(), Target::Ratio(1.5), |place| {
        let trial = Trial::new(bench, place, "pace", |lower| Ok(fs::write(lower.join("large"), vec![7; LARGE])?))?;
        trial.measured(bench.pairs(7, 3), &["stream", "/data/large", "65536", "/out/time"])
    });
    report.times(("layer: read 256 MiB by lists of 64 KiB", peer), bench.places.memory(), Target::None, |place| {
        let trial = Trial::new(bench, place, "pace", |lower| Ok(fs::write(lower.join("large"), vec![7; LARGE])?))?;
        trial.measured(bench.pairs(7, 3), &["list", "/data/large", "65536", "/out/time"])
    });
    report.times(("layer: walk 10,000 files", peer), bench.places.memory(), Target::Ratio(1.5), |place| {
        let trial = Trial::new(bench, place, "pace", tree)?;
        trial.measured(bench.pairs(9, 3), &["walk", "/data", "1", "/out/time"])
    });
    report.times(
        ("layer: SQLite, 1,000 durable transactions", peer),
        Ok(bench.places.disk()),
        Target::Ratio(1.15),
        |place| {
            let trial = Trial::new(bench, place, "database", database)?;
            trial.timed(bench.pairs(9, 5), &["/data/book.db", "many", "delete", TRANSACTIONS])
        },
    );
    report.times(("layer: start to end of a program", peer), bench.places.memory(), Target::None, |place| {
        let trial = Trial::new(bench, place, "pace", |_| Ok(()))?;
        trial.timed(bench.pairs(41, 15), &["nothing", "/data", "1", "/out/time"])
    });
}

/// Compares linking with composition.
pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let peer = "same program, composed";
    let large = |lower: &Path| Ok(fs::write(lower.join("file"), vec![7; LARGE])?);
    for (what, name, count) in [
        ("stat", "stat", "20000"),
        ("open", "open", "20000"),
        ("read 4 KiB", "read", "20000"),
        ("read 256 MiB, 64 KiB at once", "stream", "65536"),
        ("read 256 MiB by lists of 64 KiB", "list", "65536"),
    ] {
        report.times((format!("linked: {what}"), peer), bench.places.memory(), Target::None, |place| {
            let trial = Trial::new(bench, place, "pace", large)?;
            trial.linked(place, bench.pairs(7, 3), &[name, "/data/file", count, "/out/time"])
        });
    }
    report.times(("linked: walk 10,000 files", peer), bench.places.memory(), Target::None, |place| {
        let trial = Trial::new(bench, place, "pace", tree)?;
        trial.linked(place, bench.pairs(7, 3), &["walk", "/data", "1", "/out/time"])
    });
}

/// A program and its two worlds.
struct Trial {
    program: Program,
    out: PathBuf,
    plain: PathBuf,
    lower: PathBuf,
    upper: PathBuf,
}

impl Trial {
    fn new(bench: &Bench, place: &Place, guest: &str, fill: impl Fn(&Path) -> Result<()>) -> Result<Self> {
        let program = Program::read(&built(guest)?)?.cache_directory(bench.places.cache());
        let at = |name| place.directory(name);
        let trial = Self { program, out: at("out")?, plain: at("plain")?, lower: at("lower")?, upper: at("upper")? };
        fill(&trial.plain)?;
        fill(&trial.lower)?;
        Ok(trial)
    }

    fn world(&self, is_layered: bool, arguments: &[&str]) -> World {
        let mount =
            |host: &Path, guest: &str| Mount { host: host.to_owned(), guest: guest.to_owned(), read_only: false };
        let mut world = World { mounts: vec![mount(&self.out, "/out")], ..World::default() };
        world.arguments = arguments.iter().map(|&it| it.to_owned()).collect();
        if is_layered {
            let (lowers, upper) = (vec![self.lower.clone()], self.upper.clone());
            world.layers.push(Layers { guest: "/data".to_owned(), lowers, upper });
        } else {
            world.mounts.push(mount(&self.plain, "/data"));
        }
        world
    }

    fn run(&self, is_layered: bool, arguments: &[&str]) -> Result<Duration> {
        let world = self.world(is_layered, arguments);
        let start = Instant::now();
        let ended = self.program.start(&world)?;
        let time = start.elapsed();
        if ended.how == How::Exited(0) { Ok(time) } else { Err(format!("the program ended: {ended:?}").into()) }
    }

    /// Returns the times that the program itself measured.
    fn measured(&self, count: usize, arguments: &[&str]) -> Result<Pairs> {
        let measured = |is_layered| {
            self.run(is_layered, arguments)?;
            Ok(Duration::from_nanos(fs::read_to_string(self.out.join("time"))?.parse()?))
        };
        Pairs::run(count, || measured(true), || measured(false))
    }

    /// Returns the times that the program itself measured, with the overlay linked and composed.
    fn linked(&self, place: &Place, count: usize, arguments: &[&str]) -> Result<Pairs> {
        let linked = Linked::compile(&built("pace")?)?;
        let upper = place.directory("linked")?;
        let grants = [(&*self.out, "/out"), (&*upper, "/data#upper"), (&*self.lower, "/data#lower")];
        let measured = || Ok(Duration::from_nanos(fs::read_to_string(self.out.join("time"))?.parse()?));
        let ours = || {
            linked.run(&grants, arguments)?;
            measured()
        };
        let composed = || {
            self.run(true, arguments)?;
            measured()
        };
        Pairs::run(count, ours, composed)
    }

    /// Returns the times from start to end of the program.
    fn timed(&self, count: usize, arguments: &[&str]) -> Result<Pairs> {
        Pairs::run(count, || self.run(true, arguments), || self.run(false, arguments))
    }
}

/// Builds a guest with the script beside it, and returns the path of its program.
pub(crate) fn built(guest: &str) -> Result<PathBuf> {
    let root = repository();
    let output = Command::new("bash").arg(root.join("tests/guests").join(guest).join("build")).output()?;
    if !output.status.success() {
        return Err(format!("{guest} did not build: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(root.join("target/guests").join(guest).with_extension("wasm"))
}

fn tree(lower: &Path) -> Result<()> {
    for number in 0..FILES {
        let directory = lower.join(format!("{}/{}", number % 10, number / 10 % 10));
        if number < 100 {
            fs::create_dir_all(&directory)?;
        }
        fs::write(directory.join(number.to_string()), "x")?;
    }
    Ok(())
}

fn database(lower: &Path) -> Result<()> {
    let database = Connection::open(lower.join("book.db"))?;
    database.execute_batch(
        "CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT, value INTEGER);
         CREATE TABLE total (value INTEGER);
         INSERT INTO total VALUES (0);",
    )?;
    Ok(())
}
