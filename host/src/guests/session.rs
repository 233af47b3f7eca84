//! The roots of one guest, its instance of the component, and the resources that it holds.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{ResourceAny, Val};

use super::rights::{Locked, RULES, Refusal, Rights, Root, Rule};
#[cfg(feature = "async")]
use crate::asynchronous::task;
use crate::error::Trap;
use crate::faults::Watch;
use crate::grants::{Access, Granted, Grants};
use crate::instance::Instance;
use crate::lock::RootLock;
use crate::meter::Meter;
use crate::trust::Trust;
use crate::{Cause, Error, ErrorKind, Fault, Faults, Onionskin, Quota};

/// The directories of the host that one guest of an embedder is granted, under names that the embedder chooses; see
/// [`add_to_linker`](super::add_to_linker).
///
/// The guest has an instance of the component for itself, which starts with its first call. Dropping this ends the
/// instance as a crash would, and releases its roots; the next open recovers them.
pub struct GuestRoots {
    onionskin: Onionskin,
    roots: Arc<Vec<Root>>,
    /// `None` after the future of a call was dropped in the middle of it.
    session: Option<Session>,
}

impl Onionskin {
    /// Returns the roots of a guest, of which there are none yet.
    #[must_use]
    pub fn guest_roots(&self) -> GuestRoots {
        GuestRoots { onionskin: self.clone(), roots: Arc::default(), session: Some(Session::default()) }
    }
}

impl GuestRoots {
    /// Grants a directory under this name, such as `/notes`. A directory below another granted one has the rights of its
    /// longest name.
    #[must_use]
    pub fn grant(self, name: &str, directory: impl AsRef<Path>, rights: Rights) -> Self {
        self.grant_with_quota(name, directory, rights, Quota::default())
    }

    /// As [`GuestRoots::grant`], with limits on the files and names in the directory, records and existing ones included.
    /// A write that would exceed them fails with the cause `quota`, and is not made.
    #[must_use]
    pub fn grant_with_quota(mut self, name: &str, directory: impl AsRef<Path>, rights: Rights, quota: Quota) -> Self {
        let place = directory.as_ref().to_owned();
        Arc::make_mut(&mut self.roots).push(Root { name: name.to_owned(), place, rights, quota });
        self
    }

    /// Returns what the guest holds.
    pub(super) fn session(&mut self) -> Result<&mut Session, Error> {
        let Self { roots, session, .. } = self;
        session.as_mut().ok_or_else(|| cancelled(roots))
    }

    /// Checks a call, takes its locks, and makes it.
    pub(super) fn call(&mut self, call: &Call<'_>, params: &[Val]) -> Result<Result<Val, Refusal>, Error> {
        let (onionskin, roots) = (self.onionskin.clone(), self.roots.clone());
        self.session()?.call(&onionskin, &roots, call, params)
    }

    /// Does this on a thread of the pool. If the future is dropped in the middle of it, the instance and the locks of the
    /// guest go as soon as the call of the operating system that is being made has ended.
    #[cfg(feature = "async")]
    pub(super) async fn apart<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Session, &Onionskin, &[Root]) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let (onionskin, roots) = (self.onionskin.clone(), self.roots.clone());
        let mut session = self.session.take().ok_or_else(|| cancelled(&roots))?;
        let calls_at_once = onionskin.calls_at_once().clone();
        let made = task::run(&calls_at_once, move || {
            let result = work(&mut session, &onionskin, &roots);
            task::end().then_some((session, result))
        });
        let (session, result) = made.await.flatten().ok_or_else(|| cancelled(&self.roots))?;
        self.session = Some(session);
        result
    }
}

/// Returns the error of a guest whose instance ended with a dropped future.
fn cancelled(roots: &[Root]) -> Error {
    let root = roots.first().map(|root| root.place.clone()).unwrap_or_default();
    Error::Trap { root, trap: Trap::Cancelled }
}

impl Session {
    /// Checks a call, takes its locks, and makes it.
    pub(super) fn call(
        &mut self,
        onionskin: &Onionskin,
        roots: &[Root],
        call: &Call<'_>,
        params: &[Val],
    ) -> Result<Result<Val, Refusal>, Error> {
        let mut locks = Vec::new();
        let rule = RULES.iter().find(|rule| rule.call == call.name);
        if let Some(rule) = rule
            && let Err(refusal) = admit(roots, rule, call, params, &mut locks)
        {
            return Ok(Err(refusal));
        }
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => none.insert(start(onionskin, roots)?),
        };
        let result = instance.infallible(|guest, engine| guest.call(engine, call.interface, call.name, params))?;
        let is_kept = rule.is_some_and(|rule| rule.locked == Locked::WithItsResult);
        self.locks = if is_kept { locks } else { Vec::new() };
        Ok(Ok(result))
    }
}

