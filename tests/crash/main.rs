//! Crash safety by enumeration: the "all or nothing, whatever happens" of the README.
//!
//! | promise | module |
//! |---|---|
//! | every operation survives every crash, and so does its recovery | [`crashes`] |
//! | also with torn writes, and with garbage in unwritten blocks | [`torn`] |
//! | under a host that lends calls, every entry keeps its mode, and nobody else reads a secret | [`lent`] |
//! | every call may fail in every way, and the error describes the state correctly | [`faults`] |
//! | an obstacle that stays locks nobody out, and nothing is lost | [`obstacles`] |
//! | sequences of operations survive every crash | [`workloads`] |
//! | the bugs that the explorer found in the store, each with its history | [`found`] |
//! | every sync, and every order of two steps, is needed, or there is a reason why not | [`mutation`] |
//! | known bugs of other programs, and bugs inserted into this protocol, are found | [`planted`] |
//!
//! By default a run is bounded for continuous integration. `ONIONSKIN_CRASH=full` lifts the bounds,
//! `ONIONSKIN_WORKLOADS=N` tries N sequences, `ONIONSKIN_SEED=N` generates others, and `ONLY=name` selects
//! the operations whose name contains it.

mod crashes;
mod faults;
mod found;
mod lent;
mod mutation;
mod obstacles;
mod others;
mod planted;
mod support;
mod torn;
mod workloads;
