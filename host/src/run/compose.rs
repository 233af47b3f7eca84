//! Two components made one: a program, and what it is given for its imports.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PlugError, plug as plug_in};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as ADAPTER,
};
use wasmtime::error::Context as _;
use wit_component::ComponentEncoder;

/// How a module begins, and how a component does not: the magic, and the version with its layer.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Whether the bytes are a module of WebAssembly, and no component.
pub(super) fn is_module(wasm: &[u8]) -> bool {
    wasm.starts_with(MODULE)
}

/// Makes a component of a module that was built for WASI preview 1, with the adapter of wasmtime.
pub(super) fn adapt(module: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let encode = || ComponentEncoder::default().module(module)?.adapter(PREVIEW1, ADAPTER)?.encode();
    encode().map_err(told)
}

/// Gives a program the exports of a component for what it imports under these names, as `wac plug` does.
/// Everything else that either asks for is asked of the host, once: interfaces that differ in their patch
/// version alone become one, so that a stream which the component hands out is one for the program, too.
///
/// # Errors
/// Where one of them is no component, or the program imports nothing that the other exports.
pub fn plug(program: Vec<u8>, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut package = |name, wasm: Vec<u8>| {
        let package = Package::from_bytes(name, None, wasm, graph.types_mut());
        let package = package.map_err(told).with_context(|| format!("cannot read the {name}"))?;
        Ok::<_, wasmtime::Error>(graph.register_package(package)?)
    };
    let program = package("program", program)?;
    let component = package("component", component.to_vec())?;
    match plug_in(&mut graph, vec![component], program) {
        Err(PlugError::NoPlugHappened) => {
            let text = "it asks for nothing of what it is composed with, such as wasi:filesystem: run it alone";
            return Err(wasmtime::Error::msg(text));
        }
        plugged => plugged?,
    }
    // Both were valid, and whoever compiles the outcome validates it.
    Ok(graph.encode(EncodeOptions { validate: false, ..EncodeOptions::default() })?)
}

/// The whole story of an error: its causes are one text.
fn told(error: impl std::fmt::Display) -> wasmtime::Error {
    wasmtime::Error::msg(format!("{error:#}"))
}
