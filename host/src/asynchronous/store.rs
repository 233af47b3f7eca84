//! Stores, writers and transactions whose calls are futures.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::queue::{Queue, open};
use crate::error::Trap;
use crate::{
    Content, DirectoryOptions, Error, Evidence, Finding, Fingerprint, Limits, OpenOptions, Precondition, Receipt,
    Source, Step, Store, StoreBuilder, Transaction, WriteOptions, Writer,
};

/// A [`Store`] whose calls are futures; see [`StoreBuilder::open_async`].
///
/// The futures are `Send`, and block no thread of a runtime: a call runs on a thread of tokio's pool for blocking work,
/// at most [`Builder::calls_at_once`](crate::Builder::calls_at_once) of all stores and workspaces. An idle store uses no
/// thread. Tasks may share a store in an `Arc`; calls are made in the order in which their futures were first polled.
///
/// # Dropped futures
///
/// A future that is dropped before its call has begun makes no call. One that is dropped in the middle of its call is a
/// crash at that call: the component makes no further call on the filesystem, the root is released, and every later call
/// of this store, its writers and its transactions fails with [`Trap::Cancelled`]. Opening the root again recovers it, and
/// waits for the dropped call to end. If the next call of this store does not fail so, the dropped call was not made, or
/// was made as a whole.
pub struct AsyncStore {
    queue: Arc<Queue<Store>>,
}

impl StoreBuilder {
    /// As [`StoreBuilder::open`], without blocking. A future that is dropped releases the root.
    pub async fn open_async(&self, options: &OpenOptions) -> Result<AsyncStore, Error> {
        let ((wait, builder), options) = (self.at_once(), options.clone());
        let store = open(self.onionskin(), self.root().to_owned(), wait, move || builder.open(&options)).await?;
        Ok(AsyncStore { queue: Arc::new(Queue::new(self.onionskin(), self.root().to_owned(), store)) })
    }
}

impl AsyncStore {
    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.queue.call(move |store| call(store)).await
    }

    /// As [`Store::close`]. Dropping closes the store in the background, and reports no error.
    pub async fn close(self) -> Result<(), Error> {
        if Arc::strong_count(&self.queue) > 1 {
            // The last writer or transaction closes it.
            return Ok(());
        }
        self.queue.take(|store| (None, store.close())).await
    }

    /// As [`Store::recovered`].
    pub async fn recovered(&self) -> Result<Vec<Finding>, Error> {
        self.call(Store::recovered).await
    }

    /// As [`Store::steps`].
    pub async fn steps(&self) -> Result<Vec<Step>, Error> {
        self.call(Store::steps).await
    }

    /// As [`Store::limits`].
    pub async fn limits(&self) -> Result<Limits, Error> {
        self.call(Store::limits).await
    }

    /// As [`Store::fingerprint`].
    pub async fn fingerprint(&self, path: &str, depth: Evidence) -> Result<Fingerprint, Error> {
        let path = path.to_owned();
        self.call(move |store| store.fingerprint(&path, depth)).await
    }

    /// As [`Store::replace`].
    pub async fn replace(
        &self,
        path: &str,
        data: impl Into<Vec<u8>> + Send,
        options: &WriteOptions,
    ) -> Result<Receipt, Error> {
        let (path, data, options) = (path.to_owned(), data.into(), options.clone());
        self.call(move |store| store.replace(&path, &data, &options)).await
    }

    /// As [`Store::replace_json`].
    pub async fn replace_json(
        &self,
        path: &str,
        json: impl Into<String> + Send,
        options: &WriteOptions,
    ) -> Result<Receipt, Error> {
        let (path, json, options) = (path.to_owned(), json.into(), options.clone());
        self.call(move |store| store.replace_json(&path, &json, &options)).await
    }

    /// As [`Store::writer`].
    pub async fn writer(&self, path: &str, options: &WriteOptions) -> Result<AsyncWriter, Error> {
        let (path, options) = (path.to_owned(), options.clone());
        let writer = self.call(move |store| store.writer(&path, &options)).await?;
        Ok(AsyncWriter(Part::new(&self.queue, writer)))
    }

    /// As [`Store::materialize`].
    pub async fn materialize(&self, path: &str, origin: &Source, holds: &Content) -> Result<Receipt, Error> {
        let (path, origin, holds) = (path.to_owned(), origin.clone(), holds.clone());
        self.call(move |store| store.materialize(&path, &origin, &holds)).await
    }

    /// As [`Store::begin`].
    pub async fn begin(&self, directory: &str, options: &DirectoryOptions) -> Result<AsyncTransaction, Error> {
        let (directory, options) = (directory.to_owned(), *options);
        let transaction = self.call(move |store| store.begin(&directory, &options)).await?;
        Ok(AsyncTransaction(Part::new(&self.queue, transaction)))
    }

    /// As [`Store::free_generations`].
    pub async fn free_generations(&self) -> Result<Vec<Finding>, Error> {
        self.call(Store::free_generations).await
    }

    /// As [`Store::materialize_link`].
    pub async fn materialize_link(&self, link: &str) -> Result<Receipt, Error> {
        let link = link.to_owned();
        self.call(move |store| store.materialize_link(&link)).await
    }
}

