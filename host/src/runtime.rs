//! Blocking calls from threads of an asynchronous runtime.

use std::panic;
use std::thread;

use tokio::runtime::Handle;

/// Runs a closure outside any runtime of tokio: on this thread, or on a separate thread if this one belongs
/// to a runtime.
///
/// The filesystem of `wasmtime-wasi` waits for the runtime of the calling thread, and a runtime panics when
/// one of its own threads waits for it. The threads of its pool for blocking work may.
pub(crate) fn outside<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "async")]
    if crate::asynchronous::task::is_current() {
        return run();
    }
    if Handle::try_current().is_err() {
        return run();
    }
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}
