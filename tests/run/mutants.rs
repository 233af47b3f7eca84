//! Damaged programs, made from valid ones by a seed, on the whole way that a program takes: adapted, composed, compiled,
//! linked and started, in this process. `ONIONSKIN_FUZZ_SEED` and `ONIONSKIN_FUZZ_TIMES` are those of the suite `fuzz`.

use std::fs;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use fastrand::Rng;
use onionskin_host::run::{How, Limits, Program, World, plug};
use onionskin_host::{Error, OVERLAY};
use onionskin_tests::wat::parse_str;

use crate::ground::{Ground, put};

/// The number of damaged programs in a bounded run.
const MUTANTS: u64 = 400;

/// Every n-th is composed with the layer, too.
const LAYERED: u64 = 4;

/// The time limit of a mutant, and the longest that it may take: it is compiled in this process.
const TIME: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(60);

/// A module that opens a file, writes, calls itself, grows its memory and a table, and loops.
pub(crate) const MODULE: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1 64)
    (table $t 4 64 funcref)
    (global $g (mut i32) (i32.const 3))
    (elem (i32.const 0) $deep)
    (data (i32.const 64) "/data/name")
    (func $deep (param $n i32) (result i32)
        (if (result i32) (local.get $n)
            (then (call $deep (i32.sub (local.get $n) (i32.const 1))))
            (else (i32.const 0))))
    (func (export "_start") (local $i i32)
        (drop (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 10) (i32.const 1)
            (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 0)))
        (drop (memory.grow (i32.const 2)))
        (drop (table.grow $t (ref.null func) (i32.const 3)))
        (loop $again
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 1000))))
        (drop (call_indirect $t (param i32) (result i32) (i32.const 100) (i32.const 0)))
        (call $exit (i32.const 7))))"#;

/// A component with an import of the filesystem, a resource, and a lifted function.
const COMPONENT: &str = r#"(component
    (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
        (export "descriptor" (type $descriptor (sub resource)))))
    (import "wasi:cli/exit@0.2.12" (instance $exit
        (export "exit-with-code" (func (param "status-code" u8)))))
    (core func $lowered (canon lower (func $exit "exit-with-code")))
    (core module $m
        (import "exit" "with-code" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "run") (result i32) (call $exit (i32.const 9)) (i32.const 0)))
    (core instance $i (instantiate $m (with "exit" (instance (export "with-code" (func $lowered))))))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $command (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $command)))"#;

/// Changes some bytes: bits, bytes, lengths in LEB128, pieces that are left out or doubled, and the end.
fn mutated(valid: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..random.u32(1..=3) {
        // The first eight bytes say what it is.
        let at = random.usize(8..bytes.len().max(9)).min(bytes.len() - 1);
        let end = random.usize(at..bytes.len().min(at + 24));
        match random.u32(..6) {
            0 => bytes[at] ^= 1 << random.u32(..8),
            1 => bytes[at] = random.u8(..),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.usize(..5)],
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.truncate(at.max(9)),
        }
    }
    bytes
}

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Each damaged program ends with an exit code, a bound or a trap that is named, or an error that names the program; and
/// this process lives.
#[test]
fn a_damaged_program_ends_and_the_host_lives() {
    let ground = Ground::new(|top, _| put(top, "name", "content"));
    let (place, cache) = (ground.at("mutant.wasm"), ground.at("cache"));
    let world =
        World { limits: Limits { time: Some(TIME), memory_bytes: 16 << 20, ..Limits::default() }, ..World::default() };
    let valid = [MODULE, COMPONENT].map(|text| parse_str(text).expect("it is WebAssembly"));
    let start = |bytes: &[u8]| {
        fs::write(&place, bytes).expect("a writable directory");
        Program::read(&place).expect("it can be read").cache_directory(&cache).start(&world)
    };
    assert_eq!(start(&valid[0]).map(|ended| ended.how).ok(), Some(How::Exited(7)), "the module is valid");
    let seed = number("ONIONSKIN_FUZZ_SEED", 1);
    let count = MUTANTS * number("ONIONSKIN_FUZZ_TIMES", 1);
    let (mut random, mut ran, mut refused) = (Rng::with_seed(seed), 0, 0);
    for trial in 0..count {
        let mutant = mutated(&valid[random.usize(..valid.len())], &mut random);
        let context = format!("mutant {trial} of seed {seed}: {}", onionskin::text::hex(&mutant));
        let since = Instant::now();
        match start(&mutant) {
            Ok(ended) => {
                ran += 1;
                if let How::Trapped(why) = ended.how {
                    assert!(!why.is_empty(), "{context}");
                }
            }
            Err(Error::Program { path, source, .. }) => {
                refused += 1;
                let text = format!("{source:#}");
                assert_eq!(path, place, "{context}");
                assert!(!text.is_empty() && !text.contains("the host failed"), "{context}: {text}");
            }
            Err(error) => panic!("{context}: {error}"),
        }
        assert!(since.elapsed() < SOON, "{context}: {:?}", since.elapsed());
        if trial % LAYERED == 0 {
            let composed = catch_unwind(|| plug(mutant, OVERLAY).map(|wasm| wasm.len()));
            assert!(composed.is_ok(), "composing panics: {context}");
        }
    }
    println!("{count} damaged programs of seed {seed}: {ran} were started, {refused} were refused");
    assert!(ran > count / 50 && refused > count / 50, "most of them are of one kind: {ran} ran, {refused} refused");
    ground.assert_lowers_stay();
}
