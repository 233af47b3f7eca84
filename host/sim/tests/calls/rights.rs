//! Owners, modes, seals and boundaries are asked as on Linux, and a refusal has the answer that the kernel gives.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{Obstacle, STICKY, Seal, SimFs, Switches, Tree, Verb, tree};

const USER: u32 = 1000;
const OTHER: u32 = 2000;

fn scene() -> Tree {
    tree! {
        file "d/mine" = "m";
        file "d/theirs" = "t";
        file "e/there" = "x";
        file "d/sub/leaf" = "l";
    }
}

/// A world in which the process is a user, who owns all of it but `d/theirs`.
fn as_user() -> SimFs {
    let fs = SimFs::with_switches(Switches { user: Some(USER), ..Switches::default() });
    fs.plant(&scene());
    for (path, mode) in
        [("", 0o755), ("d", 0o755), ("d/sub", 0o755), ("e", 0o755), ("d/mine", 0o644), ("e/there", 0o644)]
    {
        fs.set_owner(path, USER, mode);
    }
    fs.set_owner("d/theirs", OTHER, 0o640);
    fs
}

fn as_root() -> SimFs {
    let fs = SimFs::new();
    fs.plant(&scene());
    fs
}

/// Only the owner of an entry, or of the directory, removes or renames an entry of a sticky directory, or renames one
/// over it.
#[test]
fn a_sticky_directory_keeps_the_entries_of_others() -> Result<(), Cause> {
    let fs = as_user();
    fs.set_owner("d", OTHER, 0o777 | STICKY);
    let d = fs.open_dir(&fs.root(), "d")?;
    assert_eq!(fs.remove_file(&d, "theirs"), Err(Cause::NotPermitted));
    assert_eq!(fs.rename((&d, "mine"), (&d, "theirs")), Err(Cause::NotPermitted));
    assert_eq!(fs.rename((&d, "theirs"), (&d, "free")), Err(Cause::NotPermitted));
    assert_eq!(fs.rename((&d, "missing"), (&d, "theirs")), Err(Cause::NoEntry), "the missing name is told first");
    fs.rename((&d, "mine"), (&d, "free"))
}

/// A directory without the write bit takes and loses no name, one without the search bit shows none, and one without
/// the read bit is not listed.
#[test]
fn modes_of_directories_are_asked() -> Result<(), Cause> {
    let fs = as_user();
    fs.set_owner("d", USER, 0o555);
    let (d, e) = (fs.open_dir(&fs.root(), "d")?, fs.open_dir(&fs.root(), "e")?);
    assert_eq!(fs.create_file(&d, "new").map(drop), Err(Cause::Access));
    assert_eq!(fs.remove_file(&d, "mine"), Err(Cause::Access));
    assert_eq!(fs.rename((&e, "there"), (&d, "there")), Err(Cause::Access));
    fs.set_owner("d", USER, 0o666);
    assert_eq!(fs.stat(&d, "mine").map(drop), Err(Cause::Access));
    fs.set_owner("d", USER, 0o333);
    assert_eq!(fs.list(&d).map(drop), Err(Cause::Access));
    assert_eq!(fs.open_file(&d, "theirs").map(drop), Err(Cause::Access));
    Ok(())
}

/// A directory of mode 0555 keeps its parent, since `..` in it would change.
#[test]
fn a_directory_moves_only_if_it_may_be_written() -> Result<(), Cause> {
    let fs = as_user();
    fs.set_owner("d/sub", USER, 0o555);
    let (d, e) = (fs.open_dir(&fs.root(), "d")?, fs.open_dir(&fs.root(), "e")?);
    fs.rename((&d, "sub"), (&d, "renamed"))?;
    assert_eq!(fs.rename((&d, "renamed"), (&e, "moved")), Err(Cause::Access));
    Ok(())
}

/// An immutable entry is neither linked, removed nor replaced, and an immutable directory is not changed, by root
/// either. What is append-only takes new names and loses none.
#[test]
fn seals_bind_root() -> Result<(), Cause> {
    let fs = as_root();
    fs.seal("d/mine", Seal::Immutable);
    fs.seal("e", Seal::AppendOnly);
    fs.seal("d/sub", Seal::Immutable);
    let (d, e) = (fs.open_dir(&fs.root(), "d")?, fs.open_dir(&fs.root(), "e")?);
    let sub = fs.open_dir(&d, "sub")?;
    assert_eq!(fs.remove_file(&d, "mine"), Err(Cause::NotPermitted));
    assert_eq!(fs.link((&d, "mine"), (&d, "second")), Err(Cause::NotPermitted));
    assert_eq!(fs.rename((&d, "theirs"), (&d, "mine")), Err(Cause::NotPermitted));
    assert_eq!(fs.open_to_write(&d, "mine").map(drop), Err(Cause::NotPermitted));
    assert_eq!(fs.create_file(&sub, "new").map(drop), Err(Cause::NotPermitted));
    assert_eq!(fs.remove_file(&sub, "leaf"), Err(Cause::NotPermitted));
    assert_eq!(fs.remove_file(&e, "there"), Err(Cause::NotPermitted));
    fs.create_file(&e, "new").map(drop)
}

