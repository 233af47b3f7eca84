//! The instance shared by a store, its writers and its transactions, and the resolution of absolute links for
//! their calls.

use std::path::Path;
#[cfg(feature = "async")]
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmtime::component::ResourceAny;

use crate::Error;
use crate::bindings::store::{Content, Source};
use crate::bindings::types::{Error as GuestError, ErrorKind, Receipt, SymlinkPolicy};
use crate::grants::ROOT;
use crate::instance::Instance;
use crate::links::{self, LINKS_MAX, Link};
use crate::options::OpenOptions;

/// An instance with an open store. The root is released when the last holder is dropped.
pub(super) struct Shared {
    instance: Mutex<Instance>,
    store: ResourceAny,
    closed: bool,
}

impl Shared {
    pub(super) fn open(mut instance: Instance, options: &OpenOptions) -> Result<Self, Error> {
        let options = options.wire();
        let store =
            instance.call(|guest, engine| guest.onionskin_fs_store().store().call_open(engine, ROOT, &options))?;
        Ok(Self { instance: Mutex::new(instance), store, closed: false })
    }

    pub(super) fn instance(&self) -> MutexGuard<'_, Instance> {
        // A panic inside a call has the same effect as a trap: the instance refuses further calls, or
        // completes them.
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn store(&self) -> ResourceAny {
        self.store
    }

    pub(super) fn materialize(&self, path: &str, mut origin: Source, holds: &Content) -> Result<Receipt, Error> {
        let mut met = Met::default();
        loop {
            let result = self.materialize_once(path, &origin, holds);
            if origin == Source::LinkTarget
                && let Some(target) = self.target_in_a_grant(&result, path)
            {
                origin = Source::Path(target);
                continue;
            }
            let Some(link) = self.new_link(&mut met, &result, path) else { return result };
            if link != path {
                self.materialize_link(&link)?;
            } else if origin == Source::LinkTarget {
                origin = Source::Path(self.source_of(&link)?);
            } else {
                return result;
            }
        }
    }

    pub(super) fn materialize_link(&self, link: &str) -> Result<Receipt, Error> {
        let source = Source::Path(self.source_of(link)?);
        self.materialize_once(link, &source, &Content::Keep)
    }

    /// Makes a call, and repeats it after each absolute link that it meets: once the link has been
    /// materialized, or, where links are to be followed, with the path of its target.
    pub(super) fn through_links<T>(
        &self,
        path: &str,
        policy: SymlinkPolicy,
        mut call: impl FnMut(&mut Instance, &str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut path = path.to_owned();
        let mut met = Met::default();
        loop {
            let result = call(&mut self.instance(), &path);
            let Some(link) = self.new_link(&mut met, &result, &path) else { return result };
            match policy {
                SymlinkPolicy::Refuse => return result,
                SymlinkPolicy::Replace => drop(self.materialize_link(&link)?),
                SymlinkPolicy::FollowWithin => {
                    let instance = self.instance();
                    path = Link::read(instance.grants(), &link)?.follow(instance.grants(), &link, &path)?;
                }
            }
        }
    }

    /// The link on the way to `path` that keeps a call from going on, if that is why it failed and
    /// resolving it may help: not when it was resolved before, nor when there were too many.
    fn new_link<T>(&self, met: &mut Met, result: &Result<T, Error>, path: &str) -> Option<String> {
        let Err(Error::Guest { error: GuestError { kind: ErrorKind::LinkUnreadable, .. }, .. }) = result else {
            return None;
        };
        let link = links::first(self.instance().grants(), path)?;
        if met.0.len() == LINKS_MAX || met.0.contains(&link) {
            return None;
        }
        met.0.push(link.clone());
        Some(link)
    }

    fn materialize_once(&self, path: &str, origin: &Source, holds: &Content) -> Result<Receipt, Error> {
        let store = self.store;
        self.instance().call(|guest, engine| {
            guest.onionskin_fs_store().store().call_materialize(engine, store, path, origin, holds)
        })
    }

    /// Returns the guest path of the target of a link that leads out of the root into another granted directory,
    /// which a guest that reads its relative text cannot know.
    fn target_in_a_grant<T>(&self, result: &Result<T, Error>, link: &str) -> Option<String> {
        let Err(Error::Guest { error: GuestError { kind: ErrorKind::SymlinkEscapes, .. }, .. }) = result else {
            return None;
        };
        let target = self.source_of(link).ok()?;
        let is_in_root = target == ROOT || target.starts_with(&format!("{ROOT}/"));
        (!is_in_root).then_some(target)
    }

    /// Returns the guest path of the target of a link.
    fn source_of(&self, link: &str) -> Result<String, Error> {
        let instance = self.instance();
        Link::read(instance.grants(), link)?.source(instance.grants())
    }

    /// Returns the name in the component of a path on the host, with its links resolved.
    pub(super) fn guest_path(&self, host: &Path) -> Result<String, Error> {
        self.instance().grants().guest_path_of(host)
    }

    /// Stops the instance, and releases the root as a crash would.
    #[cfg(feature = "async")]
    pub(super) fn abandon(&self) {
        self.instance().abandon();
    }

    /// Returns the root as the caller named it.
    #[cfg(feature = "async")]
    pub(super) fn root(&self) -> PathBuf {
        self.instance().root().to_owned()
    }

    /// Releases the root.
    pub(super) fn close(mut self) -> Result<(), Error> {
        self.closed = true;
        self.instance().drop_resource(self.store)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !self.closed {
            // A stopped instance has no resources to release, and recovery does not depend on it.
            let _ = self.instance().drop_resource(self.store);
        }
    }
}

/// The links that were resolved for one call.
#[derive(Default)]
struct Met(Vec<String>);
