//! An open root: the calls of the contract, with absolute links resolved by the host.

mod builder;
mod shared;
mod transaction;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

pub use builder::StoreBuilder;
pub use transaction::Transaction;
pub use writer::Writer;

use crate::Error;
use crate::bindings::capabilities::Limits;
use crate::bindings::store::{Content, Evidence, Source as GuestSource, Step};
use crate::bindings::types::{Finding, Fingerprint, Receipt};
use crate::instance::Instance;
use crate::options::{DirectoryOptions, OpenOptions, WriteOptions};
use shared::Shared;

/// An open root.
///
/// Paths are relative to it. Every call is atomic, with the durability that its options request; [`Error`]
/// describes the state after a failure. Calls on a store, its writers and its transactions can be
/// interleaved, also from several threads: they are serialized.
///
/// A call that meets an absolute link, which the component cannot read, is repeated with the target of the
/// link, if that is inside the root or a directory granted with [`StoreBuilder::lower`]; otherwise it fails
/// with [`Error::Grant`]. The commit of a transaction consumes it, so it cannot be repeated: see
/// [`Store::materialize_link`].
pub struct Store {
    shared: Arc<Shared>,
}

/// The source of the content that a path gets for its own; see [`Store::materialize`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The file or directory that the link at the path leads to.
    LinkTarget,
    /// A file or directory on the host, at or below the root or a granted directory.
    Path(PathBuf),
}

impl Store {
    fn open(instance: Instance, options: &OpenOptions) -> Result<Self, Error> {
        Ok(Self { shared: Arc::new(Shared::open(instance, options)?) })
    }

    /// Closes the store, and releases the root. If a writer or a transaction still exists, the root is
    /// released with the last of them. Dropping does the same, but cannot report an error; no acknowledged
    /// change depends on it.
    pub fn close(self) -> Result<(), Error> {
        match Arc::into_inner(self.shared) {
            Some(shared) => shared.close(),
            None => Ok(()),
        }
    }

    /// Stops the store, and releases the root as a crash would. Its writers and transactions accept no further calls.
    #[cfg(feature = "async")]
    pub(crate) fn stop(self) {
        self.shared.abandon();
    }

    /// Returns the root as the caller named it.
    #[cfg(feature = "async")]
    pub(crate) fn root(&self) -> PathBuf {
        self.shared.root()
    }

    /// Returns the findings and actions of the recovery at open, in order. Empty if the root was clean.
    pub fn recovered(&self) -> Result<Vec<Finding>, Error> {
        let store = self.shared.store();
        self.shared
            .instance()
            .infallible(|guest, engine| guest.onionskin_fs_store().store().call_recovered(engine, store))
    }

    /// Returns the steps since the last call, the oldest first; empty unless tracing is enabled.
    pub fn steps(&self) -> Result<Vec<Step>, Error> {
        let store = self.shared.store();
        self.shared.instance().infallible(|guest, engine| guest.onionskin_fs_store().store().call_steps(engine, store))
    }

    /// Returns the limits of the component.
    pub fn limits(&self) -> Result<Limits, Error> {
        self.shared.instance().infallible(|guest, engine| guest.onionskin_fs_capabilities().call_get_limits(engine))
    }

    /// Returns the fingerprint of the current state of a path, without following a link at its end.
    pub fn fingerprint(&self, path: &str, depth: Evidence) -> Result<Fingerprint, Error> {
        let store = self.shared.store();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().store().call_fingerprint(engine, store, path, depth))
    }

    /// Replaces the content of a file. Accepts at most `limits.chunk_bytes`; use [`Store::writer`] for larger
    /// content.
    pub fn replace(&self, path: &str, data: &[u8], options: &WriteOptions) -> Result<Receipt, Error> {
        let store = self.shared.store();
        let options = options.wire();
        self.shared.through_links(path, options.symlinks, |instance, path| {
            instance.call(|guest, engine| {
                guest.onionskin_fs_store().store().call_replace(engine, store, path, data, &options)
            })
        })
    }

    /// As [`Store::replace`], for JSON: text that does not parse is refused before any write.
    pub fn replace_json(&self, path: &str, json: &str, options: &WriteOptions) -> Result<Receipt, Error> {
        let store = self.shared.store();
        let options = options.wire();
        self.shared.through_links(path, options.symlinks, |instance, path| {
            instance.call(|guest, engine| {
                guest.onionskin_fs_store().store().call_replace_json(engine, store, path, json, &options)
            })
        })
    }

    /// As [`Store::replace`], for content of any size in bounded memory; [`Writer`] implements
    /// [`io::Write`](std::io::Write).
    pub fn writer(&self, path: &str, options: &WriteOptions) -> Result<Writer, Error> {
        let store = self.shared.store();
        let options = options.wire();
        let resource = self.shared.through_links(path, options.symlinks, |instance, path| {
            instance.call(|guest, engine| guest.onionskin_fs_store().store().call_writer(engine, store, path, &options))
        })?;
        Ok(Writer::new(self.shared.clone(), resource))
    }

    /// Makes a path independent of the files that it shares its content with; see the contract.
    ///
    /// With [`Source::LinkTarget`] an absolute link is resolved on the host.
    pub fn materialize(&self, path: &str, origin: &Source, holds: &Content) -> Result<Receipt, Error> {
        let origin = match origin {
            Source::LinkTarget => GuestSource::LinkTarget,
            Source::Path(path) => GuestSource::Path(self.shared.guest_path(path)?),
        };
        self.shared.materialize(path, origin, holds)
    }

    /// Begins a transaction on a directory. A missing directory is created at commit.
    pub fn begin(&self, directory: &str, options: &DirectoryOptions) -> Result<Transaction, Error> {
        let store = self.shared.store();
        let (keep, options) = (options.keep_generations, options.wire());
        let resource = self.shared.through_links(directory, options.symlinks, |instance, directory| {
            instance
                .call(|guest, engine| guest.onionskin_fs_store().store().call_begin(engine, store, directory, options))
        })?;
        self.shared.instance().infallible(|guest, engine| {
            guest.onionskin_fs_store().transaction().call_keep_generations(engine, resource, keep)
        })?;
        Ok(Transaction::new(self.shared.clone(), resource))
    }

    /// Removes the generations to which no link below the root leads any more, and returns them. Absolute links
    /// are not seen. [`StoreBuilder::inspect`](crate::StoreBuilder::inspect) names them without removing them.
    pub fn free_generations(&self) -> Result<Vec<Finding>, Error> {
        let store = self.shared.store();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().store().call_free_generations(engine, store))
    }

    /// Gives up a change that was decided and cannot be completed, and returns the finding: its records, with the
    /// new content, are set aside in the control directory. `transaction` is the number in the finding of the open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if no such change is parked.
    pub fn abandon(&self, transaction: u64) -> Result<Finding, Error> {
        let store = self.shared.store();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().store().call_abandon(engine, store, transaction))
    }

    /// Replaces an absolute link, which the component cannot read, by a file or directory with the content of
    /// its target, if the target is granted.
    ///
    /// The calls of a store do this themselves. [`Transaction::commit`] cannot, since it consumes the
    /// transaction and so cannot be repeated; call this before it.
    pub fn materialize_link(&self, link: &str) -> Result<Receipt, Error> {
        self.shared.materialize_link(link)
    }
}
