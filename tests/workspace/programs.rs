//! File semantics that programs on a workspace rely on.

use std::rc::Rc;

use onionskin::fs::Cause;
use onionskin::limits::SUMMED_BYTES_MAX;
use onionskin::overlay::{Access, Code, Handle, OpenOptions, Overlay};
use onionskin::store::Durability;
use onionskin::workspace::glob::Select;
use onionskin::workspace::{CommitOptions, OnConflict};
use onionskin_sim::{Node, SimFs, tree};

use crate::world::World;

const READ: OpenOptions = OpenOptions {
    follow: false,
    create: false,
    exclusive: false,
    directory: false,
    truncate: false,
    access: Access { read: true, write: false },
};
const WRITE: OpenOptions = OpenOptions { access: Access { read: true, write: true }, ..READ };

type Root = Rc<Handle<SimFs>>;

fn over(world: &World) -> (Overlay<SimFs>, Root) {
    let mut overlay = Overlay::new(world.create());
    let root = overlay.root();
    (overlay, root)
}

fn read(overlay: &mut Overlay<SimFs>, handle: &Handle<SimFs>) -> String {
    String::from_utf8(overlay.read(handle, 0, 100).expect("it is open for reading")).expect("these are letters")
}

fn contents(world: &World) -> usize {
    world.fs.tree().iter().filter(|(path, _)| path.starts_with(b"upper/.onionskin/workspace/files/")).count()
}

/// Opening is not writing; the first write copies, and every open handle sees the copy.
#[test]
fn every_handle_on_a_file_sees_its_copy() {
    let world = World::new(&tree! { file "lower/a" = "original"; });
    let before = world.lowers();
    let (mut overlay, root) = over(&world);
    let reader = overlay.open_at(&root, "a", READ).expect("it is there");
    let writer = overlay.open_at(&root, "./a", WRITE).expect("it is there");
    assert_eq!((contents(&world), overlay.identity(&reader)), (0, overlay.identity(&writer)));
    let identity = overlay.identity_at(&root, "a", false);
    overlay.write(&writer, 0, b"ORI").expect("it is open for writing");
    assert_eq!(read(&mut overlay, &reader), "ORIginal");
    assert_eq!(contents(&world), 2, "and a copy of the original, for a merge");
    overlay.rename_at(&root, "a", &root, "b").expect("nothing prevents it");
    assert_eq!(overlay.identity_at(&root, "b", false), identity, "it is the same file");
    assert_eq!(overlay.identity(&reader), identity);
    assert_eq!(overlay.write(&reader, 0, b"!"), Err(Code::BadDescriptor));
    assert_eq!(world.lowers(), before);
    assert_eq!(world.fs.intrusions(), []);
}

/// Content that is truncated away is never copied first.
#[test]
fn truncating_reads_nothing_of_a_long_original() {
    let world = World::new(&tree! { file "lower/a" = vec![7; 1 + SUMMED_BYTES_MAX as usize]; });
    let (mut overlay, root) = over(&world);
    let reader = overlay.open_at(&root, "a", READ).expect("it is there");
    let before = world.fs.calls().len();
    overlay.open_at(&root, "a", OpenOptions { truncate: true, ..WRITE }).expect("it is there");
    assert_eq!(read(&mut overlay, &reader), "");
    let is_read = |call: &onionskin_sim::Call| {
        call.verb == onionskin_sim::Verb::Read && call.place.to_string().starts_with("lower")
    };
    assert!(!world.fs.calls()[before..].iter().any(is_read), "the original was read");
}

/// A file that was removed while it was open stays available to its open handles, and to no other caller.
#[test]
fn a_file_without_a_name_lives_as_long_as_it_is_open() {
    let world = World::new(&tree! { file "lower/a" = "original"; file "lower/b" = "other"; });
    let before = world.lowers();
    let (mut overlay, root) = over(&world);
    let one = overlay.open_at(&root, "a", WRITE).expect("it is there");
    let other = overlay.open_at(&root, "a", READ).expect("it is there");
    overlay.rename_at(&root, "b", &root, "a").expect("it takes the name");
    overlay.write(&one, 0, b"ORI").expect("it is open for writing");
    assert_eq!(read(&mut overlay, &other), "ORIginal");
    let named = overlay.open_at(&root, "a", READ).expect("it is there");
    assert_eq!(read(&mut overlay, &named), "other");
    assert_eq!(overlay.stat(&one).map(|stat| stat.links), Ok(0));
    assert_eq!((world.lowers(), contents(&world)), (before, 0));
}

