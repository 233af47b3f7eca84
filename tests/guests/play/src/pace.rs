//! The time to replace a file, measured from inside a guest.

use std::error::Error as StdError;
use std::time::Instant;

use crate::bindings::onionskin::fs::store::{Identical, OpenOptions, Store, Tracing, WriteOptions};
use crate::bindings::onionskin::fs::types::{Durability, Error, Ownership, Precondition, SymlinkPolicy};
use crate::{TOKEN, USAGE};

/// Replaces a file of the root this many times, after once that does not count, and prints the average seconds.
pub(crate) fn measure(arguments: &[String]) -> Result<(), Box<dyn StdError>> {
    let [count, how, bytes] = arguments else { return Err(USAGE.into()) };
    let (count, content) = (count.parse::<u32>()?, vec![b'x'; bytes.parse()?]);
    let durability = match how.as_str() {
        "durable" => Durability::Full,
        "data" => Durability::Data,
        "visible" => Durability::Visible,
        _ => return Err(USAGE.into()),
    };
    let seconds = replace(count, &content, durability).map_err(|error| error.message)?;
    println!("{seconds}");
    Ok(())
}

fn replace(count: u32, content: &[u8], durability: Durability) -> Result<f64, Error> {
    let owner = Ownership::LockFile(TOKEN.to_owned());
    let store = Store::open("root", &OpenOptions { owner, trace: Tracing::Off })?;
    let (symlinks, when, if_identical) = (SymlinkPolicy::Replace, Precondition::None, Identical::Rewrite);
    let how = WriteOptions { durability, symlinks, when, if_identical };
    store.replace("metadata.json", content, &how)?;
    let start = Instant::now();
    for _ in 0..count {
        store.replace("metadata.json", content, &how)?;
    }
    Ok((start.elapsed() / count).as_secs_f64())
}
