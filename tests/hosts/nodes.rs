//! Pipes, sockets, names that are not UTF-8, dangling links and loops: no hang, no trap, and nothing lost.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use onionskin_host::{
    Content, Error, ErrorKind, Evidence, Grant, NodeKind, OpenOptions, Publish, Receipt, Source, Store, SymlinkPolicy,
    WriteOptions,
};

use crate::ground::{self, Entry};
use crate::scene::{PUBLISH, Scene, error_of, in_time, onionskin, publish, refused};

fn keep(store: &Store, path: &str) -> Result<Receipt, Error> {
    store.materialize(path, &Source::LinkTarget, &Content::Keep)
}

fn put(store: &Store, directory: &str, mode: Publish, name: &str) -> Result<Receipt, Error> {
    let mut change = store.begin(directory, &publish(mode))?;
    change.put(name, b"new")?;
    change.commit()
}

fn follow() -> WriteOptions {
    WriteOptions::default().symlinks(SymlinkPolicy::FollowWithin)
}

/// Ends the scene: the generations of a published pointer stay, and nothing in the other modes.
fn done(scene: Scene, mode: Publish) {
    let ours = ground::ours(&scene.tree());
    let kept: Vec<&str> = ours.iter().filter_map(|path| path.to_str()).collect();
    let is_generation = |path: &&str| *path == ".onionskin" || path.starts_with(".onionskin/directories");
    assert!(mode == Publish::Pointer && kept.iter().all(is_generation) || kept.is_empty(), "{kept:?}");
    scene.done_keeping(&kept);
}

/// A pipe or a socket is never opened: as a target, as a source, or behind a link.
#[test]
fn a_pipe_or_socket_is_left_alone() {
    in_time(|| {
        let scene = Scene::new(&[("root/file", "content")]);
        for name in ["root/pipe", "lower/pipe"] {
            scene.pipe(name);
        }
        let _open = ["root/socket", "lower/socket"].map(|name| UnixListener::bind(scene.at(name)).expect("a socket"));
        let before = scene.tree();
        for (kind, name) in [("pipe", "pipe"), ("socket", "socket")] {
            scene.link(name, format!("root/to-{kind}"));
            scene.absolute(&format!("lower/{name}"), &format!("root/far-{kind}"));
        }
        let store = scene.open();
        for name in ["pipe", "socket"] {
            let (near, far) = (format!("to-{name}"), format!("far-{name}"));
            let seen = store.fingerprint(name, Evidence::Digest).expect("it is there");
            assert_eq!((seen.kind, seen.digest), (NodeKind::Other, None));
            let sources = [format!("root/{name}"), format!("lower/{name}")].map(|path| scene.at(path));
            let mut results = vec![
                store.replace(name, b"new", &WriteOptions::default()).map(drop),
                store.writer(name, &WriteOptions::default()).map(drop),
                store.replace(&near, b"new", &follow()).map(drop),
                keep(&store, name).map(drop),
                keep(&store, &near).map(drop),
                keep(&store, &far).map(drop),
                store.materialize("file", &Source::Path(sources[0].clone()), &Content::Keep).map(|_| ()),
            ];
            // An independent file needs no source, so that the last call succeeds.
            results.pop().expect("it was put there").expect("there is nothing to do");
            for source in &sources {
                let mut writer = store.writer("file", &WriteOptions::default()).expect("a file can be replaced");
                results.push(writer.append_from(source, 0, 1).map(drop));
                let mut change = store.begin("new", &publish(Publish::InPlace)).expect("a directory");
                results.push(change.put_file("x", source));
            }
            results.push(put(&store, ".", Publish::InPlace, name).map(drop));
            for (at, result) in results.into_iter().enumerate() {
                let error = refused((name, at), result);
                let right = matches!(error.kind, ErrorKind::NotAFile | ErrorKind::NotDirectory);
                assert!(right, "{name}, case {at}: {:?}: {}", error.kind, error.message);
                assert!(error.subject.contains(name), "{name}, case {at}: {}", error.subject);
            }
            for link in [near, far] {
                store.replace(&link, b"new", &WriteOptions::default()).expect("the link itself is replaced");
                assert_eq!(scene.text(&format!("root/{link}")), "new");
            }
        }
        store.close().expect("the store closes");
        let now = scene.tree();
        assert!(before.iter().all(|(name, entry)| now.get(name) == Some(entry)), "{now:?}");
        scene.done();
    });
}

