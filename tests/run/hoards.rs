//! Programs that hoard what the host keeps for them, exhaust what compiles them, or import in ways that no compiler
//! makes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ground::{Ground, put};
use crate::guests::program;
use crate::trial::{Trial as _, as_data, written};

/// Longer than a test takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn ground() -> Ground {
    Ground::new(|top, _| put(top, "here", "here"))
}

/// The text of a command: `imports` and what is lowered of them, and a module with these imports and this body, which
/// has `$memory`.
fn command(imports: &str, lowered: &str, body: &str) -> String {
    format!(
        r#"(component {imports}
            (core module $memory (memory (export "memory") 16) (func (export "realloc")
                (param i32 i32 i32 i32) (result i32) (i32.const 65536)))
            (core instance $memory (instantiate $memory))
            {lowered}
            (core module $program {body})
            (core instance $program (instantiate $program
                (with "memory" (instance $memory)) (with "host" (instance $host))))
            (func $run (result (result)) (canon lift (core func $program "run")))
            (instance $command (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $command)))"#
    )
}

const CLOCK: &str = r#"
    (import "wasi:io/poll@0.2.0" (instance $poll
        (export "pollable" (type $p (sub resource)))
        (export "poll" (func (param "in" (list (borrow $p))) (result (list u32))))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $p))
        (export "pollable" (type $own (eq $p)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))"#;

const CLOCK_LOWERED: &str = r#"
    (core func $wait (canon lower (func $clock "subscribe-duration")))
    (core func $poll (canon lower (func $poll "poll") (memory $memory "memory") (realloc (func $memory "realloc"))))
    (core instance $host (export "wait" (func $wait)) (export "poll" (func $poll)))"#;

/// Timers, a list of a hundred million timers, and random bytes by the gigabyte: the host refuses each, and lives.
#[test]
fn a_program_hoards_nothing_of_the_host() {
    let timers = r#"(import "host" "wait" (func $wait (param i64) (result i32)))
        (func (export "run") (result i32)
            (loop $again (drop (call $wait (i64.const 1000000000))) (br $again)) (i32.const 0))"#;
    let list = r#"(import "host" "wait" (func $wait (param i64) (result i32)))
        (import "host" "poll" (func $poll (param i32 i32 i32)))
        (import "memory" "memory" (memory 1))
        (func (export "run") (result i32)
            (drop (memory.grow (i32.const 7000)))
            (call $poll (i32.const 131072) (i32.const 100000000) (i32.const 0)) (i32.const 0))"#;
    let random_import = r#"(import "wasi:random/random@0.2.0" (instance $random
        (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))"#;
    let random_lowered = r#"(core func $random (canon lower (func $random "get-random-bytes")
            (memory $memory "memory") (realloc (func $memory "realloc"))))
        (core instance $host (export "random" (func $random)))"#;
    let random = r#"(import "host" "random" (func $random (param i64 i32)))
        (func (export "run") (result i32) (call $random (i64.const 3000000000) (i32.const 0)) (i32.const 0))"#;
    let ground = ground();
    for (what, text, why) in [
        ("timers", command(CLOCK, CLOCK_LOWERED, timers), "no free keys"),
        ("a list", command(CLOCK, CLOCK_LOWERED, list), "too much data is being copied"),
        ("random bytes", command(random_import, random_lowered, random), "exceeds limit"),
    ] {
        let start = Instant::now();
        let program = written(&ground, "program.wasm", &text);
        let said = ground.layered(&[], &program, &[]);
        assert_eq!(said.code, Some(1), "{what}: {said:?}");
        assert!(said.err.contains("the program failed: ") && said.err.contains(why), "{what}: {said:?}");
        assert!(start.elapsed() < SOON, "{what}: {:?}", start.elapsed());
    }
    ground.assert_lowers_stay();
}

/// Listings, each of which the host has in memory as a whole, of a plain directory; a layer has them in the memory of
/// the program.
#[test]
fn a_program_holds_a_limited_number_of_listings() {
    let (ground, Some(program)) = (ground(), program("attack")) else { return };
    let said = ground.plain(&program, &["listings", "/data"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "256: OutOfMemory\n"), "{}", said.err);
    // A quota wraps the calls in another way.
    let (lower, plain) = (as_data(&ground.at("top")), format!("{}::/plain", ground.at("plain").display()));
    let program = program.to_str().expect("a plain name");
    let said = crate::trial::onionskin([
        "run",
        "--lower",
        &lower,
        "--max-bytes",
        "1M",
        "--dir",
        &plain,
        program,
        "listings",
        "/plain",
    ]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "256: OutOfMemory\n"), "{}", said.err);
}

