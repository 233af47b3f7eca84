//! Runs any WASI program, unmodified, on a workspace: its writes go to an upper directory, and its
//! directories stay unchanged.
//!
//! The program is composed with the build of the component that replaces `wasi:filesystem`. A directory
//! `/data` of the program consists of directories that the component is granted under names that give their
//! role: `/data#upper` for writing, and `/data#lower`, `/data#lower.2`, ... for reading, the topmost first.
//! All other directories pass through.
//!
//! The component imports these directories under a name with the digest of the program in it, and the host
//! provides none under any other name. So no import of a program bypasses the component.
//!
//! [`Program`] is a command that this library runs. [`LayeredComponent`] is a component that an embedder runs in a store
//! of its own, with [`GuestLayers`] for its directories.

mod adapt;
mod compile;
mod compose;
mod layered;
mod machine;
mod program;
mod wait;
mod world;

pub use compile::compile_for_parent;
pub use compose::plug;
pub use layered::{GuestLayers, LayeredComponent, LayersView};
pub use program::{Ended, How, Program};
pub use world::{Layers, Limits, MEMORY_BYTES_DEFAULT, Mount, World};
