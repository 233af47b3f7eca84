//! Persisting: one file, a copy in the place of a link, a directory.
//!
//! Each change stages its content in the control directory, decides by one rename, and finishes.

pub mod companions;
pub mod decide;
pub mod directory;
pub mod file;
pub mod generation;
pub mod materialize;
pub mod transaction;
