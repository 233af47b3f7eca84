//! Known answers: small programs whose crash states are certain.
//!
//! Each test states a promise of the simulated filesystem. A test that names an image as reachable guards against a
//! simulator kinder than reality; one that excludes an image guards against alarms about states that no disk can be in.

mod content;
mod directories;
mod faults;
mod models;
mod names;

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{Dir, File, Images, Model, SimFs, Tree};

/// Creates a file, writes it whole, and syncs nothing.
fn put(fs: &SimFs, at: &Dir, name: &str, bytes: &[u8]) -> Result<File, Cause> {
    let file = fs.create_file(at, name)?;
    assert_eq!(fs.write(&file, 0, bytes)?, bytes.len());
    Ok(file)
}

/// The images are exactly these.
#[track_caller]
fn exactly(images: &Images, expected: &[Tree]) {
    let expected = expected.iter().cloned().collect();
    let show =
        |trees: &std::collections::BTreeSet<Tree>| trees.iter().map(|tree| format!("{tree}--\n")).collect::<String>();
    let (found, wanted) = (show(&images.trees), show(&expected));
    assert_eq!(images.trees, expected, "\nfound:\n{found}\nexpected:\n{wanted}");
    assert!(images.exhaustive);
}

/// The images under the gate.
fn any(fs: &SimFs) -> Images {
    fs.images(Model::Any)
}
