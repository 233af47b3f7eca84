//! A time limit, for a program that computes and for one that waits.

use std::fmt;
use std::future::Future;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::thread::JoinHandle;
use std::time::Instant;

use wasmtime::component::{Linker, Resource};
use wasmtime::{Engine, StoreContextMut};
use wasmtime_wasi::p2::bindings::io::poll::{Host as _, HostPollable as _};
use wasmtime_wasi::p2::bindings::io::streams::HostInputStream as _;
use wasmtime_wasi::p2::bindings::sync::io::streams::StreamError;
use wasmtime_wasi::p2::{DynInputStream, DynPollable, StreamResult};
use wasmtime_wasi::runtime::in_tokio;

use super::machine::Machine;

/// The error that ends a program that waits beyond its time limit.
#[derive(Debug)]
pub(super) struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the limit of time was reached")
    }
}

impl std::error::Error for Late {}

/// Interrupts a computation when the time is over, unless it is dropped before.
pub(super) struct Alarm {
    cancel: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Alarm {
    pub(super) fn at(until: Instant, engine: &Engine) -> Self {
        let engine = engine.clone();
        let (cancel, cancelled) = channel::<()>();
        let ring = move || {
            // No message is ever sent: this waits for the timeout, or until the sender is dropped.
            let left = until.saturating_duration_since(Instant::now());
            if cancelled.recv_timeout(left) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        };
        Self { cancel: Some(cancel), thread: Some(thread::spawn(ring)) }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        drop(self.cancel.take());
        if let Some(thread) = self.thread.take() {
            // The thread has no failure to report.
            let _ = thread.join();
        }
    }
}

/// Puts functions with a time limit over those that wait. The linker must have them already, and must allow
/// shadowing.
pub(super) fn shadow(linker: &mut Linker<Machine>) -> wasmtime::Result<()> {
    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    poll.func_wrap("poll", |mut store: Store<'_>, (pollables,): (Vec<Resource<DynPollable>>,)| {
        let (machine, until) = until(&mut store);
        Ok((in_time(until, machine.table.poll(pollables))??,))
    })?;
    poll.func_wrap("[method]pollable.block", |mut store: Store<'_>, (pollable,): (Resource<DynPollable>,)| {
        let (machine, until) = until(&mut store);
        in_time(until, machine.table.block(pollable))?
    })?;
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    type Read = (Resource<DynInputStream>, u64);
    streams.func_wrap("[method]input-stream.blocking-read", |mut store: Store<'_>, (stream, length): Read| {
        let (machine, until) = until(&mut store);
        let read = in_time(until, machine.table.blocking_read(stream, length))?;
        Ok((to_guest(machine, read)?,))
    })?;
    streams.func_wrap("[method]input-stream.blocking-skip", |mut store: Store<'_>, (stream, length): Read| {
        let (machine, until) = until(&mut store);
        let skipped = in_time(until, machine.table.blocking_skip(stream, length))?;
        Ok((to_guest(machine, skipped)?,))
    })
}

type Store<'a> = StoreContextMut<'a, Machine>;

fn until<'a>(store: &'a mut Store<'_>) -> (&'a mut Machine, Option<Instant>) {
    let machine = store.data_mut();
    let until = machine.until;
    (machine, until)
}

fn in_time<F: Future>(until: Option<Instant>, future: F) -> wasmtime::Result<F::Output> {
    in_tokio(async {
        match until {
            None => Ok(future.await),
            Some(until) => Ok(tokio::time::timeout_at(until.into(), future).await.map_err(|_| Late)?),
        }
    })
}

/// Returns the result of a stream in the form that the program gets.
fn to_guest<T>(machine: &mut Machine, result: StreamResult<T>) -> wasmtime::Result<Result<T, StreamError>> {
    use wasmtime_wasi::p2::StreamError as Failed;
    Ok(match result {
        Ok(value) => Ok(value),
        Err(Failed::Closed) => Err(StreamError::Closed),
        Err(Failed::LastOperationFailed(error)) => Err(StreamError::LastOperationFailed(machine.table.push(error)?)),
        Err(Failed::Trap(error)) => return Err(error),
    })
}
