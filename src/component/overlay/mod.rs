//! The exports of a component that is placed between a program and its files.

mod convert;
mod descriptor;
mod state;

/// Generated from `wit/`. The imports are bound by the crate `wasi`, as in the rest of this crate.
#[allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "overlay",
        generate_all,
        with: {
            "wasi:io/error@0.2.12": ::wasi::io::error,
            "wasi:io/poll@0.2.12": ::wasi::io::poll,
            "wasi:io/streams@0.2.12": ::wasi::io::streams,
            "wasi:clocks/wall-clock@0.2.12": ::wasi::clocks::wall_clock,
            "wasi:cli/stderr@0.2.12": ::wasi::cli::stderr,
            "wasi:cli/exit@0.2.12": ::wasi::cli::exit,
        },
    });

    use super::Component;
    export!(Component);
}

/// The type that implements the exports.
struct Component;
