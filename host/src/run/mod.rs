//! Any WASI program, run as it is on a workspace: what it writes goes to an upper directory, and the
//! directories that it was given stay as they are.
//!
//! The program is composed with the build of the component that stands in for `wasi:filesystem`. A
//! directory `/data` of the program is made of directories that the component is granted under names
//! which say what they are for: `/data#upper` for writing, and `/data#lower`, `/data#lower.2`, ... for
//! reading, the topmost first. All others pass through.

mod compose;
mod machine;
mod program;
mod wait;
mod world;

pub use compose::plug;
pub use program::{Ended, How, Program};
pub use world::{Layers, Limits, MEMORY_BYTES_DEFAULT, Mount, World};
