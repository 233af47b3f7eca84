//! The limits of a program, and its world.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use onionskin_tests::wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection, MemoryType, Module,
    TypeSection, ValType,
};

use crate::ground::{Ground, put};
use crate::guests::program;
use crate::mutants::MODULE;
use crate::trial::{Said, Trial as _, as_data, onionskin, written};

/// Longer than a test takes on a busy machine, and shorter than the run that is stopped.
const SOON: Duration = Duration::from_secs(60);

fn ground() -> Ground {
    Ground::new(|top, _| put(top, "here", "here"))
}

fn greedy(ground: &Ground, more: &[&str], arguments: &[&str]) -> Option<Said> {
    Some(ground.layered(more, &program("greedy")?, arguments))
}

/// Time, for a program that computes and for one that sleeps.
#[test]
fn a_program_that_runs_too_long_is_stopped() {
    let ground = ground();
    for what in ["spin", "sleep"] {
        let start = Instant::now();
        let Some(said) = greedy(&ground, &["--timeout", "300ms"], &[what]) else { return };
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains("longer than its --timeout allows"), "{what}: {}", said.err);
        assert!(start.elapsed() < SOON, "{what}: {:?}", start.elapsed());
    }
    let Some(said) = greedy(&ground, &["--timeout", "10m"], &["look"]) else { return };
    assert_eq!(said.code, Some(0), "{}", said.err);
}

/// Memory: the program gets no more, and the message says so.
#[test]
fn a_program_gets_no_more_memory_than_it_may() {
    let Some(said) = greedy(&ground(), &["--memory", "64M"], &["memory"]) else { return };
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(said.out, "OutOfMemory\n");
    assert!(said.err.contains("more memory than its --memory allows"), "{}", said.err);
}