/// A writer or a transaction of a store.
struct Part<P: Send + 'static> {
    queue: Arc<Queue<Store>>,
    /// Shared with the call that uses it; `None` after that which consumed it.
    part: Arc<Mutex<Option<P>>>,
}

impl<P: Send + 'static> Part<P> {
    fn new(queue: &Arc<Queue<Store>>, part: P) -> Self {
        Self { queue: queue.clone(), part: Arc::new(Mutex::new(Some(part))) }
    }

    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Option<P>) -> Option<Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let part = self.part.clone();
        self.queue
            .call(move |store| {
                // A panic in a call ends the instance, or leaves it whole.
                let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
                call(&mut part).unwrap_or_else(|| Err(Error::Trap { root: store.root(), trap: Trap::Cancelled }))
            })
            .await
    }

    async fn use_it<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut P) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.call(|part| part.as_mut().map(call)).await
    }

    async fn consume<T: Send + 'static>(
        &self,
        call: impl FnOnce(P) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.call(|part| part.take().map(call)).await
    }
}

impl<P: Send + 'static> Drop for Part<P> {
    fn drop(&mut self) {
        self.queue.discard(self.part.clone());
    }
}

/// A [`Writer`] whose calls are futures. A writer that is dropped is discarded with the next call of its store.
pub struct AsyncWriter(Part<Writer>);

impl AsyncWriter {
    /// As [`Writer::append`].
    pub async fn append(&mut self, chunk: impl Into<Vec<u8>> + Send) -> Result<(), Error> {
        let chunk = chunk.into();
        self.0.use_it(move |writer| writer.append(&chunk)).await
    }

    /// As [`Writer::append_from`].
    pub async fn append_from(
        &mut self,
        origin: impl AsRef<Path> + Send,
        offset: u64,
        length: u64,
    ) -> Result<u64, Error> {
        let origin = origin.as_ref().to_owned();
        self.0.use_it(move |writer| writer.append_from(origin, offset, length)).await
    }

    /// As [`Writer::commit`].
    pub async fn commit(self) -> Result<Receipt, Error> {
        self.0.consume(Writer::commit).await
    }
}

/// A [`Transaction`] whose calls are futures. A transaction that is dropped is discarded with the next call of its store.
pub struct AsyncTransaction(Part<Transaction>);

impl AsyncTransaction {
    /// As [`Transaction::put`].
    pub async fn put(&mut self, path: &str, data: impl Into<Vec<u8>> + Send) -> Result<(), Error> {
        let (path, data) = (path.to_owned(), data.into());
        self.0.use_it(move |change| change.put(&path, &data)).await
    }

    /// As [`Transaction::put_file`].
    pub async fn put_file(&mut self, path: &str, origin: impl AsRef<Path> + Send) -> Result<(), Error> {
        let (path, origin): (String, PathBuf) = (path.to_owned(), origin.as_ref().to_owned());
        self.0.use_it(move |change| change.put_file(&path, origin)).await
    }

    /// As [`Transaction::append`].
    pub async fn append(&mut self, path: &str, data: impl Into<Vec<u8>> + Send) -> Result<(), Error> {
        let (path, data) = (path.to_owned(), data.into());
        self.0.use_it(move |change| change.append(&path, &data)).await
    }

    /// As [`Transaction::remove`].
    pub async fn remove(&mut self, path: &str) -> Result<(), Error> {
        let path = path.to_owned();
        self.0.use_it(move |change| change.remove(&path)).await
    }

    /// As [`Transaction::rename`].
    pub async fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        let (old, new) = (old.to_owned(), new.to_owned());
        self.0.use_it(move |change| change.rename(&old, &new)).await
    }

    /// As [`Transaction::expect`].
    pub async fn expect(&mut self, path: &str, when: &Precondition) -> Result<(), Error> {
        let (path, when) = (path.to_owned(), when.clone());
        self.0.use_it(move |change| change.expect(&path, &when)).await
    }

    /// As [`Transaction::commit`].
    pub async fn commit(self) -> Result<Receipt, Error> {
        self.0.consume(Transaction::commit).await
    }
}
