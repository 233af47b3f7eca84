//! Counts and records the host calls of the component on the filesystem, and injects failures.
//!
//! The host functions are shadowed by wrappers that count, record, and stop or fail the N-th mutating call.
//! An instance without [`Faults`] runs on functions that are not wrapped.

mod direct;
mod open;
mod shadow;
#[cfg(feature = "run")]
mod streams;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::filesystem::WasiFilesystemView;

#[cfg(feature = "run")]
pub(crate) use open::shadow_open;
#[cfg(feature = "run")]
pub(crate) use shadow::{PREOPENS, link_preopens, rename};
pub(crate) use shadow::{shadow, shadow_powers};
#[cfg(feature = "run")]
pub(crate) use streams::shadow_streams;

use crate::ErrorCode;
use crate::grants::ROOT;
use crate::meter::{Denied, Growth, Meter};

/// The fault to inject into the host calls of one or more stores and workspaces, and a record of the calls.
///
/// A clone shares the same counters, which continue across all instances that use them.
#[derive(Clone, Default)]
pub struct Faults {
    ledger: Arc<Mutex<Ledger>>,
}

/// The mutating host call that fails, and how. Calls are counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// No fault: calls are counted and recorded only.
    #[default]
    None,
    /// Stops the component just before this call, as a crash would.
    TrapBefore(u64),
    /// Fails this call with this code, without making it.
    FailAt(u64, ErrorCode),
    /// Fails this call and every later mutating call with this code.
    FailFrom(u64, ErrorCode),
}

/// A recorded host call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCall {
    /// Its name in `wasi:filesystem/types`, such as `rename-at`.
    pub name: &'static str,
    /// The guest path that it was made on, such as `/root/a`.
    pub path: String,
    /// The other path, of a rename or link; the text of a symbolic link.
    pub other: Option<String>,
    /// The number of bytes passed to it.
    pub bytes: u64,
    /// Its number among the mutating calls, from 1; `None` for calls that do not mutate.
    pub mutating: Option<u64>,
    /// Its outcome.
    pub outcome: Outcome,
}

/// The outcome of a host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It failed.
    Failed(ErrorCode),
    /// It was not made: the component was stopped before it.
    Stopped,
}

#[derive(Default)]
struct Ledger {
    fault: Fault,
    quiet: bool,
    mutating: u64,
    fired: bool,
    calls: Vec<HostCall>,
    opened_for_writing: Vec<String>,
    on_write: Option<Box<dyn FnMut(u64) + Send>>,
    on_mutating: Option<Arc<dyn Fn(u64) + Send + Sync>>,
}

impl Faults {
    /// Creates a recorder of host calls that injects this fault.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { ledger: Arc::new(Mutex::new(Ledger { fault, ..Ledger::default() })) }
    }

    /// As [`Faults::new`], but calls are counted and not recorded individually.
    #[must_use]
    pub fn counting(fault: Fault) -> Self {
        let faults = Self::new(fault);
        faults.ledger().quiet = true;
        faults
    }

    /// Sets a callback, called after each write with the number of bytes. The callback must not use these
    /// faults itself.
    #[must_use]
    pub fn on_write(self, callback: impl FnMut(u64) + Send + 'static) -> Self {
        self.ledger().on_write = Some(Box::new(callback));
        self
    }

    /// Sets a callback, called before each mutating call that is made, with its number. It may block, which holds the
    /// component at that call.
    #[must_use]
    pub fn on_mutating(self, callback: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.ledger().on_mutating = Some(Arc::new(callback));
        self
    }

    /// Returns the number of mutating host calls, including those that were stopped or made to fail.
    #[must_use]
    pub fn mutating(&self) -> u64 {
        self.ledger().mutating
    }

    /// Returns whether the fault was injected. It is not if the calls ended before it.
    #[must_use]
    pub fn fired(&self) -> bool {
        self.ledger().fired
    }

    /// Returns the calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<HostCall> {
        self.ledger().calls.clone()
    }

    /// Returns the existing files that were opened to be written or truncated. The component promises that
    /// there are none.
    #[must_use]
    pub fn opened_for_writing(&self) -> Vec<String> {
        self.ledger().opened_for_writing.clone()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic in a callback leaves the counters correct.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of the open resources of one instance, and the counters for its calls.
pub(crate) struct Watch {
    faults: Faults,
    names: HashMap<u32, String>,
    meters: Vec<Arc<Mutex<Meter>>>,
}

/// The state of an instance whose calls are watched.
pub(crate) trait Watched: WasiFilesystemView + 'static {
    /// Returns the counters; `None` for an instance that is linked to functions without wrappers.
    fn watch(&mut self) -> Option<&mut Watch>;
}

/// The decision on a call.
enum Verdict {
    Make,
    Fail(ErrorCode),
    Stop(Injected),
}

