//! The component makes the same calls as the core.

use onionskin::fs::Cause;
use onionskin_sim::{Call, Verb};

use crate::shipped::{all, record};

/// Returns a call of the core as the component makes it. The component calls `stat` before it opens a directory, since
/// opening a pipe may block; the granted directories are already open.
fn by_component(call: &Call) -> Vec<String> {
    let (text, place) = (call.to_string(), call.place.to_string());
    if call.verb != Verb::OpenDir || matches!(place.as_str(), "ws" | "lower") {
        return vec![text];
    }
    match call.result {
        Err(Cause::NoEntry) => vec![format!("stat {place} = {:?}", Cause::NoEntry)],
        _ => vec![format!("stat {place}"), text],
    }
}

/// The calls and their results are equal, and so are the micro-operations, with every sync and every crash point
/// between them. Every crash state of a run of the core is therefore one of a run of the component.
#[test]
fn it_makes_the_calls_of_the_core() {
    let (mut calls, mut points) = (0, 0);
    for shipped in all() {
        let (core, component) = (record(&shipped.native), record(&shipped));
        let name = shipped.native.name;
        let made: Vec<String> = component.calls.iter().map(ToString::to_string).collect();
        let expected: Vec<String> = core.calls.iter().flat_map(by_component).collect();
        assert_eq!(made.join("\n"), expected.join("\n"), "{name}");
        assert_eq!(component.trace.lines().join("\n"), core.trace.lines().join("\n"), "{name}");
        assert_eq!(component.intrusions, [], "{name}");
        calls += component.calls.len();
        points += core.trace.points();
    }
    println!("same: {} operations, {calls} calls, {points} crash points, no difference", all().len());
}
