//! `probe`, `inspect` and `recover` say what is so at a root.

use serde_json::json;

use crate::world::{World, nothing};

/// What works at a root, in words and as JSON; nothing is left behind.
#[test]
fn probe_tells_what_works() {
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

/// A clean root: there is nothing to say, and nothing to do.
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

/// After a crash `inspect` says what `recover` does; any other command does the same first, and
/// says so.
#[test]
fn what_a_crash_left_is_told() {
    for last in ["recover", "replace"] {
        let world = World::new(&[("root/file", "old")]);
        let crashed = world.run_with(&["--crash-at", "3", "replace", "root", "file"], "new");
        assert_eq!(crashed.code, 70, "{crashed:?}");
        let told = "swept  .onionskin/file-1  content that never got its name\n";
        assert_eq!(world.done(&["inspect", "root"]), told);
        let findings =
            json!([{"path": ".onionskin/file-1", "verdict": "swept", "detail": "content that never got its name"}]);
        assert_eq!(world.json(&["inspect", "root"]), json!({"findings": findings}));
        if last == "recover" {
            let out = world.done(&["--explain", "recover", "root"]);
            assert!(out.starts_with(told) && out.contains("remove-file"), "{out}");
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

/// Findings of a command are in its answer as JSON too.
#[test]
fn findings_are_in_the_answer() {
    let world = World::new(&[("root/file", "old")]);
    assert_eq!(world.run_with(&["--crash-at", "3", "replace", "root", "file"], "new").code, 70);
    let answer = world.json_with(&["replace", "root", "file"], "new");
    assert_eq!(answer["recovered"][0]["verdict"], "swept");
    assert_eq!(answer["applied"], 1);
    world.left_over(nothing);
}
