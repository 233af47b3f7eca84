//! The explorer on trial: it clears what is right, and finds what is wrong.

mod clean;
mod planted;
mod replace;
mod sweep;
mod two_files;
