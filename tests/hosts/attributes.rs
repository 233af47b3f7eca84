//! Every file keeps what it had: new content has the mode and the extended attributes of the file that it replaces, a
//! materialized one the times of its original, too; and no user sees more at any moment than before or after.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use onionskin_host::{Content, Error, Fault, Publish, Source, Store, WriteOptions};

use crate::scene::{PUBLISH, Scene, publish};

/// Files by name and mode.
const FILES: [(&str, u32); 5] =
    [("tool.sh", 0o755), ("key.pem", 0o600), ("sealed.txt", 0o444), ("plain.txt", 0o644), ("team.txt", 0o664)];

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("an owner may");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o7777
}

/// Ends a scene in which a directory may be published by pointer.
fn done_with_generations(scene: Scene) {
    let ours = crate::ground::ours(&scene.tree());
    let kept: Vec<&str> = ours.iter().filter_map(|path| path.to_str()).collect();
    scene.done_keeping(&kept);
}

/// A scene with [`FILES`] below a directory.
fn with_files(directory: &str) -> Scene {
    let scene = Scene::new(&[]);
    for (name, mode) in FILES {
        let place = scene.at(format!("{directory}/{name}"));
        fs::create_dir_all(place.parent().expect("it has one")).expect("a new directory");
        fs::write(&place, "old").expect("a new file");
        set_mode(&place, mode);
    }
    scene
}

#[test]
fn replaced_files_keep_their_modes() {
    let scene = with_files("root");
    let store = scene.open();
    for (name, wanted) in FILES {
        store.replace(name, b"new", &WriteOptions::default()).expect("it is replaced");
        assert_eq!(
            (scene.text(&format!("root/{name}")), mode(&scene.at(format!("root/{name}")))),
            ("new".into(), wanted)
        );
    }
    store.close().expect("the store closes");
    scene.done();
}

/// A file without a predecessor has the mode that one made by the system has, also below a directory that hands down
/// its group.
#[test]
fn a_new_file_is_like_any_other_new_one() {
    let scene = Scene::new(&[]);
    let shared = scene.at("root/shared");
    fs::create_dir(&shared).expect("a new directory");
    set_mode(&shared, 0o2775);
    let store = scene.open();
    for (name, plain) in [("root/new", "root/plain"), ("root/shared/new", "root/shared/plain")] {
        fs::write(scene.at(plain), "").expect("a new file");
        let path = name.strip_prefix("root/").expect("it is in the root");
        store.replace(path, b"new", &WriteOptions::default()).expect("it is written");
        let look = |name| {
            let found = fs::metadata(scene.at(name)).expect("it is there");
            (found.mode(), found.uid(), found.gid())
        };
        assert_eq!(look(name), look(plain), "{name}");
    }
    store.close().expect("the store closes");
    scene.done();
}

#[test]
fn extended_attributes_are_kept() {
    let scene = Scene::new(&[("root/file", "old")]);
    let path = scene.at("root/file");
    if let Err(error) = rustix::fs::setxattr(&path, "user.origin", b"somewhere", rustix::fs::XattrFlags::empty()) {
        return onionskin_tests::skip(&format!("extended attributes: {error}"));
    }
    let store = scene.open();
    store.replace("file", b"new", &WriteOptions::default()).expect("it is replaced");
    let mut value = [0; 32];
    let length = rustix::fs::getxattr(&path, "user.origin", &mut value[..]).expect("it is kept");
    assert_eq!(&value[..length], b"somewhere");
    store.close().expect("the store closes");
    scene.done();
}

/// Directories keep their modes, too, also those that forbid to add entries.
#[test]
fn transactions_keep_modes_in_every_way_to_publish() {
    const DIRECTORIES: [(&str, u32); 4] = [("private", 0o700), ("shared", 0o2775), ("drop", 0o1777), ("sealed", 0o555)];
    for way in PUBLISH {
        let scene = with_files("root/d");
        for (name, wanted) in DIRECTORIES {
            let place = scene.at(format!("root/d/{name}"));
            fs::create_dir(&place).expect("a new directory");
            fs::write(place.join("file"), "kept").expect("a new file");
            set_mode(&place.join("file"), 0o640);
            set_mode(&place, wanted);
        }
        set_mode(&scene.at("root/d"), 0o750);
        // A user other than root could not remove the old tree.
        if !rustix::process::geteuid().is_root() {
            set_mode(&scene.at("root/d/sealed"), 0o755);
        }
        let sealed = mode(&scene.at("root/d/sealed"));
        let store = scene.open();
        let mut change = store.begin("d", &publish(way)).expect("it begins");
        for (name, _) in FILES {
            change.put(name, b"new").expect("staged");
        }
        change.commit().expect("it is published");
        for (name, wanted) in FILES.into_iter().chain(DIRECTORIES).chain([("private/file", 0o640), ("", 0o750)]) {
            let wanted = if name == "sealed" { sealed } else { wanted };
            assert_eq!(mode(&scene.at(format!("root/d/{name}"))), wanted, "{way:?}: d/{name}");
        }
        if way == Publish::Pointer {
            assert_eq!(mode(&scene.at("root/.onionskin")), 0o711, "readers pass it, and cannot list it");
        }
        store.close().expect("the store closes");
        done_with_generations(scene);
    }
}

