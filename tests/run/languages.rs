//! Programs in other languages, each with its own interface to files: Python has `open`, `os` and `shutil`, JavaScript
//! has WASI itself.

use crate::ground::{Ground, put};
use crate::guests::program;
use crate::trial::Trial as _;

/// A gzip of a pickle, `{"seen": 4}`, both written by Python.
const PICKLE: &[u8] = include_bytes!("values.pickle.gz");

fn ground() -> Ground {
    Ground::new(|top, base| {
        put(top, "notes.txt", "some notes\n");
        put(base, "notes.txt", "masked\n");
        put(base, "gone.txt", "gone\n");
        put(base, "values.pickle.gz", PICKLE);
        put(base, "settings.json", "{}");
        put(base, "tree/leaf", "leaf");
        put(top, "tree/branch/leaf", "another leaf");
    })
}

fn is_same(guest: &'static str) {
    let Some(program) = program(guest) else { return };
    let ground = ground();
    // The second run starts from the result of the first.
    for _ in 0..2 {
        let said = ground.compare(&program, &[]);
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        assert!(said.out.lines().count() > 15, "{}{}", said.out, said.err);
        ground.assert_same_trees();
    }
}

#[test]
fn python_is_the_same_as_on_a_plain_directory() {
    is_same("python-files");
}

#[test]
fn javascript_is_the_same_as_on_a_plain_directory() {
    is_same("javascript-files");
}