/// A type that is nested too deep for the stack of the compiler: that process ends, and this one says why.
#[test]
fn a_program_that_exhausts_the_compiler_is_refused() {
    let ground = ground();
    let place = ground.at("deep.wasm");
    for depth in [5_000, 200_000] {
        fs::write(&place, nested(depth)).expect("a writable directory");
        let said = ground.layered(&["--timeout", "30s"], &place, &[]);
        assert_eq!(said.code, Some(1), "{depth}: {said:?}");
        assert!(said.err.contains("or the stack, that there is"), "{depth}: {said:?}");
    }
    ground.assert_lowers_stay();
}

/// A component with a type of a component with a type, and so on.
fn nested(depth: usize) -> Vec<u8> {
    let mut types = [&[0x41, 1, 1].repeat(depth)[..], &[0x41, 0]].concat();
    types.insert(0, 1);
    let mut length = Vec::new();
    let mut rest = types.len();
    while rest >= 0x80 {
        length.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    length.push(rest as u8);
    [&b"\0asm\x0d\0\x01\0\x07"[..], &length, &types].concat()
}

/// Imports in versions that the host does not have, by a component inside, and exported again: what they list is the
/// layer, and neither of the two directories below it.
#[test]
fn whatever_the_import_the_directory_is_that_of_the_layer() {
    let ground = ground();
    let of_version = |version: &str| {
        format!(
            r#"(import "wasi:filesystem/types@{version}" (instance $types
                (export "descriptor" (type (sub resource)))))
            (alias export $types "descriptor" (type $descriptor))
            (import "wasi:filesystem/preopens@{version}" (instance $preopens
                (alias outer 1 $descriptor (type $d))
                (export "descriptor" (type $own (eq $d)))
                (export "get-directories" (func (result (list (tuple (own $own) string)))))))"#
        )
    };
    let exit = r#"(import "wasi:cli/exit@0.2.12" (instance $exit
        (export "exit-with-code" (func (param "status-code" u8)))))"#;
    let lowered = r#"(core func $list (canon lower (func $preopens "get-directories")
            (memory $memory "memory") (realloc (func $memory "realloc"))))
        (core func $exit (canon lower (func $exit "exit-with-code")))
        (core instance $host (export "list" (func $list)) (export "exit" (func $exit)))"#;
    // Exits with 40, and the number of directories.
    let body = r#"(import "host" "list" (func $list (param i32)))
        (import "host" "exit" (func $exit (param i32)))
        (import "memory" "memory" (memory 1))
        (func (export "run") (result i32)
            (call $list (i32.const 16))
            (call $exit (i32.add (i32.const 40) (i32.load (i32.const 20)))) (i32.const 0))"#;
    for version in ["0.2.0", "0.2.8", "0.2.99"] {
        let inner = command(&format!("{}{exit}", of_version("0.2.1")), lowered, body);
        let inner = inner.replacen("(component", "(component $inner", 1);
        let by_a_component_inside = format!(
            r#"(component {} {exit} {inner}
                (instance $i (instantiate $inner
                    (with "wasi:filesystem/types@0.2.1" (instance $types))
                    (with "wasi:filesystem/preopens@0.2.1" (instance $preopens))
                    (with "wasi:cli/exit@0.2.12" (instance $exit))))
                (export "wasi:filesystem/preopens@{version}" (instance $preopens))
                (alias export $i "wasi:cli/run@0.2.0" (instance $run))
                (export "wasi:cli/run@0.2.0" (instance $run)))"#,
            of_version(version)
        );
        let itself = command(&format!("{}{exit}", of_version(version)), lowered, body);
        for text in [itself, by_a_component_inside] {
            let said = ground.layered(&[], &written(&ground, "program.wasm", &text), &[]);
            assert_eq!(said.code, Some(41), "{version}: {said:?}\n{text}");
        }
    }
    ground.assert_lowers_stay();
}

/// A directory for temporary files in which other users can replace what is not theirs: no temporary upper directory is
/// made there.
#[test]
fn a_temporary_upper_is_not_made_where_others_can_replace_it() {
    let (ground, Some(greedy)) = (ground(), program("greedy")) else { return };
    let place = ground.at("tmp");
    fs::create_dir(&place).expect("a writable directory");
    let run = |mode| {
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).expect("it belongs to the test");
        let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
        command.args(["run", "--lower", &as_data(&ground.at("top"))]).arg(&greedy).arg("look").env("TMPDIR", &place);
        let ended = command.output().expect("the program starts");
        let left: Vec<PathBuf> =
            fs::read_dir(&place).expect("a readable directory").map(|entry| entry.expect("readable").path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new());
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    let (code, message) = run(0o777);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains(place.to_str().expect("plain")) && message.contains("set its sticky bit"), "{message}");
    for mode in [0o1777, 0o700] {
        let (code, message) = run(mode);
        assert_eq!(code, Some(0), "{mode:o}: {message}");
    }
}
