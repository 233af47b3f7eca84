//! A directory of a lower that is published by `pointer` is read through its link, and a commit changes what is in it.

use onionskin::error::ErrorKind;
use onionskin::fs::{Fs as _, Kind};
use onionskin::lock::Ownership;
use onionskin::persist::transaction::{DirectoryOptions, Publish};
use onionskin::store::{Durability, Store, Symlinks};
use onionskin::workspace::glob::Select;
use onionskin::workspace::{CommitOptions, OnConflict, Role, Workspace};
use onionskin_sim::{SimFs, Tree, tree};

use crate::world::{World, plain, shown};

/// The generation that is published at first.
const FIRST: &str = "lower/.onionskin/directories/1/1";

fn originals() -> Tree {
    tree! {
        file "lower/d/a" = "a"; file "lower/d/b" = "b"; file "lower/d/sub/c" = "c"; file "lower/e" = "e";
        file "below/d/below" = "from below"; file "below/d/sub/c" = "hidden";
    }
}

/// Publishes a directory of the topmost lower, with one file in it changed.
fn publish(world: &World, directory: &str, file: &str, text: &str) {
    let store = Store::open(world.fs.clone(), &world.preopens_to_commit(), "/lower", &Ownership::Host, false);
    let store = store.expect("a store");
    let (publish, keep_generations) = (Publish::Pointer, 9);
    let options =
        DirectoryOptions { publish, durability: Durability::Full, symlinks: Symlinks::Refuse, keep_generations };
    let mut transaction = store.begin(directory, options).expect("a directory");
    transaction.put(file, text.into()).expect("staged");
    transaction.commit().expect("published");
}

fn published() -> World {
    let world = World::new(&originals());
    publish(&world, "d", "b", "published");
    world
}

/// The merged tree of a workspace without changes.
fn merged() -> Tree {
    tree! {
        file "d/a" = "a"; file "d/b" = "published"; file "d/sub/c" = "c"; file "d/below" = "from below"; file "e" = "e";
    }
}

fn commit(world: &World, workspace: &mut Workspace<SimFs>, except: &[&str]) -> Result<(), (ErrorKind, String)> {
    let paths = Select { only: Vec::new(), except: except.iter().map(ToString::to_string).collect() };
    let (into, durability) = ("/lower".to_owned(), Durability::Full);
    let options = CommitOptions { into, paths, durability, conflicts: OnConflict::Fail };
    let answer = workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &options);
    answer.map(drop).map_err(|error| (error.kind(), error.subject().to_owned()))
}

fn changes(workspace: &mut Workspace<SimFs>) -> Vec<String> {
    let page = workspace.changes(&Select::default(), None, 99).expect("they can be listed");
    let carried = page.changes.into_iter().filter(|changed| !matches!(changed.role, Role::Stays(_)));
    carried.map(|changed| changed.path).collect()
}

#[test]
fn it_is_read_through_its_link() {
    let world = published();
    let before = world.fs.tree().below("lower");
    let mut workspace = world.create();
    assert_eq!(shown(&mut workspace), plain(&merged()));
    assert_eq!(workspace.stat("d").expect("it is there").kind, Kind::Directory);
    workspace.write("d/sub/c", 1, b"hange".to_vec()).expect("a file");
    workspace.put("d/new", b"new".to_vec()).expect("a free name");
    workspace.remove("d/a").expect("it is there");
    assert_eq!(workspace.read("d/sub/c", 0, 9).expect("a file"), b"change");
    assert_eq!(changes(&mut workspace), ["d/a", "d/new", "d/sub/c"]);
    let (fs, preopens) = (world.fs.clone(), world.preopens());
    workspace.export(fs, &preopens, "/out", &[], Durability::Visible).expect("an empty directory");
    let expected = merged().remove("d/a").file("d/new", "new").file("d/sub/c", "change");
    assert_eq!(plain(&world.fs.tree().below("out").without(|path| path.ends_with(".onionskin"))), plain(&expected));
    assert_eq!(world.fs.tree().below("lower"), before);
}

/// As a transaction in place does: the generation that the link shows is changed, by the one decision of the commit.
#[test]
fn a_commit_changes_the_generation_that_it_shows() {
    let world = published();
    publish(&world, "d", "b", "again");
    let second = "lower/.onionskin/directories/1/2";
    let (first, a) = (world.fs.tree().below(FIRST), inode(&world, &format!("{second}/a")));
    let mut workspace = world.create();
    workspace.put("d/b", b"ours".to_vec()).expect("a file");
    workspace.make_directory("d/more").expect("a free name");
    workspace.put("d/more/new", b"new".to_vec()).expect("a free name");
    workspace.rename("d/a", "moved").expect("a free name");
    workspace.remove_tree("d/sub").expect("it is there");
    workspace.rename("e", "d/e").expect("a free name");
    let shows = shown(&mut workspace);
    commit(&world, &mut workspace, &[]).expect("nothing is in conflict");
    assert_eq!(shown(&mut workspace), shows);
    assert_eq!(changes(&mut workspace), [""; 0]);
    let tree = world.fs.tree();
    assert_eq!(tree.below(second), tree! { file "b" = "ours"; file "more/new" = "new"; file "e" = "e"; });
    assert_eq!((tree.below(FIRST), inode(&world, "lower/moved")), (first, a));
    assert_eq!(world.lowers().0, tree! { symlink "d" = ".onionskin/directories/1/2"; file "moved" = "a"; });
    assert_eq!(world.open().recovered(), []);
    assert_eq!(world.fs.intrusions(), []);
}

