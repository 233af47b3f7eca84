//! One call on a thread of the pool, and its end when its future is dropped.

use std::any::Any;
use std::cell::RefCell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use super::ending::{self, Ending};

/// The default number of calls that run at once, each on a thread of its own.
pub const CALLS_AT_ONCE_DEFAULT: usize = 32;

/// The call of a future.
struct Task {
    stage: Mutex<Stage>,
    /// Whether its future was dropped while it was running.
    is_dropped: AtomicBool,
}

enum Stage {
    /// No thread has begun it.
    Waiting(Box<dyn FnOnce() + Send>),
    Running,
    /// The future was dropped while the call was running.
    Dropped {
        _until_the_end: Ending,
    },
    Ended,
}

thread_local! {
    /// The task that this thread runs.
    static CURRENT: RefCell<Option<Arc<Task>>> = const { RefCell::new(None) };
}

/// Returns whether this thread runs the call of a future: it may block, and waits for no runtime.
pub(crate) fn is_current() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// Returns whether this thread runs the call of a future that was dropped.
pub(crate) fn is_dropped() -> bool {
    CURRENT.with_borrow(|task| task.as_ref().is_some_and(|task| task.is_dropped.load(Ordering::Acquire)))
}

/// Ends the call that this thread runs: from here on its future can be dropped without effect. Returns `false` if it
/// was dropped before.
pub(crate) fn end() -> bool {
    CURRENT.with_borrow(|task| {
        let Some(task) = task else { return true };
        let mut stage = task.stage();
        let is_dropped = matches!(*stage, Stage::Dropped { .. });
        if !is_dropped {
            *stage = Stage::Ended;
        }
        !is_dropped
    })
}

impl Task {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        // Each change is one assignment.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn_to(&self, next: Stage) -> Stage {
        mem::replace(&mut *self.stage(), next)
    }

    /// Runs the call on this thread, unless its future was dropped.
    fn run(self: Arc<Self>) {
        let Stage::Waiting(work) = self.turn_to(Stage::Running) else { return };
        CURRENT.set(Some(self));
        // It catches its own panics.
        work();
        if let Some(task) = CURRENT.take() {
            // The work has released its locks, so those that wait for its end go on.
            drop(task.turn_to(Stage::Ended));
        }
    }
}

/// Drops a call with its future.
struct Guard(Arc<Task>);

impl Drop for Guard {
    fn drop(&mut self) {
        if matches!(*self.0.stage(), Stage::Ended) {
            return;
        }
        let ending = Ending::new();
        let mut stage = self.0.stage();
        let former = match *stage {
            // The call gives up its turn.
            Stage::Waiting(_) => mem::replace(&mut *stage, Stage::Ended),
            Stage::Running => mem::replace(&mut *stage, Stage::Dropped { _until_the_end: ending }),
            Stage::Dropped { .. } | Stage::Ended => return,
        };
        drop(stage);
        if matches!(former, Stage::Running) {
            self.0.is_dropped.store(true, Ordering::Release);
            ending::wake();
        }
    }
}

/// Runs a call on a thread of the pool of tokio; outside of tokio, on a thread of its own. Returns `None` if the
/// runtime ends before the call begins.
pub(crate) async fn run<T: Send + 'static>(
    calls_at_once: &Arc<Semaphore>,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let permit = calls_at_once.clone().acquire_owned().await.ok()?;
    let (sender, receiver) = oneshot::channel::<Result<T, Box<dyn Any + Send>>>();
    let work = move || {
        let _permit = permit;
        let result = catch_unwind(AssertUnwindSafe(call));
        end();
        // The receiver is gone if the future was dropped.
        let _ = sender.send(result);
    };
    let stage = Mutex::new(Stage::Waiting(Box::new(work)));
    let task = Arc::new(Task { stage, is_dropped: AtomicBool::new(false) });
    let guard = Guard(task.clone());
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || task.run())),
        Err(_) => drop(thread::spawn(move || task.run())),
    }
    let result = receiver.await.ok()?;
    drop(guard);
    Some(result.unwrap_or_else(|panicked| resume_unwind(panicked)))
}

/// Waits, without a runtime that has a clock.
pub(super) async fn pause(time: Duration) {
    let (sender, receiver) = oneshot::channel();
    let sleep = move || {
        thread::sleep(time);
        // The receiver is gone if the future was dropped.
        let _ = sender.send(());
    };
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(sleep)),
        Err(_) => drop(thread::spawn(sleep)),
    }
    let _over_too_if_the_runtime_ends = receiver.await;
}
