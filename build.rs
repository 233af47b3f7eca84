//! Links the component without padding: by default the linker reserves five bytes for each number that it
//! fills in. The flag makes it write each number in its shortest form, which is possible where no debug
//! information depends on the offsets.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|set| set == value);
    if is("CARGO_CFG_TARGET_FAMILY", "wasm") && is("OPT_LEVEL", "z") && is("DEBUG", "false") {
        println!("cargo::rustc-link-arg-cdylib=--strip-debug");
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
    }
}
