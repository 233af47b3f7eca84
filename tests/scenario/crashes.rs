//! The program is stopped before each of its calls in turn, and what it left is opened.

use onionskin_host::{OpenOptions, Verdict};
use serde_json::Value;

use crate::command::run;
use crate::words::text;
use crate::world::{World, expected};
use crate::{onionskin, scenes};

/// A run that has not ended by itself after so many calls never will.
const CALLS_MAX: u32 = 300;

#[test]
fn what_a_crash_left_is_found_old_or_new() {
    for scene in scenes("crashes") {
        crash_everywhere(&scene);
    }
}

fn crash_everywhere(scene: &Value) {
    let (old, new) = (expected(&scene["old"]), expected(&scene["new"]));
    let (mut olds, mut news) = (0, 0);
    for call in 1..=CALLS_MAX {
        let world = World::new(&scene["before"]);
        let code = run(&world, &["--crash-at", &call.to_string()], scene);
        let store = onionskin().store(world.at("root")).open(&OpenOptions::default()).expect("it opens");
        let found = store.recovered().expect("it tells");
        store.close().expect("it closes");
        let now = world.look();
        let what = format!("{}, call {call}: {found:?}", text(scene, "name"));
        assert!(now == old || now == new, "{what}: {now}");
        if code == 0 {
            assert_eq!(now, new, "{what}: a normal run");
            assert!(olds > 0 && news > 0, "{what}: {olds} old, {news} new");
            return;
        }
        assert_eq!(code, 70, "{what}");
        let forward = found.iter().any(|finding| finding.verdict == Verdict::RolledForward);
        assert!(!forward || now == new, "{what}");
        assert!(found.iter().all(|one| matches!(one.verdict, Verdict::RolledForward | Verdict::Swept)), "{what}");
        if now == new { news += 1 } else { olds += 1 }
    }
    panic!("{}: no end after {CALLS_MAX} calls", text(scene, "name"));
}
