//! The component makes the calls that the core makes.

use onionskin::fs::Cause;
use onionskin_sim::{Call, Verb};

use crate::shipped::{all, record};

/// A call of the core, as the component makes it. It looks before it opens a directory, since a host
/// may wait for ever in opening a pipe; but for the granted ones, which it has.
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

/// Call by call, with what each was told; and micro-operation by micro-operation, with every sync and
/// every crash point between them. So what is enumerated from a run of the core is what a run of
/// the component can leave.
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
