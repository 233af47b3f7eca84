//! One target under libFuzzer: `ONIONSKIN_FUZZ` names it.

#![no_main]

#[cfg(feature = "module")]
mod module;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static CHECK: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("ONIONSKIN_FUZZ").unwrap_or_default();
    #[cfg(feature = "module")]
    if name == "module" {
        return module::any_program;
    }
    let target = onionskin_tests_fuzz::target(&name);
    target.unwrap_or_else(|| panic!("ONIONSKIN_FUZZ={name} names no target")).check
});

fuzz_target!(|bytes: &[u8]| CHECK(bytes));
