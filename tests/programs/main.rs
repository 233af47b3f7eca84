//! `onionskin crash --component`: other people's programs, crashed at every call.
//!
//! | promise | module |
//! |---|---|
//! | the classic fault is found, and shown with what it leaves; without it nothing is | [`save`] |
//! | SQLite keeps what its settings promise, and not what they give up | [`sqlite`] |
//! | on a workspace they keep what they promise, and a rename damages nothing | [`layered`] |
//! | five transfers of SQLite survive every loss of power, and so does what is rolled back after one | [`power`] |
//! | what cannot be tried is refused in words | [`refused`] |
//!
//! The programs are in `tests/guests` and are built here, for WASI. SQLite wants a C compiler for it:
//! where there is none its tests are left out, and say so, but fail where `CI` is set.

mod guests;
mod layered;
mod ledgers;
mod power;
mod refused;
mod save;
mod sqlite;
mod trial;
