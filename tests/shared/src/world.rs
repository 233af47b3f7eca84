//! A directory to run a case in, and its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ground;
use crate::words::text;

/// The world of a case: `root`, `lower`, and the other entries at its beginning.
pub struct World {
    directory: TempDir,
}

impl World {
    pub fn new(before: &Value) -> Self {
        let world = Self { directory: ground::scratch() };
        for name in ["root", "lower"] {
            fs::create_dir(world.at(name)).expect("a new directory");
        }
        for (path, entry) in before.as_object().expect("`before` has files by path") {
            let place = world.at(path);
            if let Some(text) = entry.as_str() {
                ground::write(&place, text);
                continue;
            }
            let link = text(entry, "link");
            let link = link.strip_prefix('/').map_or_else(|| link.into(), |from_top| world.at(from_top));
            fs::create_dir_all(place.parent().expect("it is below the top")).expect("the parents can be made");
            std::os::unix::fs::symlink(link, place).expect("a new link");
        }
        world
    }

    /// A world with the directories that workspaces need.
    pub fn with_uppers(before: &Value) -> Self {
        let world = Self::new(before);
        for place in ["upper", "new-upper", "out"] {
            fs::create_dir(world.at(place)).expect("a new directory");
        }
        world
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Returns the content of each file below a directory, with links followed and without records.
    pub fn files(&self, directory: &str) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        walk(&self.at(directory), "", &mut |path, place| {
            if place.is_file() {
                files.insert(path.to_owned(), fs::read_to_string(place).expect("files of a case are text"));
            }
        });
        files
    }

    /// Returns the final state of a case.
    pub fn look(&self) -> Value {
        let mut links = Vec::new();
        walk(&self.at("root"), "", &mut |path, place| {
            if place.is_symlink() {
                links.push(path.to_owned());
            }
        });
        links.sort();
        let left = names(&self.at("root/.onionskin"));
        json!({ "files": self.files("root"), "links": links, "left": left })
    }
}

/// Returns the final state that a case expects, with all fields.
pub fn expected(tree: &Value) -> Value {
    let or_none = |key: &str| tree.get(key).cloned().unwrap_or_else(|| json!([]));
    json!({ "files": tree["files"], "links": or_none("links"), "left": or_none("left") })
}

fn walk(directory: &Path, below: &str, visit: &mut impl FnMut(&str, &Path)) {
    for name in names(directory) {
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if path.starts_with(".onionskin") {
            continue;
        }
        let place = directory.join(name);
        visit(&path, &place);
        if place.is_dir() {
            walk(&place, &path, visit);
        }
    }
}

/// Returns the sorted names in a directory; none if it does not exist.
fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("it can be listed").file_name().into_string();
    let mut names: Vec<String> = entries.map(|entry| name(entry).expect("names of a case are UTF-8")).collect();
    names.sort();
    names
}
