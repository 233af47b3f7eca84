//! The crash states of names.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{Model, SimFs, tree};

use super::{any, exactly, put};

/// Create, write and rename over, with no sync: the new name may be there with an empty file, or
/// with a file of the right length and no data in it. The classic loss.
#[test]
fn rename_without_sync_reaches_an_empty_file() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "old"; });
    let root = fs.root();
    put(&fs, &root, "t", b"new")?;
    fs.rename((&root, "t"), (&root, "a"))?;
    let images = any(&fs);
    exactly(
        &images,
        &[
            tree! { file "a" = "old"; },
            tree! { file "a" = "old"; file "t" = ""; },
            tree! { file "a" = "old"; file "t" = "\0\0\0"; },
            tree! { file "a" = "old"; file "t" = "new"; },
            tree! { file "a" = ""; },
            tree! { file "a" = "\0\0\0"; },
            tree! { file "a" = "new"; },
        ],
    );
    Ok(())
}

/// With the file synced and the directory not, the old content is reachable, the new one too, and
/// nothing between the two.
#[test]
fn rename_after_file_sync_is_old_or_new() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "old"; });
    let root = fs.root();
    let file = put(&fs, &root, "t", b"new")?;
    fs.sync_file(&file)?;
    fs.rename((&root, "t"), (&root, "a"))?;
    exactly(
        &any(&fs),
        &[tree! { file "a" = "old"; }, tree! { file "a" = "old"; file "t" = "new"; }, tree! { file "a" = "new"; }],
    );
    fs.sync_dir(&root)?;
    exactly(&any(&fs), &[tree! { file "a" = "new"; }]);
    Ok(())
}

/// A file that was synced and whose directory was not may be gone without trace.
#[test]
fn file_sync_does_not_keep_the_name() -> Result<(), Cause> {
    let fs = SimFs::new();
    let file = put(&fs, &fs.root(), "a", b"x")?;
    fs.sync_file(&file)?;
    exactly(&any(&fs), &[tree! {}, tree! { file "a" = "x"; }]);
    Ok(())
}

/// A name that was removed and given again leads to the old inode, to none, or to the new one.
#[test]
fn unlink_then_create_is_old_none_or_new() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "old"; });
    let root = fs.root();
    fs.remove_file(&root, "a")?;
    let file = put(&fs, &root, "a", b"new")?;
    fs.sync_file(&file)?;
    exactly(&any(&fs), &[tree! { file "a" = "old"; }, tree! {}, tree! { file "a" = "new"; }]);
    Ok(())
}

/// A removal cannot reach the disk before the entry that it removes: a file created and removed again leaves the file
/// that had the name before, never an empty place.
#[test]
fn delete_depends_on_the_set_it_takes_back() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "old"; });
    let root = fs.root();
    let file = put(&fs, &root, "t", b"new")?;
    fs.sync_file(&file)?;
    fs.rename((&root, "t"), (&root, "a"))?;
    fs.remove_file(&root, "a")?;
    let images = any(&fs);
    exactly(
        &images,
        &[
            tree! { file "a" = "old"; },
            tree! { file "a" = "old"; file "t" = "new"; },
            tree! { file "a" = "new"; },
            tree! {},
        ],
    );
    Ok(())
}

/// A chain of renames in one directory never shows a file twice and never loses it.
#[test]
fn rename_chain_keeps_exactly_one_name() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "x"; });
    let root = fs.root();
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "d")] {
        fs.rename((&root, from), (&root, to))?;
    }
    exactly(
        &any(&fs),
        &[tree! { file "a" = "x"; }, tree! { file "b" = "x"; }, tree! { file "c" = "x"; }, tree! { file "d" = "x"; }],
    );
    Ok(())
}

/// Two independent renames may reach the disk in either order.
#[test]
fn independent_renames_are_not_ordered_under_any() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "1"; file "b" = "2"; });
    let root = fs.root();
    fs.rename((&root, "a"), (&root, "c"))?;
    fs.rename((&root, "b"), (&root, "d"))?;
    let second_alone = tree! { file "a" = "1"; file "d" = "2"; };
    assert!(any(&fs).contains(&second_alone));
    assert!(!fs.images(Model::Ordered).contains(&second_alone));
    assert_eq!(any(&fs).trees.len(), 4);
    assert_eq!(fs.images(Model::Ordered).trees.len(), 3);
    Ok(())
}

/// Two names of one file show the same content after a crash, and are still one file.
#[test]
fn hard_links_share_content_after_a_crash() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    let file = fs.create_file(&root, "a")?;
    fs.link((&root, "a"), (&root, "b"))?;
    fs.sync_dir(&root)?;
    fs.write(&file, 0, b"new")?;
    let images = any(&fs);
    assert!(images.all(|tree| tree.is_same("a", "b") && tree.bytes("a") == tree.bytes("b")));
    assert!(images.any(|tree| tree.bytes("b") == Some(b"")));
    assert!(images.any(|tree| tree.bytes("b") == Some(b"new")));
    Ok(())
}

/// A removal acts on a name and its inode: the other name of the file stays, in every image.
#[test]
fn unlink_of_one_hard_link_keeps_the_other() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "x"; same "b" = "a"; });
    fs.remove_file(&fs.root(), "a")?;
    exactly(&any(&fs), &[tree! { file "a" = "x"; same "b" = "a"; }, tree! { file "b" = "x"; }]);
    Ok(())
}

/// A rename over one of two names of a file leaves the content of the other alone.
#[test]
fn rename_over_a_hard_link_keeps_the_other() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a" = "x"; same "b" = "a"; });
    let root = fs.root();
    let file = put(&fs, &root, "t", b"new")?;
    fs.sync_file(&file)?;
    fs.rename((&root, "t"), (&root, "a"))?;
    assert!(any(&fs).all(|tree| tree.bytes("b") == Some(b"x")));
    Ok(())
}

/// A rename between two names of one file does nothing, and leaves nothing pending.
#[test]
fn rename_onto_the_same_inode_does_nothing() -> Result<(), Cause> {
    let before = tree! { file "a" = "x"; same "b" = "a"; };
    let fs = SimFs::holding(&before);
    let root = fs.root();
    fs.rename((&root, "a"), (&root, "b"))?;
    exactly(&any(&fs), &[before]);
    Ok(())
}

/// A symbolic link comes with its text or not at all, and a rename over it replaces the link.
#[test]
fn symlinks_are_whole() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "g1" = "1"; file "g2" = "2"; symlink "now" = "g1"; });
    let root = fs.root();
    fs.symlink("g2", &root, "t")?;
    fs.rename((&root, "t"), (&root, "now"))?;
    let base = tree! { file "g1" = "1"; file "g2" = "2"; };
    exactly(
        &any(&fs),
        &[
            base.clone().symlink("now", "g1"),
            base.clone().symlink("now", "g1").symlink("t", "g2"),
            base.symlink("now", "g2"),
        ],
    );
    Ok(())
}
