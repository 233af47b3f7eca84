//! The steps of each workspace case and their results, and commits that are stopped at each call.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use onionskin_host::{
    Change, ChangeKind, CommitOptions, Durability, Entry, Error, NodeKind, OnConflict, Onionskin, Quota, Resolution,
    Select, Workspace, WorkspaceBuilder,
};
use serde_json::{Map, Value, json};

use crate::command::run;
use crate::steps::{durability, error_value, findings, receipt};
use crate::words::{covers, data, name, part_of, text, texts};
use crate::world::World;

/// The maximum of calls in a run; a longer run counts as endless.
const CALLS_MAX: u32 = 400;

fn scenes(part: &str) -> Vec<Value> {
    part_of(include_str!("workspace.json"), part)
}

fn onionskin() -> &'static Onionskin {
    static LOADED: OnceLock<Onionskin> = OnceLock::new();
    LOADED.get_or_init(|| Onionskin::load().expect("the component that is built in loads"))
}

#[test]
fn each_step_gives_the_result_of_every_host() {
    for case in scenes("cases") {
        let world = World::with_uppers(&case["before"]);
        let before = json!(world.files("lower"));
        let mut runner = Runner::new(&world, &case);
        for step in case["steps"].as_array().expect("a case has steps") {
            let context = format!("{}: {step}", text(&case, "name"));
            match (runner.run(step), step.get("fails")) {
                (Ok(answer), None) => {
                    if let Some(whole) = step.get("is") {
                        assert_eq!(&answer, whole, "{context}");
                    }
                    covers(&answer, step.get("gives").unwrap_or(&json!({})), &context);
                }
                (Err(error), Some(wanted)) => covers(&error_value(&error), wanted, &format!("{context}: {error}")),
                (Ok(answer), Some(_)) => panic!("{context}: does not fail: {answer}"),
                (Err(error), None) => panic!("{context}: {error}"),
            }
        }
        runner.workspace.map(Workspace::close).transpose().expect("it closes");
        let lower = case.get("lower").unwrap_or(&before);
        assert_eq!(&json!(world.files("lower")), lower, "{}", text(&case, "name"));
    }
}

#[test]
fn a_commit_that_was_stopped_is_found_old_or_new() {
    for scene in scenes("crashes") {
        stop_everywhere(&scene);
    }
}

fn stop_everywhere(scene: &Value) {
    let (mut olds, mut news) = (0, 0);
    for call in 1..=CALLS_MAX {
        let world = World::with_uppers(&scene["before"]);
        for setup in scene["setup"].as_array().expect("a list") {
            assert_eq!(run(env!("CARGO_BIN_EXE_onionskin"), &world, &[], setup), 0, "{setup}");
        }
        let code = run(env!("CARGO_BIN_EXE_onionskin"), &world, &["--crash-at", &call.to_string()], scene);
        let mut workspace = session(&world, &[]).open().expect("it opens");
        let changes = workspace.changes(&Select::default()).expect("the changes can be listed");
        let changes: Vec<String> = changes.into_iter().map(|change| change.path).collect();
        let (now, context) = (json!(world.files("lower")), format!("{}, call {call}", text(scene, "name")));
        let is_new = changes.is_empty();
        assert_eq!(now, scene[if is_new { "new" } else { "old" }], "{context}");
        assert!(is_new || json!(changes) == scene["changes"], "{context}: {changes:?}");
        if code == 0 {
            assert!(is_new && olds > 0 && news > 0, "{context}: {olds} old, {news} new");
            return;
        }
        assert_eq!(code, 70, "{context}");
        if is_new { news += 1 } else { olds += 1 }
    }
    panic!("{}: no end after {CALLS_MAX} calls", text(scene, "name"));
}

fn session(world: &World, lowers: &[String]) -> WorkspaceBuilder {
    onionskin().workspace(world.at("upper")).lowers(lowers.iter().map(|lower| world.at(lower)))
}

struct Runner<'a> {
    world: &'a World,
    lowers: Vec<String>,
    quota: Quota,
    workspace: Option<Workspace>,
}

impl<'a> Runner<'a> {
    fn new(world: &'a World, case: &Value) -> Self {
        let lowers = case.get("lowers").map_or_else(|| vec!["lower".to_owned()], texts);
        let limit = |key| case["quota"][key].as_u64();
        let quota = Quota { bytes: limit("bytes"), entries: limit("entries") };
        let mut runner = Self { world, lowers, quota, workspace: None };
        if case["closed"] != true {
            runner.workspace = Some(runner.create().expect("it is made"));
        }
        runner
    }

    fn create(&self) -> Result<Workspace, Error> {
        session(self.world, &self.lowers).quota(self.quota).create()
    }

