//! `probe`, `inspect` and `recover` report the state of a root.

use serde_json::json;

use crate::world::{World, nothing};

/// The abilities of a root, as text and as JSON; nothing is left behind.
#[test]
fn probe_reports_the_abilities_of_a_root() {
    let world = World::new(&[("root/file", "content")]);
    let before = world.tree();
    let out = world.done(&["probe", "root"]);
    let expected = "\
root              durable: atomic and durable
  symbolic links  yes
  hard links      yes
  directory sync  yes
  case-sensitive  yes
";
    assert_eq!(out, expected);
    let answer = world.json(&["probe", "root"]);
    let expected = json!({"tier": "durable", "symlinks": true, "hard-links": true, "directory-sync": true,
        "case-sensitive": true, "reason": ""});
    assert_eq!(answer, expected);
    assert_eq!(world.tree(), before);
}

/// A clean root: nothing to report, and nothing to do.
#[test]
fn a_clean_root_is_clean() {
    let world = World::new(&[("root/file", "content")]);
    let before = world.tree();
    assert_eq!(world.done(&["inspect", "root"]), "clean: nothing would be found\n");
    assert_eq!(world.done(&["recover", "root"]), "clean: nothing found\n");
    assert_eq!(world.done(&["--explain", "recover", "root"]), "clean: nothing found\nno step was needed\n");
    assert_eq!(world.json(&["inspect", "root"]), json!({"findings": []}));
    assert_eq!(world.json(&["--explain", "recover", "root"]), json!({"findings": [], "steps": []}));
    assert_eq!(world.tree(), before);
}

/// After a crash `inspect` predicts what `recover` does; any other command recovers first, and reports it.
#[test]
fn remains_of_a_crash_are_reported() {
    for last in ["recover", "replace"] {
        let world = World::new(&[("root/file", "old")]);
        let crashed = world.run_with(&["--crash-at", "3", "replace", "root", "file"], "new");
        assert_eq!(crashed.code, 70, "{crashed:?}");
        let finding = "swept  .onionskin/file-1  content that never got its name\n";
        assert_eq!(world.done(&["inspect", "root"]), finding);
        let findings =
            json!([{"path": ".onionskin/file-1", "verdict": "swept", "detail": "content that never got its name"}]);
        assert_eq!(world.json(&["inspect", "root"]), json!({"findings": findings}));
        if last == "recover" {
            let out = world.done(&["--explain", "recover", "root"]);
            assert!(out.starts_with(finding) && out.contains("remove-file"), "{out}");
        } else {
            let ran = world.run_with(&["replace", "root", "other"], "new");
            assert_eq!(ran.code, 0, "{ran:?}");
            assert_eq!(ran.err, "first swept: .onionskin/file-1: content that never got its name\n");
        }
        assert_eq!(world.done(&["inspect", "root"]), "clean: nothing would be found\n");
        assert_eq!(world.text("root/file"), "old");
        world.left_over(nothing);
    }
}

/// Findings of a command are part of its JSON answer, too.
#[test]
fn findings_are_in_the_answer() {
    let world = World::new(&[("root/file", "old")]);
    assert_eq!(world.run_with(&["--crash-at", "3", "replace", "root", "file"], "new").code, 70);
    let answer = world.json_with(&["replace", "root", "file"], "new");
    assert_eq!(answer["recovered"][0]["verdict"], "swept");
    assert_eq!(answer["applied"], 1);
    world.left_over(nothing);
}
