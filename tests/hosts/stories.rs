//! The two stories of `onionskin demo`, scene by scene and blow by blow.

use std::fs;
use std::path::{Path, PathBuf};

use onionskin_host::stories::conversations::{self, Blow, SCENES, Scene};
use onionskin_host::stories::originals::{self, Places};
use onionskin_host::stories::{Teller, ground_truth, tree};
use onionskin_host::{Content, Fault, Faults, OpenOptions, Source, Store};

use crate::ground;
use crate::scene::onionskin;

/// Cases on either side of the decision that the shortest scene has; fewer, and calls were missed.
const CASES_EACH_SIDE_MIN: u64 = 15;

/// Every promise was tried and held, and these are among them.
fn held(teller: &Teller<'_>, wanted: &[&str]) {
    let promises = teller.promises();
    for promise in promises {
        assert!(promise.cases > 0, "{}: was never tried", promise.text);
        assert_eq!(promise.broken, [""; 0], "{}", promise.text);
    }
    for text in wanted {
        assert!(promises.iter().any(|promise| promise.text == *text), "{text}: was not among the promises");
    }
    assert!(teller.all_held());
}

const GROUND_TRUTH: [&str; 4] =
    [ground_truth::ORIGINALS, ground_truth::INDEX, ground_truth::MONITOR, ground_truth::LEFT_OVER];

/// Originals stay byte for byte what they are: on generated data.
#[test]
fn ground_truth_of_generated_data() {
    let directory = ground::scratch();
    let places = originals::set_up(directory.path()).expect("the data can be generated");
    let before = ground::read(&places.cache);
    let mut teller = Teller::silent();
    ground_truth::tell_over(onionskin(), &places, &mut teller).expect("the story goes to its end");
    held(&teller, &GROUND_TRUTH);
    held(&teller, &[ground_truth::CONTENT, ground_truth::GRANTS]);
    assert_eq!(ground::difference(&before, &ground::read(&places.cache)), ground::NONE);
    assert_eq!(ground::ours(&ground::read(&places.workspace)), ground::NONE);
}

/// The cache of a real application, where it is at hand.
fn real_cache() -> Option<PathBuf> {
    let data = std::env::var_os("ONIONSKIN_DEMO_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/flashapp-demo"),
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
    let mut teller = Teller::silent();
    ground_truth::tell_over(onionskin(), &places, &mut teller).expect("the story goes to its end");
    held(&teller, &GROUND_TRUTH);
    assert_eq!(ground::difference(&before, &ground::read(&cache)), ground::NONE);
    assert_eq!(ground::ours(&ground::read(&workspace)), ground::NONE);
}

/// Everything at the top of a real cache is materialized, with a crash at every call: then it is
/// the link still, or all that the link showed.
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
            let what = format!("{top}, call {call}");
            let directory = ground::scratch();
            let workspace = directory.path().join("workspace");
            Places::over(&cache, &workspace).expect("the workspace can be made");
            let session = || onionskin().session(&workspace).lower(&cache);
            let faults = Faults::counting(Fault::TrapBefore(call));
            let store = session().faults(&faults).open(&OpenOptions::default()).expect("the root opens");
            let result = store.materialize(top, &Source::LinkTarget, &Content::Keep);
            drop(store);
            session().open(&OpenOptions::default()).and_then(Store::close).expect("the next open recovers");
            assert_eq!(ground::ours(&ground::read(&workspace)), ground::NONE, "{what}");
            if workspace.join(top).is_symlink() {
                links += 1;
            } else {
                copies += 1;
                let of_top = |(name, _): &(&String, &tree::Entry)| name.starts_with(top.as_str());
                let now = content(&workspace);
                assert!(now.iter().filter(of_top).eq(original.iter().filter(of_top)), "{what}");
            }
            if result.is_ok() {
                break;
            }
        }
        assert!(links > 3 && copies > 0, "{top}: {links} links, {copies} copies");
    }
    assert_eq!(ground::difference(&before, &ground::read(&cache)), ground::NONE);
}

/// Five changes in a row, none of them disturbed.
fn over_and_over(scene: Scene) {
    let directory = ground::scratch();
    let mut teller = Teller::silent();
    conversations::over_and_over(onionskin(), &directory.path().join("root"), scene, &mut teller)
        .expect("the story goes to its end");
    held(&teller, &[conversations::ACKNOWLEDGED, conversations::UNMANAGED, conversations::LEFT_OVER]);
    held(&teller, &[conversations::MONITOR]);
}

/// The same change, with the blow at every call in turn.
fn at_every_call(scene: Scene, blow: Blow) {
    let directory = ground::scratch();
    let mut teller = Teller::silent();
    let tally = conversations::at_every_call(onionskin(), directory.path(), scene, blow, &mut teller)
        .expect("the story goes to its end");
    println!("{scene:?}, {blow:?}: {tally:?}");
    held(&teller, &[conversations::UNMANAGED, conversations::LEFT_OVER, conversations::OPEN_TWICE]);
    held(&teller, &[conversations::MONITOR]);
    held(
        &teller,
        match blow {
            Blow::Crash => &[conversations::OLD_OR_NEW],
            Blow::Failure { .. } => &[conversations::TRUE_ERRORS],
        },
    );
    assert_eq!(tally.neither, 0);
    assert!(tally.old >= CASES_EACH_SIDE_MIN && tally.new >= CASES_EACH_SIDE_MIN, "{tally:?}: too few cases");
    assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 0, "the story clears up");
}

macro_rules! tests {
    ($($name:ident: $told:expr;)*) => {
        $(
            #[test]
            fn $name() {
                $told;
            }
        )*
    };
}

tests! {
    in_place_over_and_over: over_and_over(SCENES[0]);
    in_place_with_a_crash_at_every_call: at_every_call(SCENES[0], Blow::ALL[0]);
    in_place_with_a_failure_at_every_call: at_every_call(SCENES[0], Blow::ALL[1]);
    in_place_with_a_full_disk_from_every_call: at_every_call(SCENES[0], Blow::ALL[2]);
    swap_over_and_over: over_and_over(SCENES[1]);
    swap_with_a_crash_at_every_call: at_every_call(SCENES[1], Blow::ALL[0]);
    swap_with_a_failure_at_every_call: at_every_call(SCENES[1], Blow::ALL[1]);
    swap_with_a_full_disk_from_every_call: at_every_call(SCENES[1], Blow::ALL[2]);
    first_pointer_over_and_over: over_and_over(SCENES[2]);
    first_pointer_with_a_crash_at_every_call: at_every_call(SCENES[2], Blow::ALL[0]);
    first_pointer_with_a_failure_at_every_call: at_every_call(SCENES[2], Blow::ALL[1]);
    first_pointer_with_a_full_disk_from_every_call: at_every_call(SCENES[2], Blow::ALL[2]);
    later_pointer_with_a_crash_at_every_call: at_every_call(SCENES[3], Blow::ALL[0]);
    later_pointer_with_a_failure_at_every_call: at_every_call(SCENES[3], Blow::ALL[1]);
    later_pointer_with_a_full_disk_from_every_call: at_every_call(SCENES[3], Blow::ALL[2]);
}

/// The tests above are all there is to tell.
#[test]
fn every_scene_and_every_blow_has_its_test() {
    assert_eq!((SCENES.len(), Blow::ALL.len()), (4, 3));
}
