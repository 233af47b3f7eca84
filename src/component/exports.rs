//! The exports of the component, call by call.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::bindings::exports::onionskin::fs::{capabilities, store as wit, types};
use super::convert::{
    abilities_out, content_in, directory_options_in, error_out, finding_out, fingerprint_out, ownership_in,
    precondition_in, receipt_out, source_in, step_out, write_options_in,
};
use super::wasi_fs::{WasiFs, preopens};
use crate::persist::{file, transaction};
use crate::{limits, probe, store};

/// The component.
pub(super) struct Component;

/// An open root.
pub(super) struct Store(store::Store<WasiFs>);

/// Content that is being staged.
pub(super) struct Writer(RefCell<file::Writer<WasiFs>>);

/// Changes that are being staged.
pub(super) struct Transaction(RefCell<transaction::Transaction<WasiFs>>);

impl capabilities::Guest for Component {
    fn probe(at: String) -> Result<capabilities::Abilities, types::Error> {
        probe::probe(WasiFs, &preopens(), &at).map(abilities_out).map_err(error_out)
    }

    fn get_limits() -> capabilities::Limits {
        capabilities::Limits {
            path_bytes: limits::PATH_BYTES_MAX as u64,
            name_bytes: limits::NAME_BYTES_MAX as u64,
            depth: limits::DEPTH_MAX as u64,
            chunk_bytes: limits::CHUNK_BYTES_MAX as u64,
            entries: limits::ENTRIES_MAX as u64,
            transaction_bytes: limits::TRANSACTION_BYTES_MAX,
            links: limits::LINKS_MAX as u64,
        }
    }
}

impl wit::Guest for Component {
    type Store = Store;
    type Writer = Writer;
    type Transaction = Transaction;

    fn inspect(at: String) -> Result<Vec<types::Finding>, types::Error> {
        let findings = store::inspect(WasiFs, &preopens(), &at).map_err(error_out)?;
        Ok(findings.into_iter().map(finding_out).collect())
    }

    fn break_lock(at: String, expected: String) -> Result<(), types::Error> {
        store::break_lock(WasiFs, &preopens(), &at, &expected).map_err(error_out)
    }
}

impl wit::GuestStore for Store {
    fn open(at: String, options: wit::OpenOptions) -> Result<wit::Store, types::Error> {
        let trace = matches!(options.trace, wit::Tracing::On);
        store::Store::open(WasiFs, &preopens(), &at, &ownership_in(options.owner), trace)
            .map(|store| wit::Store::new(Self(store)))
            .map_err(error_out)
    }

    fn recovered(&self) -> Vec<types::Finding> {
        self.0.recovered().into_iter().map(finding_out).collect()
    }

    fn steps(&self) -> Vec<wit::Step> {
        self.0.steps().into_iter().map(step_out).collect()
    }

    fn fingerprint(&self, path: String, depth: wit::Evidence) -> Result<types::Fingerprint, types::Error> {
        let with_digest = matches!(depth, wit::Evidence::Digest);
        self.0.fingerprint(&path, with_digest).map(fingerprint_out).map_err(error_out)
    }

    fn replace(&self, path: String, data: Vec<u8>, options: wit::WriteOptions) -> Result<types::Receipt, types::Error> {
        write_options_in(options)
            .and_then(|options| self.0.replace(&path, data, &options))
            .map(receipt_out)
            .map_err(error_out)
    }

    fn replace_json(
        &self,
        path: String,
        json: String,
        options: wit::WriteOptions,
    ) -> Result<types::Receipt, types::Error> {
        write_options_in(options)
            .and_then(|options| self.0.replace_json(&path, &json, &options))
            .map(receipt_out)
            .map_err(error_out)
    }

    fn writer(&self, path: String, options: wit::WriteOptions) -> Result<wit::Writer, types::Error> {
        write_options_in(options)
            .and_then(|options| self.0.writer(&path, &options))
            .map(|writer| wit::Writer::new(Writer(RefCell::new(writer))))
            .map_err(error_out)
    }

    fn materialize(
        &self,
        path: String,
        origin: wit::Source,
        holds: wit::Content,
    ) -> Result<types::Receipt, types::Error> {
        self.0.materialize(&path, &source_in(origin), content_in(holds)).map(receipt_out).map_err(error_out)
    }

    fn begin(&self, directory: String, options: wit::DirectoryOptions) -> Result<wit::Transaction, types::Error> {
        self.0
            .begin(&directory, directory_options_in(options))
            .map(|transaction| wit::Transaction::new(Transaction(RefCell::new(transaction))))
            .map_err(error_out)
    }

    fn free_generations(&self) -> Result<Vec<types::Finding>, types::Error> {
        let freed = self.0.free_generations().map_err(error_out)?;
        Ok(freed.into_iter().map(finding_out).collect())
    }

    fn abandon(&self, transaction: u64) -> Result<types::Finding, types::Error> {
        self.0.abandon(transaction).map(finding_out).map_err(error_out)
    }
}

impl wit::GuestWriter for Writer {
    fn write(&self, chunk: Vec<u8>) -> Result<(), types::Error> {
        self.0.borrow_mut().write(chunk).map_err(error_out)
    }

    fn write_from(&self, origin: String, offset: u64, length: u64) -> Result<u64, types::Error> {
        self.0.borrow_mut().write_from(&origin, offset, length).map_err(error_out)
    }

    fn commit(this: wit::Writer) -> Result<types::Receipt, types::Error> {
        let Self(writer) = this.into_inner();
        writer.into_inner().commit().map(receipt_out).map_err(error_out)
    }
}

impl wit::GuestTransaction for Transaction {
    fn put(&self, path: String, data: Vec<u8>) -> Result<(), types::Error> {
        self.0.borrow_mut().put(&path, data).map_err(error_out)
    }

    fn put_file(&self, path: String, origin: String) -> Result<(), types::Error> {
        self.0.borrow_mut().put_file(&path, &origin).map_err(error_out)
    }

    fn append(&self, path: String, data: Vec<u8>) -> Result<(), types::Error> {
        self.0.borrow_mut().append(&path, data).map_err(error_out)
    }

    fn remove(&self, path: String) -> Result<(), types::Error> {
        self.0.borrow_mut().remove(&path).map_err(error_out)
    }

    fn rename(&self, old: String, new: String) -> Result<(), types::Error> {
        self.0.borrow_mut().rename(&old, &new).map_err(error_out)
    }

    fn expect(&self, path: String, when: types::Precondition) -> Result<(), types::Error> {
        let when = precondition_in(when).map_err(error_out)?;
        self.0.borrow_mut().expect(&path, when).map_err(error_out)
    }

    fn keep_generations(&self, newest: u32) {
        self.0.borrow_mut().keep_generations(newest);
    }

    fn commit(this: wit::Transaction) -> Result<types::Receipt, types::Error> {
        let Self(transaction) = this.into_inner();
        transaction.into_inner().commit().map(receipt_out).map_err(error_out)
    }
}
