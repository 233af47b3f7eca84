//! The program is stopped before each of its calls in turn, and its root is opened.

use onionskin_host::{OpenOptions, Verdict};
use serde_json::Value;

use crate::command::run;
use crate::words::text;
use crate::world::{World, expected};
use crate::{onionskin, scenes};

/// The maximum of calls in a run; a longer run counts as endless.
const CALLS_MAX: u32 = 300;

#[test]
fn a_store_after_a_crash_is_old_or_new() {
    for scene in scenes("crashes") {
        crash_everywhere(&scene);
    }
}

fn crash_everywhere(scene: &Value) {
    let (old, new) = (expected(&scene["old"]), expected(&scene["new"]));
    let (mut olds, mut news) = (0, 0);
    for call in 1..=CALLS_MAX {
        let world = World::new(&scene["before"]);
        let code = run(env!("CARGO_BIN_EXE_onionskin"), &world, &["--crash-at", &call.to_string()], scene);
        let store = onionskin().store(world.at("root")).open(&OpenOptions::default()).expect("it opens");
        let found = store.recovered().expect("findings can be read");
        store.close().expect("it closes");
        let now = world.look();
        let context = format!("{}, call {call}: {found:?}", text(scene, "name"));
        assert!(now == old || now == new, "{context}: {now}");
        if code == 0 {
            assert_eq!(now, new, "{context}: a normal run");
            assert!(olds > 0 && news > 0, "{context}: {olds} old, {news} new");
            return;
        }
        assert_eq!(code, 70, "{context}");
        let forward = found.iter().any(|finding| finding.verdict == Verdict::RolledForward);
        assert!(!forward || now == new, "{context}");
        assert!(found.iter().all(|one| matches!(one.verdict, Verdict::RolledForward | Verdict::Swept)), "{context}");
        if now == new { news += 1 } else { olds += 1 }
    }
    panic!("{}: no end after {CALLS_MAX} calls", text(scene, "name"));
}
