//! One open store or workspace, whose calls run on the pool, one after the other.

use std::any::Any;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex as Turns, Semaphore};

use super::ending::Ending;
use super::task;
use crate::error::Trap;
use crate::lock::Pauses;
use crate::{Error, Onionskin, Store, Workspace};

/// An open store or workspace.
pub(super) trait Subject: Send + 'static {
    /// Releases everything, as a crash would.
    fn abandon(self);
}

impl Subject for Store {
    fn abandon(self) {
        Self::stop(self);
    }
}

impl Subject for Workspace {
    fn abandon(self) {
        // Its instance and its locks go with it.
        drop(self);
    }
}

/// A subject, and the calls that wait for it.
pub(super) struct Queue<S: Subject> {
    root: PathBuf,
    calls_at_once: Arc<Semaphore>,
    /// `None` after the future of a call was dropped in the middle of it. The calls wait here in their order.
    subject: Arc<Turns<Option<S>>>,
    /// Writers and transactions that were dropped, until the next call discards them.
    dropped: Mutex<Vec<Box<dyn Any + Send>>>,
}

/// Opens a subject on the pool, and waits up to this time for a lock that another owner holds. The pauses take no call of
/// others: the owner may need one to come to its end.
pub(super) async fn open<S: Send + 'static>(
    onionskin: &Onionskin,
    root: PathBuf,
    wait: Duration,
    open: impl Fn() -> Result<S, Error> + Clone + Send + 'static,
) -> Result<S, Error> {
    let mut pauses = Pauses::within(wait);
    loop {
        let opened = task::run(onionskin.calls_at_once(), open.clone()).await;
        match opened.unwrap_or_else(|| Err(cancelled(root.clone()))) {
            Err(error @ Error::Locked { .. }) => match pauses.next() {
                Some(pause) => task::pause(pause).await,
                None => return Err(error),
            },
            opened => return opened,
        }
    }
}

fn cancelled(root: PathBuf) -> Error {
    Error::Trap { root, trap: Trap::Cancelled }
}

impl<S: Subject> Queue<S> {
    pub(super) fn new(onionskin: &Onionskin, root: PathBuf, subject: S) -> Self {
        let calls_at_once = onionskin.calls_at_once().clone();
        Self { root, calls_at_once, subject: Arc::new(Turns::new(Some(subject))), dropped: Mutex::default() }
    }

    /// Makes a call when its turn comes.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut S) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.take(|subject| {
            // It is put back by the caller of this, whatever the result.
            let mut subject = subject;
            let result = call(&mut subject);
            (Some(subject), result)
        })
        .await
    }

    /// Makes a call that may consume the subject.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        call: impl FnOnce(S) -> (Option<S>, Result<T, Error>) + Send + 'static,
    ) -> Result<T, Error> {
        let mut turn = self.subject.clone().lock_owned().await;
        if turn.is_none() {
            return Err(cancelled(self.root.clone()));
        }
        let dropped = mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
        let root = self.root.clone();
        let made = task::run(&self.calls_at_once, move || {
            drop(dropped);
            let Some(subject) = turn.take() else { return Err(cancelled(root)) };
            let (kept, result) = call(subject);
            if task::end() {
                *turn = kept;
                return result;
            }
            if let Some(kept) = kept {
                kept.abandon();
            }
            // The future is gone, so this reaches no caller; the next call finds no subject.
            Err(cancelled(root))
        });
        made.await.unwrap_or_else(|| Err(cancelled(self.root.clone())))
    }

    /// Discards a writer or a transaction with the next call.
    pub(super) fn discard(&self, dropped: impl Any + Send) {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(dropped));
    }
}

impl<S: Subject> Drop for Queue<S> {
    /// Closes the subject: in the background where this thread belongs to a runtime, and an open waits for that.
    fn drop(&mut self) {
        // A call that is still running has its turn, and closes it.
        let Ok(mut turn) = self.subject.clone().try_lock_owned() else { return };
        let dropped = mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(subject) = turn.take() else { return };
        let close = move || {
            drop(dropped);
            drop(subject);
        };
        if Handle::try_current().is_err() {
            return close();
        }
        let ending = Ending::new();
        let close = move || {
            close();
            drop(ending);
        };
        // Where no thread can be started the closure is dropped here, which closes the subject as well.
        drop(thread::Builder::new().name("close".into()).spawn(close));
    }
}
