//! What may not be changed, and who finds out.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{Dir, SimFs, Trespass, tree};

fn scene() -> SimFs {
    let fs = SimFs::new();
    fs.plant(&tree! { file "in/f" = "x"; dir "in/d"; dir "out"; });
    fs
}

/// Every way to change something in a directory, and its answer.
fn changes(fs: &SimFs, at: &Dir) -> Vec<Result<(), Cause>> {
    vec![
        fs.create_file(at, "n").map(|_| ()),
        fs.make_dir(at, "n2"),
        fs.remove_dir(at, "d"),
        fs.remove_file(at, "f"),
        fs.rename((at, "f"), (at, "g")),
        fs.link((at, "f"), (at, "g")),
        fs.symlink("f", at, "l"),
    ]
}

/// Below a read-only grant every change is `NotPermitted`, however deep, and reading works.
#[test]
fn read_only_grant_permits_no_change() -> Result<(), Cause> {
    let fs = scene();
    let granted = fs.open_dir(&fs.root().read_only(), "in")?;
    assert_eq!(changes(&fs, &granted), vec![Err(Cause::NotPermitted); 7]);
    assert_eq!(fs.open_file(&granted, "f").map(|_| ()), Ok(()));
    // Nor does anything leave it or come in.
    let root = fs.root();
    assert_eq!(fs.rename((&granted, "f"), (&root, "f")), Err(Cause::NotPermitted));
    assert_eq!(fs.link((&granted, "f"), (&root, "f")), Err(Cause::NotPermitted));
    Ok(())
}

/// On a filesystem mounted read-only every change is `ReadOnly`.
#[test]
fn read_only_mount_takes_no_change() -> Result<(), Cause> {
    let fs = scene();
    fs.set_read_only("in");
    let inside = fs.open_dir(&fs.root(), "in")?;
    assert_eq!(changes(&fs, &inside), vec![Err(Cause::ReadOnly); 7]);
    Ok(())
}

/// Nothing is renamed or linked from one filesystem to another, and a mount point is busy.
#[test]
fn filesystems_are_not_crossed() -> Result<(), Cause> {
    let fs = scene();
    fs.set_device("out", 7);
    let root = fs.root();
    let (inside, out) = (fs.open_dir(&root, "in")?, fs.open_dir(&root, "out")?);
    assert_eq!(fs.rename((&inside, "f"), (&out, "f")), Err(Cause::CrossDevice));
    assert_eq!(fs.link((&inside, "f"), (&out, "f")), Err(Cause::CrossDevice));
    assert_eq!(fs.remove_dir(&root, "out"), Err(Cause::Busy));
    assert_eq!(fs.rename((&root, "out"), (&root, "away")), Err(Cause::Busy));
    // What is made on the other side is of the other side.
    fs.make_dir(&out, "d")?;
    assert_eq!(fs.stat_at(&out, "d")?.device, 7);
    Ok(())
}

/// A change of names below an original is reported, though it succeeds; next to it is fine.
#[test]
fn change_of_an_original_is_reported() -> Result<(), Cause> {
    let fs = scene();
    fs.set_lower("in");
    let root = fs.root();
    fs.make_dir(&root, "fine")?;
    assert!(fs.intrusions().is_empty());
    let inside = fs.open_dir(&root, "in")?;
    fs.rename((&inside, "f"), (&root, "stolen"))?;
    let found = fs.intrusions();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].what, Trespass::ChangedLower);
    Ok(())
}

/// The mark of an original survives a crash.
#[test]
fn originals_are_known_after_a_reboot() -> Result<(), Cause> {
    let fs = scene();
    fs.set_lower("in");
    let again = SimFs::mount(fs.disk(), fs.switches());
    again.remove_file(&again.open_dir(&again.root(), "in")?, "f")?;
    assert_eq!(again.intrusions().len(), 1);
    Ok(())
}

/// Opening a pipe may never return on a real host: it is reported.
#[test]
fn opening_a_pipe_is_reported() {
    let fs = SimFs::holding(&tree! { other "p"; });
    assert!(fs.open_file(&fs.root(), "p").is_err());
    assert_eq!(fs.intrusions()[0].what, Trespass::OpenedPipe);
}
