//! A write happens as a whole or not at all, and its receipt reports the durability that was achieved.
//!
//! | promise | module |
//! |---|---|
//! | a file gets its new content as a whole, at the requested durability | [`files`] |
//! | no write goes through a link | [`links`] |
//! | preconditions are checked, and a failed check changes nothing | [`conditions`] |
//! | a transaction applies its calls, and the last call on a path wins | [`transactions`] |
//! | a directory is published in three modes, and each preserves the entries that the change does not name | [`publishing`] |
//! | dropped work leaves nothing behind, and writers and transactions may be interleaved | [`interleaved`] |

use onionskin_tests_core as support;

mod conditions;
mod files;
mod interleaved;
mod links;
mod publishing;
mod transactions;
