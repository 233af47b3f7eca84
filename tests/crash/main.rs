//! Crash safety, by enumeration: README's "all or nothing, whatever happens".
//!
//! | promise | module |
//! |---|---|
//! | every operation survives every crash, and so does its recovery | [`crashes`] |
//! | and torn writes, and garbage where nothing was written | [`torn`] |
//! | every call may fail in every way, and the error tells the truth | [`faults`] |
//! | sequences of operations survive every crash | [`workloads`] |
//! | what the explorer found in the store, each with its story | [`found`] |
//! | every sync, and every order of two steps, is needed, or it is said why not | [`mutation`] |
//! | known bugs of others, and bugs put into our own protocol, are found | [`planted`] |
//!
//! A run without settings is bounded for continuous integration. `ONIONSKIN_CRASH=full` lifts the
//! bounds, `ONIONSKIN_WORKLOADS=N` tries N sequences, `ONIONSKIN_SEED=N` draws others, and
//! `ONLY=name` looks at the operations whose name holds it.

mod crashes;
mod faults;
mod found;
mod mutation;
mod planted;
mod support;
mod torn;
mod workloads;
