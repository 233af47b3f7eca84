//! The result of each call for each kind of entry.

use onionskin::fs::{Cause, Fs, Kind};
use onionskin_sim::{Node, SimFs, Switches, Tree, tree};

fn scene() -> Tree {
    tree! {
        file "file" = "f"; file "file2" = "f2"; same "hard" = "file";
        dir "empty"; file "full/x" = "x"; dir "full/sub";
        symlink "link" = "file"; symlink "dirlink" = "full"; symlink "abs" = "/etc";
        other "pipe";
    }
}

/// A rename, and its result.
#[track_caller]
fn rename(from: &str, to: &str, expected: Result<Tree, Cause>) {
    let fs = SimFs::holding(&scene());
    let root = fs.root();
    let result = fs.rename((&root, from), (&root, to));
    assert_eq!(result.map(|()| fs.tree()), expected);
    if expected.is_err() {
        assert_eq!(fs.tree(), scene(), "a call that fails changes nothing");
    }
}

/// A rename replaces the entry of the new name if the kinds permit, and otherwise reports the reason.
#[test]
fn rename_over_every_kind() {
    rename("file2", "file", Ok(scene().remove("file2").file("file", "f2")));
    rename("file2", "link", Ok(scene().remove("file2").file("link", "f2")));
    rename("link", "file2", Ok(scene().remove("link").symlink("file2", "file")));
    rename("file2", "pipe", Ok(scene().remove("file2").file("pipe", "f2")));
    rename("full", "empty", Ok(scene().remove("full").file("empty/x", "x").dir("empty/sub")));
    rename("empty", "full", Err(Cause::NotEmpty));
    rename("empty", "file", Err(Cause::NotDirectory));
    rename("full", "link", Err(Cause::NotDirectory));
    rename("file", "empty", Err(Cause::IsDirectory));
    rename("file", "hard", Ok(scene()));
    rename("file", "file", Ok(scene()));
    rename("none", "file", Err(Cause::NoEntry));
}

/// A directory can be renamed neither into itself nor over its parent.
#[test]
fn rename_into_itself_is_refused() -> Result<(), Cause> {
    let fs = SimFs::holding(&scene());
    let root = fs.root();
    let full = fs.open_dir(&root, "full")?;
    let sub = fs.open_dir(&full, "sub")?;
    assert_eq!(fs.rename((&root, "full"), (&full, "y")), Err(Cause::Other));
    assert_eq!(fs.rename((&root, "full"), (&sub, "y")), Err(Cause::Other));
    assert_eq!(fs.rename((&full, "x"), (&root, "full")), Err(Cause::NotEmpty));
    assert_eq!(fs.tree(), scene());
    Ok(())
}

/// Opening, removing and linking distinguish kinds, and never follow a link.
#[test]
fn calls_tell_kinds_apart() -> Result<(), Cause> {
    let fs = SimFs::holding(&scene());
    let root = fs.root();
    let open_dir = |name| fs.open_dir(&root, name).map(|_| ());
    assert_eq!(open_dir("link"), Err(Cause::Loop));
    assert_eq!(open_dir("dirlink"), Err(Cause::Loop));
    assert_eq!(open_dir("file"), Err(Cause::NotDirectory));
    assert_eq!(open_dir("none"), Err(Cause::NoEntry));
    let open_file = |name| fs.open_file(&root, name).map(|_| ());
    assert_eq!(open_file("link"), Err(Cause::Loop));
    assert_eq!(open_file("full"), Err(Cause::IsDirectory));
    let create = |name| fs.create_file(&root, name).map(|_| ());
    for name in ["file", "full", "link", "abs", "pipe"] {
        assert_eq!(create(name), Err(Cause::AlreadyExists), "{name}");
        assert_eq!(fs.make_dir(&root, name), Err(Cause::AlreadyExists), "{name}");
        assert_eq!(fs.link((&root, "file"), (&root, name)), Err(Cause::AlreadyExists), "{name}");
    }
    assert_eq!(fs.remove_file(&root, "full"), Err(Cause::IsDirectory));
    assert_eq!(fs.remove_dir(&root, "file"), Err(Cause::NotDirectory));
    assert_eq!(fs.remove_dir(&root, "dirlink"), Err(Cause::NotDirectory));
    assert_eq!(fs.remove_dir(&root, "full"), Err(Cause::NotEmpty));
    assert_eq!(fs.link((&root, "full"), (&root, "new")), Err(Cause::NotPermitted));
    assert_eq!(fs.tree(), scene());
    Ok(())
}

