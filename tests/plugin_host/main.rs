//! The example `plugin_host` does as its page says: it runs uploaded plugins over a project that stays unchanged, within
//! bounds, and commits or discards their changes on request.
//!
//! | promise | module |
//! |---|---|
//! | changes are looked at, committed, merged or discarded by requests, and outlive the server | [`requests`] |
//! | a plugin keeps its bounds of time, memory and bytes, and requests of other sites are refused | [`requests`] |
//! | plugins in Rust, JavaScript and Python run | [`requests`] |
//! | many at once leave the project and each other alone, and nothing is left of them | [`load`] |

#![cfg(target_os = "linux")]

mod load;
mod requests;
mod server;

use onionskin_tests::{ground, guests, say};
