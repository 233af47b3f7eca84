//! Plays one case of `tests/scenario`, which comes on standard input, and prints what each step gave as
//! a list of JSON.
//!
//!     play store [/ROOT] [LINK=PLACE]... <CASE
//!     play workspace <CASE
//!     play pace COUNT durable|data|visible BYTES
//!
//! The last replaces a file again and again, and prints the seconds of one time.
//!
//! The places of the case are granted under their names; the root of a store is `root`, or what is said.
//! A plain host of WASI takes no lock, so a lock file is used. Nor does WASI let a program read absolute
//! links: what those of the case say is told by the arguments, and a place outside of what is granted is
//! refused.

mod pace;
mod store;
#[path = "../../../scenario/words.rs"]
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

/// Who the lock file says the owner is, where the case does not name one.
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
    let in_words = |error: Error| format!("it does not open: {}", error.message);
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

/// What each step gives.
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
