//! Converts modules of WASI preview 1 to components.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The prefix of a module: the magic, and the version with the layer. A component has another layer.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The section of imports.
const IMPORTS: u8 = 2;

/// The function with which a module exits. The adapter passes on success and failure only.
const EXIT: (&str, &str) = (PREVIEW1, "proc_exit");

/// The function with which a component exits; the parameter is the same.
const EXIT_WITH_CODE: (&str, &str) = ("wasi:cli/exit@0.2.12", "exit-with-code");

/// The declaration of that function.
const DECLARED: &str = "
package onionskin:exit;

world exits {
    import wasi:cli/exit@0.2.12;
}

package wasi:cli@0.2.12 {
    interface exit {
        exit: func(status: result);
        exit-with-code: func(status-code: u8);
    }
}
";

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
/// `None` if the module does not import it.
fn with_exit_code(module: &[u8]) -> Option<Vec<u8>> {
    let name = |(module, name): (&str, &str)| {
        let piece = |text: &str| [&[u8::try_from(text.len()).unwrap_or_default()], text.as_bytes()].concat();
        [piece(module), piece(name)].concat()
    };
    let (from, to) = (name(EXIT), name(EXIT_WITH_CODE));
    let mut at = MODULE.len();
    loop {
        let id = *module.get(at)?;
        let (length, begins) = number(module, at + 1)?;
        let ends = begins.checked_add(length)?;
        let section = module.get(begins..ends)?;
        if id != IMPORTS {
            at = ends;
            continue;
        }
        let found = section.windows(from.len()).position(|window| window == from)?;
        let section = [&section[..found], &to, &section[found + from.len()..]].concat();
        return Some([&module[..=at], &as_number(section.len()), &section, &module[ends..]].concat());
    }
}

/// Reads an unsigned number in LEB128. Returns it with the offset of its end.
fn number(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(at)?;
        number |= usize::from(byte & 0x7f) << shift;
        at += 1;
        if byte & 0x80 == 0 {
            return Some((number, at));
        }
    }
    None
}

fn as_number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
