//! The calls of stores and workspaces as futures.
//!
//! A call runs on a thread of the pool for blocking work, and the calls of one store take turns in the order in which
//! their futures were first polled. A future that is dropped before its call has begun makes no call. One that is
//! dropped in the middle of its call is a crash at that call: the component is stopped at its next call on the
//! filesystem, and the root is released. [`ending`] lets an open wait for that.

pub(crate) mod ending;
mod queue;
mod store;
pub(crate) mod task;
mod workspace;

pub use store::{AsyncStore, AsyncTransaction, AsyncWriter};
pub use task::CALLS_AT_ONCE_DEFAULT;
pub use workspace::AsyncWorkspace;