/// Two names of a file are one file, also for a later process, and after a checkpoint.
#[test]
fn a_file_with_two_names_is_one_file() {
    let world = World::new(&tree! { file "lower/a" = "original"; });
    let (mut overlay, root) = over(&world);
    overlay.link_at(&root, "a", &root, "twin").expect("the name is free");
    drop((overlay, root));
    let mut workspace = world.open();
    workspace.checkpoint("linked").expect("nothing prevents it");
    let mut overlay = Overlay::new(workspace);
    let root = overlay.root();
    let twin = overlay.open_at(&root, "twin", WRITE).expect("it is there");
    overlay.write(&twin, 0, b"ORI").expect("it is open for writing");
    let name = overlay.open_at(&root, "a", READ).expect("it is there");
    assert_eq!(read(&mut overlay, &name), "ORIginal");
    assert_eq!(overlay.stat(&name).map(|stat| stat.links), Ok(2));
    overlay.unlink_file_at(&root, "a").expect("it is there");
    assert_eq!(overlay.stat_at(&root, "twin", false).map(|stat| stat.links), Ok(1));
    assert_eq!(read(&mut overlay, &twin), "ORIginal");
}

/// A file with many names goes out as one file: the names take no more space than the quota has counted.
#[test]
fn the_names_of_a_file_are_committed_and_exported_as_one_file() {
    const LENGTH: usize = 20_000;
    let names: Vec<String> = (0..16).map(|number| format!("n{number}")).collect();
    let world = World::new(&tree! {});
    let (mut overlay, root) = over(&world);
    let create = OpenOptions { create: true, ..WRITE };
    let file = overlay.open_at(&root, &names[0], create).expect("the name is free");
    overlay.write(&file, 0, &[7; LENGTH]).expect("it is open for writing");
    for name in &names[1..] {
        overlay.link_at(&root, &names[0], &root, name).expect("the name is free");
    }
    drop((file, root, overlay));
    let mut workspace = world.open();
    let grants = world.preopens_to_commit();
    let exported = workspace.export(world.fs.clone(), &grants, "/out", &[], Durability::Visible).expect("it is empty");
    let options = CommitOptions {
        into: "/lower".to_owned(),
        paths: Select::default(),
        durability: Durability::Full,
        conflicts: OnConflict::Fail,
    };
    let committed = workspace.commit(world.fs.clone(), &grants, &options).expect("there are no conflicts");
    assert_eq!((exported.bytes, committed.bytes), (LENGTH as u64, LENGTH as u64));
    for tree in [world.fs.tree().below("out"), world.lowers().0] {
        let one = tree.get(&names[0]).expect("it is there");
        assert!(matches!(one, Node::File { bytes, group: Some(_) } if bytes.len() == LENGTH), "it has several names");
        assert!(names.iter().all(|name| tree.get(name) == Some(one)), "all of them are of one file");
    }
}

/// Of two names of an original, a write separates the one that is written: originals do not change.
#[test]
fn a_write_separates_two_names_of_an_original() {
    let world = World::new(&tree! { file "lower/a" = "original"; same "lower/b" = "lower/a"; });
    let (mut overlay, root) = over(&world);
    let identity = |overlay: &mut Overlay<SimFs>, path| overlay.identity_at(&root, path, false).expect("it is there");
    assert_eq!(identity(&mut overlay, "a"), identity(&mut overlay, "b"));
    let file = overlay.open_at(&root, "a", WRITE).expect("it is there");
    overlay.write(&file, 0, b"ORI").expect("it is open for writing");
    assert_ne!(identity(&mut overlay, "a"), identity(&mut overlay, "b"));
    let other = overlay.open_at(&root, "b", READ).expect("it is there");
    assert_eq!(read(&mut overlay, &other), "original");
}

/// Reserved names are not visible, and cannot be created.
#[test]
fn reserved_names_are_invisible() {
    let world = World::new(&tree! { file "lower/.onionskin/x" = "a store of its own"; file "lower/a" = "a"; });
    let (mut overlay, root) = over(&world);
    let names = |overlay: &mut Overlay<SimFs>| overlay.list(&root).map(|names| names.len());
    assert_eq!(names(&mut overlay), Ok(1));
    let missing = Err(Code::Fs(Cause::NoEntry));
    assert_eq!(overlay.stat_at(&root, ".onionskin", false).map(|_| ()), missing);
    assert_eq!(overlay.stat_at(&root, ".onionskin/x", false).map(|_| ()), missing);
    let refused = Err(Code::Fs(Cause::NotPermitted));
    assert_eq!(overlay.make_directory_at(&root, ".Onionskin-new"), refused);
    assert_eq!(overlay.rename_at(&root, "a", &root, ".onionskin"), refused);
}
