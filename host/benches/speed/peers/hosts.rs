//! The same file, replaced in each of our hosts and in the usual way of the same language.

use super::files::{BYTES, PROMISES, place};
use super::programs::{Programs, Way};
use crate::Bench;
use crate::pairs::Pairs;
use crate::report::{Report, Target};

const HOSTS: [(&str, Way, Way); 3] = [
    ("Python", Way::OurPython, Way::Python),
    ("Node", Way::OurNode, Way::Npm),
    ("wasmtime alone", Way::Wasmtime, Way::Tempfile),
];

pub(super) fn measure(bench: &Bench, report: &mut Report, programs: &Programs) {
    for (host, ours, peer) in HOSTS {
        for (_, how, batch) in PROMISES {
            // npm's package never provides this durability, so there is nothing to compare.
            if matches!((peer, how), (Way::Npm, "durable")) {
                continue;
            }
            let what = format!("persist 4 KiB in {host}, {how}");
            report.times((what, peer.name()), place(bench, how), Target::None, |place| {
                let (our_root, root) = (place.directory("hosts-ours")?, place.directory("hosts-peer")?);
                let run = |way, root| programs.run(way, root, batch, how, BYTES);
                Pairs::run(bench.pairs(15, 7), || run(ours, &our_root), || run(peer, &root))
            });
        }
    }
}
