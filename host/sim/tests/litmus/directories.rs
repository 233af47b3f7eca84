//! The crash states of directories and their entries.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{Model, SimFs, tree};

use super::{any, exactly, put};

/// A new directory whose name was not synced may vanish with everything below it, however well
/// that was synced.
#[test]
fn unsynced_directory_vanishes_with_its_content() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    fs.make_dir(&root, "d")?;
    let dir = fs.open_dir(&root, "d")?;
    let file = put(&fs, &dir, "f", b"x")?;
    fs.sync_file(&file)?;
    fs.sync_dir(&dir)?;
    exactly(&any(&fs), &[tree! {}, tree! { file "d/f" = "x"; }]);
    Ok(())
}

/// A sync of the outer directory keeps the name of the inner one, and nothing that is in it.
#[test]
fn sync_of_the_parent_does_not_reach_the_child() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    fs.make_dir(&root, "d")?;
    let dir = fs.open_dir(&root, "d")?;
    let file = put(&fs, &dir, "f", b"x")?;
    fs.sync_file(&file)?;
    fs.sync_dir(&root)?;
    exactly(&any(&fs), &[tree! { dir "d"; }, tree! { file "d/f" = "x"; }]);
    Ok(())
}

/// A sync of a directory makes every change of names in it durable.
#[test]
fn directory_sync_keeps_every_name_in_it() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "old" = "1"; file "gone" = "2"; });
    let root = fs.root();
    fs.rename((&root, "old"), (&root, "moved"))?;
    fs.remove_file(&root, "gone")?;
    fs.make_dir(&root, "d")?;
    fs.sync_dir(&root)?;
    exactly(&any(&fs), &[tree! { file "moved" = "1"; dir "d"; }]);
    Ok(())
}

/// A sync of the target directory of a rename brings the source along: the rename is one
/// operation, and the name that it removes was set by one that it needs.
#[test]
fn directory_sync_brings_what_it_depends_on() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { dir "a"; dir "b"; });
    let root = fs.root();
    let (a, b) = (fs.open_dir(&root, "a")?, fs.open_dir(&root, "b")?);
    let file = put(&fs, &a, "t", b"x")?;
    fs.sync_file(&file)?;
    fs.rename((&a, "t"), (&b, "f"))?;
    fs.sync_dir(&b)?;
    exactly(&any(&fs), &[tree! { dir "a"; file "b/f" = "x"; }]);
    Ok(())
}

/// A rename across directories is torn under `split`: the file may be in both or in neither.
/// Under `any` it is in one.
#[test]
fn rename_across_directories_is_torn_under_split_alone() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a/f" = "x"; dir "b"; });
    let root = fs.root();
    let (a, b) = (fs.open_dir(&root, "a")?, fs.open_dir(&root, "b")?);
    fs.rename((&a, "f"), (&b, "f"))?;
    let (before, after) = (tree! { file "a/f" = "x"; dir "b"; }, tree! { dir "a"; file "b/f" = "x"; });
    exactly(&any(&fs), &[before.clone(), after.clone()]);
    let both = tree! { file "a/f" = "x"; same "b/f" = "a/f"; };
    let neither = tree! { dir "a"; dir "b"; };
    exactly(&fs.images(Model::Split), &[before, after, both, neither]);
    Ok(())
}

/// A sync of the source directory alone may lose a file under `split`.
#[test]
fn sync_of_the_source_alone_loses_the_file_under_split() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "a/f" = "x"; dir "b"; });
    let root = fs.root();
    let (a, b) = (fs.open_dir(&root, "a")?, fs.open_dir(&root, "b")?);
    fs.rename((&a, "f"), (&b, "f"))?;
    fs.sync_dir(&a)?;
    exactly(&fs.images(Model::Split), &[tree! { dir "a"; dir "b"; }, tree! { dir "a"; file "b/f" = "x"; }]);
    exactly(&any(&fs), &[tree! { dir "a"; file "b/f" = "x"; }]);
    Ok(())
}

/// Changes below a directory go where the directory goes: names are set in inodes, not in paths.
#[test]
fn changes_follow_a_renamed_directory() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { dir "d"; });
    let root = fs.root();
    let dir = fs.open_dir(&root, "d")?;
    fs.rename((&root, "d"), (&root, "e"))?;
    let file = put(&fs, &dir, "f", b"x")?;
    fs.sync_file(&file)?;
    fs.sync_dir(&dir)?;
    exactly(&any(&fs), &[tree! { file "d/f" = "x"; }, tree! { file "e/f" = "x"; }]);
    Ok(())
}

/// A removed directory may still exist, with the entries that were removed from it first.
#[test]
fn removal_of_a_tree_is_not_ordered() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "d/f" = "x"; });
    let root = fs.root();
    let dir = fs.open_dir(&root, "d")?;
    fs.remove_file(&dir, "f")?;
    fs.remove_dir(&root, "d")?;
    exactly(&any(&fs), &[tree! { file "d/f" = "x"; }, tree! { dir "d"; }, tree! {}]);
    Ok(())
}

/// The swap of a directory by two renames may leave neither under the name, and never both.
#[test]
fn directory_swap_has_a_moment_of_nothing() -> Result<(), Cause> {
    let fs = SimFs::holding(&tree! { file "x/f" = "old"; file "r/f" = "new"; });
    let root = fs.root();
    fs.rename((&root, "x"), (&root, "o"))?;
    fs.rename((&root, "r"), (&root, "x"))?;
    exactly(
        &any(&fs),
        &[
            tree! { file "x/f" = "old"; file "r/f" = "new"; },
            tree! { file "o/f" = "old"; file "r/f" = "new"; },
            // The second rename alone replaces the old directory: that loses it.
            tree! { file "x/f" = "new"; },
            tree! { file "o/f" = "old"; file "x/f" = "new"; },
        ],
    );
    Ok(())
}