/// The text of a relative link can be read; that of an absolute one cannot, nor can one be made.
#[test]
fn absolute_links_stay_closed() -> Result<(), Cause> {
    let fs = SimFs::holding(&scene());
    let root = fs.root();
    assert_eq!(fs.read_link(&root, "link")?, "file");
    assert_eq!(fs.read_link(&root, "abs"), Err(Cause::NotPermitted));
    assert_eq!(fs.read_link(&root, "file"), Err(Cause::Other));
    assert_eq!(fs.symlink("/etc", &root, "new"), Err(Cause::NotPermitted));
    assert_eq!(fs.stat(&root, "abs")?.kind, Kind::Symlink);
    Ok(())
}

/// A link to a link is a second name of the link itself.
#[test]
fn a_link_is_linked_not_followed() -> Result<(), Cause> {
    let fs = SimFs::holding(&scene());
    let root = fs.root();
    fs.link((&root, "link"), (&root, "new"))?;
    assert_eq!(fs.stat(&root, "new")?.kind, Kind::Symlink);
    assert!(fs.is_same((&root, "link"), (&root, "new"))?);
    assert!(!fs.is_same((&root, "link"), (&root, "file"))?);
    Ok(())
}

/// Names that lead to a file are counted, also when one is replaced.
#[test]
fn links_are_counted() -> Result<(), Cause> {
    let fs = SimFs::holding(&scene());
    let root = fs.root();
    assert_eq!(fs.stat(&root, "file")?.links, 2);
    let open = fs.open_file(&root, "file")?;
    fs.rename((&root, "file2"), (&root, "hard"))?;
    assert_eq!(fs.stat_file(&open)?.links, 1);
    fs.remove_file(&root, "file")?;
    assert_eq!(fs.stat_file(&open)?.links, 0);
    // An open file outlives its last name.
    assert_eq!(fs.read(&open, 0, 9)?, b"f");
    Ok(())
}

/// A handle goes with its inode, and nothing can be made in a directory that was removed.
#[test]
fn handles_follow_inodes() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { dir "a"; });
    let root = fs.root();
    let dir = fs.open_dir(&root, "a")?;
    fs.rename((&root, "a"), (&root, "b"))?;
    fs.make_dir(&dir, "in")?;
    assert_eq!(fs.tree(), tree! { dir "b/in"; });
    fs.remove_dir(&dir, "in")?;
    fs.remove_dir(&root, "b")?;
    assert_eq!(fs.make_dir(&dir, "late"), Err(Cause::NoEntry));
    assert_eq!(fs.sync_dir(&dir), Ok(()));
    Ok(())
}

/// A name that is not UTF-8 fails the listing that it is in.
#[test]
fn an_unspeakable_name_fails_its_listing() {
    let strange = Node::File { bytes: Default::default(), group: None };
    let fs = SimFs::holding(&tree! { file "a" = ""; }.with(b"d\xff", strange));
    let root = fs.root();
    assert_eq!(fs.list(&root), Err(Cause::IllegalName));
}

/// A name is one component of limited length.
#[test]
fn bad_names_are_refused() {
    let fs = SimFs::new();
    let root = fs.root();
    for name in ["", ".", "..", "a/b", "a\0"] {
        assert_eq!(fs.make_dir(&root, name), Err(Cause::IllegalName), "{name:?}");
    }
    assert_eq!(fs.make_dir(&root, &"n".repeat(256)), Err(Cause::NameTooLong));
    assert_eq!(fs.make_dir(&root, &"n".repeat(255)), Ok(()));
}

/// Where case is ignored, names that differ in nothing else are one; the first spelling stays.
#[test]
fn case_is_ignored_where_wanted() -> Result<(), Cause> {
    let fs = SimFs::with_switches(Switches { ignore_case: true, ..Switches::default() });
    fs.plant(&tree! { file "Name" = "x"; });
    let root = fs.root();
    assert_eq!(fs.create_file(&root, "nAME").map(|_| ()), Err(Cause::AlreadyExists));
    assert_eq!(fs.stat(&root, "NAME")?.size, 1);
    assert_eq!(fs.rename((&root, "name"), (&root, "NAME")), Ok(()));
    assert_eq!(fs.tree(), tree! { file "Name" = "x"; });
    fs.remove_file(&root, "nAmE")?;
    assert!(fs.tree().is_empty());
    Ok(())
}

/// Every write moves the time on, and no two are alike.
#[test]
fn time_moves_with_every_change() -> Result<(), Cause> {
    let fs = SimFs::new();
    let file = fs.create_file(&fs.root(), "f")?;
    let mut last = fs.stat_file(&file)?.modified;
    for _ in 0..3 {
        fs.write(&file, 0, b"x")?;
        let now = fs.stat_file(&file)?.modified;
        assert!(now > last);
        last = now;
    }
    Ok(())
}
