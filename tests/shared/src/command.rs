//! The program `onionskin`, as the scenario runs it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::ground;
use crate::words::texts;
use crate::world::World;

/// Runs a command of the scenario and returns its exit code.
pub fn run(program: &str, world: &World, options: &[&str], scene: &Value) -> i32 {
    let mut running = Command::new(program)
        .args(options)
        .args(texts(&scene["command"]))
        .current_dir(world.at(""))
        .env("ONIONSKIN_CACHE_DIR", ground::cache())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    // The program may end before it has read everything.
    let input = scene["input"].as_str().unwrap_or_default();
    let _ = running.stdin.take().expect("it is piped").write_all(input.as_bytes());
    running.wait().expect("the program ends").code().expect("it exits")
}
