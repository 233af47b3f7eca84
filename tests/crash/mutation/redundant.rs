//! What no crash and no failing call misses, and why it is there all the same.

/// A reason, and what it holds for.
pub(crate) type Rows = &'static [(&'static str, &'static [&'static str])];

pub(crate) const SYNCS: Rows = &[];
pub(crate) const ORDERS: Rows = &[];
