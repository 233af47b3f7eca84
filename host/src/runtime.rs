//! Calls that block, made from threads of an asynchronous runtime.

use std::panic;
use std::thread;

use tokio::runtime::Handle;

/// Runs outside of any runtime of tokio: here, or on a thread of its own where this one belongs to a
/// runtime.
///
/// The filesystem of `wasmtime-wasi` waits for the runtime of the thread that calls it, and a runtime
/// panics when one of its own threads waits for it.
pub(crate) fn outside<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    if Handle::try_current().is_err() {
        return run();
    }
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}
