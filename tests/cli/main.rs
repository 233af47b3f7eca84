//! The program keeps its promises: commands behave as their help says, exit codes and messages are stable, and
//! `recover` repairs the state after a crash at any call.
//!
//! | promise | module |
//! |---|---|
//! | help shows examples; wrong usage is exit code 2 | [`usage`] |
//! | `replace` and `materialize` change one path, with every flag | [`file`] |
//! | `put-dir` changes many paths, in three modes | [`directory`] |
//! | `probe`, `inspect` and `recover` report the state of a root | [`look`] |
//! | `workspace` presents a writable tree, and commits all of it or nothing | [`workspace`] |
//! | no text from outside acts on a terminal or hides, in any command | [`hostile`] |
//! | a choice of changes is of paths and globs, and what is listed is committed | [`choice`] |
//! | a review takes changes by file and by hunk, or is a page | [`review`] |
//! | `workspace diff` is a patch for `git apply` | [`patch`] |
//! | looking changes nothing, and links that are swapped in lead nowhere | [`reads`] |
//! | a map leads to no directory that no command named | [`forged`] |
//! | questions and colour are for a terminal only | [`terminal`] |
//! | a kernel that refuses before or after a decision locks nobody out, and nothing is lost | [`kernels`] |
//! | a failure is exit code 1 and a message with path and way out | [`errors`] |
//! | `--crash-at N` for every N: exactly old or new after `recover` | [`crash`] |
//! | the session in the README is reproduced | [`readme`] |
//! | `demo` runs the demonstrations and ends in a table | [`demo`] |

#![cfg(unix)]

mod world;

mod choice;
mod crash;
mod demo;
mod directory;
mod errors;
mod file;
mod forged;
mod hostile;
mod kernels;
mod look;
mod patch;
mod place;
mod readme;
mod reads;
mod review;
mod terminal;
mod usage;
mod workspace;

use onionskin_tests::{ground, screen};
