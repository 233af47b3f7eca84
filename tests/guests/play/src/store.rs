//! The steps of a store case, as calls of the component.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::bindings::onionskin::fs::capabilities::probe;
use crate::bindings::onionskin::fs::store::{
    Content, DirectoryOptions, Evidence, Identical, OpenOptions, Publish, Source, Store, Tracing, Transaction,
    WriteOptions, Writer, break_lock, inspect,
};
use crate::bindings::onionskin::fs::types::{
    Durability, Error, ErrorKind, Fingerprint, Ownership, Precondition, SymlinkPolicy,
};
use crate::words::{data, name, text};
use crate::{TOKEN, findings, receipt};

/// The maximum of bytes in one call.
const CHUNK_BYTES: usize = 64 << 10;

pub(crate) struct Player {
    /// The guest path of the root.
    root: String,
    store: Option<Store>,
    /// The targets of absolute links.
    links: HashMap<String, String>,
    seen: HashMap<String, Fingerprint>,
}

impl Player {
    /// Opens the store of a case, unless it is closed.
    pub(crate) fn new(root: String, links: HashMap<String, String>, case: &Value) -> Result<Self, Error> {
        let mut player = Self { root, store: None, links, seen: HashMap::new() };
        if case["closed"] != true {
            player.store = Some(player.opened(case)?);
        }
        Ok(player)
    }

    /// Opens the root for a step or a case, with its token or a default one.
    fn opened(&self, how: &Value) -> Result<Store, Error> {
        let token = how["token"].as_str().unwrap_or(TOKEN).to_owned();
        Store::open(&self.root, &OpenOptions { owner: Ownership::LockFile(token), trace: Tracing::Off })
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("the store of this case is open")
    }

    pub(crate) fn run(&mut self, step: &Value) -> Result<Value, Error> {
        // A linked parent may itself lead to links.
        for _ in 0..=self.links.len() {
            match self.call(step) {
                Err(error) if error.kind == ErrorKind::LinkUnreadable => self.resolve(&error)?,
                done => return done,
            }
        }
        self.call(step)
    }

    /// As the packages for other hosts do, turns the link into an independent file or directory, if its target is
    /// granted.
    fn resolve(&self, error: &Error) -> Result<(), Error> {
        let place = self.links.get(&error.subject).filter(|place| place.starts_with("lower/"));
        let escapes = || Error { kind: ErrorKind::SymlinkEscapes, ..error.clone() };
        let place = place.ok_or_else(escapes)?;
        self.store().materialize(&error.subject, &Source::Path(place.clone()), &Content::Keep).map(drop)
    }

    fn call(&mut self, step: &Value) -> Result<Value, Error> {
        let path = || text(step, "path");
        match text(step, "call") {
            "open" => self.opened(step).map(|store| findings(&store.recovered())),
            "probe" => probe(&self.root).map(|seen| {
                json!({ "tier": name(seen.tier), "symlinks": seen.symlinks, "hard-links": seen.hard_links,
                    "directory-sync": seen.directory_sync, "reason": seen.reason })
            }),
            "inspect" => inspect(&self.root).map(|found| findings(&found)),
            "break-lock" => break_lock(&self.root, text(step, "token")).map(|()| Value::Null),
            "fingerprint" => self.store().fingerprint(path(), Evidence::Digest).map(|seen| {
                let hex = |digest: Vec<u8>| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                json!({ "kind": name(seen.kind), "size": seen.size, "digest": seen.digest.map(hex) })
            }),
            "replace" => {
                let how = self.how(step)?;
                self.store().replace(path(), &data(&step["data"]), &how).map(receipt)
            }
            "replace-json" => {
                let how = self.how(step)?;
                self.store().replace_json(path(), text(step, "json"), &how).map(receipt)
            }
            "materialize" => {
                // The target of an absolute link is named by its own guest path.
                let given = step["source"].as_str().or_else(|| self.granted(path()));
                let origin = given.map_or(Source::LinkTarget, |place| Source::Path(place.to_owned()));
                let holds = step.get("content").map_or(Content::Keep, |content| Content::Replace(data(content)));
                self.store().materialize(path(), &origin, &holds).map(receipt)
            }
            "writer" => self.writer(step),
            "transaction" => self.transaction(step),
            call => panic!("there is no call {call}"),
        }
    }

