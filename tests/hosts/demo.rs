//! The two demonstrations of `onionskin demo`, scene by scene and fault by fault.

use std::fs;
use std::path::{Path, PathBuf};

use onionskin_cli::demo::conversations::{self, FaultKind, SCENES, Scene};
use onionskin_cli::demo::originals::{self, Places};
use onionskin_cli::demo::{Report, ground_truth, tree};
use onionskin_host::{Content, Fault, Faults, OpenOptions, Source, Store};

use crate::ground;
use crate::scene::onionskin;

/// The minimum of cases on either side of the commit point, which the shortest scene has; fewer means that calls were
/// missed.
const CASES_EACH_SIDE_MIN: u64 = 15;

/// Asserts that every promise was tested and kept, and that these are among them.
fn held(report: &Report<'_>, wanted: &[&str]) {
    let promises = report.promises();
    for promise in promises {
        assert!(promise.cases > 0, "{}: was never tested", promise.text);
        assert_eq!(promise.broken, [""; 0], "{}", promise.text);
    }
    for text in wanted {
        assert!(promises.iter().any(|promise| promise.text == *text), "{text}: was not among the promises");
    }
    assert!(report.all_held());
}

const GROUND_TRUTH: [&str; 4] =
    [ground_truth::ORIGINALS, ground_truth::INDEX, ground_truth::MONITOR, ground_truth::LEFT_OVER];

/// Originals stay byte-identical, on generated data.
#[test]
fn ground_truth_of_generated_data() {
    let directory = ground::scratch();
    let places = originals::set_up(directory.path()).expect("the data can be generated");
    let before = ground::read(&places.cache);
    let mut report = Report::silent();
    ground_truth::run_on(onionskin(), &places, &mut report).expect("the demonstration completes");
    held(&report, &GROUND_TRUTH);
    held(&report, &[ground_truth::CONTENT, ground_truth::GRANTS]);
    assert_eq!(ground::difference(&before, &ground::read(&places.cache)), ground::NONE);
    assert_eq!(ground::ours(&ground::read(&places.workspace)), ground::NONE);
}

/// Returns the cache of a real application, if it is available.
fn real_cache() -> Option<PathBuf> {
    let data = std::env::var_os("ONIONSKIN_DEMO_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/flashapp-demo"),
        PathBuf::from,
    );
    let cache = data.join("cache");
    if !cache.is_dir() {
        ground::say("SKIPPED: no demonstration data; set ONIONSKIN_DEMO_DATA to the directory that holds `cache`");
        return None;
    }
    Some(cache)
}

/// The same on real data.
#[test]
fn ground_truth_of_a_real_cache() {
    let Some(cache) = real_cache() else { return };
    let before = ground::read(&cache);
    let directory = ground::scratch();
    let workspace = directory.path().join("workspace");
    let places = Places::over(&cache, &workspace).expect("the workspace can be made");
    assert!(!places.databases.is_empty() && !places.files.is_empty(), "the cache has an index and artefacts");
    let mut report = Report::silent();
    ground_truth::run_on(onionskin(), &places, &mut report).expect("the demonstration completes");
    held(&report, &GROUND_TRUTH);
    assert_eq!(ground::difference(&before, &ground::read(&cache)), ground::NONE);
    assert_eq!(ground::ours(&ground::read(&workspace)), ground::NONE);
}

/// Every entry at the top of a real cache is materialized with a crash at every call: afterwards it is still the link,
/// or a copy of the whole target.
#[test]
fn a_real_cache_with_a_crash_at_every_call() {
    let Some(cache) = real_cache() else { return };
    let before = ground::read(&cache);
    let content = |directory: &Path| tree::without_modes(&tree::read(directory).expect("it can be read"));
    let original = content(&cache);
    let tops: Vec<&String> = original.keys().filter(|name| !name.contains('/')).collect();
    for top in tops {
        let (mut links, mut copies) = (0, 0);
        for call in 1.. {
            let context = format!("{top}, call {call}");
            let directory = ground::scratch();
            let workspace = directory.path().join("workspace");
            Places::over(&cache, &workspace).expect("the workspace can be made");
            let builder = || onionskin().store(&workspace).lower(&cache);
            let faults = Faults::counting(Fault::TrapBefore(call));
            let store = builder().faults(&faults).open(&OpenOptions::default()).expect("the root opens");
            let result = store.materialize(top, &Source::LinkTarget, &Content::Keep);
            drop(store);
            builder().open(&OpenOptions::default()).and_then(Store::close).expect("the next open recovers");
            assert_eq!(ground::ours(&ground::read(&workspace)), ground::NONE, "{context}");
            if workspace.join(top).is_symlink() {
                links += 1;
            } else {
                copies += 1;
                let of_top = |(name, _): &(&String, &tree::Entry)| name.starts_with(top.as_str());
                let now = content(&workspace);
                assert!(now.iter().filter(of_top).eq(original.iter().filter(of_top)), "{context}");
            }
            if result.is_ok() {
                break;
            }
        }
        assert!(links > 3 && copies > 0, "{top}: {links} links, {copies} copies");
    }
    assert_eq!(ground::difference(&before, &ground::read(&cache)), ground::NONE);
}

