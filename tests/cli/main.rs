//! The program keeps its word: its commands do what their help says, its exit codes and messages can
//! be relied on, and a run that is stopped at any call leaves what `recover` puts right.
//!
//! | promise | module |
//! |---|---|
//! | help shows examples; wrong usage is exit code 2 | [`usage`] |
//! | `replace` and `materialize` change one path, with every flag | [`file`] |
//! | `put-dir` changes many, in three ways | [`directory`] |
//! | `probe`, `inspect` and `recover` say what is so | [`look`] |
//! | `workspace` shows a tree to work in, and commits all of it or nothing | [`workspace`] |
//! | a terminal is asked, and shown colour; a pipe is not | [`terminal`] |
//! | a failure is exit code 1 and a message with path and way out | [`errors`] |
//! | `--crash-at N` for every N: exactly old or new after `recover` | [`crash`] |
//! | the session of the README goes as it is shown | [`readme`] |
//! | `demo` tells the stories and ends in a table | [`demo`] |

#![cfg(unix)]

#[path = "../hosts/ground.rs"]
mod ground;
#[path = "../hosts/screen.rs"]
mod screen;
mod world;

mod crash;
mod demo;
mod directory;
mod errors;
mod file;
mod look;
mod readme;
mod terminal;
mod usage;
mod workspace;
