//! Any WASI program, run as it is on a workspace: what it writes goes to an upper directory, and the
//! directories that it was given stay as they are.
//!
//! The program is composed with the build of the component that stands in for `wasi:filesystem`. A
//! directory `/data` of the program is made of directories that the component is granted under names
//! which say what they are for: `/data#upper` for writing, and `/data#lower`, `/data#lower.2`, ... for
//! reading, the topmost first. All others pass through.
//!
//! The component imports these directories under a name with the digest of the program in it, and the host
//! gives none under any other. So nothing that a program imports leads past the component.

mod adapt;
mod compile;
mod compose;
mod machine;
mod program;
mod wait;
mod world;

pub use compile::compile_for_parent;
pub use compose::plug;
pub use program::{Ended, How, Program};
pub use world::{Layers, Limits, MEMORY_BYTES_DEFAULT, Mount, World};
