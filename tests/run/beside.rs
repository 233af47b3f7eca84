//! Reviews beside a running program.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::ground::{Ground, put};
use crate::trial::{Said, as_data, onionskin, written};

/// A module that writes 4096 equal letters to `tmp` in two calls and renames it to `whole`, for ever.
const WRITER: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\04\00\00\00\08\00\00")
  (data (i32.const 512) "tmpwhole")
  (func (export "_start") (local $letter i32)
    (loop $again
      (memory.fill (i32.const 1024) (i32.add (i32.const 97) (local.get $letter)) (i32.const 2048))
      (if (call $open (i32.const 3) (i32.const 0) (i32.const 512) (i32.const 3) (i32.const 9)
            (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 16)) (then unreachable))
      (if (call $write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)) (then unreachable))
      (if (call $write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)) (then unreachable))
      (if (call $close (i32.load (i32.const 16))) (then unreachable))
      (if (call $rename (i32.const 3) (i32.const 512) (i32.const 3) (i32.const 3) (i32.const 515) (i32.const 5))
        (then unreachable))
      (local.set $letter (i32.rem_u (i32.add (local.get $letter) (i32.const 1)) (i32.const 26)))
      (br $again))))"#;

/// The time for which a program is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// `status`, `changes`, `diff`, `cat` and the page work while a program runs, and see its files whole.
#[test]
fn a_workspace_is_reviewed_while_a_program_runs_in_it() {
    let ground = Ground::new(|top, _| put(top, "whole", "before\n"));
    let (upper, page) = (ground.at("upper"), ground.at("page.html"));
    let program = written(&ground, "writer.wasm", WRITER);
    let mut run = Command::new(env!("CARGO_BIN_EXE_onionskin"))
        .args(["run", "--lower", &as_data(&ground.at("top")), "--keep", "--upper"])
        .args([&upper, &program])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let upper = upper.to_str().expect("a plain name");
    let said = |arguments: &[&str]| onionskin([&["workspace"], arguments].concat());
    let start = Instant::now();
    while said(&["status", upper]).code != Some(0) && start.elapsed() < 6 * WATCHED {
        assert!(run.try_wait().expect("it is our child").is_none(), "the program ended");
    }
    let (start, mut rounds) = (Instant::now(), 0);
    let succeeds = |said: &Said| assert_eq!(said.code, Some(0), "{}", said.err);
    while start.elapsed() < WATCHED || rounds < 3 {
        succeeds(&said(&["status", upper]));
        let changes = said(&["changes", upper]);
        succeeds(&changes);
        for line in changes.out.lines() {
            let name = line.split_whitespace().nth(1);
            assert!(matches!(name, Some("tmp" | "whole")), "{line}");
        }
        let diff = said(&["diff", upper, "whole"]);
        succeeds(&diff);
        let letters = diff.out.lines().find(|line| line.starts_with('+') && !line.starts_with("+++"));
        let letters = &letters.unwrap_or_else(|| panic!("{}", diff.out)).as_bytes()[1..];
        assert!(letters.len() == 4096 && letters.iter().all(|letter| *letter == letters[0]), "{}", diff.out);
        let content = said(&["cat", upper, "whole"]);
        succeeds(&content);
        let letters = content.out.as_bytes();
        assert!(letters.len() == 4096 && letters.iter().all(|letter| *letter == letters[0]), "{}", content.out);
        succeeds(&said(&["review", upper, "--html", page.to_str().expect("a plain name")]));
        rounds += 1;
    }
    assert!(run.try_wait().expect("it is our child").is_none(), "the program ended");
    run.kill().expect("it is our child");
    run.wait().expect("it is our child");
    println!("{rounds} rounds of readings");
    ground.assert_lowers_stay();
}
