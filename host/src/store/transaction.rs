//! Transactions: changes to one directory that become visible together.

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::ResourceAny;

use super::shared::Shared;
use crate::Error;
use crate::bindings::types::{Precondition, Receipt};

/// Changes to one directory that become visible atomically.
///
/// Paths are relative to the directory. Dropping the transaction discards the changes and leaves no files
/// behind.
pub struct Transaction {
    shared: Arc<Shared>,
    resource: Option<ResourceAny>,
}

impl Transaction {
    pub(super) fn new(shared: Arc<Shared>, resource: ResourceAny) -> Self {
        Self { shared, resource: Some(resource) }
    }

    /// Adds a file with this content. Accepts at most `limits.chunk_bytes`; use [`Transaction::append`] for
    /// the rest. The last operation on a path counts.
    pub fn put(&mut self, path: &str, data: &[u8]) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_put(engine, transaction, path, data))
    }

    /// Adds a file with the content of a file on the host, at or below the root or a granted directory.
    pub fn put_file(&mut self, path: &str, origin: impl AsRef<Path>) -> Result<(), Error> {
        let transaction = self.resource();
        let origin = self.shared.guest_path(origin.as_ref())?;
        self.shared.instance().call(|guest, engine| {
            guest.onionskin_fs_store().transaction().call_put_file(engine, transaction, path, &origin)
        })
    }

    /// Appends to the content of a [`Transaction::put`] of this transaction.
    pub fn append(&mut self, path: &str, data: &[u8]) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_append(engine, transaction, path, data))
    }

    /// Removes a file or link.
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_remove(engine, transaction, path))
    }

    /// Renames a file, and replaces an existing file of the new name.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_rename(engine, transaction, old, new))
    }

    /// Sets the condition under which the commit changes anything: the entry at this path, which need not be one that
    /// the transaction changes, must meet it just before the decision. Get the state of what was read from
    /// [`Store::fingerprint`](crate::Store::fingerprint).
    pub fn expect(&mut self, path: &str, when: &Precondition) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_expect(engine, transaction, path, when))
    }

    /// Commits the transaction: all changes become visible together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PreconditionFailed`](crate::ErrorKind::PreconditionFailed) with all paths that do not meet their
    /// conditions, and nothing changed.
    pub fn commit(mut self) -> Result<Receipt, Error> {
        let transaction = self.resource();
        // The component owns it from here, also if the call fails.
        self.resource = None;
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_commit(engine, transaction))
    }

    fn resource(&self) -> ResourceAny {
        self.resource.expect("a transaction has its resource until commit, which consumes it")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(resource) = self.resource.take() {
            // If this fails, the next open removes the staging files.
            let _ = self.shared.instance().drop_resource(resource);
        }
    }
}
