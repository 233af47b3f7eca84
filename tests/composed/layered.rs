//! An unmodified program with the overlay behind its imports, on directories that are layered by the names of their
//! grants.

use onionskin_host::run::plug;
use onionskin_host::{ChangeKind, OVERLAY, Onionskin, Select};

use crate::ground;
use crate::guests::program;
use crate::layers::{Ground, tree};
use crate::plain::Host;

/// Its output and its files are the same as on a plain directory, the lower directories stay unchanged, and the upper
/// is a workspace that the Rust host can open.
#[test]
fn a_program_is_the_same_on_layered_directories() {
    let Some(files) = program("files") else { return };
    let files = std::fs::read(&files).unwrap_or_else(|error| panic!("{}: {error}", files.display()));
    let world = Ground::of_files();
    std::fs::create_dir(world.at("upper")).expect("a new directory");
    let scratch = ground::scratch();
    let run = |program: &[u8], grants: &[(&str, &str)]| {
        let grants: Vec<_> = grants.iter().map(|(place, name)| (world.at(place), *name)).collect();
        Host::new(program, scratch.path()).run(&grants, &["/data"], "")
    };
    let plain = run(&files, &[("plain", "/data")]);
    let layered = plug(files, OVERLAY).expect("it imports a filesystem");
    let layers = [("upper", "/data#upper"), ("top", "/data#lower"), ("base", "/data#lower.2")];
    let layered = run(&layered, &layers);
    assert!(plain.out.lines().count() > 100, "{plain:?}");
    assert_eq!((layered.code, layered.out, layered.err), (plain.code, plain.out, plain.err));
    world.assert_lowers_stay();

    let onionskin = Onionskin::load().expect("the embedded component loads");
    let lowers = ["top", "base"].map(|name| world.at(name));
    let mut workspace = onionskin.workspace(world.at("upper")).lowers(lowers).open().expect("it opens");
    let changes = workspace.changes(&Select::default()).expect("the changes can be listed");
    for change in &changes {
        let is_there = !matches!(change.what, ChangeKind::Deleted);
        let place = world.at("plain").join(&change.path);
        assert_eq!(place.symlink_metadata().is_ok(), is_there, "{change:?}");
    }
    assert!(changes.len() > 10, "{changes:?}");
    std::fs::create_dir(world.at("out")).expect("a new directory");
    workspace.export(world.at("out"), onionskin_host::Durability::Visible).expect("it can be exported");
    workspace.close().expect("it closes");
    assert_eq!(tree(&world.at("out")), tree(&world.at("plain")));
}
