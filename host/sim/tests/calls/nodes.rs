//! The wider calls, for a host that offers the filesystem to a component.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{File, Found, OpenOptions, SimFs, Stamp, Trespass, tree};

const WRITE: OpenOptions =
    OpenOptions { write: true, create: false, exclusive: false, directory: false, truncate: false, read: false };

fn file(found: Found) -> Option<File> {
    match found {
        Found::File(file) => Some(file),
        Found::Dir(_) => None,
    }
}

/// Opening an existing file for writing is reported, and so is truncating it; files that the run created, or that were
/// declared its own, are free.
#[test]
fn write_open_of_what_was_there_is_reported() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "old" = "x"; file "own/log" = "x"; });
    let root = fs.root();
    fs.open_at(&root, "new", OpenOptions { create: true, exclusive: true, ..WRITE })?;
    fs.open_at(&root, "new", WRITE)?;
    fs.open_at(&root, "old", OpenOptions { read: true, write: false, ..WRITE })?;
    assert!(fs.intrusions().is_empty());
    fs.own("own");
    let own = fs.open_dir(&root, "own")?;
    let log = file(fs.open_at(&own, "log", WRITE)?).ok_or(Cause::IsDirectory)?;
    fs.append(&log, b"y")?;
    assert!(fs.intrusions().is_empty());
    fs.open_at(&root, "old", OpenOptions { truncate: true, ..WRITE })?;
    assert!(fs.intrusions().iter().any(|found| found.what == Trespass::OpenedForWrite));
    assert!(fs.intrusions().iter().any(|found| found.what == Trespass::Wrote));
    Ok(())
}

/// Flags mean what they mean in WASI.
#[test]
fn open_flags_are_honoured() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "f" = "x"; dir "d"; symlink "l" = "f"; });
    let root = fs.root();
    let open = |name, how| fs.open_at(&root, name, how).map(|_| ());
    assert_eq!(open("none", WRITE), Err(Cause::NoEntry));
    assert_eq!(open("l", WRITE), Err(Cause::Loop));
    assert_eq!(open("d", WRITE), Err(Cause::IsDirectory));
    let directory = OpenOptions { directory: true, write: false, ..WRITE };
    assert_eq!(open("f", directory), Err(Cause::NotDirectory));
    assert_eq!(open("d", directory), Ok(()));
    let exclusive = OpenOptions { create: true, exclusive: true, ..WRITE };
    assert_eq!(open("f", exclusive), Err(Cause::AlreadyExists));
    let read_only = fs.root().read_only();
    assert_eq!(fs.open_at(&read_only, "f", WRITE).map(|_| ()), Err(Cause::NotPermitted));
    assert_eq!(fs.open_at(&read_only, "f", OpenOptions { write: false, ..WRITE }).map(|_| ()), Ok(()));
    Ok(())
}

/// Lengths grow with zeros and shrink; appending goes to the end; a reader cannot write.
#[test]
fn lengths_and_ends() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    let f = fs.create_file(&root, "f")?;
    fs.write(&f, 0, b"abc")?;
    fs.set_size(&f, 5)?;
    fs.append(&f, b"z")?;
    assert_eq!(fs.tree(), tree! { file "f" = "abc\0\0z"; });
    fs.set_size(&f, 2)?;
    assert_eq!(fs.tree(), tree! { file "f" = "ab"; });
    let reader = fs.open_file(&root, "f")?;
    assert_eq!(fs.write(&reader, 0, b"x"), Err(Cause::Other));
    assert_eq!(fs.set_size(&f, u64::MAX), Err(Cause::InsufficientSpace));
    assert_eq!(fs.write(&f, u64::MAX, b"x"), Err(Cause::InsufficientSpace));
    Ok(())
}

/// The hash of the metadata names the inode and does not see a change of its content.
#[test]
fn metadata_hash_is_of_the_inode() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "x"; same "b" = "a"; file "c" = "x"; });
    let root = fs.root();
    let hash = |name| fs.stat_at(&root, name).map(|stat| stat.metadata_hash());
    let before = hash("a")?;
    assert_eq!(before, hash("b")?);
    assert_ne!(before, hash("c")?);
    fs.set_times(&root, "a", Stamp::At(99))?;
    assert_eq!(fs.stat(&root, "b")?.modified, Some(99));
    assert_eq!(before, hash("a")?);
    Ok(())
}

/// Every call is recorded, with its path and its result.
#[test]
fn calls_are_written_down() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { dir "d"; });
    let root = fs.root();
    let dir = fs.open_dir(&root, "d")?;
    fs.make_dir(&dir, "e")?;
    assert_eq!(fs.remove_dir(&root, "none"), Err(Cause::NoEntry));
    fs.rename((&dir, "e"), (&root, "g"))?;
    let calls: Vec<String> = fs.calls().iter().map(ToString::to_string).collect();
    assert_eq!(calls, ["open-dir d", "make-dir d/e", "remove-dir none = NoEntry", "rename d/e -> g"]);
    Ok(())
}