    /// Returns the target of an absolute link, if that is granted.
    fn granted(&self, path: &str) -> Option<&str> {
        self.links.get(path).map(String::as_str).filter(|place| place.starts_with("lower/"))
    }

    fn how(&mut self, step: &Value) -> Result<WriteOptions, Error> {
        let (how, path) = (&step["how"], text(step, "path"));
        if how["when"] == "as-seen" {
            let seen = self.store().fingerprint(path, Evidence::Digest)?;
            self.seen.insert(path.to_owned(), seen);
        }
        Ok(WriteOptions {
            durability: durability(how),
            symlinks: match how["symlinks"].as_str() {
                Some("refuse") => SymlinkPolicy::Refuse,
                Some("follow-within") => SymlinkPolicy::FollowWithin,
                _ => SymlinkPolicy::Replace,
            },
            when: match how["when"].as_str() {
                Some("absent") => Precondition::Absent,
                Some("single-link") => Precondition::SingleLink,
                Some("as-seen" | "as-first-seen") => Precondition::Unchanged(self.seen[path].clone()),
                _ => Precondition::None,
            },
            if_identical: if how["if-identical"] == "keep" { Identical::Keep } else { Identical::Rewrite },
        })
    }

    fn writer(&mut self, step: &Value) -> Result<Value, Error> {
        let how = self.how(step)?;
        let writer = self.store().writer(text(step, "path"), &how)?;
        for chunk in list(&step["chunks"]) {
            if let Some(text) = chunk.as_str() {
                writer.write(text.as_bytes())?;
            } else {
                let number = |key: &str| chunk[key].as_u64().expect("it is a number");
                writer.write_from(text(chunk, "from"), number("offset"), number("length"))?;
            }
        }
        if step["drop"] == true { Ok(Value::Null) } else { Writer::commit(writer).map(receipt) }
    }

    fn transaction(&self, step: &Value) -> Result<Value, Error> {
        let how = DirectoryOptions {
            publish: match step["how"]["publish"].as_str() {
                Some("swap") => Publish::Swap,
                Some("pointer") => Publish::Pointer,
                _ => Publish::InPlace,
            },
            durability: durability(&step["how"]),
            symlinks: SymlinkPolicy::Replace,
        };
        let transaction = self.store().begin(text(step, "directory"), how)?;
        for change in list(&step["changes"]) {
            let word = |at: usize| change[at].as_str().unwrap_or_else(|| panic!("{change}"));
            match word(0) {
                "put" => {
                    let data = data(&change[2]);
                    let (first, rest) = data.split_at(data.len().min(CHUNK_BYTES));
                    transaction.put(word(1), first)?;
                    for chunk in rest.chunks(CHUNK_BYTES) {
                        transaction.append(word(1), chunk)?;
                    }
                }
                "append" => transaction.append(word(1), &data(&change[2]))?,
                "put-file" => transaction.put_file(word(1), word(2))?,
                "remove" => transaction.remove(word(1))?,
                "rename" => transaction.rename(word(1), word(2))?,
                other => panic!("there is no change {other}"),
            }
        }
        if step["drop"] == true { Ok(Value::Null) } else { Transaction::commit(transaction).map(receipt) }
    }
}

/// Returns the durability that a step requests.
pub(crate) fn durability(step: &Value) -> Durability {
    match step["durability"].as_str() {
        Some("visible") => Durability::Visible,
        Some("data") => Durability::Data,
        _ => Durability::Full,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}
