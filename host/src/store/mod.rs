//! An open root: the calls of the contract, with absolute links resolved on the way.

mod shared;
mod transaction;
mod writer;

use std::path::Path;
use std::sync::Arc;

pub use transaction::Transaction;
pub use writer::Writer;

use crate::Error;
use crate::bindings::capabilities::Limits;
use crate::bindings::store::{Content, DirectoryOptions, Evidence, OpenOptions, Source, Step, WriteOptions};
use crate::bindings::types::{Finding, Fingerprint, Receipt};
use crate::live::Live;
use shared::Shared;

/// An open root.
///
/// Paths are relative to it. Every call is all or nothing at the level asked for; [`Error`] says
/// what is left where one fails. Calls on a store, its writers and its transactions may be
/// interleaved, also from several threads: they take turns.
///
/// A call that meets an absolute link, which the component cannot read, is made again with the
/// place it leads to, if that is inside the root or a directory granted with
/// [`Session::lower`](crate::Session::lower); otherwise it fails with [`Error::Grant`]. The commit
/// of a transaction consumes it, so it cannot be made again: see [`Store::materialize_link`].
pub struct Store {
    shared: Arc<Shared>,
}

impl Store {
    pub(crate) fn open(live: Live, how: &OpenOptions) -> Result<Self, Error> {
        Ok(Self { shared: Arc::new(Shared::open(live, how)?) })
    }

    /// Closes the store, which gives the root back; where a writer or a transaction is left, it is
    /// given back with the last of them. Dropping does the same, and cannot say so when it fails:
    /// nothing that was acknowledged depends on it.
    pub fn close(self) -> Result<(), Error> {
        match Arc::into_inner(self.shared) {
            Some(shared) => shared.close(),
            None => Ok(()),
        }
    }

    /// What opening found and did, in order. Empty when all was clean.
    pub fn recovered(&self) -> Result<Vec<Finding>, Error> {
        let store = self.shared.store();
        self.shared.live().infallible(|guest, engine| guest.onionskin_fs_store().store().call_recovered(engine, store))
    }

    /// The steps that have run since the last call, oldest first; none unless tracing is on.
    pub fn steps(&self) -> Result<Vec<Step>, Error> {
        let store = self.shared.store();
        self.shared.live().infallible(|guest, engine| guest.onionskin_fs_store().store().call_steps(engine, store))
    }

    /// The limits of the component.
    pub fn limits(&self) -> Result<Limits, Error> {
        self.shared.live().infallible(|guest, engine| guest.onionskin_fs_capabilities().call_get_limits(engine))
    }

    /// What a path looks like now, without following a link at its end.
    pub fn fingerprint(&self, path: &str, depth: Evidence) -> Result<Fingerprint, Error> {
        let store = self.shared.store();
        self.shared
            .live()
            .call(|guest, engine| guest.onionskin_fs_store().store().call_fingerprint(engine, store, path, depth))
    }

    /// Gives a file new content. At most `limits.chunk_bytes`; larger content goes through
    /// [`Store::writer`].
    pub fn replace(&self, path: &str, data: &[u8], how: &WriteOptions) -> Result<Receipt, Error> {
        let store = self.shared.store();
        self.shared.through_links(path, how.symlinks, |live, path| {
            live.call(|guest, engine| guest.onionskin_fs_store().store().call_replace(engine, store, path, data, how))
        })
    }

    /// As [`Store::replace`], for JSON: text that does not parse never touches the disk.
    pub fn replace_json(&self, path: &str, json: &str, how: &WriteOptions) -> Result<Receipt, Error> {
        let store = self.shared.store();
        self.shared.through_links(path, how.symlinks, |live, path| {
            live.call(|guest, engine| {
                guest.onionskin_fs_store().store().call_replace_json(engine, store, path, json, how)
            })
        })
    }

    /// As [`Store::replace`], for content of any size in bounded memory.
    pub fn writer(&self, path: &str, how: &WriteOptions) -> Result<Writer, Error> {
        let store = self.shared.store();
        let resource = self.shared.through_links(path, how.symlinks, |live, path| {
            live.call(|guest, engine| guest.onionskin_fs_store().store().call_writer(engine, store, path, how))
        })?;
        Ok(Writer::new(self.shared.clone(), resource))
    }

    /// Makes a path independent of what it shares its content with; see the contract.
    ///
    /// With [`Source::LinkTarget`] an absolute link is resolved on the host. To name a source by
    /// its place on the host, use [`Store::guest_path`].
    pub fn materialize(&self, path: &str, origin: &Source, holds: &Content) -> Result<Receipt, Error> {
        self.shared.materialize(path, origin, holds)
    }

    /// Begins a transaction on a directory, which is created at commit if it does not exist.
    pub fn begin(&self, directory: &str, how: DirectoryOptions) -> Result<Transaction, Error> {
        let store = self.shared.store();
        let resource = self.shared.through_links(directory, how.symlinks, |live, directory| {
            live.call(|guest, engine| guest.onionskin_fs_store().store().call_begin(engine, store, directory, how))
        })?;
        Ok(Transaction::new(self.shared.clone(), resource))
    }

    /// Turns an absolute link, which the component cannot read, into a file or directory of its
    /// own, if the place it leads to is granted.
    ///
    /// The calls of a store do this by themselves. It is for [`Transaction::commit`], which
    /// cannot: it consumes the transaction before it can be asked again.
    pub fn materialize_link(&self, link: &str) -> Result<Receipt, Error> {
        self.shared.materialize_link(link)
    }

    /// The name in the component of a path on the host, for [`Source::Path`],
    /// [`Writer::write_from`] and [`Transaction::put_file`]. Links are followed.
    pub fn guest_path(&self, host: &Path) -> Result<String, Error> {
        let canonical = std::fs::canonicalize(host).map_err(|error| Error::io("find the source", host, error))?;
        self.shared.live().grants().guest_path(&canonical).map_err(Error::Grant)
    }
}