/// A pipe or a socket in the place of a directory is recognized without opening it.
#[test]
fn a_pipe_or_socket_is_no_directory() {
    in_time(|| {
        let scene = Scene::new(&[]);
        scene.pipe("root/pipe");
        let _open = UnixListener::bind(scene.at("root/socket")).expect("a socket");
        let before = scene.tree();
        let store = scene.open();
        for name in ["socket", "pipe"] {
            let below = format!("{name}/x");
            let mut results = vec![
                store.fingerprint(&below, Evidence::Metadata).map(drop),
                store.replace(&below, b"new", &WriteOptions::default()).map(drop),
                store.writer(&below, &WriteOptions::default()).map(drop),
                keep(&store, &below).map(|_| ()),
            ];
            results.extend(PUBLISH.map(|mode| put(&store, name, mode, "x").map(|_| ())));
            results.extend(PUBLISH.map(|mode| put(&store, &below, mode, "x").map(|_| ())));
            for (at, result) in results.into_iter().enumerate() {
                let error = refused((name, at), result);
                assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::NotDirectory, name), "case {at}");
            }
        }
        store.close().expect("the store closes");
        assert_eq!(scene.tree(), before);
        scene.done();
    });
}

/// A publish of the whole directory carries the same pipe and socket; a linked tree that contains one is refused, since
/// it cannot be copied.
#[test]
fn a_pipe_or_socket_is_carried() {
    in_time(|| {
        for mode in PUBLISH {
            let scene = Scene::new(&[("root/d/file", "old"), ("lower/d/file", "original"), ("lower/e/file", "x")]);
            scene.pipe("root/d/pipe");
            scene.pipe("lower/d/pipe");
            scene.absolute("lower/d", "root/linked");
            let open = [("root/d/socket"), ("lower/e/socket")].map(|name| UnixListener::bind(scene.at(name)));
            assert!(open.iter().all(Result::is_ok), "sockets are made");
            scene.absolute("lower/e", "root/linked-too");
            let inode = |name: &str| fs::symlink_metadata(scene.at(name)).expect("it is there").ino();
            let before = [inode("root/d/pipe"), inode("root/d/socket")];
            let store = scene.open();
            put(&store, "d", mode, "file").unwrap_or_else(|error| panic!("{mode:?}: {error}"));
            for path in ["linked", "linked-too"] {
                let error = refused(path, keep(&store, path));
                assert_eq!(error.kind, ErrorKind::NotAFile, "{}", error.message);
                let error = refused(path, store.replace(&format!("{path}/file"), b"x", &WriteOptions::default()));
                assert_eq!(error.kind, ErrorKind::NotAFile, "{}", error.message);
            }
            store.close().expect("the store closes");
            assert_eq!(scene.text("root/d/file"), "new");
            assert_eq!([inode("root/d/pipe"), inode("root/d/socket")], before, "{mode:?}");
            done(scene, mode);
        }
    });
}

/// A pipe in the place of a record is an error, and not a hang.
#[test]
fn a_pipe_among_our_records_is_refused() {
    in_time(|| {
        for name in ["", "/log", "/log-unsynced", "/lock", "/file-1", "/tx-1", "/epoch-1", "/draft-1", "/probe"] {
            let scene = Scene::new(&[("root/file", "content")]);
            if !name.is_empty() {
                fs::create_dir(scene.at("root/.onionskin")).expect("a new directory");
            }
            scene.pipe(&format!("root/.onionskin{name}"));
            let before = scene.tree();
            for result in [
                scene.session().open(&OpenOptions::default()).map(drop),
                scene.session().inspect().map(drop),
                scene.session().probe().map(drop),
                scene.session().break_lock("token"),
            ] {
                let error = refused(name, result);
                assert_eq!((error.kind, error.subject), (ErrorKind::Corrupt, format!(".onionskin{name}")));
            }
            assert_eq!(scene.tree(), before, "{name}");
            let ours = ground::ours(&before);
            scene.done_keeping(&ours.iter().filter_map(|path| path.to_str()).collect::<Vec<_>>());
        }
    });
}

