//! Proposals of WebAssembly that compilers use: exceptions and garbage collection are there, and their heap is memory
//! of the program; a program that needs another one is refused with its name.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::ground::{Ground, put};
use crate::trial::{Trial as _, as_data, onionskin, written};

/// What a host may take beyond the memory of a program, in bytes: its own code, and that of the program.
const HOST_BYTES: u64 = 256 << 20;

fn ground() -> Ground {
    Ground::new(|top, _| put(top, "here", "here"))
}

/// A command that throws in a function and catches it in another one, then exits with what was thrown.
const THROWS: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (tag $thrown (param i32))
    (func $throws (param i32) (throw $thrown (local.get 0)))
    (func (export "_start")
        (block $caught (result i32)
            (try_table (catch $thrown $caught) (call $throws (i32.const 42)))
            (unreachable))
        (call $exit)))"#;

/// As compilers of C++ do it: what was caught is thrown again, and caught by its reference.
const THROWS_AGAIN: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (tag $thrown (param i32))
    (func $between
        (block $caught (result exnref)
            (try_table (catch_all_ref $caught) (throw $thrown (i32.const 43)))
            (unreachable))
        (throw_ref))
    (func (export "_start")
        (block $caught (result i32)
            (try_table (catch $thrown $caught) (call $between))
            (unreachable))
        (call $exit)))"#;

#[test]
fn what_is_thrown_is_caught() {
    let ground = ground();
    for (text, code) in [(THROWS, 42), (THROWS_AGAIN, 43)] {
        let program = written(&ground, "throws.wasm", text);
        for said in [ground.plain(&program, &[]), ground.layered(&[], &program, &[])] {
            assert_eq!(said.code, Some(code), "{said:?}");
        }
    }
    ground.assert_lowers_stay();
}

#[test]
fn what_nobody_catches_ends_the_program() {
    let ground = ground();
    let text = r#"(module (memory (export "memory") 1) (tag $t) (func (export "_start") (throw $t)))"#;
    let said = ground.layered(&[], &written(&ground, "throws.wasm", text), &[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the program failed: ") && said.err.contains("exception"), "{}", said.err);
}

/// A command that does this again and again, `times` times.
fn repeats(types: &str, act: &str, times: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 1) {types}
            (func (export "_start") (local $left i64)
                (local.set $left (i64.const {times}))
                (loop $again {act}
                    (local.set $left (i64.sub (local.get $left) (i64.const 1)))
                    (br_if $again (i64.ne (local.get $left) (i64.const 0))))))"#
    )
}

const FOR_EVER: &str = "-1";

const LIST: &str = "(type $node (struct (field (ref null $node)) (field i64)))
    (global $list (mut (ref null $node)) (ref.null $node))";

/// Objects that are kept, whether made as such or thrown: the program ends at its bound, and the host has not grown
/// by more than that.
#[test]
fn the_heap_of_objects_is_memory_of_the_program() {
    const MOST: u64 = 64 << 20;
    let exceptions = "(type $node (struct (field (ref null $node)) (field exnref)))
        (global $list (mut (ref null $node)) (ref.null $node)) (tag $thrown (param i64))";
    let caught = "(global.set $list (struct.new $node (global.get $list)
        (block $caught (result exnref) (try_table (catch_all_ref $caught) (throw $thrown (i64.const 1))) (unreachable))))";
    let arrays = "(type $bytes (array (mut i8))) (global $kept (mut (ref null $bytes)) (ref.null $bytes))";
    let table = "(type $pair (struct (field i64) (field i64))) (table $kept 0 (ref null $pair))";
    for (name, text) in [
        ("a list", repeats(LIST, "(global.set $list (struct.new $node (global.get $list) (i64.const 7)))", FOR_EVER)),
        ("exceptions", repeats(exceptions, caught, FOR_EVER)),
        (
            "one array",
            repeats(arrays, "(global.set $kept (array.new_default $bytes (i32.const 1000000000)))", FOR_EVER),
        ),
        (
            "a table of objects",
            repeats(
                table,
                "(if (i32.eq (table.grow $kept (struct.new $pair (i64.const 1) (i64.const 2)) (i32.const 1000))
                    (i32.const -1)) (then unreachable))",
                FOR_EVER,
            ),
        ),
    ] {
        let ground = ground();
        let program = written(&ground, "hoards.wasm", &text);
        let mut run = Command::new(env!("CARGO_BIN_EXE_onionskin"))
            .args(["run", "--lower", &as_data(&ground.at("top")), "--memory", "64M", "--timeout", "2m"])
            .arg(program)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut peak = 0;
        while run.try_wait().expect("it can be waited for").is_none() {
            peak = peak.max(resident(run.id()));
            thread::sleep(Duration::from_millis(5));
        }
        let said = run.wait_with_output().expect("it has ended");
        let message = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(1), "{name}: {message}");
        assert!(message.contains("more memory than its --memory allows"), "{name}: {message}");
        assert!(peak < MOST + HOST_BYTES, "{name}: the host took {peak} bytes");
    }
}

/// Objects that nobody keeps: their room is used again.
#[test]
fn what_is_not_kept_needs_no_memory() {
    let ground = ground();
    let text = repeats(LIST, "(drop (struct.new $node (ref.null $node) (i64.const 7)))", "5000000");
    let said = ground.layered(&["--memory", "64M"], &written(&ground, "throws-away.wasm", &text), &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// The largest resident memory of a process up to now, in bytes.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() << 10
}

#[test]
fn a_program_that_needs_more_is_refused_with_the_name_of_the_proposal() {
    let ground = ground();
    for (memory, more, name) in [
        ("1 1 shared", "", "threads"),
        ("1", "(type $f (func)) (type $c (cont $f)) (func (param (ref null $c)))", "stack switching"),
        ("1", "(func (param i64) (drop (i64.mul_wide_s (local.get 0) (local.get 0))) (drop))", "wide arithmetic"),
        ("1 (pagesize 1)", "", "custom page sizes"),
    ] {
        let module = format!(r#"(module (memory (export "memory") {memory}) (func (export "_start")) {more})"#);
        refused(&ground, &module, name);
        let component = format!(
            r#"(component
                (core module $m (memory {memory}) (func (export "run") (result i32) (i32.const 0)) {more})
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $command (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $command)))"#
        );
        refused(&ground, &component, name);
    }
}

/// What compilers made before exceptions were standardized. Their text has no form any more: `try`, and `end`.
#[test]
fn exceptions_of_the_former_kind_are_named() {
    let ground = ground();
    let module = r#"(module (memory (export "memory") 1) (func (export "_start")
        (block) (unreachable)))"#;
    let mut module = onionskin_tests::wat::parse_str(module).expect("it is WebAssembly");
    let block = module.windows(2).position(|bytes| bytes == [0x02, 0x40]).expect("it has a block");
    module[block] = 0x06;
    let program = ground.at("former.wasm");
    fs::write(&program, module).expect("a writable directory");
    let said = ground.layered(&[], &program, &[]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("legacy_exceptions"), "{}", said.err);
}

fn refused(ground: &Ground, text: &str, name: &str) {
    let program = written(ground, "needs.wasm", text);
    let plain = program.to_str().expect("a plain name");
    for said in [onionskin(["run", plain]), ground.layered(&[], &program, &[])] {
        assert_eq!(said.code, Some(1), "{name}: {said:?}");
        assert!(said.err.replace(['-', '_'], " ").contains(name), "{name}: {}", said.err);
    }
}
