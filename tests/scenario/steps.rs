//! The steps of each case, and their results.

use std::collections::HashMap;

use onionskin_host::{
    Content, DirectoryOptions, Durability, Error, Evidence, Finding, Fingerprint, Grant, Identical, OpenOptions,
    Ownership, Precondition, Publish, Receipt, Source, Store, StoreBuilder, SymlinkPolicy, WriteOptions,
};
use serde_json::{Value, json};

use crate::words::{covers, data, name, text};
use crate::world::{World, expected};
use crate::{onionskin, scenes};

#[test]
fn each_step_gives_the_result_of_every_host() {
    for case in scenes("cases") {
        let world = World::new(&case["before"]);
        let mut runner = Runner::new(&world, &case);
        for step in case["steps"].as_array().expect("a case has steps") {
            let context = format!("{}: {step}", text(&case, "name"));
            match (runner.run(step), step.get("fails")) {
                (Ok(answer), None) => covers(&answer, step.get("gives").unwrap_or(&json!({})), &context),
                (Err(error), Some(wanted)) => covers(&error_value(&error), wanted, &format!("{context}: {error}")),
                (Ok(answer), Some(_)) => panic!("{context}: does not fail: {answer}"),
                (Err(error), None) => panic!("{context}: {error}"),
            }
        }
        runner.store.map(Store::close).transpose().expect("it closes");
        assert_eq!(world.look(), expected(&case["after"]), "{}", text(&case, "name"));
        if let Some(lower) = case.get("lower") {
            assert_eq!(&json!(world.files("lower")), lower, "{}", text(&case, "name"));
        }
    }
}

struct Runner<'a> {
    world: &'a World,
    store: Option<Store>,
    seen: HashMap<String, Fingerprint>,
}

impl<'a> Runner<'a> {
    fn new(world: &'a World, case: &Value) -> Self {
        let mut runner = Self { world, store: None, seen: HashMap::new() };
        if case["closed"] != true {
            runner.store = Some(runner.open(case).expect("it opens"));
        }
        runner
    }

    fn session(&self) -> StoreBuilder {
        onionskin().store(self.world.at("root")).lower(self.world.at("lower"))
    }

    fn open(&self, options: &Value) -> Result<Store, Error> {
        let owner = options["token"].as_str().map_or(Ownership::Host, |token| Ownership::LockFile(token.to_owned()));
        self.session().open(&OpenOptions::default().owner(owner))
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("the store of this case is open")
    }

    fn run(&mut self, step: &Value) -> Result<Value, Error> {
        match text(step, "call") {
            "open" => {
                let store = self.open(step)?;
                let found = findings(store.recovered()?);
                store.close().map(|()| found)
            }
            "probe" => self.session().probe().map(|seen| {
                json!({ "tier": name(seen.tier), "symlinks": seen.symlinks, "hard-links": seen.hard_links,
                    "directory-sync": seen.directory_sync, "reason": seen.reason })
            }),
            "inspect" => self.session().inspect().map(findings),
            "break-lock" => self.session().break_lock(text(step, "token")).map(|()| Value::Null),
            "fingerprint" => self.store().fingerprint(text(step, "path"), Evidence::Digest).map(|seen| {
                let digest =
                    seen.digest.map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
                json!({ "kind": name(seen.kind), "size": seen.size, "digest": digest })
            }),
            "replace" => {
                let options = self.options(step)?;
                self.store().replace(text(step, "path"), &data(&step["data"]), &options).map(receipt)
            }
            "replace-json" => {
                let options = self.options(step)?;
                self.store().replace_json(text(step, "path"), text(step, "json"), &options).map(receipt)
            }
            "materialize" => self.materialize(step),
            "writer" => self.writer(step),
            "transaction" => self.transaction(step),
            call => panic!("there is no call {call}"),
        }
    }

