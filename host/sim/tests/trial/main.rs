//! Tests of the explorer: correct protocols pass, and wrong ones are found.

mod clean;
mod planted;
mod replace;
mod sweep;
mod two_files;
