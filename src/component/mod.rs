//! The two sides of the component: its exports, which parse and convert, and [`wasi_fs`], which implements
//! [`crate::fs::Fs`] over the imports. No decision is made here.

#[cfg(not(feature = "overlay"))]
mod convert;
#[cfg(not(feature = "overlay"))]
mod exports;
#[cfg(feature = "overlay")]
mod overlay;
#[cfg(feature = "powers")]
mod powers;
mod wasi_fs;
#[cfg(not(feature = "overlay"))]
mod workspace;

/// Generated from `wit/`.
#[cfg(not(feature = "overlay"))]
#[allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used)]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "onionskin",
        generate_all,
        with: {
            "wasi:filesystem/types@0.2.12": wasi::filesystem::types,
            "wasi:filesystem/preopens@0.2.12": wasi::filesystem::preopens,
            "wasi:io/error@0.2.12": wasi::io::error,
            "wasi:io/poll@0.2.12": wasi::io::poll,
            "wasi:io/streams@0.2.12": wasi::io::streams,
            "wasi:clocks/wall-clock@0.2.12": wasi::clocks::wall_clock,
        },
    });

    use super::exports::Component;
    export!(Component);
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// The compiler refers to memcpy, memcmp and the like by name; wasi-libc provides them.
#[allow(unsafe_code)]
#[link(name = "c")]
unsafe extern "C" {}

/// Allocates the memory into which the host writes its arguments. On this target `std` provides the export;
/// it is not linked here.
///
/// # Safety
/// As the canonical ABI requires: `old` is null with `old_length` 0, or an allocation of `old_length` bytes
/// with this alignment, which is given up.
#[allow(unsafe_code)]
#[unsafe(export_name = "cabi_realloc")]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_length: usize, align: usize, length: usize) -> *mut u8 {
    use alloc::alloc::{Layout, alloc, realloc};
    if length == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    let Ok(layout) = Layout::from_size_align(old_length.max(length), align) else { core::arch::wasm32::unreachable() };
    // SAFETY: the length is not 0; `old` was allocated here, by the contract, with `old_length` and
    // this alignment.
    let place = unsafe {
        if old_length == 0 {
            alloc(layout)
        } else {
            realloc(old, Layout::from_size_align_unchecked(old_length, align), length)
        }
    };
    if place.is_null() { core::arch::wasm32::unreachable() } else { place }
}

/// Traps: a panic is a defect, not an answer, and no input leads here. The host reports the trap; a change
/// that was decided is completed by the next open.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
