//! `onionskin crash --component`: unmodified programs, crashed at every call.
//!
//! | promise | module |
//! |---|---|
//! | the classic missing sync is found and shown with its crash state; with both syncs nothing is found | [`save`] |
//! | SQLite keeps the promises of each setting, and gives up only those that its documentation names | [`sqlite`] |
//! | on a workspace programs keep their promises, and a rename without a sync damages nothing | [`layered`] |
//! | five transfers of SQLite survive every loss of power, and so do the rollbacks afterwards | [`power`] |
//! | arguments that cannot work are refused with an explanation | [`refused`] |
//!
//! The programs are in `tests/guests` and are built here, for WASI. SQLite needs a C compiler for WASI: where it is
//! missing its tests are skipped with a message, and fail where `CI` is set.

mod layered;
mod power;
mod refused;
mod save;
mod sqlite;
mod trial;

use onionskin_tests::{ledgers, packages as guests};