impl Watch {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults, names: HashMap::new(), meters: Vec::new() }
    }

    /// As [`Watch::new`], and refuses calls whose growth exceeds a quota. Each meter has directories of its own.
    pub(crate) fn metered(faults: Faults, meters: impl IntoIterator<Item = Meter>) -> Self {
        let meters = meters.into_iter().map(|meter| Arc::new(Mutex::new(meter))).collect();
        Self { meters, ..Self::new(faults) }
    }

    /// Counts and injects by these faults, from here on.
    #[cfg(feature = "run")]
    pub(crate) fn watch_by(&mut self, faults: &Faults) {
        self.faults = faults.clone();
    }

    /// Adds a meter, with directories that no other one has.
    #[cfg(feature = "run")]
    pub(crate) fn add(&mut self, meter: Meter) {
        self.meters.push(Arc::new(Mutex::new(meter)));
    }

    fn is_metered(&self) -> bool {
        !self.meters.is_empty()
    }

    /// Remembers an open file, which takes space until it is closed, also without a name.
    fn opened(&self, path: &str, file: &Arc<File>) {
        if let Some(mut meter) = self.meter(path) {
            meter.opened(file);
        }
    }

    /// Marks the counts as stale, since space may have been freed.
    fn freed(&self) {
        for meter in &self.meters {
            lock(meter).freed();
        }
    }

    /// Returns the bounds of a quota that refused a call.
    pub(crate) fn denied(&self) -> Denied {
        let all = self.meters.iter().map(|meter| lock(meter).denied);
        all.fold(Denied::default(), |sum, one| Denied {
            bytes: sum.bytes || one.bytes,
            entries: sum.entries || one.entries,
        })
    }

    /// Returns the meter that counts this path.
    fn meter(&self, path: &str) -> Option<MutexGuard<'_, Meter>> {
        self.meters.iter().map(|meter| lock(meter)).find(|meter| meter.counts(path))
    }

    /// Counts a call and decides on it: a call that would exceed the quota fails without being made.
    fn decide(&self, call: &mut HostCall, mutates: bool, grows: Growth) -> Verdict {
        let verdict = self.count(call, mutates);
        let path = call.other.as_deref().filter(|_| call.name == "link-at").unwrap_or(&call.path);
        let is_refused = matches!(verdict, Verdict::Make) && self.meter(path).is_some_and(|mut it| !it.charge(grows));
        if is_refused { Verdict::Fail(ErrorCode::Quota) } else { verdict }
    }

    fn count(&self, call: &mut HostCall, mutates: bool) -> Verdict {
        let mut ledger = self.faults.ledger();
        if !mutates {
            return Verdict::Make;
        }
        ledger.mutating += 1;
        let number = ledger.mutating;
        call.mutating = Some(number);
        let verdict = match ledger.fault {
            Fault::TrapBefore(at) if at == number => Verdict::Stop(Injected { number, call: call.clone() }),
            Fault::FailAt(at, code) if at == number => Verdict::Fail(code),
            Fault::FailFrom(at, code) if at <= number => Verdict::Fail(code),
            Fault::None | Fault::TrapBefore(_) | Fault::FailAt(..) | Fault::FailFrom(..) => {
                let callback = ledger.on_mutating.clone();
                // The callback may block.
                drop(ledger);
                if let Some(callback) = callback {
                    callback(number);
                }
                return Verdict::Make;
            }
        };
        ledger.fired = true;
        verdict
    }

    fn note(&self, call: HostCall, outcome: Outcome) {
        let mut ledger = self.faults.ledger();
        if call.name == "write"
            && outcome == Outcome::Done
            && let Some(callback) = &mut ledger.on_write
        {
            callback(call.bytes);
        }
        if !ledger.quiet {
            ledger.calls.push(HostCall { outcome, ..call });
        }
    }

    fn note_open_for_writing(&self, path: String) {
        self.faults.ledger().opened_for_writing.push(path);
    }

    fn name(&self, resource: u32) -> &str {
        self.names.get(&resource).map_or("?", String::as_str)
    }

    fn below(&self, resource: u32, path: &str) -> String {
        match path {
            "." => self.name(resource).to_owned(),
            path => format!("{}/{path}", self.name(resource)),
        }
    }
}

fn lock(meter: &Mutex<Meter>) -> MutexGuard<'_, Meter> {
    // A panic during the count leaves counters that are at most too high.
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a guest path in the form for messages: relative to the root.
fn in_root(path: &str) -> &str {
    match path.strip_prefix(ROOT) {
        Some("") => ".",
        Some(rest) => rest.strip_prefix('/').unwrap_or(path),
        None => path,
    }
}

impl HostCall {
    /// Returns the call with other paths, where `shown` has one.
    pub(crate) fn with_paths(&self, shown: impl Fn(&str) -> Option<String>) -> Self {
        let path = |guest: &String| shown(guest).unwrap_or_else(|| guest.clone());
        Self { path: path(&self.path), other: self.other.as_ref().map(path), ..self.clone() }
    }
}

/// Formats the call in one line, with paths below the root relative to it.
impl fmt::Display for HostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, in_root(&self.path))?;
        if let Some(other) = &self.other {
            write!(f, " -> {}", in_root(other))?;
        }
        if self.bytes > 0 {
            write!(f, " ({} bytes)", self.bytes)?;
        }
        Ok(())
    }
}

/// Ends the call of the component during which the host call was made.
#[derive(Debug)]
pub(crate) struct Injected {
    /// The number of the call, counted from 1.
    pub(crate) number: u64,
    pub(crate) call: HostCall,
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped before mutating host call {}, {}", self.number, self.call)
    }
}

impl std::error::Error for Injected {}
