//! `onionskin run`: programs as they are, on directories that stay as they are.
//!
//! | promise | module |
//! |---|---|
//! | all of `std::fs` gives the same output, exit code and tree as on a plain copy; lowers stay as they are | [`files`] |
//! | so does SQLite, in every journal mode; killed at any call, a transaction is there or it is not | [`database`] |
//! | so do the tools of uutils, command by command | [`coreutils`] |
//! | so do programs in Python and JavaScript | [`languages`] |
//! | a module for WASI preview 1 runs as a component does | [`modules`] |
//! | nothing that a program imports or names leads out of its layer | [`attacks`] |
//! | what a program may use is bounded, and it sees what it is given and nothing else | [`bounds`] |
//! | what becomes of the changes is said, and is as it was asked for | [`ends`] |
//! | on a terminal they are shown and asked about, deletions first | [`review`] |
//!
//! The programs are in `tests/guests` and are built here; one that cannot be built on a machine is left
//! out aloud, and under CI it is a failure.

mod attacks;
mod bounds;
mod coreutils;
mod database;
mod ends;
mod files;
mod ground;
mod guests;
mod languages;
mod modules;
mod review;
#[path = "../hosts/screen.rs"]
mod screen;
mod trial;
