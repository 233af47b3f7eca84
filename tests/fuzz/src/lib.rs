//! Targets of fuzzing: functions that take any bytes and panic where a law does not hold. No target may panic for
//! any input, so that every panic, of the core or of a target, is a defect.
//!
//! The suite `fuzz` replays the corpus and a bounded number of mutations; `coverage/` runs the same targets under
//! libFuzzer, without bounds.

mod control;
mod log;
mod map;
pub mod mutation;
mod names;
mod scene;
mod store;
mod workspace;

/// A law about any bytes.
pub struct Target {
    /// The name, also that of its file in `corpus/`.
    pub name: &'static str,
    /// The law.
    pub law: &'static str,
    /// Panics unless the law holds for these bytes.
    pub check: fn(&[u8]),
    /// Returns inputs that are valid, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The number of mutated inputs in a bounded run.
    pub bounded: u32,
}

/// All targets: the decoders, and sequences of calls.
pub const TARGETS: [Target; 10] = [
    Target {
        name: "log",
        law: "bytes that decode as a log or an intent are those that its encoding has, and name no path outside",
        check: log::any_bytes,
        seeds: log::seeds,
        bounded: 30_000,
    },
    Target {
        name: "written-log",
        law: "an encoded log decodes to the same log",
        check: log::any_log,
        seeds: seeds_of_structures,
        bounded: 10_000,
    },
    Target {
        name: "map",
        law: "a map that decodes is the same after it was encoded, and answers every question",
        check: map::any_bytes,
        seeds: map::seeds,
        bounded: 20_000,
    },
    Target {
        name: "written-map",
        law: "a map that is encoded, with frames after it, decodes to the map with their records applied",
        check: map::any_map,
        seeds: seeds_of_structures,
        bounded: 10_000,
    },
    Target {
        name: "names",
        law: "a text that parses as a path, number, pointer or glob has one meaning, which is inside the root",
        check: names::any_text,
        seeds: names::seeds,
        bounded: 20_000,
    },
    Target {
        name: "json",
        law: "a text is accepted as JSON exactly if a parser makes a value of it, and is then on the disk unchanged",
        check: control::any_json,
        seeds: control::json_seeds,
        bounded: 4_000,
    },
    Target {
        name: "control",
        law: "a control directory of any entries is recovered or refused, and originals and other entries stay",
        check: control::any_entries,
        seeds: control::seeds,
        bounded: 3_000,
    },
    Target {
        name: "store",
        law: "after any calls on a store, with a death among them, the next open recovers",
        check: store::any_calls,
        seeds: seeds_of_structures,
        bounded: 2_000,
    },
    Target {
        name: "workspace",
        law: "after any calls on a workspace, with a death among them, the next open recovers and shows the same",
        check: workspace::any_calls,
        seeds: seeds_of_structures,
        bounded: 1_000,
    },
    Target {
        name: "program",
        law: "after any calls of a program on the overlay, the workspace opens and the lowers are as they were",
        check: workspace::any_program,
        seeds: seeds_of_structures,
        bounded: 1_000,
    },
];

/// Returns the target of a name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Returns inputs for targets that make a structure of their bytes.
fn seeds_of_structures() -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(1);
    [16, 64, 256, 1024].map(|length| std::iter::repeat_with(|| random.u8(..)).take(length).collect()).into()
}

/// Returns the kept inputs of a target: lines of hexadecimal digits in `corpus/`.
///
/// # Panics
///
/// If there is no such file, or a line is of another form.
#[must_use]
pub fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let path = format!("{}/corpus/{}.hex", env!("CARGO_MANIFEST_DIR"), target.name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(|line| unhex(line).unwrap_or_else(|| panic!("{path}: {line}"))).collect()
}

/// Returns bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    onionskin::text::hex(bytes)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.len().is_multiple_of(2).then(|| (0..text.len()).step_by(2))?;
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
