//! The built component, as shipped, on the filesystem that can lose power.
//!
//! | promise | module |
//! |---|---|
//! | it makes the same calls as the core, and leaves the same pending writes | [`same`] |
//! | it survives every crash, as the core does: their reports are equal, byte for byte | [`survives`] |
//! | a fault that ends the process ends the component at once, and the next open recovers | [`stopped`] |
//!
//! A representative choice of operations is tested; [`shipped`] defines each of them through the contract. `ONLY=name`
//! selects those whose name contains it.

mod same;
mod shipped;
mod stopped;
mod survives;
