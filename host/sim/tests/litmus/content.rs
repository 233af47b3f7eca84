//! The crash states of content.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{Found, Model, OpenOptions, Power, SimFs, Tear, Tree};

use super::{any, exactly, put};

fn torn(tear: Tear) -> Power {
    Power { tear, ..Power::new(Model::Any) }
}

/// A file with a durable name, open for writing.
fn named(bytes: &[u8]) -> Result<(SimFs, onionskin_sim::File), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    let file = fs.create_file(&root, "f")?;
    if !bytes.is_empty() {
        fs.write(&file, 0, bytes)?;
    }
    fs.sync_file(&file)?;
    fs.sync_dir(&root)?;
    Ok((fs, file))
}

fn f(bytes: impl AsRef<[u8]>) -> Tree {
    Tree::new().file("f", bytes)
}

/// The length of a file and its data reach the disk on their own: no length, a length with zeros,
/// or both.
#[test]
fn length_and_data_are_separate() -> Result<(), Cause> {
    let (fs, file) = named(b"")?;
    fs.write(&file, 0, b"abc")?;
    exactly(&any(&fs), &[f(""), f("\0\0\0"), f("abc")]);
    fs.sync_file(&file)?;
    exactly(&any(&fs), &[f("abc")]);
    Ok(())
}

/// With garbage, a length without data shows the former content of the disk, and never zeros.
#[test]
fn extension_shows_garbage_where_wanted() -> Result<(), Cause> {
    let (fs, file) = named(b"")?;
    fs.write(&file, 0, b"abc")?;
    let images = fs.images_with(&Power { garbage: true, ..Power::new(Model::Any) });
    assert_eq!(images.trees.len(), 3);
    assert!(images.any(|tree| {
        tree.bytes("f").is_some_and(|bytes| bytes.len() == 3 && bytes != b"abc" && bytes != b"\0\0\0")
    }));
    Ok(())
}

/// A hole reads as zeros once it was synced, with garbage too.
#[test]
fn synced_hole_is_zero() -> Result<(), Cause> {
    let (fs, file) = named(b"")?;
    fs.write(&file, 3, b"x")?;
    fs.sync_file(&file)?;
    let power = Power { garbage: true, ..Power::new(Model::Any) };
    exactly(&fs.images_with(&power), &[f("\0\0\0x")]);
    Ok(())
}

/// Overwriting in place is torn at pages: any of them is old or new.
#[test]
fn pages_are_written_in_any_order() -> Result<(), Cause> {
    let (fs, file) = named(&[b'o'; 8192])?;
    fs.write(&file, 0, &[b'n'; 8192])?;
    let mixed = [vec![b'o'; 4096], vec![b'n'; 4096]].concat();
    let images = any(&fs);
    assert_eq!(images.trees.len(), 4);
    assert!(images.contains(&f(mixed)));
    Ok(())
}

/// A page is whole unless tearing is on; then it is cut at a multiple of 512 bytes.
#[test]
fn page_is_torn_at_sectors_where_wanted() -> Result<(), Cause> {
    let (fs, file) = named(&[b'o'; 2048])?;
    fs.write(&file, 0, &[b'n'; 2048])?;
    assert_eq!(any(&fs).trees.len(), 2);
    let prefix = fs.images_with(&torn(Tear::Prefix));
    let cut = |at: usize| f([vec![b'n'; at], vec![b'o'; 2048 - at]].concat());
    exactly(&prefix, &[cut(0), cut(512), cut(1024), cut(1536), cut(2048)]);
    assert_eq!(fs.images_with(&torn(Tear::Sectors)).trees.len(), 16);
    Ok(())
}

/// A synced file is never torn, with any switches.
#[test]
fn synced_content_is_never_torn() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    let file = put(&fs, &root, "f", &[b'n'; 3000])?;
    fs.sync_file(&file)?;
    let power = Power { garbage: true, ..torn(Tear::Sectors) };
    exactly(&fs.images_with(&power), &[Tree::new(), f([b'n'; 3000])]);
    Ok(())
}

/// Truncation is one operation: the old length or the new, and the data in front stays.
#[test]
fn truncation_is_old_or_new() -> Result<(), Cause> {
    let (fs, file) = named(b"abcdef")?;
    fs.set_size(&file, 2)?;
    exactly(&any(&fs), &[f("abcdef"), f("ab")]);
    Ok(())
}

/// Truncating to nothing and writing anew, as an editor without care does, may leave the file
/// empty.
#[test]
fn truncate_and_write_reaches_an_empty_file() -> Result<(), Cause> {
    let fs = SimFs::holding(&f("old"));
    let how = OpenOptions { write: true, truncate: true, ..OpenOptions::default() };
    let Found::File(file) = fs.open_at(&fs.root(), "f", how)? else {
        panic!("a file was planted");
    };
    fs.write(&file, 0, b"new")?;
    let images = any(&fs);
    assert!(images.contains(&f("")));
    // Data without its truncation: the length was right all along.
    exactly(&images, &[f("old"), f(""), f("\0\0\0"), f("new")]);
    // The monitor saw that an older file was opened for writing, and written.
    assert!(fs.intrusions().len() >= 2);
    Ok(())
}

/// A write that was not synced is not brought along by the sync of another file.
#[test]
fn file_sync_reaches_one_file() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    let one = fs.create_file(&root, "f")?;
    let two = fs.create_file(&root, "g")?;
    fs.sync_dir(&root)?;
    fs.write(&one, 0, b"1")?;
    fs.write(&two, 0, b"2")?;
    fs.sync_file(&two)?;
    let images = any(&fs);
    assert!(images.all(|tree| tree.bytes("g") == Some(b"2")));
    assert!(images.any(|tree| tree.bytes("f") == Some(b"")));
    Ok(())
}