/// Time, for a program of 50 KiB that takes minutes to compile.
#[test]
fn a_program_that_is_compiled_too_long_is_stopped() {
    let ground = ground();
    let place = ground.at("long.wasm");
    fs::write(&place, slow_to_compile()).expect("a writable directory");
    let start = Instant::now();
    let said = ground.layered(&["--timeout", "1s"], &place, &[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("to compile it takes longer than its --timeout allows"), "{}", said.err);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(!ground.at("upper").exists(), "a workspace was made of it");
}

/// A module with many functions of many variables each, and a body that changes one of them.
pub(crate) fn slow_to_compile() -> Vec<u8> {
    const FUNCTIONS: u32 = 4000;
    const LOCALS: u32 = 50_000;
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("_start", ExportKind::Func, 0);
    // A loop that jumps back to its beginning, so that each variable may have changed there.
    let mut body = Function::new([(LOCALS, ValType::I64)]);
    body.instructions().loop_(BlockType::Empty).local_get(0).local_set(1).br(0).end().end();
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for _ in 0..FUNCTIONS {
        functions.function(0);
        code.function(&body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

/// Returns a command that runs a program for a second at most.
fn limited(ground: &Ground, program: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    command.args(["run", "--lower", &as_data(&ground.at("top")), "--timeout", "1s"]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Starts a command, asserts that it ends soon, as a failure, and returns the errors that it printed, unread.
#[track_caller]
fn ends_soon(command: &mut Command) -> ChildStderr {
    let start = Instant::now();
    let mut run = command.spawn().expect("the program starts");
    let ended = run.wait().expect("it ends");
    assert_eq!(ended.code(), Some(1));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    run.stderr.take().expect("it is piped")
}

/// Returns the message of a command that has ended.
fn message(mut errors: ChildStderr) -> String {
    let mut message = String::new();
    errors.read_to_string(&mut message).expect("it is text");
    message
}

/// Time, for a program that writes to a standard output without a reader.
#[test]
fn a_program_whose_output_is_not_read_is_stopped() {
    let (ground, Some(program)) = (ground(), program("attack")) else { return };
    let run = ends_soon(limited(&ground, &program).arg("flood").stdout(Stdio::piped()));
    let message = message(run);
    assert_eq!(message.matches("longer than its --timeout allows").count(), 1, "{message}");
}

/// Time, where nobody reads what the program says about errors, nor what this command does.
#[test]
fn a_program_whose_errors_are_not_read_is_stopped() {
    let ground = ground();
    let program = written(
        &ground,
        "errors.wasm",
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "_start")
                (i32.store (i32.const 0) (i32.const 16))
                (i32.store (i32.const 4) (i32.const 4096))
                (loop $again
                    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (br $again))))"#,
    );
    ends_soon(&mut limited(&ground, &program));
}

/// Time, for a program that is read from a pipe to which nobody writes.
#[test]
fn a_program_that_is_never_read_is_stopped() {
    let ground = ground();
    let pipe = ground.at("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("coreutils are there");
    assert!(made.success(), "a pipe");
    let message = message(ends_soon(&mut limited(&ground, &pipe)));
    assert_eq!(message.matches("longer than its --timeout allows").count(), 1, "{message}");
    assert!(!ground.at("upper").exists(), "nothing was started");
}

/// Memory: tables count, too, and all instances share one budget.
#[test]
fn tables_and_all_instances_have_one_budget() {
    let ground = ground();
    let command = |table: u32, instances: &str| {
        format!(
            r#"(component
                (core module $m (table {table} funcref) (func (export "run") (result i32) (i32.const 0)))
                (core instance $first (instantiate $m)) {instances}
                (func $run (result (result)) (canon lift (core func $first "run")))
                (instance $command (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $command)))"#
        )
    };
    let more = "(core instance (instantiate $m))".repeat(4);
    let one = 600_000;
    for (what, text, is_refused) in [
        ("a small table", command(one, ""), false),
        ("a large one", command(5 * one, ""), true),
        ("five instances with small ones", command(one, &more), true),
        ("300 instances", command(1, &"(core instance (instantiate $m))".repeat(299)), true),
    ] {
        let said = ground.layered(&["--memory", "16M"], &written(&ground, "program.wasm", &text), &[]);
        assert_eq!(said.code, Some(i32::from(is_refused)), "{what}: {}", said.err);
        assert!(!is_refused || said.err.contains("memory") || said.err.contains("instance"), "{what}: {}", said.err);
    }
    let grows = r#"(module (memory (export "memory") 1) (table $t 1 funcref) (func (export "_start")
        (if (i32.eq (table.grow $t (ref.null func) (i32.const 9000000)) (i32.const -1)) (then unreachable))))"#;
    let said = ground.layered(&["--memory", "64M"], &written(&ground, "program.wasm", grows), &[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("more memory than its --memory allows"), "{}", said.err);
}

/// The stack: an endless recursion ends by a trap, and the host survives.
#[test]
fn a_program_that_calls_itself_too_deep_ends_by_a_trap() {
    let ground = ground();
    let tiny = r#"(module (memory (export "memory") 1) (func $f (export "_start") (call $f)))"#;
    let tiny = written(&ground, "tiny.wasm", tiny);
    for said in [ground.plain(&tiny, &[]), ground.layered(&[], &tiny, &[])] {
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains("call stack exhausted"), "{}", said.err);
    }
    // A recursion with variables in memory exhausts the memory first.
    let Some(said) = program("attack").map(|program| ground.layered(&[], &program, &["deep"])) else { return };
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("out of bounds memory access"), "{}", said.err);
}

/// Entries: directories, links and second names count as files do, when they are created.
#[test]
fn every_kind_of_entry_counts() {
    let Some(program) = program("attack") else { return };
    for what in ["directories", "links", "names-of-one"] {
        let ground = ground();
        let said = ground.layered(&["--max-entries", "50"], &program, &[what, "/data"]);
        assert_eq!(said.code, Some(0), "{what}: {said:?}");
        let (made, why) = said.out.trim().split_once(": ").expect("it says how many and why");
        assert!(made.parse::<u32>().is_ok_and(|made| (10..=50).contains(&made)), "{what}: {said:?}");
        assert_eq!(why, "QuotaExceeded", "{what}: {said:?}");
        ground.assert_lowers_stay();
    }
}

/// Descriptors: a program does not get the last ones, which the host needs.
#[test]
fn a_program_does_not_get_the_last_descriptors() {
    let (ground, Some(program)) = (ground(), program("attack")) else { return };
    for how in ["--lower", "--dir"] {
        let said = Command::new("sh")
            .args(["-c", "ulimit -n 256; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_onionskin"), "run", how])
            .arg(as_data(&ground.at("top")))
            .arg(&program)
            .args(["descriptors", "/data/here"])
            .output()
            .expect("sh runs");
        let (out, message) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert_eq!(said.status.code(), Some(0), "{how}: {message}");
        let (opened, why) = out.trim().split_once(": ").expect("it says how many and why");
        assert!(opened.parse::<u32>().is_ok_and(|opened| (50..192).contains(&opened)), "{how}: {out}");
        // The layer passes on an error that has a code.
        assert!(["OutOfMemory", "Uncategorized"].contains(&why), "{how}: {out}");
    }
}

