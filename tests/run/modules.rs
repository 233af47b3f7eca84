//! A module for WASI preview 1, which becomes a component when it is run.

use crate::ground::{Ground, put};
use crate::guests::program;
use crate::trial::Trial as _;

/// Its exit code is passed on unchanged.
#[test]
fn a_module_runs_as_a_component_does() {
    let Some(program) = program("module") else { return };
    let ground = Ground::new(|top, _| put(top, "count", "4\n"));
    for starts in [4, 5] {
        let said = ground.compare(&program, &["/data/count"]);
        assert_eq!((said.code, said.out), (Some(5), format!("started {starts} times before\n")), "{}", said.err);
        ground.assert_same_trees();
    }
    ground.compare(&program, &["/data/missing/count"]);
    ground.assert_same_trees();
}
