//! Absolute links, which the component cannot read, are resolved where their target is granted, and refused by name
//! elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use onionskin_host::{
    Content, DirectoryOptions, Error, ErrorKind, Grant, OpenOptions, Source, Store, SymlinkPolicy, WriteOptions,
};

use crate::scene::{PUBLISH, Scene, error_of, onionskin, publish, refused};

type Action = fn(&Store, &str) -> Result<(), Error>;

/// Every call that writes to one path.
const WRITES: [(&str, Action); 5] = [
    ("replace", |store, path| store.replace(path, b"new", &WriteOptions::default()).map(drop)),
    ("replace-json", |store, path| store.replace_json(path, "[]", &WriteOptions::default()).map(drop)),
    ("writer", |store, path| {
        let mut writer = store.writer(path, &WriteOptions::default())?;
        writer.append(b"new")?;
        writer.commit().map(drop)
    }),
    ("materialize", |store, path| store.materialize(path, &Source::LinkTarget, &Content::Keep).map(drop)),
    ("materialize with content", |store, path| {
        store.materialize(path, &Source::LinkTarget, &Content::Replace(b"new".to_vec())).map(drop)
    }),
];

const FILES: [(&str, &str); 3] = [("lower/file", "original"), ("lower/d/a", "a"), ("lower/d/deep/b", "b")];

fn is_own(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// A link at the end of the path: directly, through other absolute links, and through a relative one.
#[test]
fn a_link_at_the_end_is_resolved() {
    for (call, write) in WRITES {
        let scene = Scene::new(&FILES);
        scene.absolute("lower/file", "lower/second");
        scene.absolute("lower/second", "lower/third");
        scene.absolute("lower/file", "root/direct");
        scene.absolute("lower/third", "root/chain");
        scene.link("direct", "root/relative");
        let store = scene.open();
        for path in ["relative", "chain", "direct"] {
            write(&store, path).unwrap_or_else(|error| panic!("{call} {path}: {error}"));
            let expected = match call {
                "materialize" => "original",
                "replace-json" => "[]",
                _ => "new",
            };
            let place = scene.at(format!("root/{path}"));
            assert!(is_own(&place), "{call} {path}: it is an independent file");
            assert_eq!(fs::read_to_string(place).expect("it is text"), expected, "{call} {path}");
        }
        store.close().expect("the store closes");
        scene.done();
    }
}

/// A linked directory among the parents becomes a directory with a copy of the target, also through a chain of links
/// and two levels down.
#[test]
fn a_link_on_the_way_is_resolved() {
    for (call, write) in WRITES {
        let scene = Scene::new(&FILES);
        scene.absolute("lower/d", "lower/chain");
        scene.absolute("lower/chain", "root/parent");
        let store = scene.open();
        write(&store, "parent/deep/b").unwrap_or_else(|error| panic!("{call}: {error}"));
        store.close().expect("the store closes");
        let parent = scene.at("root/parent");
        assert!(fs::symlink_metadata(&parent).expect("it is there").is_dir(), "{call}: an independent directory");
        assert!(is_own(&parent.join("deep/b")) && is_own(&parent.join("a")), "{call}");
        assert_eq!(scene.text("root/parent/a"), "a", "{call}: the other file is unchanged");
        scene.done();
    }
}

/// A link inside the granted tree that is itself absolute cannot be carried: the call is refused, and nothing changes.
#[test]
fn an_absolute_link_inside_a_linked_tree_is_refused() {
    let scene = Scene::new(&FILES);
    scene.absolute("lower/file", "lower/d/inner-link");
    scene.absolute("lower/d", "root/parent");
    let before = scene.tree();
    let store = scene.open();
    for (call, write) in WRITES {
        let error = refused(call, write(&store, "parent/a"));
        assert_eq!(error.kind, ErrorKind::LinkUnreadable, "{call}: {}", error.message);
        assert!(error.subject.ends_with("inner-link"), "{call}: {}", error.subject);
        assert_eq!(scene.tree(), before, "{call}");
    }
    store.close().expect("the store closes");
    scene.done();
}

/// An absolute link may lead to a path inside the root; `follow-within` writes there.
#[test]
fn a_link_into_the_root_is_resolved() {
    let scene = Scene::new(&[("root/real/file", "real")]);
    scene.absolute("root/real/file", "root/link");
    scene.absolute("root/real", "root/parent");
    let store = scene.open();
    let follow = WriteOptions::default().symlinks(SymlinkPolicy::FollowWithin);
    store.replace("link", b"followed", &follow).expect("its target is in the root");
    assert_eq!(scene.text("root/real/file"), "followed");
    store.replace("parent/file", b"by parent", &follow).expect("its target is in the root");
    assert_eq!(scene.text("root/real/file"), "by parent");
    store.replace("parent/new", b"new", &follow).expect("the directory is in the root");
    assert_eq!(scene.text("root/real/new"), "new");
    assert_eq!(fs::read_link(scene.at("root/link")).ok(), Some(scene.at("root/real/file")), "the links stay");
    assert_eq!(fs::read_link(scene.at("root/parent")).ok(), Some(scene.at("root/real")));
    store.materialize("link", &Source::LinkTarget, &Content::Keep).expect("its target is in the root");
    assert!(is_own(&scene.at("root/link")));
    assert_eq!(scene.text("root/link"), "by parent");
    store.close().expect("the store closes");
    scene.done();
}

/// `follow-within` never leaves the root, and `refuse` passes no link: nothing is written.
#[test]
fn a_policy_is_kept_for_absolute_links_too() {
    let scene = Scene::new(&FILES);
    scene.absolute("lower/file", "root/link");
    scene.absolute("lower/d", "root/parent");
    let before = scene.tree();
    let store = scene.open();
    for path in ["link", "parent/a"] {
        let follow = WriteOptions::default().symlinks(SymlinkPolicy::FollowWithin);
        let error = error_of(path, store.replace(path, b"new", &follow));
        assert!(matches!(error, Error::Grant(Grant::LinkLeavesRoot { .. })), "{path}: {error:?}");
        assert_eq!(error.kind().as_str(), "symlink-escapes");
        let refuse = WriteOptions::default().symlinks(SymlinkPolicy::Refuse);
        let error = refused(path, store.replace(path, b"new", &refuse));
        assert_eq!(error.kind, ErrorKind::SymlinkRefused, "{path}: {}", error.message);
        assert!(path.starts_with(&error.subject), "{path}: {}", error.subject);
    }
    store.close().expect("the store closes");
    assert_eq!(scene.tree(), before);
    scene.done();
}

/// Without the grant the error names the link, its target and the missing grant, and nothing changes.
#[test]
fn a_missing_grant_is_named() {
    let scene = Scene::new(&FILES);
    scene.absolute("lower/file", "root/link");
    scene.absolute("lower/d", "root/parent");
    scene.session().limits().expect("limits");
    let before = scene.tree();
    let store = onionskin().store(scene.root()).open(&OpenOptions::default()).expect("the root opens");
    let canonical = |path: &str| fs::canonicalize(scene.at(path)).expect("it is there");
    for (call, write) in WRITES {
        // A link at the end of the path is removed when it is replaced: its target need not be granted.
        let needs_leaf = call == "materialize";
        for (path, link, target, wanted) in
            [("link", "root/link", "lower/file", needs_leaf), ("parent/a", "root/parent", "lower/d", true)]
        {
            if !wanted {
                continue;
            }
            let error = error_of((call, path), write(&store, path));
            let Error::Grant(Grant::LinkLeadsOut { link: named, target: to }) = &error else {
                panic!("{call} {path}: {error:?}");
            };
            assert_eq!((named, to), (&scene.at(link), &canonical(target)), "{call} {path}");
            assert_eq!((error.kind().as_str(), error.path()), ("link-not-granted", scene.at(link)));
            let parent = canonical(target).parent().map(PathBuf::from).unwrap_or_default();
            assert!(error.to_string().contains(&format!("for reading, {}.", parent.display())), "{error}");
        }
    }
    assert_eq!(scene.tree(), before);
    store.replace("link", b"new", &WriteOptions::default()).expect("the link itself is replaced");
    store.close().expect("the store closes");
    assert_eq!(scene.text("root/link"), "new");
    scene.done();
}

/// A transaction meets the link at its commit; `materialize_link` resolves it, in every mode.
#[test]
fn a_transaction_below_an_absolute_link() {
    for mode in PUBLISH {
        let scene = Scene::new(&FILES);
        scene.absolute("lower/d", "root/d");
        let store = scene.open();
        let commit = || {
            let mut change = store.begin("d", &publish(mode))?;
            change.put("a", b"new")?;
            change.commit()
        };
        let error = refused(mode, commit());
        assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::LinkUnreadable, "d"), "{mode:?}");
        store.materialize_link(&error.subject).expect("it is granted");
        commit().unwrap_or_else(|error| panic!("{mode:?}: {error}"));
        store.close().expect("the store closes");
        assert_eq!([scene.text("root/d/a"), scene.text("root/d/deep/b")], ["new", "b"], "{mode:?}");
        let ours = crate::ground::ours(&scene.tree());
        let kept: Vec<&str> = ours.iter().filter_map(|path| path.to_str()).collect();
        assert!(kept.iter().skip(1).all(|path| path.starts_with(".onionskin/directories")), "{mode:?}: {kept:?}");
        scene.done_keeping(&kept);
    }
}

