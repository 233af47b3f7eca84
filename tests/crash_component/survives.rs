//! The component survives every crash, as the core does.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use onionskin_sim::explore::{Plan, Subject, Totals, explore};
use onionskin_sim::{Bounds, SimFs};

use crate::shipped::{Shipped, all, record};

/// The duration of the measurement of the speed of recovery, for one operation.
const MEASURED: Duration = Duration::from_millis(700);

/// How many crashes in a row a bounded run follows.
const ROUNDS_MAX: u32 = 2;

/// The component recovers every image of two rounds, and with `ONIONSKIN_CRASH=full` crashes of recoveries are explored
/// without a bound. The result equals that of the core, image by image and call by call, and is old or new.
#[test]
fn it_survives_every_crash_as_the_core_does() {
    let mut totals = Totals::default();
    let mut recoveries = 0;
    let is_full = std::env::var("ONIONSKIN_CRASH").is_ok_and(|value| value == "full");
    let rounds_max = if is_full { Plan::default().rounds_max } else { ROUNDS_MAX };
    // The core is explored further; here both have to agree.
    let bounds = match Bounds::default() {
        full if is_full => full,
        full => Bounds { exhaustive_ops: 8, exhaustive_subsets: 1 << 9, samples: 256, ..full },
    };
    let start = Instant::now();
    let mut in_component = Duration::ZERO;
    for shipped in all() {
        let plan = shipped.native.plan(&Plan { shown: 1, rounds_max, bounds, ..Plan::default() });
        let begun = Instant::now();
        let component = explore(&shipped, &plan);
        in_component += begun.elapsed();
        assert_eq!(component.violations().next(), None, "{}", shipped.native.name);
        assert_eq!(component, explore(&shipped.native, &plan), "{}", shipped.native.name);
        totals = totals.plus(&component.totals());
        recoveries += shipped.recoveries.load(Ordering::Relaxed);
    }
    let Totals { points, windows, windows_exhaustive, raw, unique, kills, violations, .. } = totals;
    let share = 100.0 * windows_exhaustive as f64 / windows.max(1) as f64;
    let rate = recoveries as f64 / in_component.as_secs_f64();
    println!(
        "survives: {} operations, {points} crash points, {windows} windows ({share:.2} % exhaustive), {raw} raw and \
         {unique} unique images, {kills} kills, {violations} violations; {recoveries} recoveries by the component in \
         {:.1} s, {rate:.0} per second with all enumeration; {:.1} s in all",
        all().len(),
        in_component.as_secs_f64(),
        start.elapsed().as_secs_f64(),
    );
}

/// Measures the speed of recovery by the component, from the crash states of a kill at each crash point, with a new
/// instance for each.
#[test]
fn it_recovers_thousands_of_times_in_a_second() {
    let measured = |shipped: &Shipped| matches!(shipped.native.name, "replace" | "in-place" | "swap");
    for shipped in all().iter().filter(|shipped| measured(shipped)) {
        let trace = record(shipped).trace;
        let (mut calls, mut count) = (0, 0);
        let (start, busy) = (Instant::now(), busy());
        while start.elapsed() < MEASURED {
            for point in 0..trace.points() {
                let fs = SimFs::mount(trace.visible(point), shipped.switches());
                shipped.recover(&fs).expect("recovery succeeds");
                calls += fs.counts().calls;
                count += 1;
            }
        }
        let spent = busy.zip(self::busy()).map_or(start.elapsed(), |(before, now)| now - before);
        println!(
            "recovers: {}: {:.0} recoveries per second and core, of {} calls each",
            shipped.native.name,
            f64::from(count) / spent.as_secs_f64(),
            calls / count,
        );
    }
}

/// Returns the processor time of this thread, where the system reports it, since other processes may be running.
fn busy() -> Option<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    statistics.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
