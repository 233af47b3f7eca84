//! Workspaces: copy-on-write over any tree, review, commit or discard.
//!
//! | promise | module |
//! |---|---|
//! | the merged tree behaves as a plain one, whatever is done to it, reopened and killed in between | [`random`] |
//! | what users of other overlays suffer from does not happen | [`pains`] |
//! | a program that has it as its files finds what it relies on | [`programs`] |
//! | commits are all or nothing, by choice, and see conflicts | [`commits`] |
//!
//! Crashes and faults of every operation are in the suite `crash`, under names with `workspace`.

mod commits;
mod model;
mod pains;
mod programs;
mod random;
mod world;
