//! Blocking calls from threads of an asynchronous runtime.

use std::io;
use std::panic;
use std::sync::OnceLock;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

/// The runtime for the filesystem of `wasmtime-wasi`, which would make its own and panic where it cannot.
static OWN: OnceLock<Runtime> = OnceLock::new();

/// Makes the runtime that [`outside`] uses, once.
///
/// # Errors
///
/// The failure of the operating system, for example without free descriptors.
pub(crate) fn prepare() -> io::Result<()> {
    if OWN.get().is_none() {
        let made = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        // Another thread may have been first.
        let _other = OWN.set(made);
    }
    Ok(())
}

fn entered<T>(run: impl FnOnce() -> T) -> T {
    let _inside = OWN.get().map(Runtime::enter);
    run()
}

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
        return entered(run);
    }
    thread::scope(|scope| scope.spawn(|| entered(run)).join()).unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}
