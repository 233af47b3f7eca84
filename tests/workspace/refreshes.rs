//! A refresh takes what somebody else did to the lowers into the workspace, by merge or by choice, and nothing else
//! changes.

use std::time::{Duration, Instant};

use onionskin::error::ErrorKind;
use onionskin::limits::{MERGED_LINES_MAX, SUMMED_BYTES_MAX};
use onionskin::store::Durability;
use onionskin::workspace::glob::Select;
use onionskin::workspace::{CommitOptions, OnConflict, Options, Quota, Resolution, Workspace};
use onionskin_sim::{SimFs, tree};

use crate::pains::write_outside;
use crate::world::{World, options, shown};

const BASE: &str = "one\ntwo\nthree\nfour\nfive\n";
const OURS: &str = "ONE\ntwo\nthree\nfour\nfive\n";
const THEIRS: &str = "one\ntwo\nthree\nfour\nFIVE\n";
const BOTH: &str = "ONE\ntwo\nthree\nfour\nFIVE\n";

fn all() -> Select {
    Select::default()
}

fn only(path: &str) -> Select {
    Select { only: vec![path.to_owned()], except: Vec::new() }
}

/// A workspace in which `text` and `other` have changed on both sides, the first one in different lines.
fn disturbed() -> (World, Workspace<SimFs>) {
    let world = World::new(&tree! { file "lower/text" = BASE; file "lower/other" = "a\n"; file "lower/same" = "s"; });
    let mut workspace = world.create();
    workspace.put("text", OURS.into()).expect("a file");
    workspace.put("other", b"b\n".to_vec()).expect("a file");
    write_outside(&world.fs, "lower/text", THEIRS.as_bytes());
    write_outside(&world.fs, "lower/other", b"c\n");
    (world, workspace)
}

fn content(workspace: &mut Workspace<SimFs>, path: &str) -> String {
    String::from_utf8(workspace.read(path, 0, 1 << 16).expect("a file")).expect("a text")
}

fn commit(world: &World, workspace: &mut Workspace<SimFs>) -> Result<(), ErrorKind> {
    let options = CommitOptions {
        into: "/lower".to_owned(),
        paths: all(),
        durability: Durability::Full,
        conflicts: OnConflict::Fail,
    };
    let answer = workspace.commit(world.fs.clone(), &world.preopens_to_commit(), &options);
    answer.map(drop).map_err(|error| error.kind())
}

#[test]
fn lines_of_both_sides_are_merged_again_and_again_and_can_be_committed() {
    let (mut world, mut workspace) = disturbed();
    let before = world.lowers();
    assert_eq!(workspace.refresh(&only("text"), Resolution::Merge).expect("no line is that of both"), ["text"]);
    assert_eq!(content(&mut workspace, "text"), BOTH);
    assert_eq!(workspace.conflicts(&all()).expect("they can be listed"), ["other"]);
    assert_eq!(world.lowers(), before);
    // Durable, and the next one begins with what was merged.
    drop(workspace);
    assert_eq!(world.fs.intrusions(), []);
    world.restart();
    let mut workspace = world.open();
    write_outside(&world.fs, "lower/text", THEIRS.replace("three", "THREE").as_bytes());
    workspace.refresh(&only("text"), Resolution::Merge).expect("no line is that of both");
    workspace.refresh(&only("other"), Resolution::Theirs).expect("a side was chosen");
    commit(&world, &mut workspace).expect("nothing is in conflict");
    let (lower, _) = world.lowers();
    assert_eq!(lower.bytes("text"), Some(BOTH.replace("three", "THREE").as_bytes()));
    assert_eq!(lower.bytes("other"), Some(&b"c\n"[..]));
    // Nothing is left of what was kept for merges.
    workspace.sync().expect("there is room");
    drop(workspace);
    assert!(world.open().recovered().is_empty());
    assert_eq!(world.fs.tree().below("upper/.onionskin/workspace/files").iter().count(), 0);
}

#[test]
fn what_overlaps_is_refused_as_a_whole_and_marked_on_request() {
    let (world, mut workspace) = disturbed();
    let before = (shown(&mut workspace), world.fs.tree().below("upper"));
    let error = workspace.refresh(&all(), Resolution::Merge).expect_err("one line is that of both");
    assert_eq!((error.kind(), error.subject()), (ErrorKind::Conflicts, "other"));
    assert_eq!(shown(&mut workspace), before.0);
    assert_eq!(workspace.conflicts(&all()).expect("they can be listed"), ["other", "text"]);
    assert_eq!(workspace.refresh(&all(), Resolution::Mark).expect("lines are marked"), ["other", "text"]);
    assert_eq!(content(&mut workspace, "text"), BOTH);
    let marked = content(&mut workspace, "other");
    assert_eq!(marked, "<<<<<<< ours\nb\n||||||| original\na\n=======\nc\n>>>>>>> theirs\n");
    commit(&world, &mut workspace).expect("nothing is in conflict");
    assert_eq!(world.lowers().0.bytes("other"), Some(marked.as_bytes()));
}

#[test]
fn a_side_is_chosen_without_a_commit() {
    for (resolution, expected) in [(Resolution::Ours, OURS), (Resolution::Theirs, THEIRS)] {
        let (world, mut workspace) = disturbed();
        workspace.refresh(&only("text"), resolution).expect("a side was chosen");
        assert_eq!(content(&mut workspace, "text"), expected);
        assert_eq!(workspace.conflicts(&all()).expect("they can be listed"), ["other"]);
        assert_eq!(workspace.refresh(&only("text"), resolution).expect("nothing is in conflict"), [""; 0]);
        workspace.remove("other").expect("a file");
        workspace.refresh(&all(), Resolution::Ours).expect("a side was chosen");
        commit(&world, &mut workspace).expect("nothing is in conflict");
        let (lower, _) = world.lowers();
        assert_eq!((lower.bytes("text"), lower.bytes("other")), (Some(expected.as_bytes()), None));
    }
}

