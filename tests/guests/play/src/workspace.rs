//! The steps of a workspace case, as calls of the component. `edit` and `files` use ordinary file operations on the
//! directories of the case.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::bindings::onionskin::fs::types::{Error, NodeKind, Ownership};
use crate::bindings::onionskin::fs::workspace::{
    Change, ChangeKind, CommitOptions, OnConflict, Options, Quota, Relocation, Resolution, Select, Workspace,
};
use crate::store::durability;
use crate::words::{data, name, text, texts};
use crate::{TOKEN, findings, receipt};

/// The number of names or changes in one call: few, so that there is more than one page.
const PAGE: u32 = 3;
/// The number of bytes in one read, for the same reason.
const CHUNK_BYTES: u32 = 4;

pub(crate) struct Player {
    lowers: Vec<String>,
    quota: Quota,
    workspace: Option<Workspace>,
}

impl Player {
    /// Creates the workspace of a case, unless it is closed.
    pub(crate) fn new(case: &Value) -> Result<Self, Error> {
        let lowers = case.get("lowers").map_or_else(|| vec!["lower".to_owned()], texts);
        let limit = |key| case["quota"][key].as_u64();
        let quota = Quota { bytes: limit("bytes"), entries: limit("entries") };
        let mut player = Self { lowers, quota, workspace: None };
        if case["closed"] != true {
            player.workspace = Some(player.create()?);
        }
        Ok(player)
    }

    fn create(&self) -> Result<Workspace, Error> {
        Workspace::create(&Options { quota: self.quota, ..options("upper", self.lowers.clone()) })
    }

    pub(crate) fn run(&mut self, step: &Value) -> Result<Value, Error> {
        let lowers = || step.get("lowers").map_or_else(Vec::new, texts);
        match text(step, "call") {
            "create" => self.create().map(|made| findings(&made.recovered())),
            "open" => {
                let moved = if step["moved"] == true { Relocation::Accept } else { Relocation::Refuse };
                let opened = Workspace::open(&Options { moved, quota: self.quota, ..options("upper", lowers()) })?;
                Ok(findings(&opened.recovered()))
            }
            "files" => Ok(files(Path::new(text(step, "place")))),
            "edit" => {
                fs::write(text(step, "place"), data(&step["data"])).expect("another program writes");
                Ok(Value::Null)
            }
            "discard" => Workspace::discard(self.workspace.take().expect("the workspace of this case is open"))
                .map(|()| Value::Null),
            _ => match step["of"].as_str() {
                Some(other) => self.call(&Workspace::open(&options(other, lowers()))?, step),
                None => self.call(self.workspace.as_ref().expect("the workspace of this case is open"), step),
            },
        }
    }

    fn call(&self, workspace: &Workspace, step: &Value) -> Result<Value, Error> {
        let path = step["path"].as_str().unwrap_or_default();
        let number = |key: &str| step[key].as_u64().expect("it is a number");
        let nothing = |()| Value::Null;
        match text(step, "call") {
            "tree" => tree(workspace).map(Value::Object),
            "stat" => workspace
                .stat(path)
                .map(|found| json!({ "kind": name(found.kind), "size": found.size, "origin": name(found.origin) })),
            "read" => {
                let length = u32::try_from(number("length")).expect("it fits");
                workspace.read(path, number("offset"), length).map(|bytes| json!(String::from_utf8_lossy(&bytes)))
            }
            "read-link" => workspace.read_link(path).map(|text| json!(text)),
            "list" => Ok(list(workspace, path)?
                .into_iter()
                .map(|(name, kind, origin)| json!({ "name": name, "kind": crate::name(kind), "origin": origin }))
                .collect()),
            "write" => workspace.write(path, number("offset"), &data(&step["data"])).map(nothing),
            "append" => workspace.append(path, &data(&step["data"])).map(|at| json!(at)),
            "put" => workspace.put(path, &data(&step["data"])).map(nothing),
            "set-size" => workspace.set_size(path, number("size")).map(nothing),
            "make-directory" => workspace.make_directory(path).map(nothing),
            "make-symlink" => workspace.make_symlink(text(step, "target"), path).map(nothing),
            "remove" => workspace.remove(path).map(nothing),
            "remove-tree" => workspace.remove_tree(path).map(|entries| json!(entries)),
            "rename" => workspace.rename(path, text(step, "to")).map(nothing),
            "changes" => changes(workspace, &select(step)).map(|changes| changes.into_iter().map(change).collect()),
            "conflicts" => workspace.conflicts(&select(step)).map(|paths| json!(paths)),
            "refresh" => {
                let resolution = match text(step, "resolution") {
                    "ours" => Resolution::Ours,
                    "theirs" => Resolution::Theirs,
                    "mark" => Resolution::Mark,
                    _ => Resolution::Merge,
                };
                workspace.refresh(&select(step), resolution).map(|paths| json!(paths))
            }
            "sync" => workspace.sync().map(nothing),
            "checkpoint" => workspace.checkpoint(text(step, "label")).map(|number| json!(number)),
            "checkpoints" => workspace
                .checkpoints()
                .map(|kept| kept.iter().map(|one| json!({ "number": one.number, "label": one.label })).collect()),
            "restore" => workspace.restore(number("number")).map(|kept| json!(kept)),
            "drop-checkpoint" => workspace.drop_checkpoint(number("number")).map(nothing),
            "fork" => workspace.fork(&options(text(step, "to"), self.lowers.clone())).map(|_closed| Value::Null),
            "export" => workspace.export_to(text(step, "to"), &[], durability(step)).map(receipt),
            "commit" => {
                let conflicts = match step["conflicts"].as_str() {
                    Some("ours") => OnConflict::Ours,
                    Some("theirs") => OnConflict::Theirs,
                    _ => OnConflict::Fail,
                };
                let into = self.lowers[0].clone();
                let how = CommitOptions { into, paths: select(step), durability: durability(step), conflicts };
                workspace.commit(&how).map(receipt)
            }
            call => panic!("there is no call {call}"),
        }
    }
}

