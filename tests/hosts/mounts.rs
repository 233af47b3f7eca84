//! A full disk, a read-only one, or a mount point in the way: an error that says so, and nothing lost.
//!
//! The disks are small filesystems in memory, which only root may mount; without that right each test reports that it
//! is skipped. [`crate::demo`] and [`crate::errors`] inject the same failures at every call.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use onionskin_host::{
    Cause, Content, Error, ErrorKind, Fault, Faults, GuestError, OpenOptions, Publish, Receipt, Source, Store, Tier,
    WriteOptions,
};

use crate::ground;
use crate::scene::{PUBLISH, Scene, no_starts, onionskin, publish, refused, run};

const PAGE_BYTES: usize = 4096;

/// A filesystem in memory, unmounted on drop.
struct Mount(PathBuf);

impl Mount {
    /// Mounts one over a directory, or reports that it cannot.
    fn new(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&at).expect("a place to mount at");
        if run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "onionskin"]).arg(&at)) {
            return Some(Self(at));
        }
        ground::skip("only root can mount a filesystem");
        None
    }

    fn make_read_only(&self) {
        assert!(run(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0)), "it was mounted by us");
    }

    fn make_writable(&self) {
        assert!(run(Command::new("mount").args(["-o", "remount,rw"]).arg(&self.0)), "it was mounted by us");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a failing test may still have files open in it.
        run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

type Change = (&'static str, fn(&Store, &[u8]) -> Result<Receipt, Error>);

/// Every way to write to `d`; the last two publish it as a whole.
const CHANGES: [Change; 6] = [
    ("replace", |store, data| store.replace("d/a", data, &WriteOptions::default())),
    ("writer", |store, data| {
        let mut writer = store.writer("d/a", &WriteOptions::default())?;
        data.chunks(10_000).try_for_each(|chunk| writer.append(chunk))?;
        writer.commit()
    }),
    ("materialize", |store, _| store.materialize("link", &Source::LinkTarget, &Content::Keep)),
    ("in place", |store, data| put(store, Publish::InPlace, data)),
    ("swap", |store, data| put(store, Publish::Swap, data)),
    ("pointer", |store, data| put(store, Publish::Pointer, data)),
];

fn put(store: &Store, mode: Publish, data: &[u8]) -> Result<Receipt, Error> {
    let mut change = store.begin("d", &publish(mode))?;
    change.put("a", data)?;
    change.put("b", data)?;
    change.commit()
}

/// Content that does not fit is not committed, with the lack of space as the cause; the old content stays, the space is
/// free again, and smaller content can be written.
#[test]
fn content_that_does_not_fit() {
    let original = "o".repeat(2 << 20);
    for (name, change) in CHANGES {
        let scene = Scene::new(&[("lower/original", &original)]);
        let Some(_mount) = Mount::new(scene.root(), "size=512k") else { return end(scene) };
        let _space_is_free_at_once = no_starts();
        ground::write(&scene.at("root/d/a"), "old");
        ground::write(&scene.at("root/d/b"), "old");
        scene.absolute("lower/original", "root/link");
        let before = scene.tree();
        let store = scene.open();
        let error = refused(name, change(&store, &vec![b'n'; 2 << 20]));
        let kind_and_cause = (error.kind, error.cause);
        assert_eq!(
            kind_and_cause,
            (ErrorKind::NotCommitted, Some(Cause::InsufficientSpace)),
            "{name}: {}",
            error.message
        );
        assert!(!error.subject.is_empty() && error.message.contains(&error.subject), "{name}: {error:?}");
        let half = vec![b'h'; 256 << 10];
        store.replace("half", &half, &WriteOptions::default()).unwrap_or_else(|e| panic!("{name}: no space: {e}"));
        store.close().expect("the store closes");
        fs::remove_file(scene.at("root/half")).expect("it is there");
        assert_eq!(ground::difference(&before, &scene.tree()), ground::NONE, "{name}");
        scene.done();
    }
}

/// With fewer and fewer free pages, down to none, the files are old or new as the outcome says; once there is space
/// again the next open leaves no record.
#[test]
fn a_disk_that_fills_up_at_every_point() {
    for (name, change) in CHANGES {
        let mut failed = 0;
        for pages in 0..24 {
            let context = format!("{name}, {pages} pages left");
            let scene = Scene::new(&[("lower/original", "original")]);
            let Some(_mount) = Mount::new(scene.root(), "size=256k") else { return end(scene) };
            let _space_is_free_at_once = no_starts();
            ground::write(&scene.at("root/d/a"), "old");
            ground::write(&scene.at("root/d/b"), "old");
            scene.absolute("lower/original", "root/link");
            fill(&scene.at("root/filler"), pages);
            let store = scene.open();
            let result = change(&store, b"new").map_err(|error| refused::<()>(&context, Err(error)));
            store.close().expect("the store closes");
            fs::remove_file(scene.at("root/filler")).expect("it is there");
            scene.recover();
            let link = if scene.at("root/link").is_symlink() { "old" } else { "new" };
            let seen = match name {
                "materialize" => [link.to_owned(), link.to_owned()],
                "replace" | "writer" => [scene.text("root/d/a"), scene.text("root/d/a")],
                _ => [scene.text("root/d/a"), scene.text("root/d/b")],
            };
            let expected = result.as_ref().map_or_else(|error| sides(error, &context), |_| &["new"]);
            assert!(expected.iter().any(|side| seen == [*side, *side]), "{context}: {result:?}, and then {seen:?}");
            failed += u32::from(result.is_err());
            finish(scene, name);
        }
        println!("{name}: {failed} of 24 failed");
        assert!(failed > 0 && failed < 24, "{name}: {failed} failed");
    }
}

/// Returns the states that the files may have after this error.
fn sides(error: &GuestError, context: &str) -> &'static [&'static str] {
    let sides: [(ErrorKind, &[&str]); 3] = [
        (ErrorKind::NotCommitted, &["old"]),
        (ErrorKind::NeedsRecovery, &["new"]),
        (ErrorKind::OutcomeUnknown, &["old", "new"]),
    ];
    let found = sides.into_iter().find(|(kind, _)| *kind == error.kind);
    found
        .unwrap_or_else(|| {
            panic!("{context}: {:?} is not the kind of a filesystem failure: {}", error.kind, error.message)
        })
        .1
}

/// Fills the filesystem up to this number of free pages.
fn fill(path: &Path, pages: usize) {
    let mut length = 0;
    let filler = fs::File::create(path).expect("a new file");
    loop {
        use std::os::unix::fs::FileExt as _;
        if filler.write_all_at(&[b'f'; PAGE_BYTES], length).is_err() {
            break;
        }
        length += PAGE_BYTES as u64;
    }
    filler.set_len(length.saturating_sub((pages * PAGE_BYTES) as u64)).expect("it can shrink");
}

/// Without a free inode nothing can even be staged, and nothing is lost.
#[test]
fn a_disk_without_inodes() {
    for (name, change) in CHANGES {
        let scene = Scene::new(&[("lower/original", "original")]);
        let Some(_mount) = Mount::new(scene.root(), "nr_inodes=8") else { return end(scene) };
        let _space_is_free_at_once = no_starts();
        ground::write(&scene.at("root/d/a"), "old");
        ground::write(&scene.at("root/d/b"), "old");
        scene.absolute("lower/original", "root/link");
        for at in 0.. {
            if fs::write(scene.at(format!("root/filler-{at}")), "").is_err() {
                break;
            }
        }
        let before = scene.tree();
        let store = scene.open();
        let error = refused(name, change(&store, b"new"));
        assert_eq!((error.kind, error.cause), (ErrorKind::NotCommitted, Some(Cause::InsufficientSpace)), "{name}");
        store.close().expect("the store closes");
        assert_eq!(ground::difference(&before, &scene.tree()), ground::NONE, "{name}");
        scene.done();
    }
}

/// A read-only disk can be probed and opened; every change is refused without effect.
#[test]
fn a_read_only_disk() {
    let scene = Scene::new(&[("lower/original", "original")]);
    let Some(mount) = Mount::new(scene.root(), "size=1m") else { return end(scene) };
    ground::write(&scene.at("root/d/a"), "old");
    scene.absolute("lower/original", "root/link");
    mount.make_read_only();
    let before = scene.tree();
    let probed = scene.session().probe().expect("the root can be probed");
    assert_eq!(probed.tier, Tier::Refused);
    assert!(!probed.reason.is_empty(), "it names the reason");
    let store = scene.open();
    for (name, change) in CHANGES {
        let error = refused(name, change(&store, b"new"));
        assert!(matches!(error.kind, ErrorKind::NotCommitted | ErrorKind::ReadOnly), "{name}: {error:?}");
        assert!(!error.subject.is_empty(), "{name}: {}", error.message);
    }
    store.close().expect("the store closes");
    assert_eq!(scene.tree(), before);
    scene.done();
}

/// Recovery is due on a read-only filesystem: opening fails, and recovery is postponed. The host reports `io` for a
/// read-only mount, so that the error need not be `read-only`.
#[test]
fn recovery_waits_while_the_filesystem_is_read_only() {
    let scene = Scene::new(&[]);
    let Some(mount) = Mount::new(scene.root(), "size=1m") else { return end(scene) };
    ground::write(&scene.at("root/d/a"), "old");
    ground::write(&scene.at("root/d/b"), "old");
    let mut call = 0;
    while !scene.at("root/.onionskin/log").exists() {
        call += 1;
        let session = onionskin().store(scene.root()).faults(&Faults::counting(Fault::TrapBefore(call)));
        let store = session.open(&OpenOptions::default()).expect("the root opens");
        assert!(put(&store, Publish::InPlace, b"new").is_err(), "a crash leaves a log");
    }
    mount.make_read_only();
    let before = scene.tree();
    let foreseen = scene.session().inspect().expect("an inspection changes nothing");
    assert!(!foreseen.is_empty(), "recovery is due");
    let error = scene.session().open(&OpenOptions::default()).map(drop).expect_err("nothing may be written");
    assert!(["read-only", "needs-recovery"].contains(&error.kind().as_str()), "{error}");
    assert_eq!(scene.tree(), before);
    mount.make_writable();
    scene.recover();
    assert_eq!([scene.text("root/d/a"), scene.text("root/d/b")], ["new", "new"]);
    scene.done();
}

/// A mount point below the root: a change that would cross it is refused, and the mounted content is neither moved nor
/// removed.
#[test]
fn a_mount_in_the_way() {
    for (name, change) in CHANGES {
        for place in ["d", "d/inner"] {
            let context = format!("{name}, mounted at {place}");
            let files =
                [("lower/original", "original"), ("root/d/a", "old"), ("root/d/b", "old"), ("root/d/inner/x", "x")];
            let scene = Scene::new(&files);
            let Some(_mount) = Mount::new(scene.at(format!("root/{place}")), "size=1m") else { return end(scene) };
            let files = if place == "d" { ["a", "b", "inner/x"] } else { ["y", "z", "sub/x"] };
            for file in files {
                ground::write(&scene.at(format!("root/{place}/{file}")), "mounted");
            }
            scene.absolute("lower/original", if place == "d" { "root/d/link" } else { "root/link" });
            let before = scene.tree();
            let store = scene.open();
            let crosses = place == "d" || matches!(name, "swap" | "pointer");
            let result = match name {
                "materialize" if place == "d" => store.materialize("d/link", &Source::LinkTarget, &Content::Keep),
                _ => change(&store, b"new"),
            };
            store.close().expect("the store closes");
            scene.recover();
            if crosses {
                let error = refused(&context, result);
                assert_eq!(error.kind, ErrorKind::NotCommitted, "{context}: {}", error.message);
                assert!(error.cause.is_some() && !error.subject.is_empty(), "{context}: {error:?}");
                assert_eq!(ground::difference(&before, &scene.tree()), ground::NONE, "{context}");
            } else {
                result.unwrap_or_else(|error| panic!("{context}: does not cross the mount: {error}"));
                for file in files {
                    assert_eq!(scene.text(&format!("root/{place}/{file}")), "mounted", "{context}");
                }
            }
            scene.done();
        }
    }
}

/// Every publish mode is among the changes.
#[test]
fn every_publish_mode_is_tried() {
    assert_eq!(CHANGES.len(), 3 + PUBLISH.len());
}

fn end(scene: Scene) {
    scene.session().limits().expect("limits");
    scene.done();
}

/// Generations stay; every other record is gone.
fn finish(scene: Scene, name: &str) {
    let ours = ground::ours(&scene.tree());
    let kept: Vec<&str> = ours.iter().filter_map(|path| path.to_str()).collect();
    let is_generation = |path: &&str| *path == ".onionskin" || path.starts_with(".onionskin/directories");
    assert!(name == "pointer" && kept.iter().all(is_generation) || kept.is_empty(), "{name}: {kept:?}");
    scene.done_keeping(&kept);
}
