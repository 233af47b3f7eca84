//! Workspaces: copy-on-write over any tree, review, commit or discard.
//!
//! | promise | module |
//! |---|---|
//! | the merged tree behaves as a plain one, through any sequence of operations, reopened and killed in between | [`random`] |
//! | known problems of other overlays do not occur | [`pains`] |
//! | programs on a workspace find the file semantics that they rely on | [`programs`] |
//! | a reader beside the owner sees names of one moment and whole contents, and changes nothing | [`readers`] |
//! | a directory that is published by `pointer` is read through its link | [`published`] |
//! | commits are atomic, may be partial, and detect conflicts | [`commits`] |
//! | a refresh takes the changes of others in, by lines or by choice, whole or not at all | [`refreshes`] |
//! | a review is the commit, and nothing that others did is lost in silence, in random sequences | [`laws`] |
//! | what that search found stays mended | [`found`] |
//!
//! Crashes and faults of every operation are in the suite `crash`, under names with `workspace`.

mod commits;
mod found;
mod laws;
mod model;
mod pains;
mod programs;
mod published;
mod random;
mod readers;
mod refreshes;
mod world;
