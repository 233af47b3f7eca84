//! What the search of the laws found, each in the fewest steps that show it.

use onionskin::error::ErrorKind;
use onionskin::fs::Fs as _;
use onionskin::store::Durability;
use onionskin::workspace::glob::Select;
use onionskin::workspace::{Change, CommitOptions, OnConflict, Resolution, Workspace};
use onionskin_sim::{SimFs, Stamp, tree};

use crate::laws::Outside;
use crate::model::Node;
use crate::pains::write_outside;
use crate::world::{World, shown};

fn only(paths: &[&str]) -> Select {
    Select { only: paths.iter().map(|path| (*path).to_owned()).collect(), except: Vec::new() }
}

fn except(paths: &[&str]) -> Select {
    Select { only: Vec::new(), except: paths.iter().map(|path| (*path).to_owned()).collect() }
}

fn commit(
    world: &World,
    workspace: &mut Workspace<SimFs>,
    paths: Select,
    conflicts: OnConflict,
) -> Result<(), ErrorKind> {
    let options = CommitOptions { into: "/lower".to_owned(), paths, durability: Durability::Visible, conflicts };
    let answer = workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &options);
    answer.map(drop).map_err(|error| error.kind())
}

/// Somebody else replaces an entry of the topmost lower.
fn replace_outside(world: &World, path: &str, node: &Node) {
    Outside { fs: &world.fs, top: "lower" }.replace(path, node);
}

/// Somebody else removes a file of the topmost lower.
fn remove_outside(world: &World, path: &str) {
    let place = world.fs.walk(&world.fs.root(), &format!("lower/{path}"), false);
    let (dir, name) = place.expect("its directory is there");
    world.fs.remove_file(&dir, &name).expect("it is there");
}

fn file(text: &str) -> Node {
    Node::File(text.as_bytes().to_vec())
}

/// Seed 113039: it was not shown where the directory is now, since the entries that the workspace has there make it a
/// directory.
#[test]
fn what_changes_hide_in_a_directory_that_was_moved_is_a_conflict() {
    let world = World::new(&tree! { file "lower/d/sub/a" = "a"; file "lower/e" = "e"; });
    let mut workspace = world.create();
    workspace.rename("e", "d/sub/e").expect("a free name");
    replace_outside(&world, "d/sub", &file("somebody's"));
    workspace.rename("d", "moved").expect("a free name");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["d/sub"]);
    assert_eq!(commit(&world, &mut workspace, Select::default(), OnConflict::Fail), Err(ErrorKind::Conflicts));
    assert_eq!(world.lowers().0.bytes("d/sub"), Some(&b"somebody's"[..]));
}

/// Seed 106663: the directories on the way to the entries of the workspace had no record, and were nowhere.
#[test]
fn a_directory_for_changes_alone_is_moved_with_those_on_the_way() {
    let world = World::new(&tree! { file "lower/d/sub/a" = "a"; dir "lower/e"; });
    let mut workspace = world.create();
    workspace.put("d/sub/deep", b"ours".to_vec()).expect("a free name");
    workspace.put("d/sub-b", b"ours".to_vec()).expect("a free name");
    replace_outside(&world, "d", &file("somebody's"));
    workspace.rename("d", "e/d").expect("a free name");
    let shows = shown(&mut workspace);
    assert_eq!(shows.0.get("e/d/sub/deep"), Some(&file("ours")));
    assert_eq!(shows.0.get("e/d/sub-b"), Some(&file("ours")));
    commit(&world, &mut workspace, Select::default(), OnConflict::Ours).expect("a side was chosen");
    assert_eq!(world.lowers().0.bytes("e/d/sub/deep"), Some(&b"ours"[..]));
    assert_eq!(shown(&mut workspace), shows);
}

/// Seed 60842: the note that a restore takes of a directory that goes had all in it, what nobody had seen too.
#[test]
fn a_restore_keeps_a_conflict_below_a_directory_that_goes_again() {
    let world = World::new(&tree! { symlink "lower/a" = "elsewhere"; file "below/a/c" = "from below"; });
    let mut workspace = world.create();
    let kept = workspace.checkpoint("").expect("there is room");
    workspace.remove("a").expect("it is there");
    workspace.make_directory("a").expect("a free name");
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    replace_outside(&world, "a/c", &file("somebody's"));
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["a/c"]);
    workspace.restore(kept).expect("all can come back");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["a", "a/c"]);
    assert_eq!(commit(&world, &mut workspace, Select::default(), OnConflict::Fail), Err(ErrorKind::Conflicts));
    assert_eq!(world.lowers().0.bytes("a/c"), Some(&b"somebody's"[..]));
}

