//! The components of a release: named, stripped and annotated, they behave as the embedded ones do.

use std::fs;

use onionskin_host::run::plug;
use onionskin_host::{CommitOptions, Onionskin, OpenOptions, WriteOptions};

use crate::guests::program;
use crate::plain::Host;
use crate::{ground, package, read};

#[test]
fn the_host_accepts_the_component() {
    let Some(package) = package("the component in the host") else { return };
    let component = read(&package.join("onionskin.wasm"));
    let onionskin = Onionskin::builder().component(&component).no_cache().build();
    let onionskin = onionskin.unwrap_or_else(|error| panic!("{error}"));
    let scratch = ground::scratch();
    let at = |path: &str| scratch.path().join(path);
    for directory in ["root", "upper"] {
        fs::create_dir(at(directory)).expect("a new directory");
    }
    let store = onionskin.store(at("root")).open(&OpenOptions::default()).expect("it opens");
    store.replace("a", b"a", &WriteOptions::default()).expect("it is written");
    store.close().expect("it closes");
    assert_eq!(read(&at("root/a")), b"a");
    let mut workspace = onionskin.workspace(at("upper")).lower(at("root")).create().expect("it is made");
    workspace.append("a", b"b").expect("it is written");
    assert_eq!(read(&at("root/a")), b"a", "the lower is unchanged");
    workspace.commit(at("root"), &CommitOptions::default()).expect("it is committed");
    workspace.close().expect("it closes");
    assert_eq!(read(&at("root/a")), b"ab");
}

/// The overlay is not a component for the host: it is composed with a program, in any WASI host.
#[test]
fn the_overlay_is_composed_with_a_program() {
    let Some(package) = package("the overlay under a program") else { return };
    let program = read(&program("files").expect("it takes what the tests take"));
    let layered = plug(program, &read(&package.join("onionskin-overlay.wasm"))).expect("it imports a filesystem");
    let scratch = ground::scratch();
    let at = |path: &str| scratch.path().join(path);
    for directory in ["upper", "lower"] {
        fs::create_dir(at(directory)).expect("a new directory");
    }
    ground::write(&at("lower/notes.txt"), "as they were");
    let grants = [(at("upper"), "/data#upper"), (at("lower"), "/data#lower")];
    let ended = Host::new(&layered, scratch.path()).run(&grants, &["/data"], "");
    // The program panics where its directory lacks files that it needs, but only after many changes.
    assert!(ended.out.contains("opening"), "{ended:?}");
    assert_eq!(ground::read(&at("lower")).len(), 1, "the lower has more than it had");
    assert_eq!(read(&at("lower/notes.txt")), b"as they were");
    assert!(at("upper/.onionskin/workspace").exists(), "{}", ended.out);
}
