//! No write goes through a hard link or to a read-only original.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use onionskin_host::{Content, Durability, Identical, Publish, Source, Store, WriteOptions};

use crate::scene::{PUBLISH, Scene, publish};

fn links(scene: &Scene, name: &str) -> u64 {
    fs::metadata(scene.at(name)).expect("it is there").nlink()
}

type Write = (&'static str, fn(&Store), &'static str);

/// Every way to write to `d/file`, and the content it then has.
const WRITES: [Write; 6] = [
    (
        "replace",
        |it| {
            it.replace("d/file", b"new", &WriteOptions::default()).expect("done");
        },
        "new",
    ),
    (
        "keep identical",
        |it| {
            let options = WriteOptions::default().if_identical(Identical::Keep);
            let done = it.replace("d/file", b"original", &options).expect("done");
            assert_eq!(done.applied, 1, "a shared file is not independent, whatever its content");
        },
        "original",
    ),
    (
        "visible",
        |it| {
            let options = WriteOptions::default().durability(Durability::Visible);
            it.replace("d/file", b"new", &options).expect("done");
        },
        "new",
    ),
    (
        "writer",
        |it| {
            let mut writer = it.writer("d/file", &WriteOptions::default()).expect("a file can be replaced");
            writer.append(b"new").expect("it grows");
            writer.commit().expect("done");
        },
        "new",
    ),
    (
        "materialize",
        |it| {
            let done = it.materialize("d/file", &Source::LinkTarget, &Content::Keep).expect("done");
            assert_eq!((done.applied, done.bytes), (1, 8));
        },
        "original",
    ),
    (
        "materialize with content",
        |it| {
            it.materialize("d/file", &Source::LinkTarget, &Content::Replace(b"new".to_vec())).expect("done");
        },
        "new",
    ),
];

/// Through a hard link: the original keeps its content and is the only name of its inode.
#[test]
fn a_hard_link_becomes_a_file_of_its_own() {
    for (call, write, expected) in WRITES {
        let scene = Scene::new(&[("lower/file", "original"), ("root/d/other", "other")]);
        scene.hard_link("lower/file", "root/d/file");
        let store = scene.open();
        write(&store);
        store.close().expect("the store closes");
        assert_eq!(scene.text("root/d/file"), expected, "{call}");
        assert_eq!((links(&scene, "lower/file"), links(&scene, "root/d/file")), (1, 1), "{call}");
        scene.done();
    }
}

/// The same in a transaction: put over it, append to the put, move it away, in every mode. Carried files keep their
/// inode, and so their links.
#[test]
fn a_transaction_writes_no_hard_link() {
    for mode in PUBLISH {
        let scene = Scene::new(&[("lower/put", "original"), ("lower/moved", "original"), ("lower/kept", "original")]);
        fs::create_dir(scene.at("root/d")).expect("a new directory");
        for name in ["put", "moved", "kept"] {
            scene.hard_link(&format!("lower/{name}"), &format!("root/d/{name}"));
        }
        let store = scene.open();
        let mut change = store.begin("d", &publish(mode)).expect("a directory");
        change.put("put", b"ne").expect("staged");
        change.append("put", b"w").expect("staged");
        change.rename("moved", "there").expect("staged");
        change.commit().expect("it is published");
        let mut change = store.begin("d", &publish(mode)).expect("a directory");
        change.put("there", b"new too").expect("staged");
        change.commit().expect("it is published");
        store.close().expect("the store closes");
        assert_eq!(
            ["put", "there", "kept"].map(|name| scene.text(&format!("root/d/{name}"))),
            ["new", "new too", "original"]
        );
        let is_generation = mode == Publish::Pointer;
        assert_eq!(links(&scene, "lower/put"), 1, "{mode:?}");
        assert!(links(&scene, "lower/kept") >= 2, "{mode:?}: a file that is not part of the change keeps its inode");
        let ours = crate::ground::ours(&scene.tree());
        assert_eq!(ours.is_empty(), !is_generation, "{mode:?}: {ours:?}");
        let kept: Vec<&str> = ours.iter().filter_map(|path| path.to_str()).collect();
        scene.done_keeping(&kept);
    }
}

/// An original without write permission, behind an absolute link, a hard link and a linked directory.
#[test]
fn a_read_only_original_is_replaced_by_a_file_that_is_read_only_too() {
    for (call, write, expected) in WRITES {
        for way in ["absolute", "hard", "parent"] {
            let scene = Scene::new(&[("lower/d/file", "original")]);
            let original = scene.at("lower/d/file");
            fs::set_permissions(&original, fs::Permissions::from_mode(0o444)).expect("a mode can be set");
            if way == "parent" {
                scene.absolute("lower/d", "root/d");
            } else {
                fs::create_dir(scene.at("root/d")).expect("a new directory");
                match way {
                    "absolute" => scene.absolute("lower/d/file", "root/d/file"),
                    _ => scene.hard_link("lower/d/file", "root/d/file"),
                }
            }
            if way == "parent" && call == "materialize" {
                // The target of the link is a file with one name: it is materialized with its parent only.
                scene.open().materialize("d", &Source::LinkTarget, &Content::Keep).expect("done");
            } else if way == "parent" && call == "keep identical" {
                scene.open().replace("d/file", b"original", &WriteOptions::default()).expect("done");
            } else {
                write(&scene.open());
            }
            assert_eq!(scene.text("root/d/file"), expected, "{call}, {way}");
            let mode = |name: &str| fs::metadata(scene.at(name)).expect("it is there").permissions().mode() & 0o777;
            assert_eq!(mode("lower/d/file"), 0o444, "{call}, {way}");
            // The target of an absolute link is known to the host alone, so content that takes its place is new.
            let is_unknown = way == "absolute" && call != "materialize";
            assert_eq!(mode("root/d/file"), if is_unknown { 0o644 } else { 0o444 }, "{call}, {way}");
            scene.done();
        }
    }
}

/// A read-only file of the root is replaced; files that are carried keep their mode.
#[test]
fn carried_files_keep_their_modes() {
    for mode in [Publish::InPlace, Publish::Swap] {
        let scene = Scene::new(&[("root/d/run.sh", "#!"), ("root/d/sealed", "sealed"), ("root/d/file", "old")]);
        for (name, bits) in [("run.sh", 0o755), ("sealed", 0o400), ("file", 0o444)] {
            let path = scene.at(format!("root/d/{name}"));
            fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("a mode can be set");
        }
        let store = scene.open();
        let mut change = store.begin("d", &publish(mode)).expect("a directory");
        change.put("file", b"new").expect("staged");
        change.commit().expect("it is published");
        store.close().expect("the store closes");
        let bits = |name: &str| fs::metadata(scene.at(format!("root/d/{name}"))).expect("there").permissions().mode();
        assert_eq!([bits("run.sh") & 0o777, bits("sealed") & 0o777], [0o755, 0o400], "{mode:?}");
        assert_eq!(scene.text("root/d/file"), "new", "{mode:?}");
        scene.done();
    }
}
