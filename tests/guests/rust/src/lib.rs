//! The contract in Rust, by wit-bindgen.

wit_bindgen::generate!({
    path: ["../../../wit", "../wit"],
    world: "onionskin:guest/guest",
    generate_all,
});

use onionskin::fs::store::{DirectoryOptions, Evidence, Identical, OpenOptions, Publish, Store, Tracing, WriteOptions};
use onionskin::fs::types::{Durability, Error, ErrorKind, Ownership, Precondition, SymlinkPolicy};
use onionskin::fs::workspace::{CommitOptions, OnConflict, Options, Quota, Relocation, Select, Workspace};

struct Language;

export!(Language);

impl Guest for Language {
    fn run() -> Vec<String> {
        let mut lines = Vec::new();
        if let Err(error) = stored(&mut lines).and_then(|()| worked(&mut lines)) {
            lines.push(format!("failed: {}", error.message));
        }
        lines
    }
}

fn stored(lines: &mut Vec<String>) -> Result<(), Error> {
    let store = Store::open("/root", &OpenOptions { owner: Ownership::Host, trace: Tracing::Off })?;
    let options = WriteOptions {
        durability: Durability::Full,
        symlinks: SymlinkPolicy::Replace,
        when: Precondition::None,
        if_identical: Identical::Rewrite,
    };
    let receipt = store.replace("a.txt", b"hello", &options)?;
    lines.push(format!("replaced a.txt: {} bytes", receipt.bytes));
    let seen = store.fingerprint("a.txt", Evidence::Metadata)?;
    lines.push(format!("a.txt has {} bytes", seen.size));
    let receipt = store.replace_json("b.json", "{\"b\": 1}", &options)?;
    lines.push(format!("replaced b.json: {} bytes", receipt.bytes));
    match store.replace_json("b.json", "{", &options) {
        Err(error) if error.kind == ErrorKind::InvalidJson => lines.push(format!("refused: {}", error.subject)),
        other => lines.push(format!("not refused: {other:?}")),
    }
    let both = DirectoryOptions { publish: Publish::Swap, durability: options.durability, symlinks: options.symlinks };
    let change = store.begin("d", both)?;
    change.put("one", b"1")?;
    change.put("two", b"22")?;
    let receipt = onionskin::fs::store::Transaction::commit(change)?;
    lines.push(format!("committed d: {} paths", receipt.applied));
    Ok(())
}

fn worked(lines: &mut Vec<String>) -> Result<(), Error> {
    let workspace = Workspace::create(&Options {
        upper: "/upper".to_owned(),
        lowers: vec!["/lower".to_owned()],
        owner: Ownership::Host,
        quota: Quota { bytes: None, entries: None },
        moved: Relocation::Refuse,
    })?;
    let all = || Select { only: Vec::new(), except: Vec::new() };
    workspace.append("notes.txt", b"two\n")?;
    workspace.put("new.txt", b"new")?;
    workspace.remove("gone.txt")?;
    for change in workspace.changes(&all(), None, 100)?.changes {
        lines.push(format!("changed: {}", change.path));
    }
    let receipt = workspace.commit(&CommitOptions {
        into: "/lower".to_owned(),
        paths: all(),
        durability: Durability::Full,
        conflicts: OnConflict::Fail,
    })?;
    lines.push(format!("committed: {} bytes", receipt.bytes));
    let notes = workspace.read("notes.txt", 0, 100)?;
    lines.push(format!("notes.txt: {}", String::from_utf8_lossy(&notes)));
    Ok(())
}