/// Five changes in a row without a fault.
fn repeatedly(scene: Scene) {
    let directory = ground::scratch();
    let mut report = Report::silent();
    conversations::repeatedly(onionskin(), &directory.path().join("root"), scene, &mut report)
        .expect("the demonstration completes");
    held(&report, &[conversations::ACKNOWLEDGED, conversations::UNMANAGED, conversations::LEFT_OVER]);
    held(&report, &[conversations::MONITOR]);
}

/// The same change, with the fault at every call in turn.
fn at_every_call(scene: Scene, kind: FaultKind) {
    let directory = ground::scratch();
    let mut report = Report::silent();
    let tally = conversations::at_every_call(onionskin(), directory.path(), scene, kind, &mut report)
        .expect("the demonstration completes");
    println!("{scene:?}, {kind:?}: {tally:?}");
    held(&report, &[conversations::UNMANAGED, conversations::LEFT_OVER, conversations::OPEN_TWICE]);
    held(&report, &[conversations::MONITOR]);
    held(
        &report,
        match kind {
            FaultKind::Crash => &[conversations::OLD_OR_NEW],
            FaultKind::Failure { .. } => &[conversations::TRUE_ERRORS],
        },
    );
    assert_eq!(tally.neither, 0);
    assert!(tally.old >= CASES_EACH_SIDE_MIN && tally.new >= CASES_EACH_SIDE_MIN, "{tally:?}: too few cases");
    assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 0, "the demonstration cleans up");
}

macro_rules! tests {
    ($($name:ident: $call:expr;)*) => {
        $(
            #[test]
            fn $name() {
                $call;
            }
        )*
    };
}

tests! {
    in_place_repeatedly: repeatedly(SCENES[0]);
    in_place_with_a_crash_at_every_call: at_every_call(SCENES[0], FaultKind::ALL[0]);
    in_place_with_a_failure_at_every_call: at_every_call(SCENES[0], FaultKind::ALL[1]);
    in_place_with_a_full_disk_from_every_call: at_every_call(SCENES[0], FaultKind::ALL[2]);
    swap_repeatedly: repeatedly(SCENES[1]);
    swap_with_a_crash_at_every_call: at_every_call(SCENES[1], FaultKind::ALL[0]);
    swap_with_a_failure_at_every_call: at_every_call(SCENES[1], FaultKind::ALL[1]);
    swap_with_a_full_disk_from_every_call: at_every_call(SCENES[1], FaultKind::ALL[2]);
    first_pointer_repeatedly: repeatedly(SCENES[2]);
    first_pointer_with_a_crash_at_every_call: at_every_call(SCENES[2], FaultKind::ALL[0]);
    first_pointer_with_a_failure_at_every_call: at_every_call(SCENES[2], FaultKind::ALL[1]);
    first_pointer_with_a_full_disk_from_every_call: at_every_call(SCENES[2], FaultKind::ALL[2]);
    later_pointer_with_a_crash_at_every_call: at_every_call(SCENES[3], FaultKind::ALL[0]);
    later_pointer_with_a_failure_at_every_call: at_every_call(SCENES[3], FaultKind::ALL[1]);
    later_pointer_with_a_full_disk_from_every_call: at_every_call(SCENES[3], FaultKind::ALL[2]);
}

/// The tests above cover every scene and every fault.
#[test]
fn every_scene_and_every_fault_has_its_test() {
    assert_eq!((SCENES.len(), FaultKind::ALL.len()), (4, 3));
}