/// Seed 115584: of an entry that was moved only length and time were noted, and it was copied then.
#[test]
fn a_copy_of_what_was_moved_is_based_on_its_content() {
    let world = World::new(&tree! { file "lower/d/a" = "before"; });
    let mut workspace = world.create();
    workspace.rename("d/a", "b").expect("a free name");
    workspace.put("b", b"ours".to_vec()).expect("a file");
    let (dir, name) = world.fs.walk(&world.fs.root(), "lower/d/a", false).expect("it is there");
    let modified = world.fs.stat(&dir, &name).expect("it is there").modified.expect("it has a time");
    write_outside(&world.fs, "lower/d/a", b"behind");
    world.fs.set_times(&dir, &name, Stamp::At(modified)).expect("it is there");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["d/a"]);
}

/// Seed 1005261: what had been moved was gone, and a commit brought another one to light in its place.
#[test]
fn a_commit_shows_no_other_entry_in_the_place_of_one_that_is_gone() {
    let world = World::new(&tree! { file "lower/d/a" = "a"; file "below/d/b" = "b"; });
    let mut workspace = world.create();
    workspace.rename("d/b", "c").expect("a free name");
    workspace.put("d/ours", b"ours".to_vec()).expect("a free name");
    replace_outside(&world, "d", &file("somebody's"));
    let shows = shown(&mut workspace);
    assert_eq!(shows.0.get("c"), None);
    commit(&world, &mut workspace, only(&["d"]), OnConflict::Ours).expect("a side was chosen");
    assert_eq!(shown(&mut workspace), shows);
}

/// Seed 1008523: with the end of a directory, which was given up, went the ends of what is in it, and what had been moved
/// from there was doubled.
#[test]
fn what_was_moved_from_a_directory_that_stays_is_there_once() {
    let world = World::new(&tree! { file "lower/a/c" = "c"; file "lower/d/a" = "moved"; dir "lower/d/c"; });
    let mut workspace = world.create();
    workspace.remove_tree("a").expect("it is there");
    replace_outside(&world, "a/c", &file("somebody's"));
    workspace.rename("d", "a").expect("a free name");
    let select = except(&["d"]);
    assert_eq!(workspace.refresh(&select, Resolution::Theirs).expect("a side was chosen"), ["a"]);
    let shows = shown(&mut workspace);
    assert_eq!((shows.0.get("a/a"), shows.0.get("d/a")), (Some(&file("moved")), None));
    assert_eq!(shows.0.get("a/c"), Some(&file("somebody's")));
    assert_eq!(workspace.conflicts(&select).expect("they can be listed"), [""; 0]);
}

/// Seed 1053627: the digest of a directory that goes had a file in it that the workspace did not show.
#[test]
fn what_changes_hide_in_a_directory_that_is_removed_is_a_conflict() {
    let world = World::new(&tree! { file "lower/d/sub/a" = "a"; file "lower/d/b" = "b"; });
    let mut workspace = world.create();
    workspace.make_directory("d/sub/ours").expect("a free name");
    replace_outside(&world, "d/sub", &file("somebody's"));
    workspace.remove_tree("d").expect("it is there");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["d"]);
    workspace.refresh(&Select::default(), Resolution::Ours).expect("a side was chosen");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
}

/// Seed 1042516: notes of a path that another entry had hidden were compared with what came to light.
#[test]
fn what_a_commit_brings_to_light_is_no_conflict() {
    let world = World::new(&tree! { file "lower/d/a" = "a"; dir "below/d/c"; });
    let mut workspace = world.create();
    workspace.remove_tree("d").expect("it is there");
    let kept = workspace.checkpoint("").expect("there is room");
    workspace.put("d", b"ours".to_vec()).expect("a free name");
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    workspace.restore(kept).expect("all can come back");
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
}

