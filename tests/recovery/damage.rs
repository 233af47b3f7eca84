//! A damaged log is never applied: it is quarantined if none of it was applied before, and otherwise everything is
//! kept.

use onionskin::journal;
use onionskin::recover::Verdict;
use onionskin_sim::{Tree, tree};

use crate::support::{Scene, kind, verdicts};
use crate::{check, check_corrupt, delete, journal as decision, old, opened, put};

fn plain() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/a" = "A old"; file "ws/b" = "B old"; }
}

fn half_applied() -> Tree {
    plain().file("ws/a", "newest")
}

fn log() -> Vec<u8> {
    decision(vec![put("a", 0, "newest", old(5)), delete("b", old(5))]).encode()
}

fn with_log(tree: Tree, name: &str, log: &[u8]) -> Tree {
    tree.file("ws/.onionskin/tx-7/0", "newest").file(format!("ws/.onionskin/{name}"), log)
}

/// Asserts that a damaged log ends in one of two ways: everything is kept and the error names the log, or the log is
/// quarantined and neither a path nor staged content is lost. Returns which.
#[track_caller]
fn assert_never_applied(context: &str, tree: &Tree, name: &str, log: &[u8]) -> &'static str {
    let before = with_log(tree.clone(), name, log);
    let scene = Scene::with(crate::TIMELESS, &before);
    let outcome = match opened(&scene.fs) {
        Err(error) => {
            assert_eq!(kind(&error), "corrupt", "{context}: {error}");
            assert!(error.to_string().contains(&format!(".onionskin/{name}")), "{context}: {error}");
            scene.ends_as(context, &before);
            assert_eq!(opened(&scene.fs).map_err(|again| again == error), Err(true), "{context}: the second time");
            "corrupt"
        }
        Ok(findings) => {
            let found = verdicts(&findings);
            assert_eq!(found.first().map(|found| found.0), Some(Verdict::Quarantined), "{context}: {findings:?}");
            let after = scene.fs.tree();
            let visible = after.without(|path| path == "ws/.onionskin");
            assert!(visible == *tree, "{context}: {findings:?}\n{}", tree.diff(&visible));
            let aside = after.below("ws/.onionskin");
            let kept = |wanted: &[u8]| aside.iter().any(|(path, _)| aside.bytes(path) == Some(wanted));
            assert!(kept(log), "{context}: the log is kept\n{after}");
            assert!(kept(b"newest"), "{context}: the staged content is kept\n{after}");
            assert_eq!(found.len(), 1, "{context}: nothing else is touched: {findings:?}");
            assert_eq!(opened(&scene.fs), Ok(Vec::new()), "{context}: the second time");
            assert_eq!(scene.fs.tree(), after, "{context}: the second time");
            "quarantined"
        }
    };
    assert_eq!(scene.fs.intrusions(), [], "{context}");
    outcome
}

/// One flipped bit in the part that names the path, the content or the kind of change is detected, and the log is
/// quarantined if nothing was applied yet.
#[test]
fn a_flipped_bit_is_detected_and_never_applied() {
    let good = log();
    let mut aside = 0;
    // The bits of the transaction number have a test of their own below.
    for bit in (0..good.len() * 8).filter(|bit| !(20..28).contains(&(bit / 8))) {
        let mut log = good.clone();
        log[bit / 8] ^= 1 << (bit % 8);
        aside += usize::from(assert_never_applied(&format!("bit {bit}"), &plain(), "log", &log) == "quarantined");
        assert_eq!(assert_never_applied(&format!("bit {bit}, half applied"), &half_applied(), "log", &log), "corrupt");
    }
    assert!(aside >= 256, "a flipped digest alone gives 256 logs to quarantine, found {aside}");
}

/// A flipped bit in the transaction number names another staging directory: the real one is not lost.
#[test]
fn a_flipped_transaction_number_costs_no_staging() {
    let good = log();
    for bit in 20 * 8..28 * 8 {
        let mut log = good.clone();
        log[bit / 8] ^= 1 << (bit % 8);
        assert_never_applied(&format!("bit {bit}"), &plain(), "log", &log);
    }
}

