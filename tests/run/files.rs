//! A Rust program that uses all of `std::fs` that WASI has.

use crate::ground::Ground;
use crate::guests::program;

/// Every line that it prints is the same, and so is the tree it leaves.
#[test]
fn all_of_std_fs_is_the_same_as_on_a_plain_directory() {
    let Some(program) = program("files") else { return };
    let ground = Ground::of_files();
    let said = ground.compare(&program, &["/data"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    ground.assert_same_trees();
    // It goes on from there: what is an original on one side is changed already on the other.
    ground.compare(&program, &["/data"]);
    ground.assert_same_trees();
}
