//! Comparison with other libraries: one file, replaced; the growth of the cost; and originals, copied up.
//!
//! Each peer is used as its documentation says, runs in a process of its own, and measures itself. Rows are by
//! durability: `durable` syncs the file and its directory, `data` the file only, as ours at the durability of that
//! name; `visible` syncs nothing.

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
    report.section("One file, compared with other libraries");
    files::measure(bench, report, &programs);
    report.section("One file in each host, compared with its language");
    hosts::measure(bench, report, &programs);
    report.section("How cost grows");
    growth::measure(bench, report, &programs);
    report.section("Originals copied up");
    copies::measure(bench, report);
}
