//! Runs one case of `tests/scenario`, which it reads from standard input, and prints the results of its steps as a JSON
//! list.
//!
//!     play store [/ROOT] [LINK=PLACE]... <CASE
//!     play workspace <CASE
//!     play pace COUNT durable|data|visible BYTES
//!
//! The last replaces a file repeatedly, and prints the average seconds.
//!
//! The directories of the case are granted under their names; the root of a store is `root` unless an argument names
//! another. A plain WASI host takes no lock, so a lock file is used. WASI also does not let a program read absolute
//! links: the arguments give their targets, and a target outside of the grants is refused.

mod pace;
mod store;
#[path = "../../../shared/src/words.rs"]
mod words;
mod workspace;

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io::{self, Read as _};

use serde_json::{Value, json};

use bindings::onionskin::fs::types::{Error, Finding, Receipt};
use words::name;

#[allow(clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package onionskin:play;
            world play {
                import onionskin:fs/capabilities@0.1.0;
                import onionskin:fs/store@0.1.0;
                import onionskin:fs/workspace@0.1.0;
            }
        ",
        generate_all,
    });
}

/// The owner in the lock file, where the case does not name one.
const TOKEN: &str = "play";
const USAGE: &str = "usage: play store [/ROOT] [LINK=PLACE]... | workspace <CASE, or play pace COUNT HOW BYTES";

fn main() -> Result<(), Box<dyn StdError>> {
    let mut arguments = std::env::args().skip(1);
    let interface = arguments.next().ok_or(USAGE)?;
    if interface == "pace" {
        return pace::measure(&arguments.collect::<Vec<_>>());
    }
    let (mut root, mut links) = ("root".to_owned(), HashMap::new());
    for argument in arguments {
        if argument.starts_with('/') {
            root = argument;
        } else {
            let (link, place) = argument.split_once('=').ok_or(USAGE)?;
            links.insert(link.to_owned(), place.to_owned());
        }
    }
    let mut case = String::new();
    io::stdin().read_to_string(&mut case)?;
    let case: Value = serde_json::from_str(&case)?;
    let in_words = |error: Error| format!("the store does not open: {}", error.message);
    let answers = match interface.as_str() {
        "store" => {
            let mut player = store::Player::new(root, links, &case).map_err(in_words)?;
            play(&case, |step| player.run(step))
        }
        "workspace" => {
            let mut player = workspace::Player::new(&case).map_err(in_words)?;
            play(&case, |step| player.run(step))
        }
        _ => return Err(USAGE.into()),
    };
    println!("{answers}");
    Ok(())
}

/// Returns the result of each step.
fn play(case: &Value, mut run: impl FnMut(&Value) -> Result<Value, Error>) -> Value {
    let steps = case["steps"].as_array().expect("a case has steps");
    let answer = |step| match run(step) {
        Ok(answer) => json!({ "gives": answer }),
        Err(error) => {
            json!({ "fails": { "kind": name(error.kind), "subject": error.subject }, "message": error.message })
        }
    };
    steps.iter().map(answer).collect()
}

fn receipt(receipt: Receipt) -> Value {
    json!({ "transaction": receipt.transaction, "achieved": name(receipt.achieved), "applied": receipt.applied,
        "bytes": receipt.bytes })
}

fn findings(found: &[Finding]) -> Value {
    found.iter().map(|one| json!({ "path": one.path, "verdict": name(one.verdict) })).collect()
}
