# Functions for the builds of unmodified Rust programs; sourced after `common.sh`.

# cargo_guest PROGRAM: builds the package of the guest for WASI, without the flags that are set for another target.
cargo_guest() {
    unset CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTC_WORKSPACE_WRAPPER RUSTC_WRAPPER RUSTFLAGS
    cargo build --release --locked --target wasm32-wasip2 --manifest-path "$GUEST/Cargo.toml" --target-dir "$OUT/build"
    cp "$OUT/build/wasm32-wasip2/release/$1.wasm" "$WASM"
}

# c_compiler: lets `cc` compile C for WASI with Debian's clang and wasi-libc.
c_compiler() {
    local headers=/usr/include/wasm32-wasi
    command -v clang >/dev/null && [ -d "$headers" ] ||
        missing "it takes clang and wasi-libc: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32"
    export CC_wasm32_wasip2=clang CFLAGS_wasm32_wasip2="--target=wasm32-wasi --sysroot=/usr -isystem $headers"
}