/// A module that is truncated or changed anywhere is refused with a message, or runs.
#[test]
fn a_damaged_module_does_not_end_the_host() {
    let ground = ground();
    let whole = onionskin_tests::wat::parse_str(MODULE).expect("it is WebAssembly");
    let mut random = onionskin_tests::fastrand::Rng::with_seed(0x0517);
    for number in 0..40 {
        let mut damaged = whole.clone();
        let at = random.usize(8..whole.len());
        if number % 2 == 0 {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << random.u8(0..8);
        }
        let place = ground.at("damaged.wasm");
        fs::write(&place, damaged).expect("a writable directory");
        let said = ground.layered(&["--timeout", "20s"], &place, &["look"]);
        assert!(said.code.is_some(), "{number}, at {at}: {said:?}");
        assert!(!said.err.contains("panicked"), "{number}, at {at}: {said:?}");
    }
    ground.assert_lowers_stay();
}

/// Space: a write over the limit is refused before it happens, and released space can be used again.
#[test]
fn an_upper_directory_holds_no_more_than_it_may() {
    const MOST: u64 = 1 << 20;
    for (what, is_refused) in [("fill", true), ("again", false), ("nameless", true), ("extend", true)] {
        let ground = ground();
        let Some(said) = greedy(&ground, &["--max-bytes", "1M"], &[what, "/data"]) else { return };
        let message = format!("{what}: {said:?}");
        if is_refused {
            assert_eq!(said.code, Some(1), "{message}");
            // For a stream the C library of WASI reports nothing but a failure.
            assert!(said.err.contains("Quota exceeded") || said.err.contains("I/O error"), "{message}");
            assert!(said.err.contains("than its --max-bytes allows"), "{message}");
        } else {
            assert_eq!(said.code, Some(0), "{message}");
        }
        assert!(held(&ground) <= MOST, "{message}: {} bytes are there", held(&ground));
        ground.assert_lowers_stay();
    }
    let ground = ground();
    let Some(said) = greedy(&ground, &["--max-entries", "50"], &["many", "/data"]) else { return };
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("QuotaExceeded") && said.out.starts_with("made "), "{said:?}");
    // The workspace is sound and can be used further.
    let status = onionskin(["workspace".as_ref(), "status".as_ref(), ground.at("upper").as_os_str()]);
    assert_eq!(status.code, Some(0), "{}", status.err);
}

fn held(ground: &Ground) -> u64 {
    let mut bytes = 0;
    let mut waiting = vec![ground.at("upper")];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).expect("a readable directory") {
            let entry = entry.expect("a readable directory");
            let metadata = entry.metadata().expect("it is there");
            if metadata.is_dir() { waiting.push(entry.path()) } else { bytes += metadata.len() }
        }
    }
    bytes
}

/// A program sees exactly the named arguments, environment and directories, and no network.
#[test]
fn a_program_sees_its_grants_and_nothing_else() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    fs::create_dir(ground.at("in")).expect("a writable directory");
    fs::write(ground.at("in/given"), "").expect("a writable directory");
    let input = format!("{}::/in::ro", ground.at("in").display());
    let said = ground.layered(
        &["--dir", &input, "--env", "NAME=a value", "--env", "EMPTY="],
        &greedy,
        &["look", "/data", "/in", "--not-ours", "-x"],
    );
    let message = "arguments [\"look\", \"/data\", \"/in\", \"--not-ours\", \"-x\"]
environment [(\"NAME\", \"a value\"), (\"EMPTY\", \"\")]
/ Err(NotFound), /etc Err(NotFound)
/data Ok([\"here\"])
/in Ok([\"given\"])
input \"\"
";
    assert_eq!((said.code, said.out.as_str()), (Some(0), message), "{}", said.err);
    let said = ground.layered(&["--dir", &input], &greedy, &["fill", "/in"]);
    assert_eq!(said.code, Some(1), "a directory for reading was written: {said:?}");
    assert_eq!(fs::read_dir(ground.at("in")).expect("a readable directory").count(), 1);
    let said = ground.layered(&[], &greedy, &["network"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let plain = onionskin(["run", "--dir", &as_data(&ground.at("plain")), greedy.to_str().expect("plain"), "network"]);
    assert_eq!(plain.code, Some(1), "{plain:?}");
}