/// Names that are not UTF-8 do not affect entries beside them. A call that would have to carry or copy them is refused,
/// and they stay.
#[test]
fn names_that_are_not_utf8_stay() {
    for mode in PUBLISH {
        let scene = Scene::new(&[("root/d/file", "old"), ("root/d/sub/x", "x"), ("lower/d/file", "original")]);
        let odd = [scene.odd_name("root"), scene.odd_name("root/d"), scene.odd_name("root/d/sub")];
        scene.odd_name("lower/d");
        scene.absolute("lower/d", "root/linked");
        let before = scene.tree();
        let store = scene.open();
        let result = put(&store, "d", mode, "file");
        if mode == Publish::InPlace {
            result.expect("nothing is carried");
            assert_eq!(scene.text("root/d/file"), "new");
        } else {
            let error = refused(mode, result);
            assert_eq!(error.kind, ErrorKind::IllegalName, "{mode:?}: {}", error.message);
            assert!(error.subject.starts_with('d'), "{mode:?}: {}", error.subject);
            let now = scene.tree();
            assert!(before.iter().all(|(name, entry)| now.get(name) == Some(entry)), "{mode:?}: {now:?}");
        }
        for result in [keep(&store, "linked"), store.replace("linked/file", b"x", &WriteOptions::default())] {
            assert_eq!(refused("linked", result).kind, ErrorKind::IllegalName);
        }
        store.replace("d/file", b"newer", &WriteOptions::default()).expect("nothing is carried");
        store.close().expect("the store closes");
        assert!(odd.iter().all(|path| path.is_file()), "{mode:?}: they stay");
        scene.done();
    }
}

/// Among remains such a name is left; among the records themselves it is foreign, and the root does not open. Nothing is
/// removed.
#[test]
fn a_name_that_is_not_utf8_among_our_records_is_kept() {
    for place in ["root/.onionskin/tx-1", "root/.onionskin/directories"] {
        let scene = Scene::new(&[("root/file", "content")]);
        let odd = scene.odd_name(place);
        let found = scene.open().recovered().expect("findings");
        assert_eq!(found.first().map(|finding| finding.verdict), Some(onionskin_host::Verdict::Left), "{found:?}");
        assert!(odd.is_file(), "{place}: remains that cannot be read are left");
        fs::remove_dir_all(scene.at("root/.onionskin")).expect("it is there");
        scene.done();
    }
    let place = "root/.onionskin";
    let scene = Scene::new(&[("root/file", "content")]);
    let odd = scene.odd_name(place);
    for result in [scene.session().open(&OpenOptions::default()).map(drop), scene.session().inspect().map(drop)] {
        let error = refused(place, result);
        let kind = error.kind;
        assert!(matches!(kind, ErrorKind::IllegalName | ErrorKind::Corrupt), "{kind:?}: {}", error.message);
        assert!(error.subject.starts_with(".onionskin"), "{}", error.subject);
    }
    assert!(odd.is_file(), "{place}");
    fs::remove_dir_all(scene.at("root/.onionskin")).expect("it is there");
    scene.recover();
    scene.done();
}

/// A link whose text, or whose target, is not UTF-8.
#[test]
fn a_link_to_a_name_that_is_not_utf8() {
    let scene = Scene::new(&[("root/file", "content")]);
    let odd = scene.odd_name("lower");
    scene.link(&odd, "root/absolute");
    scene.link(Path::new(std::ffi::OsStr::from_bytes(b"odd-\xff")), "root/relative");
    let store = scene.open();
    let error = error_of("absolute", keep(&store, "absolute"));
    assert!(matches!(&error, Error::Grant(Grant::NotUtf8 { .. })), "{error:?}");
    assert_eq!(error.kind().as_str(), "illegal-name");
    for result in [keep(&store, "relative"), store.replace("relative", b"x", &follow())] {
        let error = refused("relative", result);
        assert_eq!(error.kind, ErrorKind::IllegalName, "{}", error.message);
        assert_eq!(error.subject, "relative");
    }
    for name in ["absolute", "relative"] {
        store.replace(name, b"new", &WriteOptions::default()).expect("the link itself is replaced");
        assert_eq!(scene.text(&format!("root/{name}")), "new");
    }
    store.close().expect("the store closes");
    scene.done();
}

