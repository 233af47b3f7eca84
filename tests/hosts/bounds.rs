//! The component stays within its memory and fuel, and a root stays usable after an instance that exceeded them.

use std::fs;

use onionskin_host::{
    Content, DirectoryOptions, Error, MEMORY_BYTES_DEFAULT, Onionskin, OpenOptions, Source, Store, StoreBuilder, Trap,
    WriteOptions,
};

use crate::ground;
use crate::scene::{PUBLISH, Scene, error_of, publish};

const MIB: usize = 1 << 20;

/// The memory limit for copies of any size.
const COPY_MEMORY_BYTES: usize = 8 * MIB;

fn limited(scene: &Scene, memory_bytes: usize) -> StoreBuilder {
    // The scene's own session records the originals.
    scene.session().limits().expect("limits");
    let onionskin = Onionskin::builder().memory_bytes(memory_bytes).build().expect("the component loads");
    onionskin.store(scene.root()).lower(scene.at("lower")).faults(scene.faults())
}

fn fueled(scene: &Scene, units: u64) -> StoreBuilder {
    scene.session().limits().expect("limits");
    let onionskin = Onionskin::builder().fuel_for_each_call(units).build().expect("the component loads");
    onionskin.store(scene.root()).faults(scene.faults())
}

/// 32 MiB are materialized, streamed, copied by a writer and put by a transaction in at most 8 MiB of memory, which
/// includes the component itself.
#[test]
fn copies_of_any_size_take_8_mib() {
    let scene = Scene::new(&[]);
    let content: Vec<u8> = (0..8 * MIB as u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(content.len(), 32 * MIB);
    let digest = blake3::hash(&content);
    ground::write(&scene.at("lower/original"), &content);
    ground::write(&scene.at("lower/d/original"), &content);
    scene.absolute("lower/original", "root/linked");
    scene.absolute("lower/d", "root/tree");
    let store = limited(&scene, COPY_MEMORY_BYTES).open(&OpenOptions::default()).expect("the root opens");
    let original = scene.at("lower/original");
    for path in ["linked", "tree"] {
        store.materialize(path, &Source::LinkTarget, &Content::Keep).expect("it fits");
    }
    let mut writer = store.writer("streamed", &WriteOptions::default()).expect("a new file");
    for chunk in content.chunks(MIB) {
        writer.append(chunk).expect("it fits");
    }
    writer.commit().expect("it fits");
    let mut writer = store.writer("copied", &WriteOptions::default()).expect("a new file");
    assert_eq!(writer.append_from(&original, 0, u64::MAX).expect("it fits"), content.len() as u64);
    writer.commit().expect("it fits");
    let mut change = store.begin("d", &DirectoryOptions::default()).expect("a directory");
    change.put_file("put", &original).expect("it fits");
    change.commit().expect("it fits");
    store.close().expect("the store closes");
    for path in ["linked", "tree/original", "streamed", "copied", "d/put"] {
        let now = fs::read(scene.at(format!("root/{path}"))).expect("it is there");
        assert_eq!(blake3::hash(&now), digest, "{path}");
    }
    scene.done();
}

/// A directory of a thousand files is published in the same memory, in every mode.
#[test]
fn a_thousand_files_take_8_mib() {
    for mode in PUBLISH {
        let scene = Scene::new(&[]);
        for at in 0..1000 {
            ground::write(&scene.at(format!("root/d/{}/kept-{at}", at % 10)), "kept");
        }
        let store = limited(&scene, COPY_MEMORY_BYTES).open(&OpenOptions::default()).expect("the root opens");
        let mut change = store.begin("d", &publish(mode)).expect("a directory");
        for at in 0..100 {
            change.put(&format!("new-{at}"), b"new").expect("it fits");
        }
        change.commit().unwrap_or_else(|error| panic!("{mode:?}: {error}"));
        store.close().expect("the store closes");
        assert_eq!([scene.text("root/d/9/kept-999"), scene.text("root/d/new-99")], ["kept", "new"], "{mode:?}");
        let ours = ground::ours(&scene.tree());
        scene.done_keeping(&ours.iter().filter_map(|path| path.to_str()).collect::<Vec<_>>());
    }
}

/// A call that exceeds its memory limit ends with an error, and nothing is lost.
#[test]
fn a_call_that_exceeds_its_memory_is_stopped() {
    let scene = Scene::new(&[("root/file", "old")]);
    let store = limited(&scene, 4 * MIB).open(&OpenOptions::default()).expect("the root opens");
    let error = error_of("memory", store.replace("file", &vec![b'n'; 15 * MIB], &WriteOptions::default()));
    assert!(matches!(error, Error::Trap { trap: Trap::OutOfMemory { limit }, .. } if limit == 4 * MIB), "{error:?}");
    assert_eq!((error.kind().as_str(), error.path()), ("out-of-memory", scene.root()));
    let after = error_of("after", store.replace("file", b"new", &WriteOptions::default()));
    assert!(matches!(after, Error::Trap { trap: Trap::Stopped, .. }), "{after:?}");
    drop(store);
    assert_eq!(scene.text("root/file"), "old");
    usable_again(&scene);
    scene.done();
}

/// A memory limit too small to start the component is an error, too.
#[test]
fn too_little_memory_to_start_is_an_error() {
    let scene = Scene::new(&[("root/file", "old")]);
    let error = error_of("memory", limited(&scene, 1 << 16).open(&OpenOptions::default()));
    assert!(matches!(error, Error::Component { .. } | Error::Trap { trap: Trap::OutOfMemory { .. }, .. }), "{error:?}");
    usable_again(&scene);
    scene.done();
}

/// The default memory limit is enough for the largest list that a call may take.
#[test]
fn the_default_memory_is_enough_for_the_largest_list() {
    let scene = Scene::new(&[]);
    let store = limited(&scene, MEMORY_BYTES_DEFAULT).open(&OpenOptions::default()).expect("the root opens");
    let chunk = vec![b' '; usize::try_from(store.limits().expect("limits").chunk_bytes).expect("it is a size")];
    store.replace("file", &chunk, &WriteOptions::default()).expect("it fits");
    let json = format!("[{}]", " ".repeat(chunk.len() - 2));
    store.replace_json("file.json", &json, &WriteOptions::default()).expect("it fits");
    let mut change = store.begin("d", &DirectoryOptions::default()).expect("a directory");
    for name in ["a", "b"] {
        change.put(name, &chunk).expect("it fits");
        change.append(name, &chunk).expect("it fits");
    }
    change.commit().expect("it fits");
    store.close().expect("the store closes");
    scene.done();
}

/// A call that exceeds its fuel ends with an error, and nothing is lost; each call begins with the full amount.
#[test]
fn a_call_that_exceeds_its_fuel_is_stopped() {
    const UNITS: u64 = 1_000_000;
    let scene = Scene::new(&[("root/file", "old")]);
    let store = fueled(&scene, UNITS).open(&OpenOptions::default()).expect("the root opens");
    for _ in 0..20 {
        store.replace("file", b"new", &WriteOptions::default()).expect("it is enough for each");
    }
    let json = format!("[{}0]", "0,".repeat(4 * MIB));
    let error = error_of("fuel", store.replace_json("file", &json, &WriteOptions::default()));
    assert!(matches!(error, Error::Trap { trap: Trap::OutOfFuel { limit: UNITS }, .. }), "{error:?}");
    assert_eq!((error.kind().as_str(), error.path()), ("out-of-fuel", scene.root()));
    let after = error_of("after", store.replace("file", b"newer", &WriteOptions::default()));
    assert!(matches!(after, Error::Trap { trap: Trap::Stopped, .. }), "{after:?}");
    drop(store);
    assert_eq!(scene.text("root/file"), "new");
    usable_again(&scene);
    scene.done();
}

/// Fuel that runs out at any point, not only between two calls of the filesystem, leaves the old or the new state.
#[test]
fn fuel_that_runs_out_anywhere_leaves_old_or_new() {
    for mode in PUBLISH {
        let (mut old, mut new) = (0, 0);
        let mut units = 20_000;
        while new == 0 {
            let context = format!("{mode:?}, {units} units");
            let scene = Scene::new(&[("root/d/a", "old"), ("root/d/b", "old"), ("root/d/sub/kept", "kept")]);
            let result = fueled(&scene, units).open(&OpenOptions::default()).and_then(|store| {
                let mut change = store.begin("d", &publish(mode))?;
                change.put("a", b"new")?;
                change.put("b", b"new")?;
                change.commit()
            });
            scene.recover();
            let now = [scene.text("root/d/a"), scene.text("root/d/b")];
            match result {
                Ok(_) => {
                    assert_eq!(now, ["new", "new"], "{context}");
                    new += 1;
                }
                Err(Error::Trap { trap: Trap::OutOfFuel { .. }, .. }) => {
                    assert!(now == ["old", "old"] || now == ["new", "new"], "{context}: {now:?}");
                    old += 1;
                }
                Err(error) => panic!("{context}: {error}"),
            }
            assert_eq!(scene.text("root/d/sub/kept"), "kept", "{context}");
            let ours = ground::ours(&scene.tree());
            scene.done_keeping(&ours.iter().filter_map(|path| path.to_str()).collect::<Vec<_>>());
            units += units / 6;
        }
        assert!(old > 3, "{mode:?}: stopped {old} times");
    }
}

/// Asserts that another instance can open the root and write to it.
fn usable_again(scene: &Scene) {
    scene.recover();
    let store: Store = scene.open();
    store.replace("file", b"again", &WriteOptions::default()).expect("the root is usable");
    store.close().expect("the store closes");
    assert_eq!(scene.text("root/file"), "again");
}
