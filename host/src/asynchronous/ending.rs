//! Work of this process that ends by itself and may hold a lock until then: calls whose futures were dropped, and
//! handles that are closed in the background.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::task;

/// The numbers of all such work, which are never used twice.
struct Numbers {
    last: u64,
    open: BTreeSet<u64>,
}

static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers { last: 0, open: BTreeSet::new() });
static CHANGED: Condvar = Condvar::new();

fn numbers() -> MutexGuard<'static, Numbers> {
    // Each change is one insertion or removal.
    NUMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work that ends by itself. Dropped at its end, when its locks are released.
#[derive(Debug)]
pub(crate) struct Ending(u64);

impl Ending {
    pub(crate) fn new() -> Self {
        let mut numbers = numbers();
        numbers.last += 1;
        let number = numbers.last;
        numbers.open.insert(number);
        Self(number)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        numbers().open.remove(&self.0);
        CHANGED.notify_all();
    }
}

/// Wakes those that wait, since one of them may be the call of a future that was dropped.
pub(super) fn wake() {
    // Each of them holds this from its check until it sleeps.
    drop(numbers());
    CHANGED.notify_all();
}

/// The work that was ending at a moment. Later work is not waited for, so that no two wait for each other.
pub(crate) struct Before {
    last: u64,
    open: usize,
}

impl Before {
    pub(crate) fn now() -> Self {
        let numbers = numbers();
        Self { last: numbers.last, open: numbers.open.len() }
    }

    /// Waits until more of the work has ended since the previous call. Returns `false` if none is left, or if the
    /// future of the call that this thread makes was dropped.
    pub(crate) fn wait(&mut self) -> bool {
        let mut numbers = numbers();
        loop {
            let open = numbers.open.range(..=self.last).count();
            if open < self.open {
                self.open = open;
                return true;
            }
            if open == 0 || task::is_dropped() {
                return false;
            }
            numbers = CHANGED.wait(numbers).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
