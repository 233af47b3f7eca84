//! No path and no record on the disk, whatever its bytes, causes a panic or a change outside the root.

use onionskin::journal::{Journal, digest};
use onionskin::path::RelPath;
use onionskin::store::inspect;
use onionskin_sim::{Tree, operations, tree};
use onionskin_tests_core::proptest::{self, prelude::*};

use crate::CALLS;
use crate::support::{Scene, kind};

fn plain() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "ws/file" = "old";
        file "ws/a/b" = "old";
        symlink "ws/l" = "a";
        symlink "ws/up" = "../lower";
    }
}

/// Paths of the characters with a meaning in paths, and of arbitrary ones.
fn paths() -> impl Strategy<Value = String> {
    prop_oneof![
        "[./\\\\abl\u{0}~ é]{0,12}",
        "(a|l|up|file|\\.|\\.\\.|\\.onionskin|b)(/(a|l|up|file|\\.|\\.\\.|\\.onionskin-1|b)){0,5}/?",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A call with arbitrary text as path succeeds or fails with a documented kind of error; in both cases the
    /// originals stay, and so does every entry that the path does not name.
    #[test]
    fn any_text_is_a_path_or_an_error(path in paths(), call in 0..CALLS.len()) {
        let scene = Scene::new(&plain());
        let store = scene.open();
        let (name, call) = CALLS[call];
        let answer = call(&store, &path);
        drop(store);
        let found = scene.fs.tree();
        prop_assert_eq!(found.below("lower"), plain().below("lower"), "{} {:?}", name, path);
        prop_assert_eq!(scene.fs.intrusions(), [], "{} {:?}", name, path);
        match answer {
            Err(error) => {
                let parses = RelPath::parse(&path).is_ok();
                prop_assert_eq!(parses, kind(&error) != "invalid-path", "{} {:?}: {}", name, path, error);
                prop_assert!(!error.to_string().is_empty());
                // A linked parent may have been materialized before the refusal.
                let same = found == plain() || path.starts_with("l/");
                prop_assert!(same, "{} {:?}: {}\n{}", name, path, error, plain().diff(&found));
            }
            Ok(()) => {
                let first = path.split('/').next().unwrap_or_default();
                let named = format!("ws/{first}");
                let rest = |tree: &Tree| tree.without(|at| at == named || (name == "rename-to" && at == "ws/file"));
                prop_assert_eq!(rest(&found), rest(&plain()), "{} {:?}", name, path);
            }
        }
    }

    /// Arbitrary bytes as a log: opening refuses them and changes nothing, or quarantines them.
    #[test]
    fn any_bytes_are_a_log_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), sealed in any::<bool>()) {
        never_applied(&if sealed { seal(bytes) } else { bytes })?;
    }

    /// Arbitrary bytes after a valid header, with a valid digest.
    #[test]
    fn any_records_are_a_log_or_an_error(
        count in 0u32..4,
        records in proptest::collection::vec(any::<u8>(), 0..120),
        kind in 1u8..6,
        path in "[a-z./]{0,9}",
    ) {
        let mut bytes = Journal { unsynced: false, kept: false, epoch: 0, transaction: 1, ops: Vec::new() }.encode();
        bytes.truncate(28);
        bytes.extend(count.to_le_bytes());
        bytes.push(kind);
        bytes.extend(u16::try_from(path.len()).expect("short").to_le_bytes());
        bytes.extend(path.bytes());
        bytes.extend(records);
        never_applied(&seal(bytes))?;
    }
}

fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let digest = digest(&body);
    body.extend(digest);
    body
}

/// Asserts that opening with this log is a refusal without a change, a quarantine, or the changes that a valid log
/// names; the originals and all entries that the log does not name stay.
fn never_applied(log: &[u8]) -> Result<(), TestCaseError> {
    let before = plain().file("ws/.onionskin/log", log).file("ws/.onionskin/tx-1/0", "staged");
    let scene = Scene::new(&before);
    let seen = inspect(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws");
    prop_assert_eq!(scene.fs.tree(), before.clone(), "inspect");
    let opened = operations::open(&scene.fs).map(|store| store.recovered());
    let found = scene.fs.tree();
    prop_assert_eq!(found.below("lower"), plain().below("lower"));
    prop_assert_eq!(scene.fs.intrusions(), []);
    match (opened, Journal::decode(log)) {
        (Err(error), _) => {
            prop_assert!(seen.is_err(), "{error}");
            prop_assert_eq!(kind(&error), "corrupt", "{}", error);
            prop_assert!(found == before, "{}", before.diff(&found));
        }
        (Ok(_), Ok(journal)) => {
            let named = |at: &str| {
                let ours = at.starts_with("ws/.onionskin");
                ours || journal.ops.iter().any(|op| at == format!("ws/{}", op.path))
            };
            prop_assert_eq!(found.without(named), plain().without(named), "{:?}", journal);
        }
        (Ok(findings), Err(_)) => {
            let visible = found.without(|at| at == "ws/.onionskin");
            prop_assert_eq!(visible, plain(), "{:?}", findings);
        }
    }
    Ok(())
}