fn options(upper: &str, lowers: Vec<String>) -> Options {
    Options {
        upper: upper.to_owned(),
        lowers,
        owner: Ownership::LockFile(TOKEN.to_owned()),
        quota: Quota { bytes: None, entries: None },
        moved: Relocation::Refuse,
    }
}

/// Returns every visible entry, by path.
fn tree(workspace: &Workspace) -> Result<Map<String, Value>, Error> {
    let (mut shown, mut directories) = (Map::new(), vec![String::new()]);
    while let Some(directory) = directories.pop() {
        for (name, kind, _) in list(workspace, if directory.is_empty() { "." } else { &directory })? {
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            let told = match kind {
                NodeKind::Symlink => json!({ "link": workspace.read_link(&path)? }),
                NodeKind::Directory => {
                    directories.push(path.clone());
                    json!({})
                }
                NodeKind::File | NodeKind::Other => json!(whole(workspace, &path)?),
            };
            shown.insert(path, told);
        }
    }
    Ok(shown)
}

/// Returns a whole directory, page by page.
fn list(workspace: &Workspace, path: &str) -> Result<Vec<(String, NodeKind, String)>, Error> {
    let mut entries = Vec::<(String, NodeKind, String)>::new();
    loop {
        let page = workspace.list(path, entries.last().map(|(name, ..)| name.as_str()), PAGE)?;
        if page.is_empty() {
            return Ok(entries);
        }
        entries.extend(page.into_iter().map(|entry| (entry.name, entry.kind, name(entry.origin))));
    }
}

/// Returns a whole file, chunk by chunk.
fn whole(workspace: &Workspace, path: &str) -> Result<String, Error> {
    let mut bytes = Vec::new();
    loop {
        let chunk = workspace.read(path, bytes.len() as u64, CHUNK_BYTES)?;
        if chunk.is_empty() {
            return Ok(String::from_utf8(bytes).expect("files of a case are text"));
        }
        bytes.extend(chunk);
    }
}

/// Returns all changes, page by page.
fn changes(workspace: &Workspace, paths: &Select) -> Result<Vec<Change>, Error> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = workspace.changes(paths, after.as_deref(), PAGE)?;
        all.extend(page.changes);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

fn change(change: Change) -> Value {
    let what = match change.what {
        ChangeKind::Renamed(source) => json!(["renamed", source]),
        ChangeKind::Retyped(kind) => json!(["retyped", name(kind)]),
        ChangeKind::Deleted => json!("deleted"),
        ChangeKind::Added => json!("added"),
        ChangeKind::Modified => json!("modified"),
    };
    json!({ "path": change.path, "what": what, "kind": name(change.kind), "size": change.size })
}

fn select(step: &Value) -> Select {
    let globs = |key| step.get(key).map_or_else(Vec::new, texts);
    Select { only: globs("only"), except: globs("except") }
}

/// Returns the text of each file below a directory, with links followed and without records.
fn files(place: &Path) -> Value {
    let (mut found, mut directories) = (Map::new(), vec![place.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            let below = path.strip_prefix(place).expect("it is below").to_str().expect("names of a case are UTF-8");
            if below.starts_with(".onionskin") {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.is_file() {
                found.insert(below.to_owned(), json!(fs::read_to_string(&path).expect("files of a case are text")));
            }
        }
    }
    Value::Object(found)
}
