//! The process that compiles a program: on several threads within its limits, seen on a terminal, and never without the
//! command that started it.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::bounds::slow_to_compile;
use crate::ground::{Ground, put};
use crate::screen;
use crate::trial::as_data;

/// Longer than a test takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A command that compiles for longer than it may.
fn slow(timeout: &str) -> (Ground, Command) {
    let ground = Ground::new(|top, _| put(top, "here", "here"));
    let place = ground.at("long.wasm");
    fs::write(&place, slow_to_compile()).expect("a writable directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    command.args(["run", "--lower", &as_data(&ground.at("top")), "--timeout", timeout]).arg(&place);
    (ground, command)
}

fn at_last<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < SOON, "it takes too long");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The process that was started by another one.
fn child_of(process: u32) -> Option<u32> {
    let children = fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten();
    let mut children = children.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    children.find_map(|children| children.split_whitespace().next()?.parse().ok())
}

fn is_running(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

#[test]
fn it_has_its_limits_and_ends_with_the_command() {
    let (_ground, mut command) = slow("10m");
    let mut run = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let compiler = at_last(|| child_of(run.id()));
    // It compiles once it has threads.
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let place = format!("/proc/{compiler}");
    let count = || fs::read_dir(Path::new(&place).join("task")).map_or(0, Iterator::count);
    let threads = at_last(|| Some(count()).filter(|count| *count > cores.min(8)));
    assert!(threads <= 9, "{threads} threads");
    let limits = fs::read_to_string(format!("{place}/limits")).expect("it runs");
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).expect("the kernel has it");
        line[name.len()..].split_whitespace().next().map(str::to_owned)
    };
    assert_eq!(limit("Max address space"), Some((4_u64 << 30).to_string()));
    assert_eq!(limit("Max core file size"), Some("0".to_owned()));
    run.kill().expect("it runs");
    run.wait().expect("it has ended");
    at_last(|| (!is_running(compiler)).then_some(()));
}

#[test]
fn a_person_at_a_terminal_sees_that_it_compiles() {
    let (_ground, mut command) = slow("3s");
    command.env("TERM", "xterm");
    let seen = screen::run(command, "");
    assert_eq!(seen.code, 1, "{}", seen.screen);
    assert!(seen.screen.contains("long.wasm: is compiled, for this start and later ones"), "{}", seen.screen);
    let end = seen.screen.rsplit("is compiled").next().expect("there is an end");
    assert!(end.contains("to compile it takes longer"), "{}", seen.screen);
    // Elsewhere there is no such line.
    let (_ground, mut command) = slow("2s");
    let said = command.stdin(Stdio::null()).output().expect("the program starts");
    let message = String::from_utf8_lossy(&said.stderr);
    assert!(message.contains("to compile it takes longer") && !message.contains("is compiled"), "{message}");
}