#[test]
fn a_materialized_tree_keeps_modes_and_times() {
    let scene = with_files("lower/t");
    let then = SystemTime::UNIX_EPOCH + Duration::new(1_500_000_000, 123_456_789);
    for (name, _) in FILES {
        let file = File::open(scene.at(format!("lower/t/{name}"))).expect("it is there");
        file.set_modified(then).expect("an owner may");
    }
    set_mode(&scene.at("lower/t"), 0o700);
    scene.absolute("lower/t", "root/t");
    scene.absolute("lower/t/tool.sh", "root/tool.sh");
    let store = scene.open();
    store.materialize("t", &Source::LinkTarget, &Content::Keep).expect("it is materialized");
    store.materialize("tool.sh", &Source::LinkTarget, &Content::Keep).expect("it is materialized");
    for (name, wanted) in FILES
        .map(|(name, mode)| (format!("root/t/{name}"), mode))
        .into_iter()
        .chain([("root/tool.sh".to_owned(), 0o755)])
    {
        let place = scene.at(&name);
        assert_eq!(mode(&place), wanted, "{name}");
        assert_eq!(fs::metadata(&place).and_then(|found| found.modified()).expect("its time"), then, "{name}");
    }
    assert_eq!(mode(&scene.at("root/t")), 0o700);
    store.close().expect("the store closes");
    scene.done();
}

#[test]
fn a_copy_is_no_fatter_than_its_original() {
    let scene = Scene::new(&[]);
    let original = scene.at("lower/big");
    let file = File::create(&original).expect("a new file");
    file.set_len(64 << 20).expect("a hole");
    std::os::unix::fs::FileExt::write_all_at(&file, b"content", 32 << 20).expect("content");
    drop(file);
    scene.absolute("lower/big", "root/big");
    let store = scene.open();
    store.materialize("big", &Source::LinkTarget, &Content::Keep).expect("it is materialized");
    let copy = scene.at("root/big");
    assert!(
        fs::read(&copy).expect("it is there") == fs::read(&original).expect("it is there"),
        "the content is the same"
    );
    let blocks = fs::metadata(&copy).expect("it is there").blocks();
    assert!(blocks * 512 < 1 << 20, "{blocks} blocks");
    store.close().expect("the store closes");
    scene.done();
}

/// Before every call of a change the secret can be reached by its owner alone, although the process's mask would let
/// others read new files: it is in files of mode 0600, or below a directory that others cannot pass.
#[test]
fn nobody_else_reads_a_secret_at_any_moment() {
    const SECRET: &str = "the secret that others must not read";
    type Change = fn(&Store) -> Result<(), Error>;
    let changes: [(&str, Change); 5] = [
        ("replace", |store| store.replace("d/secret", SECRET.as_bytes(), &WriteOptions::default()).map(drop)),
        ("in place", |store| put_secrets(store, Publish::InPlace, SECRET)),
        ("swap", |store| put_secrets(store, Publish::Swap, SECRET)),
        ("pointer", |store| put_secrets(store, Publish::Pointer, SECRET)),
        ("materialize", |store| store.materialize("linked", &Source::LinkTarget, &Content::Keep).map(drop)),
    ];
    for (name, change) in changes {
        let mut call = 1;
        loop {
            let scene = Scene::with(Fault::TrapBefore(call), &[("root/d/secret", SECRET), ("lower/t/secret", SECRET)]);
            for private in ["root/d/secret", "lower/t/secret"] {
                set_mode(&scene.at(private), 0o600);
            }
            scene.absolute("lower/t", "root/linked");
            let store = scene.open();
            let done = change(&store);
            let found = Command::new("find").arg(scene.root()).args(["-type", "f", "-perm", "/077"]).output();
            let found = String::from_utf8(found.expect("find runs").stdout).expect("UTF-8");
            for path in found.lines().map(Path::new) {
                let is_secret = fs::read(path).expect("it is there").windows(6).any(|part| part == b"secret");
                let is_closed = path
                    .ancestors()
                    .skip(1)
                    .take_while(|above| *above != scene.root())
                    .any(|above| mode(above) & 0o011 == 0);
                assert!(!is_secret || is_closed, "{name}, before call {call}: {}", path.display());
            }
            drop(store);
            scene.open().close().expect("the root recovers");
            done_with_generations(scene);
            if done.is_ok() {
                break;
            }
            call += 1;
        }
        assert!(call > 5, "{name} ended after {call} calls");
    }
}

fn put_secrets(store: &Store, way: Publish, secret: &str) -> Result<(), Error> {
    let mut change = store.begin("d", &publish(way))?;
    change.put("secret", secret.as_bytes())?;
    change.commit().map(drop)
}
