//! Calls answer as on Linux under WASI, before any crash.

mod grants;
mod kinds;
mod nodes;
mod rights;
mod walks;
