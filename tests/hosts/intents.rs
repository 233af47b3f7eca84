//! A damaged intent: remains of the preparation may stay, the directory stays as it was, and the next change is not
//! blocked.

use std::fs;
use std::path::{Path, PathBuf};

use onionskin_host::{Durability, ErrorCode, Fault, Faults, OpenOptions, Publish, Store};

use crate::ground;
use crate::scene::{onionskin, publish};

const INTENT: &str = ".onionskin/tx-1/intent";
const BITS_STEP: usize = 29;

fn swap(root: &Path, faults: &Faults, mode: Publish, content: &str) -> Result<(), onionskin_host::Error> {
    let store = onionskin().store(root).faults(faults).open(&OpenOptions::default())?;
    let mut change = store.begin("d", &publish(mode))?;
    change.put("file", content.as_bytes())?;
    change.commit()?;
    store.close()
}

/// Creates a root in which the new directory is prepared, but not yet decided.
fn prepared(mode: Publish) -> tempfile::TempDir {
    let mut last = None;
    for call in 1..100 {
        let directory = ground::scratch();
        ground::write(&directory.path().join("d/file"), "old");
        ground::write(&directory.path().join("d/sub/kept"), "kept");
        let crashed = swap(directory.path(), &Faults::counting(Fault::TrapBefore(call)), mode, "new").is_err();
        let decided = directory.path().join(".onionskin/log").exists() || !directory.path().join(INTENT).exists();
        if last.is_some() && (decided || !crashed) {
            break;
        }
        if directory.path().join(INTENT).exists() {
            last = Some(directory);
        }
    }
    last.expect("a crash leaves an intent")
}

/// Directories that cannot be synced, as on SMB, are no error: the change is done, and its receipt says that it is durable
/// as data alone.
#[test]
fn a_directory_that_cannot_be_synced_is_reported() {
    let scene = || {
        let directory = ground::scratch();
        ground::write(&directory.path().join("d/file"), "old");
        directory
    };
    for mode in [Publish::InPlace, Publish::Swap, Publish::Pointer] {
        let quiet = Faults::new(Fault::None);
        swap(scene().path(), &quiet, mode, "new").expect("nothing is in its way");
        let is_directory = |path: &str| {
            !path.contains("tx-1/") && !path.ends_with("owner") && !path.ends_with("file") && !path.contains("draft-")
        };
        let syncs = quiet.calls().into_iter().filter(|call| call.name == "sync" && is_directory(&call.path));
        let syncs: Vec<u64> = syncs.filter_map(|call| call.mutating).collect();
        assert!(syncs.len() > 3, "{mode:?}: {syncs:?}");
        for (call, code) in
            syncs.iter().flat_map(|call| [ErrorCode::Invalid, ErrorCode::Unsupported].map(|code| (*call, code)))
        {
            let directory = scene();
            let faults = Faults::counting(Fault::FailAt(call, code));
            let store = onionskin().store(directory.path()).faults(&faults).open(&OpenOptions::default());
            let store = store.expect("an open");
            let mut change = store.begin("d", &publish(mode)).expect("it begins");
            change.put("file", b"new").expect("it is staged");
            let receipt = change.commit().unwrap_or_else(|error| panic!("{mode:?}, {call}, {code:?}: {error}"));
            assert_eq!(receipt.achieved, Durability::Data, "{mode:?}, {call}, {code:?}");
            store.close().expect("it closes");
            let now = fs::read_to_string(directory.path().join("d/file")).ok();
            assert_eq!(now.as_deref(), Some("new"), "{mode:?}, {call}, {code:?}");
        }
    }
}

/// With a flipped bit or a cut the root opens or reports why it does not, the directory is unchanged, and it can be
/// changed again.
#[test]
fn a_damaged_intent_loses_nothing() {
    for mode in [Publish::Swap, Publish::Pointer] {
        let template = prepared(mode);
        let intent = fs::read(template.path().join(INTENT)).expect("it is there");
        let mut damaged: Vec<Vec<u8>> = (0..intent.len()).step_by(13).map(|cut| intent[..cut].to_vec()).collect();
        damaged.extend((0..intent.len() * 8).step_by(BITS_STEP).map(|bit| {
            let mut flipped = intent.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        }));
        for (at, bytes) in damaged.iter().enumerate() {
            let context = format!("{mode:?}, damage {at}");
            let directory = ground::scratch();
            let root = directory.path().join("root");
            ground::copy(template.path(), &root);
            fs::write(root.join(INTENT), bytes).expect("it can be written");
            let opened = onionskin().store(&root).open(&OpenOptions::default()).and_then(Store::close);
            let now = ["file", "sub/kept"].map(|name| fs::read_to_string(root.join("d").join(name)).ok());
            assert_eq!(now, [Some("old".to_owned()), Some("kept".to_owned())], "{context}: {opened:?}");
            opened.unwrap_or_else(|error| panic!("{context}: {error}"));
            let quiet = Faults::counting(Fault::None);
            swap(&root, &quiet, mode, "newer").unwrap_or_else(|error| panic!("{context}: it can be changed: {error}"));
            assert_eq!(quiet.opened_for_writing(), [""; 0], "{context}");
            let file: PathBuf = root.join("d/file");
            assert_eq!(fs::read_to_string(file).ok().as_deref(), Some("newer"), "{context}");
        }
    }
}
