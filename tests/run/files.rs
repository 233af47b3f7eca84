//! A Rust program that uses all of `std::fs` that WASI has.

use std::path::Path;

use crate::ground::{Ground, link, put};
use crate::guests::program;

/// What `tests/guests/files` expects: half of it in each lower.
fn ground() -> Ground {
    Ground::new(|top, base| {
        put(top, "notes.txt", "notes of the topmost lower\n");
        put(top, "both.txt", "of the topmost");
        put(base, "both.txt", "of the one below");
        put(base, "base/deep/er/leaf", "a leaf");
        put(base, "base/old", "old");
        put(base, "base/twice", "before it is changed");
        put(top, "base/deep/over", "over");
        put(base, "bytes.bin", [0xff, 0xfe, 0, 1, 0x80]);
        put(base, "lines.txt", "a line of some length\n".repeat(2000));
        for bits in 0..64 {
            put(if bits % 2 == 0 { top } else { base }, &format!("opening/original-{bits}"), "original content");
        }
        for (lower, path) in
            [(top, "a"), (base, "b"), (base, "c1"), (base, "dir/inside"), (top, "full/x"), (base, "full/y")]
        {
            put(lower, &format!("names/{path}"), format!("{path} of a lower"));
        }
        make(base, "names/dir/sub");
        make(top, "names/empty");
        make(base, "empty");
        for number in 0..40 {
            put(if number % 3 == 0 { top } else { base }, &format!("listed/{number}"), "x");
            put(base, &format!("gone/{}/{number}", number % 5), "x");
        }
        put(top, "gone/3/top", "x");
        link(top, "link", "notes.txt");
        link(base, "link-dir", "base");
        link(base, "dangling", "nowhere");
        link(top, "circle", "circle");
        link(base, "link-out", "../outside");
    })
}

fn make(lower: &Path, directory: &str) {
    std::fs::create_dir_all(lower.join(directory)).expect("a writable directory");
}

/// Every line that it prints is the same, and so is the tree it leaves.
#[test]
fn all_of_std_fs_is_the_same_as_on_a_plain_directory() {
    let Some(program) = program("files") else { return };
    let ground = ground();
    let said = ground.compare(&program, &["/data"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    ground.assert_same_trees();
    // It goes on from there: what is an original on one side is changed already on the other.
    ground.compare(&program, &["/data"]);
    ground.assert_same_trees();
}
