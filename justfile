# The commands of a working day. CI runs the same: every step is in `.ci/run`, once.

# List the recipes.
default:
    @just --list

# Everything that must hold before a commit: formatting, lints, documentation, tests.
check:
    .ci/run fmt wasm native docs tests

# Two demonstrations on generated data, with a crash at every call; ends in a table.
demo:
    cargo run -- demo

# The component against native programs that do the same work, and other people's: one table, and a
# picture in target/speed.svg. Read the ratios.
bench *ARGS:
    cargo bench --workspace --bench speed -- --picture "{{justfile_directory()}}/target/speed.svg" {{ARGS}}

# The decoders and sequences of calls under libFuzzer, led by coverage: 100,000,000 executions of the decoders.
# `just fuzz RUNS TARGET` runs one target.
fuzz *ARGS:
    nice -n 19 tests/fuzz/coverage/run {{ARGS}}

# Every crash and every fault of every operation, with figures. ONLY=swap narrows it down.
crash:
    cargo test -p onionskin --test crash -- --nocapture

# Build the component as it ships, and print its size.
component:
    .ci/run component

# What follows from a change in wit/: docs/contract.md, and the record of what is published.
contract:
    cargo run -p onionskin-package -- contract

# The packages for Node and Python, and the host in C, with their own tools, against the built component.
hosts:
    .ci/run node python c

# The programs for WASI that the tests run, as far as their tools are there: see tests/guests.
guests:
    for build in tests/guests/*/build; do "$build" || [ $? -eq 69 ] || exit 1; done

# A release, in target/package, tried by new projects that use it.
package:
    .ci/run node python package

# What CI does on a new machine, set-up included.
ci:
    .ci/run
