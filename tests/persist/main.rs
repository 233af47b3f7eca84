//! A write is all or nothing, and says what it achieved.
//!
//! | promise | module |
//! |---|---|
//! | a file gets its new content whole, at the durability that was asked for | [`files`] |
//! | nothing is ever written through a link | [`links`] |
//! | what must hold before a change is checked, and a failed check changes nothing | [`conditions`] |
//! | a transaction does what its calls say, and the last word on a path counts | [`transactions`] |
//! | a directory is published in three ways, and what is not part of a change survives each | [`publishing`] |
//! | work in progress leaves nothing behind, and may be interleaved | [`interleaved`] |

#[path = "../support/mod.rs"]
mod support;

mod conditions;
mod files;
mod interleaved;
mod links;
mod publishing;
mod transactions;
