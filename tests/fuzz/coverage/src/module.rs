//! A program of any bytes: it is adapted, composed with the layer, compiled, linked and started within its bounds, or
//! refused with an error that names it. Nothing panics, and it ends in time.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use onionskin_host::run::{Limits, Program, World, plug};
use onionskin_host::{Error, OVERLAY};
use tempfile::TempDir;

/// The time limit of a program, and the longest that it may take: it is compiled in this process.
const TIME: Duration = Duration::from_millis(200);
const SOON: Duration = Duration::from_secs(60);

struct Ground {
    /// Removed at the end.
    _directory: TempDir,
    program: PathBuf,
    world: World,
}

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let directory = TempDir::new().expect("a new directory");
    let limits = Limits { time: Some(TIME), memory_bytes: 16 << 20, ..Limits::default() };
    let program = directory.path().join("program.wasm");
    Ground { _directory: directory, program, world: World { limits, ..World::default() } }
});

pub(crate) fn any_program(bytes: &[u8]) {
    let ground = &*GROUND;
    let since = Instant::now();
    let _composed_or_refused = plug(bytes.to_vec(), OVERLAY);
    fs::write(&ground.program, bytes).expect("a writable directory");
    match Program::read(&ground.program).and_then(|program| program.start(&ground.world)) {
        Ok(_) => {}
        Err(Error::Program { path, source, .. }) => {
            assert_eq!(path, ground.program);
            let text = format!("{source:#}");
            assert!(!text.is_empty() && !text.contains("the host failed"), "{text}");
        }
        Err(error) => panic!("{error}"),
    }
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}
