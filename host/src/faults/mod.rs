//! Watching the calls of the component on the filesystem, and making them fail.
//!
//! The host functions are shadowed by ones that count, note, and stop or fail the N-th call that
//! may change something. An instance that is not given [`Faults`] runs on functions that are not
//! wrapped at all.

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
pub(crate) use shadow::shadow;
#[cfg(feature = "run")]
pub(crate) use shadow::{PREOPENS, link_preopens};
#[cfg(feature = "run")]
pub(crate) use streams::shadow_streams;

use crate::ErrorCode;
use crate::grants::ROOT;
use crate::meter::{Growth, Meter};

/// What is done to the host calls of one or more stores and workspaces, and what was seen of them.
///
/// A clone is another handle to the same counters: they run on over all instances
/// that it is given to.
#[derive(Clone, Default)]
pub struct Faults {
    ledger: Arc<Mutex<Ledger>>,
}

/// Which mutating host call is made to fail, and how. Calls are counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// None: calls are watched.
    #[default]
    None,
    /// The component is stopped just before this call, as a crash would.
    TrapBefore(u64),
    /// This call fails with this code, without having been made.
    FailAt(u64, ErrorCode),
    /// This call and every later mutating one fail with this code.
    FailFrom(u64, ErrorCode),
}

/// One host call, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCall {
    /// Its name in `wasi:filesystem/types`, such as `rename-at`.
    pub name: &'static str,
    /// What it was made on: the guest path, such as `/root/a`.
    pub path: String,
    /// The other path, of a rename or link; the text of a symbolic link.
    pub other: Option<String>,
    /// Bytes that it was given.
    pub bytes: u64,
    /// Its number among the mutating calls, from 1, if it is one.
    pub mutating: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
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
}

impl Faults {
    /// Watches, and makes one call fail if asked.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { ledger: Arc::new(Mutex::new(Ledger { fault, ..Ledger::default() })) }
    }

    /// As [`Faults::new`], but calls are counted and not noted one by one.
    #[must_use]
    pub fn counting(fault: Fault) -> Self {
        let faults = Self::new(fault);
        faults.ledger().quiet = true;
        faults
    }

    /// Calls back with the number of bytes of each write, after it. The callback must not use these
    /// faults itself.
    #[must_use]
    pub fn on_write(self, callback: impl FnMut(u64) + Send + 'static) -> Self {
        self.ledger().on_write = Some(Box::new(callback));
        self
    }

    /// How many mutating host calls were made, or would have been: one that was stopped or made to
    /// fail counts too.
    #[must_use]
    pub fn mutating(&self) -> u64 {
        self.ledger().mutating
    }

    /// Whether the fault was injected; not when the calls ended before it.
    #[must_use]
    pub fn fired(&self) -> bool {
        self.ledger().fired
    }

    /// The calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<HostCall> {
        self.ledger().calls.clone()
    }

    /// The files that existed before they were opened to be written or truncated: none, ever, is
    /// the promise of the component.
    #[must_use]
    pub fn opened_for_writing(&self) -> Vec<String> {
        self.ledger().opened_for_writing.clone()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic in a callback leaves counters that are right.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of the open resources of one instance, and where its calls are counted.
pub(crate) struct Watch {
    faults: Faults,
    names: HashMap<u32, String>,
    meter: Option<Arc<Mutex<Meter>>>,
}

/// What is kept for an instance whose calls are watched.
pub(crate) trait Watched: WasiFilesystemView + 'static {
    /// Where they are counted; nothing for an instance that is linked to functions that are not wrapped.
    fn watch(&mut self) -> Option<&mut Watch>;
}

/// What is to be done with a call.
enum Verdict {
    Make,
    Fail(ErrorCode),
    Stop(Injected),
}

impl Watch {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults, names: HashMap::new(), meter: None }
    }

    /// As [`Watch::new`], and what grows beyond a quota is refused.
    #[cfg(feature = "run")]
    pub(crate) fn metered(faults: Faults, meter: Meter) -> Self {
        Self { meter: Some(Arc::new(Mutex::new(meter))), ..Self::new(faults) }
    }

    fn is_metered(&self) -> bool {
        self.meter.is_some()
    }

    /// Remembers an open file, which takes space until it is closed, also without a name.
    fn opened(&self, path: &str, file: &Arc<File>) {
        if let Some(mut meter) = self.meter(path) {
            meter.opened(file);
        }
    }

    /// Something may have been given back.
    fn freed(&self) {
        if let Some(meter) = &self.meter {
            lock(meter).freed();
        }
    }

    /// The meter, if what is at this path is counted.
    fn meter(&self, path: &str) -> Option<MutexGuard<'_, Meter>> {
        self.meter.as_ref().map(|meter| lock(meter)).filter(|meter| meter.counts(path))
    }

    /// Counts a call and decides about it: what would exceed the quota fails, unmade.
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
            Fault::TrapBefore(at) if at == number => Verdict::Stop(Injected { call: number, what: call.to_string() }),
            Fault::FailAt(at, code) if at == number => Verdict::Fail(code),
            Fault::FailFrom(at, code) if at <= number => Verdict::Fail(code),
            Fault::None | Fault::TrapBefore(_) | Fault::FailAt(..) | Fault::FailFrom(..) => {
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
    // A panic while it was counted leaves counters that are high at worst.
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A guest path as people know it: relative to the root.
fn in_root(path: &str) -> &str {
    match path.strip_prefix(ROOT) {
        Some("") => ".",
        Some(rest) => rest.strip_prefix('/').unwrap_or(path),
        None => path,
    }
}

/// In one line, with the paths below the root relative to it.
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

/// Ends the call of the component that made the host call.
#[derive(Debug)]
pub(crate) struct Injected {
    pub(crate) call: u64,
    pub(crate) what: String,
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped before mutating host call {}, {}", self.call, self.what)
    }
}

impl std::error::Error for Injected {}
