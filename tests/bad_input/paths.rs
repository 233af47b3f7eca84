//! A path that breaks a rule is refused before any change.

use onionskin::lock::Ownership;
use onionskin::persist::materialize::{Content, Source};
use onionskin::store::{Store, break_lock, inspect};
use onionskin_sim::{SimFs, Tree, operations, tree};

use crate::CALLS;
use crate::support::{Outcome, PUBLISH, Scene, outcome, publish, refused};

fn plain() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/file" = "old"; file "ws/a/b" = "old"; }
}

/// Returns every path that breaks a rule.
fn bad() -> Vec<String> {
    let mut bad: Vec<String> = [
        "",
        "/",
        "/file",
        "//file",
        ".",
        "./file",
        "file/.",
        "..",
        "../lower/original",
        "a/../file",
        "a/..",
        "file/",
        "a//b",
        "a/",
        "fi\0le",
        "\0",
        "a\\b",
        "\\",
        "..\\x",
        ".onionskin",
        ".onionskin/log",
        ".onionskin-x",
        ".ONIONSKIN",
        ".OnionSkin/x",
        "a/.onionskin",
        "a/.onionskinned/b",
    ]
    .map(str::to_owned)
    .into();
    bad.push("n".repeat(256));
    bad.push(format!("a/{}", "é".repeat(128)));
    bad.push(["n"; 2049].join("/"));
    bad.push(["n"; 129].join("/"));
    bad
}

/// Each call refuses each of these paths, names it as given, and changes nothing on the disk.
#[test]
fn every_call_refuses_every_bad_path() {
    let scene = Scene::new(&plain());
    let store = scene.open();
    let before = scene.fs.counts().mutations;
    let mut wrong = Vec::new();
    let mut expect = |context: String, answer: Outcome<()>, path: &str| {
        if answer != refused("invalid-path", path) {
            wrong.push(format!("{context} of {path:?}: {answer:?}"));
        }
    };
    for path in bad() {
        for (name, call) in CALLS {
            expect(name.to_owned(), outcome(call(&store, &path)), &path);
        }
        expect("fingerprint".into(), outcome(store.fingerprint(&path, true).map(drop)), &path);
        let mut transaction = store.begin("a", publish(PUBLISH[0])).expect("a directory");
        expect("remove".into(), outcome(transaction.remove(&path)), &path);
        expect("rename from".into(), outcome(transaction.rename(&path, "x")), &path);
        expect("append".into(), outcome(transaction.append(&path, vec![1])), &path);
        for mode in PUBLISH {
            if path != "." {
                expect(format!("begin, {mode:?}"), outcome(store.begin(&path, publish(mode)).map(drop)), &path);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(scene.fs.counts().mutations, before, "calls that change something");
    drop(store);
    scene.ends_as("bad paths", &plain());
}

/// The path in a transaction is checked together with its directory: each part alone may be short enough.
#[test]
fn the_whole_path_of_a_transaction_must_keep_the_rules() {
    let scene = Scene::new(&plain());
    let store = scene.open();
    let deep = ["n"; 100].join("/");
    let long = ["n".repeat(200).as_str(); 12].join("/");
    for text in [deep, long] {
        let mut transaction = store.begin(&text, publish(PUBLISH[0])).expect("a path");
        let answer = outcome(transaction.put(&text, b"new".to_vec()));
        assert!(matches!(&answer, Err(("invalid-path", named)) if named.ends_with(&text)), "{answer:?}");
    }
    drop(store);
    scene.ends_as("too long together", &plain());
}

/// A guest path that no preopen matches, or that leaves one, is refused and named as given.
#[test]
fn an_unknown_preopen_is_refused() {
    let scene = Scene::new(&plain().file("ws/.onionskin/lock", "dead"));
    let before = plain().file("ws/.onionskin/lock", "dead");
    for path in ["", "/", "/none", "ws", "/w", "/wsx", "/ws/../lower", "/ws/..", "..", "/none/ws", "/ws\0"] {
        let preopens = operations::preopens(&scene.fs);
        let open = Store::<SimFs>::open(scene.fs.clone(), &preopens, path, &Ownership::Host, false).map(drop);
        assert_eq!(outcome(open), refused("no-preopen", path), "open {path:?}");
        let answer = inspect(scene.fs.clone(), &preopens, path).map(drop);
        assert_eq!(outcome(answer), refused("no-preopen", path), "inspect {path:?}");
        let answer = break_lock(scene.fs.clone(), &preopens, path, "dead");
        assert_eq!(outcome(answer), refused("no-preopen", path), "break_lock {path:?}");
        let answer = onionskin::probe::probe(scene.fs.clone(), &preopens, path).map(drop);
        assert_eq!(outcome(answer), refused("no-preopen", path), "probe {path:?}");
        scene.ends_as(path, &before);
    }
}

/// A guest path below a preopen that breaks a rule is reported as an invalid path, not as a missing preopen.
#[test]
fn a_guest_path_that_breaks_a_rule_is_invalid() {
    let scene = Scene::new(&plain().symlink("ws/link", "/lower/original"));
    let store = scene.open();
    let mut wrong = Vec::new();
    for path in
        ["/lower/a\\b".to_owned(), format!("/lower/{}", "n".repeat(256)), format!("/lower/{}", ["n"; 129].join("/"))]
    {
        let answer = outcome(store.materialize("link", &Source::Path(path.clone()), Content::Keep).map(drop));
        if answer != refused("invalid-path", &path) {
            wrong.push(format!("{path:.40?}: {:?}", answer.map_err(|(kind, _)| kind)));
        }
    }
    drop(store);
    scene.ends_as("guest paths", &plain().symlink("ws/link", "/lower/original"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The guest path of a root must name a directory.
#[test]
fn a_root_must_be_a_directory() {
    let tree = plain().other("ws/pipe").symlink("ws/link", "a");
    let scene = Scene::new(&tree);
    for (path, kind) in [
        ("/ws/none", "not-found"),
        ("/ws/none/x", "not-found"),
        ("/ws/file", "not-directory"),
        ("/ws/file/x", "not-directory"),
        ("/ws/pipe", "not-directory"),
        ("/ws/link", "symlink-refused"),
        ("/ws/link/x", "symlink-refused"),
    ] {
        let preopens = operations::preopens(&scene.fs);
        let open = Store::<SimFs>::open(scene.fs.clone(), &preopens, path, &Ownership::Host, false).map(drop);
        assert_eq!(outcome(open), refused(kind, path), "open");
        assert_eq!(outcome(inspect(scene.fs.clone(), &preopens, path).map(drop)), refused(kind, path), "inspect");
        scene.ends_as(path, &tree);
    }
}

/// A root below a preopen is an independent root: its control directory is in it, and nowhere else.
#[test]
fn a_root_may_be_below_a_preopen() {
    let scene = Scene::new(&plain());
    for path in ["/ws/a", "/ws//a/", "/ws/./a"] {
        let preopens = operations::preopens(&scene.fs);
        let store = Store::<SimFs>::open(scene.fs.clone(), &preopens, path, &Ownership::Host, false).expect("a root");
        (CALLS[0].1)(&store, "b").expect("a file of this root");
        assert_eq!(outcome((CALLS[0].1)(&store, "../file")), refused("invalid-path", "../file"), "{path}");
    }
    scene.ends_as("below", &plain().file("ws/a/b", "new"));
}
