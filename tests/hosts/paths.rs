//! No path leaves its root: every rule, at every call that takes a path.

use std::path::Path;

use onionskin_host::{
    Content, Error, ErrorKind, Evidence, Grant, Kind, Publish, Source, Store, StoreBuilder, Transaction, WriteOptions,
};

use crate::ground;
use crate::scene::{PUBLISH, Scene, error_of, onionskin, publish, refused};

/// Paths that break a rule, each with a word that the message must contain.
fn bad() -> Vec<(String, &'static str)> {
    let given = [
        ("", "empty"),
        ("/", "relative"),
        ("/absolute", "relative"),
        ("..", "`..`"),
        ("../out", "`..`"),
        ("a/../../out", "`..`"),
        ("./a", "`.`"),
        ("a/.", "`.`"),
        ("a//b", "slash"),
        ("a/", "slash"),
        ("nul\0", "NUL"),
        ("back\\slash", "backslash"),
        ("..\\out", "backslash"),
        (".onionskin", "reserved"),
        (".onionskin/log", "reserved"),
        (".onionskin-1.new", "reserved"),
        (".ONIONSKIN/log", "reserved"),
        ("a/.OnionSkin", "reserved"),
    ];
    let mut all: Vec<(String, &str)> = given.map(|(path, word)| (path.to_owned(), word)).into();
    all.push(("n".repeat(256), "255"));
    all.push((format!("a/{}", "ü".repeat(128)), "255"));
    all.push(("long/".repeat(820), "4095"));
    all.push((vec!["d"; 129].join("/"), "128"));
    all
}

type OnStore = fn(&Store, &str) -> Result<(), Error>;
type OnTransaction = fn(&mut Transaction, &str, &Path) -> Result<(), Error>;

const ON_STORE: [(&str, OnStore); 7] = [
    ("fingerprint", |store, path| store.fingerprint(path, Evidence::Digest).map(drop)),
    ("replace", |store, path| store.replace(path, b"x", &WriteOptions::default()).map(drop)),
    ("replace-json", |store, path| store.replace_json(path, "{}", &WriteOptions::default()).map(drop)),
    ("writer", |store, path| store.writer(path, &WriteOptions::default()).map(drop)),
    ("materialize", |store, path| store.materialize(path, &Source::LinkTarget, &Content::Keep).map(drop)),
    ("materialize with content", |store, path| {
        store.materialize(path, &Source::LinkTarget, &Content::Replace(b"x".to_vec())).map(drop)
    }),
    ("begin", |store, path| store.begin(path, &publish(Publish::Swap)).map(drop)),
];

const ON_TRANSACTION: [(&str, OnTransaction); 6] = [
    ("put", |change, path, _| change.put(path, b"x")),
    ("put-file", |change, path, source| change.put_file(path, source)),
    ("append", |change, path, _| change.append(path, b"x")),
    ("remove", |change, path, _| change.remove(path)),
    ("rename from", |change, path, _| change.rename(path, "new")),
    ("rename to", |change, path, _| change.rename("inner", path)),
];

/// Every rule at every call: the path is refused and named, and nothing changes.
#[test]
fn a_path_that_breaks_a_rule_is_refused() {
    let scene = Scene::new(&[("lower/original", "x"), ("root/dir/inner", "x"), ("out", "x")]);
    let before = scene.tree();
    let store = scene.open();
    let original = scene.at("lower/original");
    let check = |call: &str, path: &str, word: &str, result| {
        let error = refused((call, path), result);
        assert_eq!(error.kind, ErrorKind::InvalidPath, "{call} {path:?}: {}", error.message);
        assert_eq!(error.subject, path, "{call}: the error names the path as given");
        assert!(error.message.contains(word), "{call} {path:?}: {} does not contain {word}", error.message);
        assert_eq!(error.cause, None, "{call} {path:?}");
    };
    for (path, word) in bad() {
        for (call, run) in ON_STORE {
            check(call, &path, word, run(&store, &path));
        }
        for mode in PUBLISH {
            let mut change = store.begin("dir", &publish(mode)).expect("a directory");
            for (call, run) in ON_TRANSACTION {
                check(call, &path, word, run(&mut change, &path, &original));
            }
        }
    }
    store.close().expect("the store closes");
    assert_eq!(ground::difference(&before, &scene.tree()), ground::NONE);
    scene.done();
}

