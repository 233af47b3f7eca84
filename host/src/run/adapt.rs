//! Converts modules of WASI preview 1 to components.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as ADAPTER,
};
use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{ImportSection, Section as _};
use wasmparser::{Chunk, Import, ImportSectionReader, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The prefix of a module: the magic, and the version with the layer. A component has another layer.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The function with which a module exits. The adapter passes on success and failure only.
const EXIT: (&str, &str) = (PREVIEW1, "proc_exit");

/// The function that takes its place. That of WASI takes a byte, to which 256 is 0.
pub(super) const EXIT_WITH_CODE: (&str, &str) = ("onionskin:run/exit", "exit");

/// The declaration of that function.
const DECLARED: &str = "
package onionskin:run;

interface exit {
    exit: func(code: u32);
}

world exits {
    import exit;
}
";

/// The most bytes of an argument or a variable with its value: the adapter of wasmtime keeps each in 64 KiB with its own
/// state, and traps for one more.
const TEXT_BYTES_MAX: usize = 59_000;

/// Checks that a module can be given each of these texts.
pub(super) fn check_texts<'a>(texts: impl Iterator<Item = &'a str>) -> wasmtime::Result<()> {
    match texts.map(str::len).find(|length| *length > TEXT_BYTES_MAX) {
        None => Ok(()),
        Some(length) => Err(wasmtime::Error::msg(format!(
            "an argument or variable has {length} bytes, and a module of WASI preview 1 takes {TEXT_BYTES_MAX} in each: \
             pass a file, or build the program for WASI 0.2"
        ))),
    }
}

/// Returns whether the bytes are a module of WebAssembly, and no component.
pub(super) fn is_module(wasm: &[u8]) -> bool {
    wasm.starts_with(MODULE)
}

/// Makes a component from a module for WASI preview 1, with the adapter of wasmtime.
pub(super) fn adapt(module: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let encode = || {
        let mut module = with_exit_code(module).unwrap_or_else(|| module.to_vec());
        if module.windows(EXIT_WITH_CODE.0.len()).any(|window| window == EXIT_WITH_CODE.0.as_bytes()) {
            let mut resolve = Resolve::default();
            let package = resolve.push_str("exit.wit", DECLARED)?;
            let world = resolve.select_world(&[package], None)?;
            embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        }
        ComponentEncoder::default().module(&module)?.adapter(PREVIEW1, ADAPTER)?.encode()
    };
    encode().map_err(|error| wasmtime::Error::msg(format!("{error:#}")))
}

/// Replaces the exit function of a module with that of a component, which preserves the exit code. Returns
/// `None` if the module has no section of imports, or one that cannot be read.
fn with_exit_code(module: &[u8]) -> Option<Vec<u8>> {
    let mut parser = Parser::new(0);
    let mut at = 0;
    loop {
        let Chunk::Parsed { consumed, payload } = parser.parse(&module[at..], true).ok()? else { return None };
        let after = at + consumed;
        match payload {
            Payload::ImportSection(section) => {
                let mut adapted = module[..at].to_vec();
                imports_with_exit_code(section)?.append_to(&mut adapted);
                adapted.extend_from_slice(&module[after..]);
                return Some(adapted);
            }
            // Imports come before both.
            Payload::CodeSectionStart { .. } | Payload::End(_) => return None,
            _ => at = after,
        }
    }
}

fn imports_with_exit_code(section: ImportSectionReader<'_>) -> Option<ImportSection> {
    let mut imports = ImportSection::new();
    for import in section.into_imports() {
        let Import { module, name, ty } = import.ok()?;
        let (module, name) = if (module, name) == EXIT { EXIT_WITH_CODE } else { (module, name) };
        imports.import(module, name, RoundtripReencoder.entity_type(ty).ok()?);
    }
    Some(imports)
}
