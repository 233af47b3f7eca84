//! The contract as imports of an embedder's own guests, each with the roots that it is granted.
//!
//! Every call is forwarded to an instance of the component that the guest has for itself, by the types in the component:
//! a call that is added to the contract needs no code here. [`rights`] has the calls that need a right.

mod forward;
mod rights;
mod session;

pub use forward::add_to_linker;
#[cfg(feature = "async")]
pub use forward::add_to_linker_async;
pub use rights::Rights;
pub use session::GuestRoots;
