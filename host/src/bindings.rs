//! The contract of `wit/`, as Rust. Generated; what is public of it is named in `lib.rs`.

#![allow(missing_docs, unreachable_pub)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "onionskin",
    with: {
        "wasi:io/error": wasmtime_wasi::p2::bindings::io::error,
        "wasi:io/poll": wasmtime_wasi::p2::bindings::sync::io::poll,
        "wasi:io/streams": wasmtime_wasi::p2::bindings::sync::io::streams,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "wasi:filesystem": wasmtime_wasi::p2::bindings::sync::filesystem,
    },
    additional_derives: [PartialEq, Eq],
});

pub use exports::onionskin::fs::{capabilities, store, types};