/// Checks whether the guest may make a call, and locks the directory that the call writes to.
fn admit(
    roots: &[Root],
    rule: &Rule,
    call: &Call<'_>,
    params: &[Val],
    locks: &mut Vec<Arc<RootLock>>,
) -> Result<(), Refusal> {
    // A parameter of another type is refused by the component.
    let Some(path) = rule.path(call.parameters, params) else { return Ok(()) };
    let place = rule.place(roots, path)?;
    // The component follows no link to a root, and names what is missing.
    if rule.locked == Locked::No || place.is_symlink() || !place.is_dir() {
        return Ok(());
    }
    let refused = |error: Error| Refusal {
        kind: if matches!(error, Error::Locked { .. }) { ErrorKind::Locked } else { ErrorKind::NotCommitted },
        subject: path.to_owned(),
        text: match &error {
            Error::Locked { .. } => "another owner has this root open".to_owned(),
            Error::Untrusted { .. } => "another user could have written its records".to_owned(),
            _ => "the host cannot lock it".to_owned(),
        },
        cause: matches!(error, Error::Untrusted { .. }).then_some(Cause::NotPermitted),
    };
    locks.push(Arc::new(RootLock::take(Path::new(path), &place, Duration::ZERO).map_err(refused)?));
    Trust::Own.records(&place).map_err(refused)
}
/// A call of the component.
pub(super) struct Call<'c> {
    pub(super) interface: &'c str,
    pub(super) name: &'c str,
    pub(super) parameters: &'c [String],
}

/// The instance of a guest, and its resources.
#[derive(Default)]
pub(super) struct Session {
    instance: Option<Instance>,
    held: HashMap<u32, Held>,
    last: u32,
    /// The locks of the resource that the present call returns.
    locks: Vec<Arc<RootLock>>,
}

/// A resource of the component that the guest holds.
struct Held {
    inner: ResourceAny,
    /// The locks of its root: a writer keeps those of its store.
    locks: Vec<Arc<RootLock>>,
}

impl Session {
    /// Returns the resource of the component that a handle of the guest stands for.
    pub(super) fn inner(&mut self, handle: u32, is_consumed: bool) -> wasmtime::Result<ResourceAny> {
        let unknown = || wasmtime::Error::msg("the guest does not hold this resource");
        if is_consumed {
            return self.held.remove(&handle).map(|held| held.inner).ok_or_else(unknown);
        }
        self.held.get(&handle).map(|held| held.inner).ok_or_else(unknown)
    }

    /// Returns the locks of a resource.
    pub(super) fn locks_of(&self, handle: u32) -> Vec<Arc<RootLock>> {
        self.held.get(&handle).map(|held| held.locks.clone()).unwrap_or_default()
    }

    /// Returns a new handle for a resource of the component, which keeps these locks besides those of its call.
    pub(super) fn hold(&mut self, inner: ResourceAny, parent: &[Arc<RootLock>]) -> u32 {
        self.last += 1;
        let mut locks = std::mem::take(&mut self.locks);
        if locks.is_empty() {
            locks = parent.to_vec();
        }
        self.held.insert(self.last, Held { inner, locks });
        self.last
    }

    /// Drops a resource that the guest no longer holds.
    pub(super) fn drop_resource(&mut self, handle: u32) -> Result<(), Error> {
        match (self.held.remove(&handle), &mut self.instance) {
            (Some(held), Some(instance)) => instance.drop_resource(held.inner),
            _ => Ok(()),
        }
    }
}

fn start(onionskin: &Onionskin, roots: &[Root]) -> Result<Instance, Error> {
    let mut grants = Vec::new();
    let mut meters = Vec::new();
    for Root { name, place, rights, quota } in roots {
        let access = if *rights == Rights::READ { Access::Read } else { Access::Write };
        let granted = Granted::by_place("open the directory for the guest", place, access)?;
        let granted = Granted { guest: name.clone(), named: None, ..granted };
        if *quota != Quota::default() {
            let meter = Meter::new(vec![(name.clone(), granted.host.clone())], *quota);
            meters.push(meter.map_err(|error| Error::io("count what is in the directory", place, error))?);
        }
        grants.push(granted);
    }
    let mut grants = grants.into_iter();
    let Some(first) = grants.next() else {
        let source = wasmtime::Error::msg("the guest is granted no directory");
        return Err(Error::Component { action: "start", source });
    };
    let named = first.host.clone();
    let grants = Grants::of(&named, first, grants.collect());
    let watch = (!meters.is_empty()).then(|| Watch::metered(Faults::counting(Fault::None), meters));
    Instance::start_watched(onionskin, grants, None, watch)
}
