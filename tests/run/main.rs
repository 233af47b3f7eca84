//! `onionskin run`: unmodified programs, on directories that stay unchanged.
//!
//! | promise | module |
//! |---|---|
//! | every call of `std::fs` gives the same output, exit code and tree as on a plain copy; lowers stay unchanged | [`files`] |
//! | so does SQLite, in every journal mode; a transaction of a killed program is whole or absent | [`database`] |
//! | so do the tools of uutils, command by command | [`coreutils`] |
//! | so do programs in Python and JavaScript | [`languages`] |
//! | a module for WASI preview 1 runs as a component does | [`modules`] |
//! | programs that throw, or have a heap of objects, run; what else the host has not is named | [`proposals`] |
//! | nothing that a program imports or names leads out of its layer | [`attacks`] |
//! | nothing that a program hoards, or is made of, ends the host | [`hoards`] |
//! | a damaged program ends, with its bound or an error that names it, and the host lives | [`mutants`] |
//! | a program is compiled within limits, and not without the command; a person sees that it takes time | [`compiling`] |
//! | the resources of a program are bounded, and it sees its grants and nothing else | [`bounds`] |
//! | the changes are handled as requested, and the summary says how | [`ends`] |
//! | the changes can be looked at while the program runs | [`beside`] |
//! | on a terminal a review shows the changes, deletions first, and asks | [`review`] |
//!
//! The programs are in `tests/guests` and are built here; one that cannot be built on a machine is skipped with a
//! message, and fails where `CI` is set.

mod attacks;
mod beside;
mod bounds;
mod compiling;
mod coreutils;
mod database;
mod ends;
mod files;
mod hoards;
mod languages;
mod modules;
mod mutants;
mod proposals;
mod review;
mod trial;

use onionskin_tests::{guests, layers as ground, screen};
