//! Every host behaves the same: the cases of `store.json` and `workspace.json`, which the suites of `host/python` and
//! `host/node` run too.
//!
//! | promise | module |
//! |---|---|
//! | each step gives the same result as in every other host, or fails with the same error | [`steps`] |
//! | so does each step in a workspace, and a commit interrupted by a crash is found old or new | [`workspaces`] |
//! | a directory after a crash at any call is found old or new | [`crashes`] |

#![cfg(unix)]

mod crashes;
mod steps;
mod workspaces;

use onionskin_tests::{command, words, world};

use std::sync::OnceLock;

use onionskin_host::Onionskin;
use serde_json::Value;
use words::part_of;

/// Returns the cases or the crashes of the store scenario.
fn scenes(part: &str) -> Vec<Value> {
    part_of(include_str!("store.json"), part)
}

fn onionskin() -> &'static Onionskin {
    static LOADED: OnceLock<Onionskin> = OnceLock::new();
    LOADED.get_or_init(|| Onionskin::load().expect("the component that is built in loads"))
}
