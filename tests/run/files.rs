//! A Rust program that uses every call of `std::fs` that WASI supports.

use crate::ground::Ground;
use crate::guests::program;
use crate::trial::Trial as _;

/// Every line of its output is the same, and so is the resulting tree.
#[test]
fn all_of_std_fs_is_the_same_as_on_a_plain_directory() {
    let Some(program) = program("files") else { return };
    let ground = Ground::of_files();
    let said = ground.compare(&program, &["/data"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    ground.assert_same_trees();
    // The second run continues from the first: a file that was an original then is already changed.
    ground.compare(&program, &["/data"]);
    ground.assert_same_trees();
}