/// Seed 2017376: a note above is that of a path, too, when the path is changed again.
#[test]
fn what_is_made_over_a_conflict_is_one() {
    let world = World::new(&tree! { file "lower/d/a" = "a"; });
    let mut workspace = world.create();
    workspace.remove_tree("d").expect("it is there");
    replace_outside(&world, "d/b", &file("somebody's"));
    let select = Select { only: vec!["d/a".to_owned()], except: vec!["d/b".to_owned()] };
    commit(&world, &mut workspace, select, OnConflict::Theirs).expect("a side was chosen");
    workspace.make_symlink("ours", "d/b").expect("a free name");
    assert_eq!(commit(&world, &mut workspace, Select::default(), OnConflict::Fail), Err(ErrorKind::Conflicts));
    assert_eq!(world.lowers().0.bytes("d/b"), Some(&b"somebody's"[..]));
}

/// Seed 2017554: the end of a directory was given up, and what stayed a change in it was noted as if a commit had made it.
#[test]
fn what_stays_in_a_directory_that_was_to_go_is_no_conflict() {
    let world = World::new(&tree! { file "lower/d/a" = "a"; dir "lower/d/b"; });
    let mut workspace = world.create();
    workspace.remove("d/a").expect("it is there");
    replace_outside(&world, "d/a", &file("somebody's"));
    workspace.rename("d", "c").expect("a free name");
    assert_eq!(workspace.refresh(&Select::default(), Resolution::Theirs).expect("a side was chosen"), ["d/a"]);
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    let (lower, _) = world.lowers();
    assert_eq!(lower, tree! { file "d/a" = "somebody's"; dir "c/b"; });
}

/// Seed 3109507: what had been moved was gone, and its record kept the directory that was given up.
#[test]
fn a_directory_that_is_given_up_is_given_up_although_something_is_missing_in_it() {
    let world = World::new(&tree! { file "lower/c" = "c"; file "lower/d/a" = "a"; });
    let mut workspace = world.create();
    workspace.rename("c", "d/a").expect("a file can be replaced");
    replace_outside(&world, "d", &file("somebody's"));
    remove_outside(&world, "c");
    let select = Select { only: vec!["d".to_owned()], except: vec!["d/a".to_owned()] };
    assert_eq!(workspace.refresh(&select, Resolution::Theirs).expect("a side was chosen"), ["d"]);
    assert_eq!(workspace.conflicts(&select).expect("they can be listed"), [""; 0]);
    assert_eq!(shown(&mut workspace).0.get("d"), Some(&file("somebody's")));
}

/// Seed 3115059: a restore took for granted what somebody else had removed.
#[test]
fn a_restore_keeps_a_conflict_where_a_directory_is_gone() {
    let world = World::new(&tree! { file "lower/d" = "d"; file "below/d/a" = "a"; });
    let mut workspace = world.create();
    workspace.put("d", b"ours".to_vec()).expect("a file");
    let kept = workspace.checkpoint("").expect("there is room");
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    remove_outside(&world, "d");
    workspace.put("d/a", b"ours".to_vec()).expect("a file");
    world.empty("below");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["d", "d/a"]);
    workspace.restore(kept).expect("all can come back");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["d"]);
}

/// Seed 3127369: a directory came back, and those on the way to the entries of the workspace had no record.
#[test]
fn a_restore_brings_back_the_directories_on_the_way() {
    let world = World::new(&tree! { file "lower/d/sub/a" = "a"; });
    let mut workspace = world.create();
    workspace.make_directory("d/sub/ours").expect("a free name");
    replace_outside(&world, "d", &file("somebody's"));
    let kept = workspace.checkpoint("").expect("there is room");
    let shows = shown(&mut workspace);
    commit(&world, &mut workspace, except(&["d/sub"]), OnConflict::Ours).expect("a side was chosen");
    workspace.restore(kept).expect("all can come back");
    assert_eq!(shown(&mut workspace), shows);
}

