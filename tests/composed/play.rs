//! The program `play` of `tests/guests`, with the component behind its imports.

use std::fs;
use std::sync::OnceLock;

use onionskin_host::COMPONENT;
use onionskin_host::run::plug;
use serde_json::Value;
use tempfile::TempDir;

use crate::ground;
use crate::guests::program;
use crate::plain::{Granted, Host};
use crate::words::text;

/// Returns the program, composed and compiled.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<(Host, TempDir)> = OnceLock::new();
    let (host, _) = HOST.get_or_init(|| {
        let program = program("play").expect("its tools are those of the tests");
        let program = fs::read(&program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let composed = plug(program, COMPONENT).expect("its imports match our exports");
        let scratch = ground::scratch();
        (Host::new(&composed, scratch.path()), scratch)
    });
    host
}

/// Returns the result of each step of a case.
pub(crate) fn play(grants: &[Granted<'_>], arguments: &[&str], case: &Value) -> Vec<Value> {
    let ended = host().run(grants, arguments, &case.to_string());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}: {ended:?}", text(case, "name"));
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.out))
}
