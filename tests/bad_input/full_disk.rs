//! A full disk loses nothing, whichever call fails: after the next open there is the old state or the new one, and
//! nothing besides.

use onionskin::error::Error;
use onionskin::fs::Cause;
use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::Publish;
use onionskin::store::Store;
use onionskin_sim::{Fault, Harm, SimFs, Tree, When, operations, tree};

use crate::CALLS;
use crate::support::{Scene, WAL, kind, publish};

fn before() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "lower/index.db" = crate::support::DATABASE;
        file "lower/index.db-wal" = WAL;
        file "ws/file" = "old";
        symlink "ws/link" = "file";
        symlink "ws/index.db" = "/lower/index.db";
        file "ws/conv/a" = "A";
        file "ws/conv/b" = "B";
        file "ws/conv/kept/deep" = "kept";
        symlink "ws/linked" = "conv";
    }
}

fn transaction(store: &Store<SimFs>, mode: Publish) -> Result<(), Error> {
    let mut transaction = store.begin("conv", publish(mode))?;
    transaction.put("a", b"new".to_vec())?;
    transaction.remove("b")?;
    transaction.put("x/y", b"new".to_vec())?;
    transaction.commit().map(drop)
}

type Action = (&'static str, Box<dyn Fn(&Store<SimFs>) -> Result<(), Error>>);

fn acts() -> Vec<Action> {
    let mut acts: Vec<Action> = Vec::new();
    for (name, call) in CALLS {
        acts.push((name, Box::new(move |store| call(store, "link"))));
    }
    acts.push(("in place", Box::new(|store| transaction(store, Publish::InPlace))));
    acts.push(("swap", Box::new(|store| transaction(store, Publish::Swap))));
    acts.push(("pointer", Box::new(|store| transaction(store, Publish::Pointer))));
    acts.push((
        "directory link",
        Box::new(|store| store.materialize("linked", &Source::LinkTarget, Content::Keep).map(drop)),
    ));
    let database = || Source::Path("/lower/index.db".into());
    acts.push(("database", Box::new(move |store| store.materialize("index.db", &database(), Content::Keep).map(drop))));
    acts
}

/// Fails every call of each act and compares the outcome with the state after the next open: old, new, or one of the
/// named trees in between.
fn try_all(acts: &[Action], between: &[(&'static str, Tree)], is_good: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, act) in acts {
        let scene = Scene::new(&before());
        act(&scene.open()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let new = scene.fs.tree();
        let calls = scene.fs.counts().mutations;
        for (number, sticky) in (0..calls).flat_map(|number| [(number, false), (number, true)]) {
            let context = format!("{name}, call {number} of {calls}, for ever: {sticky}");
            let scene = Scene::new(&before());
            let harm = Harm::Fail(Cause::InsufficientSpace);
            scene.fs.harm(Fault { when: When::Mutation(number), harm, sticky });
            let answer = operations::open(&scene.fs).and_then(|store| act(&store));
            scene.fs.heal();
            let opened = operations::open(&scene.fs).map(|store| store.recovered());
            let found = scene.fs.tree();
            assert_eq!(scene.fs.intrusions(), [], "{context}");
            assert_eq!(found.below("lower"), before().below("lower"), "{context}");
            let known = [("new", new.clone()), ("old", before())];
            let state =
                known.iter().chain(between).find(|(_, tree)| *tree == found).map_or("neither", |(state, _)| state);
            let outcomes = answer.as_ref().map_or_else(kind, |()| "done");
            if !is_good(outcomes, state) || opened.is_err() {
                wrong.push(format!("{context}: {answer:?}, {state}, opening: {opened:?}\n{}", before().diff(&found)));
            }
        }
    }
    wrong
}

/// Every call fails in turn, once or from then on; then there is room again and the root is opened.
#[test]
fn every_call_may_find_the_disk_full() {
    let wrong = try_all(&acts(), &[], |outcomes, state| match outcomes {
        "done" | "needs-recovery" => state == "new",
        "not-committed" => state == "old",
        "outcome-unknown" => state != "neither",
        _ => false,
    });
    assert!(wrong.is_empty(), "{} wrong, the first of them:\n{}", wrong.len(), wrong[..wrong.len().min(4)].join("\n"));
}

/// A write below a linked parent: the parent may have become independent, with the old content; the error says whether
/// the write itself happened.
#[test]
fn a_write_below_a_link_may_find_the_disk_full() {
    let write: Action = ("below a link", Box::new(|store| (CALLS[0].1)(store, "linked/a")));
    let independent = before().remove("ws/linked").file("ws/linked/a", "A").file("ws/linked/b", "B");
    let independent = independent.file("ws/linked/kept/deep", "kept");
    let wrong = try_all(&[write], &[("independent", independent)], |outcomes, state| match outcomes {
        "done" | "needs-recovery" => state == "new",
        "not-committed" => matches!(state, "old" | "independent"),
        "outcome-unknown" => state != "neither",
        _ => false,
    });
    assert!(wrong.is_empty(), "{} wrong, the first of them:\n{}", wrong.len(), wrong[..wrong.len().min(4)].join("\n"));
}