/// The longest name and the deepest path within the rules can be written.
#[test]
fn a_path_at_the_limits_is_written() {
    let scene = Scene::new(&[]);
    let store = scene.open();
    let name = "n".repeat(255);
    store.replace(&name, b"long", &WriteOptions::default()).expect("255 bytes are allowed");
    assert_eq!(scene.text(&format!("root/{name}")), "long");
    let deep = vec!["d"; 127].join("/");
    for mode in [Publish::InPlace, Publish::Swap] {
        let mut change = store.begin("top", &publish(mode)).expect("a directory");
        change.put(&deep, b"deep").expect("128 components are allowed");
        change.commit().unwrap_or_else(|error| panic!("{mode:?}: {error}"));
        assert_eq!(scene.text(&format!("root/top/{deep}")), "deep");
    }
    store.close().expect("the store closes");
    scene.done();
}

/// A source below no granted directory is refused wherever content is read from, also behind a link; and
/// one that is missing is named.
#[test]
fn a_source_that_is_not_granted_is_refused() {
    let scene = Scene::new(&[("lower/original", "x"), ("root/file", "x"), ("out/file", "y"), ("lowermost/a", "z")]);
    scene.hard_link("root/file", "root/hard");
    scene.absolute("out/file", "lower/link");
    scene.absolute("out", "lower/far");
    let before = scene.tree();
    let store = scene.open();
    let outside = ["", "out/file", "lowermost/a", "lower/../out/file", "lower/link", "lower/far/file"];
    let missing = ["lower/missing", "lower/original/below", "out/missing"];
    for path in outside.iter().chain(&missing) {
        let source = scene.at(path);
        let mut writer = store.writer("file", &WriteOptions::default()).expect("a file can be replaced");
        let mut change = store.begin("dir", &publish(Publish::InPlace)).expect("a directory");
        let results = [
            ("materialize", store.materialize("hard", &Source::Path(source.clone()), &Content::Keep).map(drop)),
            ("append-from", writer.append_from(&source, 0, 1).map(drop)),
            ("put-file", change.put_file("file", &source)),
        ];
        for (call, result) in results {
            let error = error_of((call, path), result);
            if missing.contains(path) {
                assert_eq!((error.kind(), error.path()), (Kind::Io, source.clone()), "{call} {path}");
            } else {
                assert_eq!(error.kind(), Kind::NotGranted, "{call} {path}: {error}");
                assert!(matches!(&error, Error::Grant(Grant::Outside { .. })), "{call} {path}: {error:?}");
            }
        }
    }
    store.close().expect("the store closes");
    assert_eq!(ground::difference(&before, &scene.tree()), ground::NONE);
    scene.done();
}

/// A root or grant that is missing, or is no directory, is refused with its name and the way out.
#[test]
fn a_root_must_be_a_directory() {
    let scene = Scene::new(&[("root/file", "x")]);
    let sessions: [(&str, StoreBuilder); 4] = [
        ("root/file", onionskin().store(scene.at("root/file"))),
        ("root/missing", onionskin().store(scene.at("root/missing"))),
        ("root/file", scene.session().lower(scene.at("root/file"))),
        ("root/missing", scene.session().lower(scene.at("root/missing"))),
    ];
    for (name, session) in sessions {
        let results = [
            session.open(&Default::default()).map(drop),
            session.probe().map(drop),
            session.inspect().map(drop),
            session.break_lock("token"),
            session.limits().map(drop),
        ];
        for result in results {
            let error = error_of(name, result);
            assert!(matches!(error, Error::Io { .. }), "{name}: {error:?}");
            assert_eq!((error.kind().as_str(), error.path()), ("io", scene.at(name)));
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    scene.done();
}

/// No call that could change a file is even made on a read-only grant.
#[test]
fn a_read_only_grant_is_only_read() {
    let scene = Scene::new(&[("lower/d/a", "a"), ("lower/d/b", "b"), ("lower/file", "f")]);
    scene.absolute("lower/d", "root/d");
    scene.absolute("lower/file", "root/file");
    let store = scene.open();
    store.replace("d/a", b"new", &WriteOptions::default()).expect("the linked directory is granted");
    store.replace("file", b"new", &WriteOptions::default()).expect("the linked file is granted");
    store.close().expect("the store closes");
    let is_lower = |path: &str| path.starts_with("/lower");
    for call in scene.faults().calls() {
        // Attributes are read there.
        let other = call.other.as_deref().filter(|_| call.name != "copy-attributes-at");
        let changes_lower = call.mutating.is_some() && (is_lower(&call.path) || other.is_some_and(is_lower));
        assert!(!changes_lower, "{call}");
    }
    scene.done();
}