    fn run(&mut self, step: &Value) -> Result<Value, Error> {
        match text(step, "call") {
            "create" => closed(self.create()?),
            "open" => {
                let session = session(self.world, &step.get("lowers").map_or_else(Vec::new, texts));
                closed(if step["moved"] == true { session.moved() } else { session }.open()?)
            }
            "files" => Ok(json!(self.world.files(text(step, "place")))),
            "edit" => {
                fs::write(self.world.at(text(step, "place")), data(&step["data"])).expect("another program writes");
                Ok(Value::Null)
            }
            "discard" => {
                self.workspace.take().expect("the workspace of this case is open").discard().map(|()| Value::Null)
            }
            _ => match step["of"].as_str() {
                Some(other) => {
                    let mut workspace = onionskin().workspace(self.world.at(other)).open()?;
                    let answer = self.call(&mut workspace, step);
                    workspace.close()?;
                    answer
                }
                None => {
                    let mut workspace = self.workspace.take().expect("the workspace of this case is open");
                    let answer = self.call(&mut workspace, step);
                    self.workspace = Some(workspace);
                    answer
                }
            },
        }
    }

    fn call(&self, workspace: &mut Workspace, step: &Value) -> Result<Value, Error> {
        let path = step["path"].as_str().unwrap_or_default();
        let number = |key: &str| step[key].as_u64().expect("it is a number");
        let place = || -> PathBuf { self.world.at(text(step, "to")) };
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
            "list" => workspace.list(path).map(|entries| {
                let entry = |it: Entry| json!({ "name": it.name, "kind": name(it.kind), "origin": name(it.origin) });
                entries.into_iter().map(entry).collect()
            }),
            "write" => workspace.write(path, number("offset"), &data(&step["data"])).map(nothing),
            "append" => workspace.append(path, &data(&step["data"])).map(|at| json!(at)),
            "put" => workspace.put(path, &data(&step["data"])).map(nothing),
            "set-size" => workspace.set_size(path, number("size")).map(nothing),
            "make-directory" => workspace.make_directory(path).map(nothing),
            "make-symlink" => workspace.make_symlink(text(step, "target"), path).map(nothing),
            "remove" => workspace.remove(path).map(nothing),
            "remove-tree" => workspace.remove_tree(path).map(|entries| json!(entries)),
            "rename" => workspace.rename(path, text(step, "to")).map(nothing),
            "changes" => workspace.changes(&select(step)).map(|changes| changes.into_iter().map(change).collect()),
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
            "fork" => workspace.fork(place())?.close().map(nothing),
            "export" => workspace.export(place(), Durability::Full).map(receipt),
            "commit" => {
                let conflicts = match step["conflicts"].as_str() {
                    Some("ours") => OnConflict::Ours,
                    Some("theirs") => OnConflict::Theirs,
                    _ => OnConflict::Fail,
                };
                let options = CommitOptions::default()
                    .paths(select(step))
                    .durability(durability(&step["durability"]))
                    .conflicts(conflicts);
                workspace.commit(self.world.at(&self.lowers[0]), &options).map(receipt)
            }
            call => panic!("there is no call {call}"),
        }
    }
}

/// Returns the findings of the open, and closes the workspace again.
fn closed(workspace: Workspace) -> Result<Value, Error> {
    let found = findings(workspace.recovered().to_vec());
    workspace.close().map(|()| found)
}

/// Returns every visible entry, by path.
fn tree(workspace: &mut Workspace) -> Result<Map<String, Value>, Error> {
    let (mut shown, mut directories) = (Map::new(), vec![String::new()]);
    while let Some(directory) = directories.pop() {
        for entry in workspace.list(if directory.is_empty() { "." } else { &directory })? {
            let path = if directory.is_empty() { entry.name } else { format!("{directory}/{}", entry.name) };
            let content = match entry.kind {
                NodeKind::Symlink => json!({ "link": workspace.read_link(&path)? }),
                NodeKind::Directory => {
                    directories.push(path.clone());
                    json!({})
                }
                NodeKind::File | NodeKind::Other => {
                    let chunks = workspace.chunks(&path).collect::<Result<Vec<_>, _>>()?;
                    json!(String::from_utf8(chunks.concat()).expect("files of a case are text"))
                }
            };
            shown.insert(path, content);
        }
    }
    Ok(shown)
}

fn change(change: Change) -> Value {
    let changed = match change.what {
        ChangeKind::Renamed(source) => json!(["renamed", source]),
        ChangeKind::Retyped(kind) => json!(["retyped", name(kind)]),
        plain @ (ChangeKind::Deleted | ChangeKind::Added | ChangeKind::Modified) => json!(name(plain)),
    };
    json!({ "path": change.path, "what": changed, "kind": name(change.kind), "size": change.size })
}

fn select(step: &Value) -> Select {
    let globs = |key| step.get(key).map_or_else(Vec::new, texts);
    Select { only: globs("only"), except: globs("except") }
}