/// Seed 4013480: an entry that was removed made the directory that it had been in.
#[test]
fn a_checkpoint_makes_no_directory_for_what_was_removed() {
    let world = World::new(&tree! { file "lower/d/sub/a" = "a"; });
    let mut workspace = world.create();
    workspace.rename("d/sub/a", "d/a").expect("a free name");
    replace_outside(&world, "d", &file("somebody's"));
    let shows = shown(&mut workspace);
    let kept = workspace.checkpoint("").expect("there is room");
    workspace.restore(kept).expect("all can come back");
    assert_eq!(shown(&mut workspace), shows);
}

/// Seed 4015475: the note of what had been moved was replaced when somebody had removed that.
#[test]
fn another_entry_in_the_place_of_one_that_was_moved_and_is_gone_is_a_conflict() {
    let world = World::new(&tree! { file "lower/c" = "c"; });
    let mut workspace = world.create();
    workspace.rename("c", "b").expect("a free name");
    remove_outside(&world, "c");
    workspace.put("c", b"ours".to_vec()).expect("a free name");
    replace_outside(&world, "c", &Node::Directory);
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), ["c"]);
}

/// Seed 4012329: the number of the commit, by another owner, was below that of the checkpoint before it.
#[test]
fn a_checkpoint_holds_across_a_commit_of_the_next_owner() {
    let world = World::new(&tree! { dir "lower/a"; dir "lower/b"; });
    let mut workspace = world.create();
    workspace.put("a/c", b"1".to_vec()).expect("a free name");
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    workspace.put("b/c", b"2".to_vec()).expect("a free name");
    workspace.rename("a/c", "b/c").expect("a file can be replaced");
    let kept = workspace.checkpoint("").expect("there is room");
    drop(workspace);
    let mut workspace = world.open();
    commit(&world, &mut workspace, only(&["a"]), OnConflict::Fail).expect("nothing is in conflict");
    workspace.restore(kept).expect("all can come back");
}

/// Seed 4045246: a checkpoint made a directory of one for changes alone, without a note that it had been one.
#[test]
fn a_checkpoint_keeps_a_conflict_where_a_directory_is_gone() {
    let world = World::new(&tree! { file "lower/c" = "c"; file "lower/d/a" = "a"; });
    let mut workspace = world.create();
    workspace.rename("c", "d/c").expect("a free name");
    remove_outside(&world, "c");
    world.empty("lower");
    let select = only(&["d"]);
    assert_eq!(workspace.conflicts(&select).expect("they can be listed"), ["c", "d"]);
    let kept = workspace.checkpoint("").expect("there is room");
    workspace.restore(kept).expect("all can come back");
    assert_eq!(workspace.conflicts(&select).expect("they can be listed"), ["d"]);
}

/// Seed 5002738: notes of entries that a commit hid were compared with nothing.
#[test]
fn what_a_commit_hid_comes_back_without_a_conflict() {
    let world = World::new(&tree! { file "lower/d/a" = "a"; file "lower/d/b/c" = "c"; file "below/d/c" = "c"; });
    let mut workspace = world.create();
    let kept = workspace.checkpoint("").expect("there is room");
    workspace.remove_tree("d").expect("it is there");
    workspace.put("d", b"ours".to_vec()).expect("a free name");
    let select = Select { only: vec!["d".to_owned()], except: vec!["d/b".to_owned()] };
    commit(&world, &mut workspace, select, OnConflict::Fail).expect("nothing is in conflict");
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    workspace.restore(kept).expect("all can come back");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
}

/// Seed 6037215: a commit hid what had been moved over an empty directory from a lower below.
#[test]
fn a_directory_that_was_moved_stays_when_a_commit_hides_its_place() {
    let world = World::new(&tree! { dir "lower/a"; file "lower/d/x" = "x"; dir "below/d/c"; });
    let mut workspace = world.create();
    workspace.rename("d/c", "a").expect("an empty directory can be replaced");
    workspace.remove_tree("d").expect("it is there");
    workspace.put("d", b"ours".to_vec()).expect("a free name");
    let shows = shown(&mut workspace);
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    assert_eq!(shown(&mut workspace), shows);
}

/// Seed 7017406: a directory that shows one from elsewhere, with changes in it, counted as one that was gone.
#[test]
fn a_directory_in_one_that_was_moved_is_no_conflict() {
    let world = World::new(&tree! { file "lower/a/a" = "1"; file "lower/a/b/c" = "2"; file "lower/d/x" = "x"; });
    let mut workspace = world.create();
    workspace.rename("a", "d/c").expect("a free name");
    let select = Select { only: vec!["a/a".to_owned()], except: vec!["**/b".to_owned()] };
    commit(&world, &mut workspace, select, OnConflict::Fail).expect("nothing is in conflict");
    workspace.rename("d", "a").expect("a free name");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
}