/// A root whose own name is not UTF-8 works as any other.
#[test]
fn a_root_with_an_odd_name_works() {
    let scene = Scene::new(&[]);
    let root = scene.at(Path::new(std::ffi::OsStr::from_bytes(b"root-\xff")));
    fs::create_dir(&root).expect("a new directory");
    scene.session().limits().expect("limits");
    let store = onionskin().store(&root).open(&OpenOptions::default()).expect("the root opens");
    store.replace("file", b"content", &WriteOptions::default()).expect("a new file");
    store.close().expect("the store closes");
    assert_eq!(ground::read(&root).len(), 1);
    scene.done();
}

/// A dangling link is replaced by calls that replace the link itself, and is an error for calls that need its target.
#[test]
fn a_dangling_link_is_an_error_or_replaced() {
    let scene = Scene::new(&[("root/d/file", "old")]);
    for name in ["leaf", "followed", "parent"] {
        scene.link("nowhere", format!("root/{name}"));
        scene.absolute("lower/nowhere", &format!("root/far-{name}"));
    }
    let before = scene.tree();
    let store = scene.open();
    let near = [keep(&store, "leaf"), store.replace("parent/x", b"x", &WriteOptions::default())];
    for (result, name) in near.into_iter().zip(["leaf", "parent"]) {
        let error = refused(name, result);
        assert_eq!((error.kind, error.subject.as_str()), (ErrorKind::NotFound, name), "{}", error.message);
    }
    let far = [keep(&store, "far-leaf"), store.replace("far-parent/x", b"x", &WriteOptions::default())];
    for (result, name) in far.into_iter().zip(["far-leaf", "far-parent"]) {
        let error = error_of(name, result);
        assert!(matches!(error, Error::Link { .. }), "{error:?}");
        assert_eq!((error.kind().as_str(), error.path()), ("not-found", scene.at(format!("root/{name}"))));
    }
    assert_eq!(scene.tree(), before, "nothing has changed");
    for name in ["leaf", "far-leaf"] {
        store.replace(name, b"new", &WriteOptions::default()).expect("the link itself is replaced");
        assert!(fs::symlink_metadata(scene.at(format!("root/{name}"))).expect("it is there").is_file());
    }
    store.replace("followed", b"made", &follow()).expect("its target is created");
    assert_eq!(scene.text("root/nowhere"), "made");
    assert!(scene.at("root/followed").is_symlink(), "the link stays");
    for mode in PUBLISH {
        let error = refused(mode, put(&store, "d/file", mode, "x"));
        assert_eq!(error.kind, ErrorKind::NotDirectory, "{mode:?}: {}", error.message);
    }
    store.close().expect("the store closes");
    scene.done();
}

/// Loops of links, short and long, at the end of the path and among its parents; and a link to a directory that
/// contains it.
#[test]
fn a_loop_of_links_is_an_error() {
    in_time(|| {
        let scene = Scene::new(&[("root/d/file", "old")]);
        for (text, name) in [("b", "a"), ("a", "b"), ("self", "self"), (".", "d/here"), ("..", "d/up")] {
            scene.link(text, format!("root/{name}"));
        }
        scene.absolute("lower/y", "lower/x");
        scene.absolute("lower/x", "lower/y");
        scene.absolute("lower/x", "root/far");
        let before = scene.tree();
        let store = scene.open();
        for name in ["a", "self", "d/here", "d/up"] {
            let results = [keep(&store, name), store.replace(&format!("{name}/x"), b"x", &WriteOptions::default())];
            for result in results {
                let error = refused(name, result);
                let right = matches!(error.kind, ErrorKind::SymlinkLoop | ErrorKind::SymlinkEscapes);
                assert!(right, "{name}: {:?}: {}", error.kind, error.message);
            }
        }
        let error = refused("a", store.replace("a", b"x", &follow()));
        assert_eq!(error.kind, ErrorKind::SymlinkLoop);
        for result in [keep(&store, "far"), store.replace("far/x", b"x", &WriteOptions::default())] {
            let error = error_of("far", result);
            assert!(matches!(error, Error::Link { .. }), "{error:?}");
            assert_eq!((error.kind().as_str(), error.path()), ("link-unreadable", scene.at("root/far")));
        }
        assert_eq!(scene.tree(), before, "nothing has changed");
        put(&store, "d", Publish::Swap, "file").expect("links are carried as they are");
        store.replace("a", b"new", &WriteOptions::default()).expect("the link itself is replaced");
        store.close().expect("the store closes");
        assert_eq!(scene.tree().get(Path::new("d/here")), Some(&Entry::Link(".".into())));
        scene.done();
    });
}
