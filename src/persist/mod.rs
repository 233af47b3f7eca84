//! Persisting: writes of one file, materialized copies of links, and changes to directories.
//!
//! Each change stages its content in the control directory, is decided by one rename, and is then completed.

pub(crate) mod ask;
mod attributes;
pub mod companions;
pub mod decide;
pub mod directory;
pub mod expect;
pub mod file;
pub mod generation;
pub mod materialize;
mod staging;
pub mod transaction;
