//! The state after a fault.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{Fault, Harm, Model, SimFs, Switches, Tree, When, tree};

use super::{any, exactly, put};

/// A failed sync drops the data for ever: the next sync succeeds, and the file is zeros.
#[test]
fn failed_sync_drops_data_and_the_next_one_lies() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    let file = fs.create_file(&root, "f")?;
    fs.sync_dir(&root)?;
    fs.write(&file, 0, b"abc")?;
    fs.harm(Fault::once(When::Sync(1), Harm::LoseSync));
    assert_eq!(fs.sync_file(&file), Err(Cause::Io));
    assert_eq!(fs.sync_file(&file), Ok(()));
    exactly(&any(&fs), &[Tree::new().file("f", "\0\0\0")]);
    // Only the page cache still has it.
    exactly(&fs.images(Model::Process), &[Tree::new().file("f", "abc")]);
    Ok(())
}

/// A sync that is skipped reports success and keeps nothing.
#[test]
fn skipped_sync_keeps_nothing() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    fs.harm(Fault::once(When::Sync(0), Harm::SkipSync));
    let file = put(&fs, &root, "f", b"x")?;
    fs.sync_file(&file)?;
    fs.sync_dir(&root)?;
    assert!(any(&fs).contains(&tree! { file "f" = ""; }));
    Ok(())
}

/// A short write accepts some bytes and returns their number.
#[test]
fn short_write_tells_how_many() -> Result<(), Cause> {
    let fs = SimFs::with_switches(Switches { short_writes: true, ..Switches::default() });
    let file = fs.create_file(&fs.root(), "f")?;
    assert_eq!(fs.write(&file, 0, b"abcde")?, 3);
    assert_eq!(fs.write(&file, 3, b"de")?, 1);
    assert_eq!(fs.write(&file, 4, b"e")?, 1);
    assert_eq!(fs.tree(), tree! { file "f" = "abcde"; });
    Ok(())
}

/// A dead process changes nothing more; its earlier changes stay visible to the next.
#[test]
fn dead_process_changes_nothing() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    fs.harm(Fault::once(When::Mutation(2), Harm::Die));
    put(&fs, &root, "f", b"x")?;
    assert_eq!(fs.make_dir(&root, "d"), Err(Cause::Io));
    assert_eq!(fs.stat(&root, "f"), Err(Cause::Io));
    assert_eq!(fs.tree(), tree! { file "f" = "x"; });
    fs.heal();
    fs.restart();
    assert_eq!(fs.stat(&root, "f")?.size, 1);
    Ok(())
}

/// A failed call has no effect unless the fault comes late.
#[test]
fn failed_call_has_no_effect() -> Result<(), Cause> {
    let fs = SimFs::new();
    let root = fs.root();
    fs.harm(Fault::once(When::Call(0), Harm::Fail(Cause::Quota)));
    fs.harm(Fault::once(When::Call(1), Harm::FailLate(Cause::Io)));
    assert_eq!(fs.make_dir(&root, "a"), Err(Cause::Quota));
    assert_eq!(fs.make_dir(&root, "b"), Err(Cause::Io));
    assert_eq!(fs.tree(), tree! { dir "b"; });
    Ok(())
}

/// A feature that is switched off is refused, and leaves nothing.
#[test]
fn switched_off_is_unsupported() -> Result<(), Cause> {
    let off = Switches { directory_sync: false, hard_links: false, symlinks: false, ..Switches::default() };
    let fs = SimFs::with_switches(off);
    let root = fs.root();
    put(&fs, &root, "f", b"x")?;
    assert_eq!(fs.sync_dir(&root), Err(Cause::Unsupported));
    assert_eq!(fs.link((&root, "f"), (&root, "g")), Err(Cause::Unsupported));
    assert_eq!(fs.symlink("f", &root, "l"), Err(Cause::Unsupported));
    assert_eq!(fs.tree(), tree! { file "f" = "x"; });
    Ok(())
}
