//! Publishing by pointer where links were copied, set back and removed by others.

use std::collections::BTreeSet;

use onionskin::error::Error;
use onionskin::generations;
use onionskin::path::RelPath;
use onionskin::persist::transaction::Publish;
use onionskin::store::Store;

use super::directories::{durable, persist, persist_with};
use super::{Action, FaultyFs, Operation, same_content};
use crate::tree;
use crate::tree::{Node, Tree};

const DIRECTORIES: &str = "ws/.onionskin/directories/";

/// The record that a directory of generations belongs to a path.
pub(super) fn record(path: &str, directory: u64) -> Vec<u8> {
    let path = RelPath::parse(path).expect("scenes have good paths");
    generations::record(&path, directory).encode()
}

/// Two generations of `conv`, and links to them that it did not make.
pub(super) fn published() -> Tree {
    tree! {
        dir "lower";
        file "ws/.onionskin/directories/1/1/metadata.json" = "{\"v\":0}";
        file "ws/.onionskin/directories/1/2/metadata.json" = "{\"v\":1}";
        file "ws/.onionskin/directories/1/2/events.json" = "[1]";
        file "ws/.onionskin/directories/1/2/notes/deep.txt" = "unmanaged";
        symlink "ws/conv" = ".onionskin/directories/1/2";
        file "ws/beside" = "nobody's business";
    }
    .file("ws/.onionskin/directories/1/owner", record("conv", 1))
}

fn copied() -> Tree {
    published().symlink("ws/copy", ".onionskin/directories/1/2")
}

fn copied_before() -> Tree {
    published().symlink("ws/d/copy", "../.onionskin/directories/1/1")
}

fn set_back() -> Tree {
    published().symlink("ws/conv", ".onionskin/directories/1/1")
}

fn moved() -> Tree {
    published().remove("ws/conv").symlink("ws/moved", ".onionskin/directories/1/2")
}

fn unused() -> Tree {
    let second = published().remove("ws/conv").file("ws/.onionskin/directories/2/1/metadata.json", "{\"v\":9}");
    second
        .file("ws/.onionskin/directories/2/owner", record("other", 2))
        .symlink("ws/other", ".onionskin/directories/2/1")
}

/// Whether two trees show the same through every link, and have the same under all other names. Generations to which
/// no link leads may stay where a search for links failed.
pub(super) fn shows_alike(found: &Tree, stage: &Tree) -> bool {
    same_content(&led_to(found), &led_to(stage))
}

/// A tree without the generations to which no link leads, and without their directories and records if nothing is left.
fn led_to(tree: &Tree) -> Tree {
    let mut led = BTreeSet::new();
    for (_, node) in tree.iter() {
        if let Node::Symlink(text) = node
            && let Some((_, generation)) = text.split_once(".onionskin/directories/")
        {
            led.insert(generation.split('/').take(2).collect::<Vec<_>>().join("/"));
        }
    }
    let used = |directory: &str| led.iter().any(|generation| generation.split('/').next() == Some(directory));
    tree.without(|path| match path.strip_prefix(DIRECTORIES) {
        Some(below) => {
            let parts: Vec<&str> = below.split('/').collect();
            match parts[..] {
                [directory] | [directory, "owner"] => !used(directory),
                [directory, generation, ..] => !led.contains(&format!("{directory}/{generation}")),
                [] => false,
            }
        }
        None => led.is_empty() && matches!(path, "ws/.onionskin" | "ws/.onionskin/directories"),
    })
}

/// Whether `conv` shows what it showed.
fn conv_stays(found: &Tree) -> bool {
    let place = format!("{DIRECTORIES}1/2");
    found.below(&place) == published().below(&place)
}

/// Whether the copy shows what it showed. What `conv` shares with the next generation has one more name.
fn copy_stays(found: &Tree) -> bool {
    let place = format!("{DIRECTORIES}1/1");
    found.below(&place) == published().below(&place)
}

pub(super) fn all() -> Vec<Operation> {
    let publish = |name, about, scene: fn() -> Tree, path: fn(&Store<FaultyFs>) -> Result<(), Error>| Operation {
        matches: same_content,
        matches_harmed: Some(shows_alike),
        ..Operation::new(name, about, scene, Action::Store(path))
    };
    vec![
        Operation {
            matches: |found, stage| same_content(found, stage) && conv_stays(found),
            matches_harmed: Some(|found, stage| shows_alike(found, stage) && conv_stays(found)),
            ..publish("pointer-copied", "the next generation, through a copy of the link", copied, |store| {
                persist_with(store, "copy", durable(Publish::Pointer))
            })
        },
        Operation {
            matches: |found, stage| same_content(found, stage) && copy_stays(found),
            matches_harmed: Some(|found, stage| shows_alike(found, stage) && copy_stays(found)),
            ..publish(
                "pointer-beside-a-copy",
                "the next generation, while a copy leads to an old one",
                copied_before,
                |store| persist(store, Publish::Pointer),
            )
        },
        publish("pointer-set-back", "the next generation after the link was set back", set_back, |store| {
            persist(store, Publish::Pointer)
        }),
        publish("pointer-moved", "the next generation, where the link was moved", moved, |store| {
            persist_with(store, "moved", durable(Publish::Pointer))
        }),
        Operation {
            // A crash leaves some of them.
            matches: shows_alike,
            ..publish("free-generations", "the generations to which no link leads", unused, |store| {
                store.free_generations().map(drop)
            })
        },
    ]
}
