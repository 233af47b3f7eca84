//! Beside other people's programs: one file, replaced; how cost grows; and originals, copied up.
//!
//! Each peer is used as its documentation says, is a process of its own, and measures itself. Rows are by
//! promise: `durable` has synced the file and its directory, `data` the file alone, as ours at the
//! durability of that name; `visible` has synced nothing.

mod copies;
mod files;
mod growth;
mod hosts;
mod programs;

use programs::Programs;

use crate::Bench;
use crate::report::Report;

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    let programs = Programs::make();
    report.section("One file, beside other programs");
    files::measure(bench, report, &programs);
    report.section("One file in each host, beside what its language has");
    hosts::measure(bench, report, &programs);
    report.section("How cost grows");
    growth::measure(bench, report, &programs);
    report.section("Originals copied up");
    copies::measure(bench, report);
}
