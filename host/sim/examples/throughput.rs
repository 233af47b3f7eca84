//! Prints how many crash images are enumerated in a second by one core.
//!
//! The work is that of a commit with little content: at each of its crash points about ten operations are pending, and
//! every closed subset of them is explored, distinguished from the others and counted. New images are materialized,
//! too.

use std::hint::black_box;
use std::time::Instant;

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{Census, Model, Power, SimFs, Trace, tree};

/// How long to measure, in seconds.
const MEASURED_SECONDS: f64 = 2.0;

/// A small commit whose syncs come late, so that operations pile up.
fn commit() -> Result<Trace, Cause> {
    let fs = SimFs::holding(&tree! {
        file "a" = "old a"; file "b" = "old b"; file "d/c" = "old c"; file "e/f" = "old f";
        symlink "l" = "a"; file "g/h/i" = "deep"; same "g/j" = "a"; file "k" = "kept";
    });
    let root = fs.root();
    let dir = fs.open_dir(&root, "d")?;
    let file = fs.create_file(&root, "t")?;
    fs.write(&file, 0, b"new a")?;
    fs.rename((&root, "t"), (&root, "a"))?;
    fs.remove_file(&root, "b")?;
    fs.make_dir(&root, "m")?;
    fs.rename((&dir, "c"), (&root, "c"))?;
    fs.link((&root, "k"), (&dir, "k"))?;
    fs.remove_file(&root, "l")?;
    fs.symlink("b", &root, "l")?;
    fs.rename((&root, "e"), (&root, "n"))?;
    Ok(fs.recording().trace)
}

fn main() -> Result<(), Cause> {
    let trace = commit()?;
    for model in [Model::Ordered, Model::Any, Model::Split] {
        let power = Power::new(model);
        let census = Census::of(&trace, &power);
        let (start, mut raw) = (Instant::now(), 0);
        while start.elapsed().as_secs_f64() < MEASURED_SECONDS {
            raw += black_box(Census::of(&trace, &power)).raw;
        }
        let rate = raw as f64 / start.elapsed().as_secs_f64();
        println!(
            "{:8} points {}, raw {}, unique {}: {rate:.0} raw images per second and core",
            model.as_str(),
            census.points,
            census.raw,
            census.unique,
        );
    }
    Ok(())
}