/// A log that is cut at any length, or extended, is detected and never applied.
#[test]
fn a_cut_log_is_detected_and_never_applied() {
    let good = log();
    for length in 0..good.len() {
        assert_never_applied(&format!("cut to {length}"), &plain(), "log", &good[..length]);
        assert_eq!(
            assert_never_applied(&format!("cut to {length}, half"), &half_applied(), "log", &good[..length]),
            "corrupt"
        );
    }
    assert_never_applied("one byte more", &plain(), "log", &[&good[..], b"x"].concat());
    assert_never_applied("twice", &plain(), "log", &[&good[..], &good].concat());
}

/// At the durability `visible` a damaged log is an expected crash state: it is always quarantined, together with its
/// staging.
#[test]
fn a_damaged_unsynced_log_is_quarantined() {
    let good = onionskin::journal::Journal { unsynced: true, ..decision(vec![put("a", 0, "newest", old(5))]) }.encode();
    let mut flipped = good.clone();
    *flipped.last_mut().expect("a digest") ^= 1;
    for tree in [plain(), half_applied()] {
        assert_eq!(assert_never_applied("flipped", &tree, "log-unsynced", &flipped), "quarantined");
        for length in 0..good.len() {
            let context = format!("cut to {length}");
            assert_eq!(
                assert_never_applied(&context, &tree, "log-unsynced", &good[..length]),
                "quarantined",
                "{context}"
            );
        }
    }
}

/// Appends a valid digest to forged bytes.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    body.truncate(body.len() - 32);
    let digest = journal::digest(&body);
    body.extend(digest);
    body
}

/// A forged path under a valid digest, outside the root, absolute or with a reserved name, is refused and nothing
/// changes.
#[test]
fn a_forged_path_is_refused_though_its_digest_is_right() {
    for forged in [
        "../lower/original",
        "/etc/passwd",
        "..",
        ".",
        "a/../b",
        "a//b",
        "a/",
        "a\0b",
        "",
        ".onionskin",
        ".onionskin/lock",
        ".onionskin/log",
        ".onionskin/tx-7/0",
        ".onionskin-7.new/x",
        ".ONIONSKIN/x",
        ".onionskin/directories",
        ".onionskin/directories/1/1",
        ".onionskin/directories/x/1/a",
        ".onionskin/directories/1/1/.onionskin-x",
    ] {
        for op in [put("?", 0, "newest", None), delete("?", old(12))] {
            let mut log = decision(vec![op]).encode();
            // The only path: its length is stored in two bytes at offset 33, and it is one byte long.
            let length = u16::try_from(forged.len()).expect("a short path").to_le_bytes();
            log.splice(33..36, length.into_iter().chain(forged.bytes()));
            let before = with_log(plain(), "log", &sealed(log));
            check_corrupt(&format!("{forged:?}"), &before, ".onionskin/log");
        }
    }
}

/// Unknown versions, flags and records under a valid digest are refused.
#[test]
fn an_unknown_version_is_refused_though_its_digest_is_right() {
    for (at, value) in
        [(0, b'o'), (8, 2), (8, 0), (9, 1), (10, 4), (11, 1), (28, 0), (28, 3), (31, 1), (32, 0), (32, 6)]
    {
        let mut log = log();
        log[at] = value;
        check_corrupt(&format!("byte {at} = {value}"), &with_log(plain(), "log", &sealed(log)), ".onionskin/log");
    }
}

/// A damaged log cannot be quarantined if one path differs from its state before: more may have been applied.
#[test]
fn a_damaged_log_of_which_something_was_applied_stops_everything() {
    let mut damaged = log();
    *damaged.last_mut().expect("a digest") ^= 1;
    for (context, tree) in [
        ("put", half_applied().file("ws/a", "newest!")),
        ("deleted", plain().remove("ws/b")),
        ("gone", plain().remove("ws/a")),
        ("a link now", plain().symlink("ws/a", "b")),
    ] {
        check_corrupt(context, &with_log(tree, "log", &damaged), ".onionskin/log");
    }
    let before = with_log(plain(), "log", &damaged);
    let after =
        plain().file("ws/.onionskin/quarantine-8/log", &damaged).file("ws/.onionskin/quarantine-8/tx-7/0", "newest");
    check("untouched", &before, &Ok(&[(Verdict::Quarantined, ".onionskin/log")]), &after);
}
