//! What ships is what is proven: the built component, on the filesystem that can lose power.
//!
//! | promise | module |
//! |---|---|
//! | it makes the calls that the core makes, one by one, and leaves the same to be written | [`same`] |
//! | it survives every crash, as the core does: the reports are equal, byte for byte | [`survives`] |
//! | a fault that ends it ends it at once, and the next open recovers | [`stopped`] |
//!
//! A representative choice of operations is tried, of which [`shipped`] says how each is done through
//! the contract. `ONLY=name` looks at those whose name holds it.

mod same;
mod shipped;
mod stopped;
mod survives;
