//! Many runs, a hundred at once: 400, or 10,000 with `ONIONSKIN_LOAD=1`, which prints the figures of `docs/embedding.md`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::say;
use crate::server::Server;

const AT_ONCE: usize = 100;

#[test]
fn a_hundred_at_once() {
    let runs = if std::env::var_os("ONIONSKIN_LOAD").is_some() { 10_000 } else { 400 };
    let server = Server::start(&["--seconds", "120"]);
    let Some(plugin) = server.upload("greedy") else { return };
    for _ in 0..20 {
        one(&server, &plugin, 0);
    }
    let (idle, descriptors) = (server.status("VmRSS"), server.descriptors());
    let (next, begin) = (AtomicUsize::new(0), Instant::now());
    let mut slowest = Duration::ZERO;
    thread::scope(|scope| {
        let work = || {
            let mut slowest = Duration::ZERO;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= runs {
                    return slowest;
                }
                let begin = Instant::now();
                one(&server, &plugin, number);
                slowest = slowest.max(begin.elapsed());
            }
        };
        let clients: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for client in clients {
            slowest = slowest.max(client.join().expect("its requests succeed"));
        }
    });
    let took = begin.elapsed();
    assert_eq!(server.text(), "one\ntwo\nthree\nfour\nfive\n", "the project has no change that is not committed");
    assert_eq!(server.runs(), 0, "nothing is left of what was discarded");
    assert!(server.descriptors() <= descriptors + 8, "descriptors are left: {}", server.descriptors());
    say(&format!(
        "{runs} runs, {AT_ONCE} at once, in {took:.1?}: {:.1} ms for each, the slowest {slowest:.1?}; {} MB resident \
         before, {} MB at most, {} MB after",
        took.as_secs_f64() * 1e3 / runs as f64,
        idle / 1000,
        server.status("VmHWM") / 1000,
        server.status("VmRSS") / 1000,
    ));
}

/// Runs a plugin, looks at its change, and discards it.
fn one(server: &Server, plugin: &str, number: usize) {
    let run = server.run(plugin, &["replace", "/data/text", "two", &format!("run {number}")]);
    assert_eq!((run["ended"].as_str(), run["code"].as_i64()), (Some("exited"), Some(0)), "{run}");
    let run = run["run"].as_u64().expect("it has a number");
    let (_, changes) = server.json(&format!("GET /runs/{run}/changes"), b"");
    assert_eq!(changes["changes"].as_array().map(Vec::len), Some(1), "{changes}");
    assert_eq!(server.json(&format!("DELETE /runs/{run}"), b"").0, 200);
}