/// A mount point is known before the name is looked up, a subvolume or project after it; a mounted file is busy, and a
/// directory of a lower layer of overlayfs stays where it is.
#[test]
fn boundaries_have_the_answers_of_the_kernel() -> Result<(), Cause> {
    let fs = as_root();
    fs.set_device("e", 1);
    fs.set_device("d/mine", 2);
    fs.seal("d/sub", Seal::Pinned);
    let (root, d, e) = (fs.root(), fs.open_dir(&fs.root(), "d")?, fs.open_dir(&fs.root(), "e")?);
    assert_eq!(fs.rename((&d, "missing"), (&e, "x")), Err(Cause::CrossDevice));
    assert_eq!(fs.rename((&d, "theirs"), (&d, "mine")), Err(Cause::Busy));
    assert_eq!(fs.remove_file(&d, "mine"), Err(Cause::Busy));
    assert_eq!(fs.rename((&d, "sub"), (&d, "free")), Err(Cause::CrossDevice));
    let fs = as_root();
    fs.set_project("e", 7);
    let (d, e) = (fs.open_dir(&root, "d")?, fs.open_dir(&root, "e")?);
    assert_eq!(fs.rename((&d, "missing"), (&e, "x")), Err(Cause::NoEntry), "the missing name is told first");
    assert_eq!(fs.rename((&d, "mine"), (&e, "x")), Err(Cause::CrossDevice));
    assert_eq!(fs.link((&d, "mine"), (&e, "x")), Err(Cause::CrossDevice));
    Ok(())
}

/// A file has as many names as the filesystem allows, and another user's is linked only by one who can write it.
#[test]
fn links_are_limited() -> Result<(), Cause> {
    let fs = as_user();
    let d = fs.open_dir(&fs.root(), "d")?;
    assert_eq!(fs.link((&d, "theirs"), (&d, "second")), Err(Cause::NotPermitted));
    let fs = SimFs::with_switches(Switches { links_max: 2, ..Switches::default() });
    fs.plant(&scene());
    let d = fs.open_dir(&fs.root(), "d")?;
    fs.link((&d, "mine"), (&d, "second"))?;
    assert_eq!(fs.link((&d, "mine"), (&d, "third")), Err(Cause::Other));
    Ok(())
}

/// A host may have no word for a boundary.
#[test]
fn causes_can_be_coarse() -> Result<(), Cause> {
    let fs = SimFs::with_switches(Switches { coarse: true, ..Switches::default() });
    fs.plant(&scene());
    fs.set_device("e", 1);
    fs.set_read_only("d/sub");
    let (d, e) = (fs.open_dir(&fs.root(), "d")?, fs.open_dir(&fs.root(), "e")?);
    assert_eq!(fs.rename((&d, "mine"), (&e, "x")), Err(Cause::Io));
    assert_eq!(fs.create_file(&fs.open_dir(&d, "sub")?, "new").map(drop), Err(Cause::Io));
    Ok(())
}

/// What is made belongs to the user, and a directory below a setgid directory is one.
#[test]
fn new_entries_belong_to_their_maker() -> Result<(), Cause> {
    let fs = as_user();
    fs.set_owner("d", USER, 0o2775);
    let d = fs.open_dir(&fs.root(), "d")?;
    fs.make_dir(&d, "new")?;
    fs.create_file(&d, "file")?;
    let shown = |path| fs.lstat(path).map(|lstat| (lstat.rights.owner, lstat.rights.mode));
    assert_eq!(shown("d/new"), Some((USER, 0o2755)));
    assert_eq!(shown("d/file"), Some((USER, 0o644)));
    Ok(())
}

/// An obstacle refuses its calls from its moment on, also to the next process, until it is taken away.
#[test]
fn an_obstacle_stays_in_the_way() -> Result<(), Cause> {
    let fs = as_root();
    let d = fs.open_dir(&fs.root(), "d")?;
    let obstacle = Obstacle { verb: Verb::RemoveFile, path: "d/mine".to_owned(), cause: Cause::Io, after: 0 };
    fs.obstruct(obstacle);
    assert_eq!(fs.remove_file(&d, "mine"), Err(Cause::Io));
    fs.restart();
    assert_eq!(fs.remove_file(&d, "mine"), Err(Cause::Io));
    assert_eq!(fs.obstructed(), 1);
    fs.rename((&d, "mine"), (&d, "free"))?;
    fs.clear();
    fs.remove_file(&d, "free")
}