fn inode(world: &World, path: &str) -> u64 {
    let (dir, name) = world.fs.walk(&world.fs.root(), path, false).expect("it is there");
    u64::from(world.fs.stat_at(&dir, &name).expect("it is there").ino.0)
}

#[test]
fn the_directory_itself_is_no_part_of_a_commit() {
    type Change = fn(&mut Workspace<SimFs>);
    let cases: [(&str, Change); 3] = [
        ("removed", |workspace| assert_eq!(workspace.remove_tree("d"), Ok(6))),
        ("moved", |workspace| workspace.rename("d", "moved").expect("a free name")),
        ("replaced", |workspace| {
            workspace.remove_tree("d").expect("it is there");
            workspace.put("d", b"ours".to_vec()).expect("a free name");
        }),
    ];
    for (case, change) in cases {
        let world = published();
        let mut workspace = world.create();
        change(&mut workspace);
        workspace.put("e", b"ours".to_vec()).expect("a file");
        let (before, shows) = (world.fs.tree().below("lower").without(is_control), shown(&mut workspace));
        assert_eq!(commit(&world, &mut workspace, &[]), Err((ErrorKind::Unsupported, "d".to_owned())), "{case}");
        assert_eq!(world.fs.tree().below("lower").without(is_control), before, "{case}");
        commit(&world, &mut workspace, &["d", "moved"]).unwrap_or_else(|error| panic!("{case}: {error:?}"));
        let after = world.fs.tree().below("lower").without(is_control);
        assert_eq!((after, shown(&mut workspace)), (before.file("e", "ours"), shows), "{case}");
    }
}

fn is_control(path: &str) -> bool {
    path == ".onionskin"
}

#[test]
fn the_next_generation_is_a_change_of_others() {
    let world = published();
    let mut workspace = world.create();
    workspace.put("d/b", b"ours".to_vec()).expect("a file");
    workspace.put("d/sub/c", b"ours".to_vec()).expect("a file");
    publish(&world, "d", "b", "theirs");
    publish(&world, "d", "new", "theirs");
    assert_eq!(workspace.read("d/new", 0, 9).expect("it is there"), b"theirs");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["d/b"]);
    commit(&world, &mut workspace, &["d/b"]).expect("nothing is in conflict");
    let third = world.fs.tree().below("lower/.onionskin/directories/1/3");
    let expected = tree! { file "a" = "a"; file "b" = "theirs"; file "new" = "theirs"; file "sub/c" = "ours"; };
    assert_eq!(third, expected);
}

#[test]
fn a_directory_that_others_publish_stays_what_it_was() {
    let world = World::new(&originals());
    let mut workspace = world.create();
    workspace.put("d/a", b"ours".to_vec()).expect("a file");
    publish(&world, "d", "b", "published");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
    commit(&world, &mut workspace, &[]).expect("nothing is in conflict");
    assert_eq!(world.fs.tree().bytes(format!("{FIRST}/a")), Some(&b"ours"[..]));
}

/// Only the record of the generations says which path they belong to.
#[test]
fn other_links_into_generations_are_links() {
    let world = published();
    let (dir, _) = world.fs.walk(&world.fs.root(), "lower/d", false).expect("it is there");
    world.fs.symlink(".onionskin/directories/1/1", &dir, "copied").expect("a free name");
    world.fs.symlink(".onionskin/directories/7/1", &dir, "nowhere").expect("a free name");
    let mut workspace = world.create();
    for name in ["copied", "nowhere"] {
        assert_eq!(workspace.stat(name).expect("it is there").kind, Kind::Symlink, "{name}");
    }
    assert_eq!(workspace.stat("copied/a").expect_err("no link is followed").kind(), ErrorKind::SymlinkRefused);
    world.fs.remove_file(&dir, "d").expect("it is there");
    world.fs.symlink(".onionskin/directories/1/9", &dir, "d").expect("a free name");
    assert_eq!(workspace.stat("d").expect("it is there").kind, Kind::Symlink);
    assert_eq!(workspace.stat("d/a").expect_err("there is none").kind(), ErrorKind::SymlinkRefused);
}
