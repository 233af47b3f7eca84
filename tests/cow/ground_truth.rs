//! A cache: a workspace of links to originals is overwritten in every way that the contract offers.

use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::Publish;
use onionskin::store::{Durability, Precondition, Symlinks, WriteOptions};
use onionskin_sim::{Tree, tree};

use crate::from;
use crate::support::{DATABASE, PUBLISH, Scene, WAL, outcome, publish, with_links};

fn cache() -> Tree {
    tree! {
        file "lower/cache/index.db" = DATABASE;
        file "lower/cache/index.db-wal" = WAL;
        file "lower/cache/artefact.bin" = "artefact";
        file "lower/cache/base.json" = "{}";
        file "lower/cache/sub/deep.json" = "{\"deep\":1}";
        symlink "ws/index.db" = "/lower/cache/index.db";
        symlink "ws/index.db-wal" = "/lower/cache/index.db-wal";
        symlink "ws/artefact.bin" = "/lower/cache/artefact.bin";
        symlink "ws/base.json" = "/lower/cache/base.json";
        symlink "ws/sub" = "/lower/cache/sub";
        same "ws/hard.json" = "lower/cache/base.json";
        file "ws/own/a" = "own";
        symlink "ws/own/b" = "/lower/cache/base.json";
        same "ws/own/c" = "lower/cache/artefact.bin";
        file "ws/real/a" = "own";
        same "ws/real/c" = "lower/cache/artefact.bin";
        symlink "ws/inside" = "real";
    }
}

/// Index, artefacts, JSON, a linked parent and a hard link are all written; every original stays byte-identical, and
/// the workspace has the new content beside the unchanged rest.
#[test]
fn the_originals_stay_byte_identical() {
    let scene = Scene::new(&cache());
    let store = scene.open();
    let options = WriteOptions::default();
    store.materialize("index.db", &from("/lower/cache/index.db"), Content::Keep).expect("the index with its log");
    store.replace("artefact.bin", b"new artefact".to_vec(), &options).expect("replaced");
    store.replace_json("base.json", "{\"new\":1}", &options).expect("replaced");
    store.replace_json("hard.json", "{\"new\":2}", &options).expect("replaced");
    store.materialize("sub", &from("/lower/cache/sub"), Content::Keep).expect("a directory of its own");
    store.replace_json("sub/deep.json", "{\"deep\":2}", &options).expect("replaced");
    store.replace("inside/a", b"through a linked parent".to_vec(), &options).expect("replaced in a copy");
    drop(store);
    let lower = cache().remove("ws");
    assert_eq!(scene.fs.tree().below("lower/cache"), lower.below("lower/cache"));
    let unshared = |tree: Tree| tree.without(|path| path == "lower").below("ws");
    let after = tree! {
        file "ws/index.db" = DATABASE;
        file "ws/index.db-wal" = WAL;
        file "ws/artefact.bin" = "new artefact";
        file "ws/base.json" = "{\"new\":1}";
        file "ws/hard.json" = "{\"new\":2}";
        file "ws/sub/deep.json" = "{\"deep\":2}";
        file "ws/own/a" = "own";
        symlink "ws/own/b" = "/lower/cache/base.json";
        file "ws/own/c" = "artefact";
        file "ws/real/a" = "own";
        same "ws/real/c" = "ws/own/c";
        file "ws/inside/a" = "through a linked parent";
        file "ws/inside/c" = "artefact";
    };
    let found = unshared(scene.fs.tree());
    assert!(found == unshared(after.clone()), "{}", unshared(after).diff(&found));
    assert_eq!(scene.fs.intrusions(), []);
}

/// Every way to write, at each durability, with each policy, on each kind of sharing: whatever the outcome, no original
/// changes and the monitor sees no forbidden write.
#[test]
fn no_way_to_write_reaches_an_original() {
    let paths = [
        "index.db",
        "artefact.bin",
        "base.json",
        "hard.json",
        "sub/deep.json",
        "own/b",
        "own/c",
        "inside/a",
        "inside/c",
    ];
    let originals = cache().below("lower");
    let bytes = |tree: &Tree| -> Vec<_> {
        let below = tree.below("lower");
        below.iter().map(|(path, _)| (path.to_vec(), below.bytes(path).map(<[u8]>::to_vec))).collect()
    };
    for path in paths {
        for symlinks in [Symlinks::Refuse, Symlinks::Replace, Symlinks::FollowWithin] {
            for durability in [Durability::Visible, Durability::Full] {
                let options = WriteOptions { durability, when: Precondition::None, ..with_links(symlinks) };
                let context = format!("{path}, {symlinks:?}, {durability:?}");
                let scene = Scene::new(&cache());
                let expected = bytes(&scene.fs.tree());
                let store = scene.open();
                let mut outcomes = vec![outcome(store.replace(path, b"new".to_vec(), &options).map(|_| ()))];
                outcomes.push(outcome(store.replace_json(path, "{}", &options).map(|_| ())));
                outcomes.push(outcome(store.writer(path, &options).and_then(|mut writer| {
                    writer.write(b"new".to_vec())?;
                    writer.commit().map(|_| ())
                })));
                outcomes.push(outcome(store.materialize(path, &Source::LinkTarget, Content::Keep).map(|_| ())));
                drop(store);
                assert_eq!(bytes(&scene.fs.tree()), expected, "{context}: {outcomes:?}");
                assert_eq!(scene.fs.intrusions(), [], "{context}: {outcomes:?}");
                assert_eq!(originals.len(), scene.fs.tree().below("lower").len(), "{context}");
            }
        }
    }
}

/// A directory of links and hard links is published twice in each mode, with a put on each entry.
#[test]
fn no_publish_reaches_an_original() {
    for mode in PUBLISH {
        let scene = Scene::new(&cache());
        for version in ["first", "second"] {
            let store = scene.open();
            let mut transaction = store.begin("own", publish(mode)).expect("a directory");
            for name in ["a", "b", "c"] {
                transaction.put(name, version.into()).expect("staged");
            }
            assert_eq!(transaction.commit().map(|done| done.applied), Ok(3), "{mode:?}, {version}");
        }
        let originals = |tree: &Tree| tree.bytes("lower/cache/base.json").map(<[u8]>::to_vec);
        assert_eq!(originals(&scene.fs.tree()), Some(b"{}".to_vec()), "{mode:?}");
        assert_eq!(scene.fs.tree().bytes("lower/cache/artefact.bin"), Some(&b"artefact"[..]), "{mode:?}");
        assert_eq!(scene.fs.intrusions(), [], "{mode:?}");
        if mode != Publish::Pointer {
            let own = tree! { file "a" = "second"; file "b" = "second"; file "c" = "second"; };
            assert_eq!(scene.fs.tree().below("ws/own"), own, "{mode:?}");
        }
    }
}