    fn options(&mut self, step: &Value) -> Result<WriteOptions, Error> {
        let given = &step["how"];
        let usual = WriteOptions::default();
        if given["when"] == "as-seen" {
            let seen = self.store().fingerprint(text(step, "path"), Evidence::Digest)?;
            self.seen.insert(text(step, "path").to_owned(), seen);
        }
        let options = usual.durability(durability(&given["durability"])).symlinks(match given["symlinks"].as_str() {
            Some("refuse") => SymlinkPolicy::Refuse,
            Some("follow-within") => SymlinkPolicy::FollowWithin,
            _ => SymlinkPolicy::Replace,
        });
        let options = options.when(match given["when"].as_str() {
            Some("absent") => Precondition::Absent,
            Some("single-link") => Precondition::SingleLink,
            Some("as-seen" | "as-first-seen") => Precondition::Unchanged(self.seen[text(step, "path")].clone()),
            _ => Precondition::None,
        });
        Ok(options.if_identical(if given["if-identical"] == "keep" { Identical::Keep } else { Identical::Rewrite }))
    }

    fn materialize(&self, step: &Value) -> Result<Value, Error> {
        let origin = match step["source"].as_str() {
            Some(source) => Source::Path(self.world.at(source)),
            None => Source::LinkTarget,
        };
        let holds = step.get("content").map_or(Content::Keep, |content| Content::Replace(data(content)));
        self.store().materialize(text(step, "path"), &origin, &holds).map(receipt)
    }

    fn writer(&mut self, step: &Value) -> Result<Value, Error> {
        let options = self.options(step)?;
        let mut writer = self.store().writer(text(step, "path"), &options)?;
        for chunk in step["chunks"].as_array().expect("a writer has chunks") {
            if let Some(text) = chunk.as_str() {
                writer.append(text.as_bytes())?;
            } else {
                let number = |key: &str| chunk[key].as_u64().expect("it is a number");
                writer.append_from(self.world.at(text(chunk, "from")), number("offset"), number("length"))?;
            }
        }
        if step["drop"] == true { Ok(Value::Null) } else { writer.commit().map(receipt) }
    }

    fn transaction(&self, step: &Value) -> Result<Value, Error> {
        let options = DirectoryOptions::default().publish(match step["how"]["publish"].as_str() {
            Some("swap") => Publish::Swap,
            Some("pointer") => Publish::Pointer,
            _ => Publish::InPlace,
        });
        let options = options.durability(durability(&step["how"]["durability"]));
        let mut transaction = self.store().begin(text(step, "directory"), &options)?;
        for change in step["changes"].as_array().expect("a transaction has changes") {
            let word = |at: usize| change[at].as_str().unwrap_or_else(|| panic!("{change}"));
            match word(0) {
                "put" => transaction.put(word(1), &data(&change[2]))?,
                "append" => transaction.append(word(1), &data(&change[2]))?,
                "put-file" => transaction.put_file(word(1), self.world.at(word(2)))?,
                "remove" => transaction.remove(word(1))?,
                "rename" => transaction.rename(word(1), word(2))?,
                other => panic!("there is no change {other}"),
            }
        }
        if step["drop"] == true { Ok(Value::Null) } else { transaction.commit().map(receipt) }
    }
}

pub(crate) fn durability(value: &Value) -> Durability {
    match value.as_str() {
        Some("visible") => Durability::Visible,
        Some("data") => Durability::Data,
        _ => Durability::Full,
    }
}

pub(crate) fn receipt(receipt: Receipt) -> Value {
    json!({ "transaction": receipt.transaction, "achieved": name(receipt.achieved), "applied": receipt.applied,
        "bytes": receipt.bytes })
}

pub(crate) fn findings(found: Vec<Finding>) -> Value {
    found.into_iter().map(|one| json!({ "path": one.path, "verdict": name(one.verdict) })).collect()
}

/// Encodes an error by the names of the contract; errors of the host itself have a kind there, too.
pub(crate) fn error_value(error: &Error) -> Value {
    match error {
        Error::Guest { error, .. } => json!({ "kind": name(error.kind), "subject": error.subject }),
        Error::Locked { .. } => json!({ "kind": "locked" }),
        Error::Grant(Grant::LinkLeadsOut { .. }) => json!({ "kind": "symlink-escapes" }),
        other => json!({ "kind": format!("{other:?}") }),
    }
}