/// Seed 8005726: the entry that would go had another name in the list.
#[test]
fn a_conflict_is_named_by_the_entry_that_would_go() {
    let world = World::new(&tree! { file "lower/d/a" = "a"; file "lower/d/b" = "b"; });
    let mut workspace = world.create();
    workspace.rename("d", "e").expect("a free name");
    workspace.remove("e/a").expect("it is there");
    let (dir, _) = world.fs.walk(&world.fs.root(), "lower/d", false).expect("it is there");
    world.fs.rename((&dir, "d"), (&dir, "e")).expect("a free name");
    let named = workspace.conflicts(&Select::default()).expect("they can be listed");
    assert!(named.iter().any(|path| path == "e/a"), "{named:?}");
}

/// Seed 9002151: a directory came back with the former records in it, beside those of what a commit had replaced.
#[test]
fn a_restore_of_a_directory_that_was_gone_has_what_was_moved_there() {
    let world = World::new(&tree! { file "lower/a" = "a"; dir "lower/c"; });
    let mut workspace = world.create();
    workspace.rename("a", "c/a").expect("a free name");
    let (dir, name) = world.fs.walk(&world.fs.root(), "lower/c", false).expect("it is there");
    world.fs.remove_dir(&dir, &name).expect("it is empty");
    let shows = shown(&mut workspace);
    let kept = workspace.checkpoint("").expect("there is room");
    commit(&world, &mut workspace, Select::default(), OnConflict::Ours).expect("a side was chosen");
    workspace.restore(kept).expect("all can come back");
    assert_eq!(shown(&mut workspace), shows);
}

/// Seed 2050699: a directory that a part of a commit had left in its place was moved, with itself in it, and two lines
/// called it renamed.
#[test]
fn a_directory_of_the_lowers_is_renamed_once() {
    let world = World::new(&tree! { file "lower/d/a" = "a"; dir "lower/c"; dir "lower/e"; });
    let mut workspace = world.create();
    workspace.rename("d", "c/b").expect("a free name");
    workspace.rename("c", "d").expect("a free name");
    commit(&world, &mut workspace, except(&["*/b"]), OnConflict::Fail).expect("nothing is in conflict");
    workspace.rename("d", "e/d").expect("a free name");
    let page = workspace.changes(&Select::default(), None, 9).expect("they can be listed");
    let lines: Vec<_> = page.changes.into_iter().map(|changed| (changed.path, changed.change)).collect();
    let renamed = |source: &str| Change::Renamed(source.to_owned());
    let expected = [("e/d", renamed("d")), ("e/d/b", Change::Added), ("e/d/b/a", renamed("d/a"))];
    assert_eq!(lines, expected.map(|(path, change)| (path.to_owned(), change)));
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    assert_eq!(world.lowers().0, tree! { file "e/d/b/a" = "a"; });
}

/// Seed 7002937: somebody else made the same directory and removed it, and the file that shows again is the one that the
/// workspace had removed.
#[test]
fn what_was_removed_and_shows_again_is_no_conflict() {
    let world = World::new(&tree! { dir "lower/d"; file "below/d/a" = "a"; });
    let mut workspace = world.create();
    workspace.remove("d/a").expect("it is there");
    replace_outside(&world, "d/a", &Node::Directory);
    workspace.make_directory("d/a").expect("a free name");
    assert_eq!(workspace.changes(&Select::default(), None, 9).expect("they can be listed").changes, []);
    let (dir, name) = world.fs.walk(&world.fs.root(), "lower/d/a", false).expect("it is there");
    world.fs.remove_dir(&dir, &name).expect("it is empty");
    assert_eq!(workspace.conflicts(&Select::default()).expect("they can be listed"), [""; 0]);
    commit(&world, &mut workspace, Select::default(), OnConflict::Fail).expect("nothing is in conflict");
    assert_eq!(world.lowers().0, tree! { dir "d/a"; });
}
