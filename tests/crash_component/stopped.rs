//! A fault of the simulated filesystem that ends the process ends the component.

use onionskin_host::{Error, OpenOptions, Trap};
use onionskin_sim::explore::Subject;
use onionskin_sim::{Fault, Harm, SimFs, When};

use crate::shipped::{all, record, session};

/// The component is stopped before every call that makes a change and makes no further call; the next open finds the
/// state before the operation or after it.
#[test]
fn it_is_stopped_at_every_call_that_changes_something() {
    let mut stops = 0;
    for shipped in all() {
        let done = record(&shipped);
        let mutations = done.calls.iter().filter(|call| call.verb.mutates()).count();
        let prepared = || {
            let fs = SimFs::with_switches(shipped.switches());
            shipped.setup(&fs);
            fs.settle();
            fs.restart();
            fs
        };
        let stages = [prepared().tree(), onionskin_sim::Tree::of(&done.visible)];
        for number in 0..mutations as u32 {
            let fs = prepared();
            fs.harm(Fault::once(When::Mutation(number), Harm::Die));
            let stopped = session(&fs).open(&OpenOptions::default()).and_then(|store| {
                shipped.act(&store)?;
                store.close()
            });
            let name = shipped.native.name;
            match stopped {
                Err(Error::Trap { trap: Trap::Fault { message }, .. }) => {
                    assert!(message.contains("simulated filesystem"), "{name}, {number}: {message}");
                }
                // A failure in a destructor is reported by the next call only.
                Err(Error::Trap { trap: Trap::Stopped, .. }) if name.contains("dropped") => {}
                other => panic!("{name} was not stopped at {number}: {other:?}"),
            }
            assert_eq!(fs.counts().mutations, number + 1, "{name}: no call after the last");
            fs.heal();
            fs.restart();
            shipped.recover(&fs).unwrap_or_else(|failure| panic!("{name}, {number}: {failure}"));
            let found = fs.tree();
            assert!(stages.iter().any(|stage| shipped.matches(&found, stage)), "{name}, {number}:\n{found}");
            stops += 1;
        }
    }
    println!("stopped: {stops} times, each followed by a recovery");
}
