//! Every limit has a name and a value, and exceeding it is a typed error that changes nothing.
//!
//! | limit | module |
//! |---|---|
//! | bytes of a path and of a name, components of a path, links in one path | [`paths`] |
//! | bytes in one call, bytes and entries of a transaction, bytes of its log | [`sizes`] |
//! | depth and entries of a tree | [`trees`] |
//! | memory and open directories, whatever the size of the work | [`bounded`] |
//!
//! The length of a token is tested in the suite `recovery`, the number of generations in `persist`.

use onionskin_tests_core as support;

mod bounded;
mod paths;
mod sizes;
mod trees;

use onionskin::error::{Error, Limit};

/// Asserts that the call exceeded this limit, with its value and this path in the error.
#[track_caller]
fn exceeded<T: std::fmt::Debug>(context: &str, answer: Result<T, Error>, limit: Limit, maximum: u64, path: &str) {
    let expected = Error::limit(path, limit, maximum);
    let message = expected.to_string();
    assert!(message.contains(&maximum.to_string()) && message.contains(path), "{context}: {message}");
    assert_eq!(answer.map(drop), Err(expected), "{context}");
}