/// The copy of the original is not synced: a loss of power may leave anything of it.
#[test]
fn a_copy_that_is_not_the_original_any_more_merges_nothing() {
    for damage in [&b"one\n"[..], b"", BASE.replace("two", "TWO").as_bytes()] {
        let (world, mut workspace) = disturbed();
        let files = "upper/.onionskin/workspace/files";
        let tree = world.fs.tree().below(files);
        let is_it = |(_, bytes): &(String, Vec<u8>)| bytes == BASE.as_bytes();
        let mut copies = tree.iter().filter_map(|(path, _)| {
            let path = String::from_utf8(path.to_vec()).expect("numbers");
            Some((path.clone(), tree.bytes(&path)?.to_vec()))
        });
        let (copy, _) = copies.find(is_it).expect("the original is kept");
        write_outside(&world.fs, &format!("{files}/{copy}"), damage);
        let error = workspace.refresh(&only("text"), Resolution::Mark).expect_err("there is no original");
        assert_eq!(error.kind(), ErrorKind::Conflicts);
        assert_eq!(content(&mut workspace, "text"), OURS);
    }
}

#[test]
fn what_is_no_text_or_too_long_is_no_merge() {
    let long = "line\n".repeat(1 + SUMMED_BYTES_MAX as usize / 5);
    let lines = "\n".repeat(MERGED_LINES_MAX);
    for (base, ours, theirs) in [
        ("a\0\nb\nc\n", "A\0\nb\nc\n", "a\0\nb\nC\n"),
        ("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\0\n"),
        ("a\nb\nc\n", "A\nb\nc\n", &*long),
        (&*long, "A\nb\nc\n", "a\nb\nC\n"),
        ("a\nb\nc\n", "A\nb\nc\n", &*lines),
    ] {
        let world = World::new(&tree! { file "lower/a" = base; });
        let mut workspace = world.create();
        workspace.put("a", ours.into()).expect("a file");
        write_outside(&world.fs, "lower/a", theirs.as_bytes());
        let error = workspace.refresh(&all(), Resolution::Mark).expect_err("it is no text");
        assert_eq!((error.kind(), content(&mut workspace, "a")), (ErrorKind::Conflicts, ours.to_owned()));
    }
}

/// A last line without an end: it is no other line, and a mark after it stands on a line of its own.
#[test]
fn the_end_of_the_last_line_is_merged_by_itself() {
    let refreshed = |base: &str, ours: &str, theirs: &str, how| {
        let world = World::new(&tree! { file "lower/a" = base; });
        let mut workspace = world.create();
        workspace.put("a", ours.into()).expect("a file");
        write_outside(&world.fs, "lower/a", theirs.as_bytes());
        let answer = workspace.refresh(&all(), how).map_err(|error| error.kind());
        answer.map(|_| content(&mut workspace, "a"))
    };
    for (base, ours, theirs, merged) in [
        ("a\nb\nc", "A\nb\nc", "a\nb\nc\n", "A\nb\nc\n"),
        ("a\nb\nc\n", "a\nb\nc", "A\nb\nc\n", "A\nb\nc"),
        ("a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC"),
        ("a\nb\nc", "a\nb\nc\n", "a\nb\nc\nd", "a\nb\nc\nd\n"),
        // The end that both added was doubled, with its line.
        ("a\nc\nc\nc", "a\nc\nB\nc\nc\n", "A\nc\nc\nc\n", "A\nc\nB\nc\nc\n"),
    ] {
        assert_eq!(
            refreshed(base, ours, theirs, Resolution::Merge).as_deref(),
            Ok(merged),
            "{base:?} {ours:?} {theirs:?}"
        );
    }
    let marked = refreshed("a\nb", "a\nours", "a\ntheirs", Resolution::Mark).expect("lines are marked");
    assert_eq!(marked, "a\n<<<<<<< ours\nours\n||||||| original\nb\n=======\ntheirs\n>>>>>>> theirs\n");
    assert_eq!(refreshed("a\nb", "a\nours", "a\ntheirs", Resolution::Merge), Err(ErrorKind::Conflicts));
}

/// What a limit of bytes leaves room for is the content of the user.
#[test]
fn a_limit_of_bytes_costs_the_merge_and_not_the_change() {
    let world = World::new(&tree! { file "lower/text" = BASE; });
    let quota = Quota { bytes: Some(OURS.len() as u64), entries: None };
    let how = Options { quota, ..options() };
    let mut workspace = Workspace::create(world.fs.clone(), &world.preopens(), &how).expect("an empty upper");
    workspace.put("text", OURS.into()).expect("there is room for it alone");
    write_outside(&world.fs, "lower/text", THEIRS.as_bytes());
    let error = workspace.refresh(&all(), Resolution::Merge).expect_err("there is no original");
    assert_eq!(error.kind(), ErrorKind::Conflicts);
}

/// Three texts that have no line in common, and as many lines as they can have.
#[test]
fn hostile_texts_are_merged_in_bounded_time() {
    let lines = |of: char| (1..MERGED_LINES_MAX).map(|number| format!("{of}{number:x}\n")).collect::<String>();
    let world = World::new(&tree! { file "lower/a" = lines('b'); });
    let mut workspace = world.create();
    workspace.put("a", lines('o').into_bytes()).expect("a file");
    write_outside(&world.fs, "lower/a", lines('t').as_bytes());
    let start = Instant::now();
    workspace.refresh(&all(), Resolution::Merge).expect_err("all lines are those of both");
    assert!(start.elapsed() < Duration::from_secs(60), "it took {:?}", start.elapsed());
}