/// A transaction replaces a link among its files, whatever the target.
#[test]
fn a_transaction_replaces_absolute_links() {
    let scene = Scene::new(&FILES);
    fs::create_dir(scene.at("root/d")).expect("a new directory");
    scene.absolute("lower/file", "root/d/put");
    scene.absolute("lower/file", "root/d/removed");
    scene.absolute("lower/d", "root/d/sub");
    let store = scene.open();
    let mut change = store.begin("d", &DirectoryOptions::default()).expect("a directory");
    change.put("put", b"new").expect("staged");
    change.remove("removed").expect("staged");
    change.put("sub", b"file here").expect("staged");
    change.commit().expect("it is published");
    store.close().expect("the store closes");
    assert_eq!([scene.text("root/d/put"), scene.text("root/d/sub")], ["new", "file here"]);
    assert!(!scene.at("root/d/removed").is_symlink());
    scene.done();
}

/// Of several matching grants the nearest is used, and the root may lie below a grant.
#[test]
fn grants_may_overlap() {
    let scene = Scene::new(&FILES);
    scene.absolute("lower/d/a", "root/link");
    let session = scene.session().lowers([scene.at("lower/d"), scene.at("")]);
    let store = session.open(&OpenOptions::default()).expect("the root opens");
    let mut change = store.begin("copies", &DirectoryOptions::default()).expect("a directory");
    for (name, source) in [("near", "lower/d/a"), ("far", "lower/file")] {
        change.put_file(name, scene.at(source)).expect("it is granted");
    }
    change.commit().expect("it is published");
    store.materialize("link", &Source::LinkTarget, &Content::Keep).expect("it is granted");
    store.close().expect("the store closes");
    assert_eq!(
        ["link", "copies/near", "copies/far"].map(|it| scene.text(&format!("root/{it}"))),
        ["a", "a", "original"]
    );
    scene.done();
}
