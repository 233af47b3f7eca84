//! Bytes in one call, bytes and entries of a transaction, bytes of its log.

use onionskin::error::{Error, Limit};
use onionskin::limits::{CHUNK_BYTES_MAX, ENTRIES_MAX, LOG_BYTES_MAX, TRANSACTION_BYTES_MAX};
use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::{Publish, Transaction};
use onionskin::store::{Durability, Store, WriteOptions};
use onionskin_sim::{SimFs, Tree, tree};

use crate::exceeded;
use crate::support::intercept::InterceptFs;
use crate::support::{Scene, kind, outcome, publish, refused};

fn plain() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/file" = "old"; }
}

fn begin(store: &Store<SimFs>) -> Transaction<SimFs> {
    store.begin(".", publish(Publish::InPlace)).expect("the root")
}

/// Every call that takes a list refuses one that is a byte over the limit, with nothing staged.
#[test]
fn a_list_over_the_limit_is_refused() {
    let over = || vec![b'1'; CHUNK_BYTES_MAX + 1];
    let text = String::from_utf8(over()).expect("digits");
    let options = WriteOptions::default();
    let scene = Scene::new(&plain());
    let store = scene.open();
    let refused = |context: &str, answer: Result<(), Error>| {
        exceeded(context, answer, Limit::ChunkBytes, CHUNK_BYTES_MAX as u64, "file");
    };
    let mutations = scene.fs.counts().mutations;
    refused("replace", store.replace("file", over(), &options).map(drop));
    refused("replace_json", store.replace_json("file", &text, &options).map(drop));
    let holds = Content::Replace(over());
    refused("materialize", store.materialize("file", &Source::LinkTarget, holds).map(drop));
    refused("put", begin(&store).put("file", over()));
    assert_eq!(scene.fs.counts().mutations, mutations, "calls that change something");
    let mut transaction = begin(&store);
    transaction.put("file", b"1".to_vec()).expect("staged");
    refused("append", transaction.append("file", over()));
    drop(transaction);
    let mut writer = store.writer("file", &options).expect("a file");
    refused("write", writer.write(over()));
    drop(writer);
    drop(store);
    scene.ends_as("chunks", &plain());
}

/// A list at the limit is accepted, and several pieces may add up to more.
#[test]
fn a_list_at_the_limit_is_accepted() {
    let full = || vec![b'1'; CHUNK_BYTES_MAX];
    let scene = Scene::new(&plain());
    let store = scene.open();
    let options = WriteOptions { durability: Durability::Data, ..WriteOptions::default() };
    let done = store.replace("file", full(), &options).map(|done| done.bytes);
    assert_eq!(done, Ok(CHUNK_BYTES_MAX as u64));
    let mut writer = store.writer("file", &options).expect("a file");
    writer.write(full()).expect("staged");
    writer.write(b"1".to_vec()).expect("staged");
    assert_eq!(writer.commit().map(|done| done.bytes), Ok(CHUNK_BYTES_MAX as u64 + 1));
}

/// A source that would exceed the byte limit of the transaction is refused before it is copied.
#[test]
fn the_bytes_of_a_transaction_are_limited() {
    let scene = Scene::new(&plain());
    let intercept = InterceptFs::on(&scene.fs);
    let store = intercept.open().expect("a root");
    let mut transaction = store.begin(".", publish(Publish::InPlace)).expect("the root");
    transaction.put("first", b"1".to_vec()).expect("staged");
    intercept.hooks.fake_length.replace(Some(("original", TRANSACTION_BYTES_MAX)));
    let answer = transaction.put_file("second", "/lower/original");
    exceeded("put_file", answer, Limit::TransactionBytes, TRANSACTION_BYTES_MAX, "second");
    intercept.hooks.fake_length.replace(None);
    assert_eq!(transaction.commit().map(|done| done.applied), Ok(1));
    drop(store);
    scene.ends_as("bytes", &plain().file("ws/first", "1"));
}

/// One entry over the limit is refused when it is put, and the transaction stays as it was before.
#[test]
fn the_entries_of_a_transaction_are_limited() {
    let tree = plain();
    let scene = Scene::new(&tree);
    let store = scene.open();
    let options =
        onionskin::persist::transaction::DirectoryOptions { durability: Durability::Data, ..publish(Publish::InPlace) };
    let mut transaction = store.begin(".", options).expect("the root");
    for number in 0..ENTRIES_MAX {
        transaction.put(&number.to_string(), Vec::new()).expect("staged");
    }
    let answer = transaction.put("one-more", Vec::new());
    exceeded("put", answer, Limit::Entries, ENTRIES_MAX as u64, "one-more");
    assert_eq!(
        outcome(transaction.remove("one-more")),
        refused("not-found", "one-more"),
        "the refused entry is not there"
    );
    drop(transaction);
    drop(store);
    scene.ends_as("entries", &tree);
}

/// A log too long to be read back is refused before the commit point, and nothing changes.
#[test]
fn a_log_that_could_not_be_read_back_is_refused() {
    let directory = vec!["d".repeat(250); 15].join("/");
    let each = directory.len() + 1 + 250;
    let entries = usize::try_from(LOG_BYTES_MAX).expect("64 bits") / each + 1;
    let scene = Scene::new(&plain());
    let store = scene.open();
    let options =
        onionskin::persist::transaction::DirectoryOptions { durability: Durability::Data, ..publish(Publish::InPlace) };
    let mut transaction = store.begin(".", options).expect("the root");
    for number in 0..entries {
        transaction.put(&format!("{directory}/{number:0>250}"), Vec::new()).expect("staged");
    }
    let answer = transaction.commit();
    drop(store);
    let error = answer.expect_err("its log has more bytes than are read back");
    assert_eq!(kind(&error), "limit-exceeded", "{:.300}", error.to_string());
    let visible = scene.fs.tree();
    let opened = onionskin_sim::operations::open(&scene.fs).map(drop);
    let words = format!("{} paths are there, not {}; the next open: {opened:?}", visible.len(), plain().len());
    assert!(visible == plain() && opened == Ok(()), "{words}");
}
