//! Cases that random scripts do not reach.

use onionskin_host::ErrorCode;
use onionskin_sim::{Tree, tree};
use wasmtime::component::Resource;
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};
use wasmtime_wasi::p2::bindings::sync::io::streams::{HostInputStream as _, HostOutputStream as _};

use crate::host::{Fd, Host, lent};

fn unfollowed() -> PathFlags {
    PathFlags::empty()
}

/// Runs the calls on both hosts, with the granted directory, and asserts equal results.
fn same<T: PartialEq + std::fmt::Debug>(files: &Tree, perms: FsPerms, play: impl Fn(&mut Host, &Fd) -> T) -> T {
    let [real, simulated] = Host::both_with(files, perms).map(|mut host| {
        let root = host.root();
        let answer = play(&mut host, &root);
        (answer, host.files())
    });
    assert_eq!(real, simulated, "real on the left");
    simulated.0
}

fn open(host: &mut Host, root: &Fd, path: &str, options: OpenFlags, flags: DescriptorFlags) -> Result<Fd, ErrorCode> {
    host.ask(|on| on.open_at(lent(root), unfollowed(), path.to_owned(), options, flags))
}

/// Streams read and write from their offset, or at the end; reading past the end of a file closes the stream.
#[test]
fn streams_carry_the_same_bytes() {
    let files = tree! { file "a" = "0123456789"; };
    let (read, ended) = same(&files, FsPerms::ReadWrite, |host, root| {
        let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
        let file = open(host, root, "a", OpenFlags::empty(), flags).expect("it is there");
        let out = host.ask(|on| on.write_via_stream(lent(&file), 8)).expect("it is open for writing");
        host.table.blocking_write_and_flush(out, b"abcd".to_vec()).expect("there is room");
        let end = host.ask(|on| on.append_via_stream(lent(&file))).expect("it is open for writing");
        host.table.blocking_write_and_flush(end, b"..".to_vec()).expect("there is room");
        let input = host.ask(|on| on.read_via_stream(lent(&file), 6)).expect("it is open for reading");
        let mut read = Vec::new();
        let ended = loop {
            match host.table.blocking_read(Resource::new_borrow(input.rep()), 4) {
                Ok(bytes) => read.extend(bytes),
                Err(error) => break matches!(error, StreamError::Closed),
            }
        };
        (String::from_utf8(read).expect("these are letters"), ended)
    });
    assert_eq!((read.as_str(), ended), ("67abcd..", true));
}

/// A stream into a file that is not open for writing fails at its first bytes.
#[test]
fn a_stream_that_cannot_write_reports_the_reason() {
    let code = same(&tree! { file "a" = ""; }, FsPerms::ReadWrite, |host, root| {
        let file = open(host, root, "a", OpenFlags::empty(), DescriptorFlags::READ).expect("it is there");
        let out = host.ask(|on| on.write_via_stream(lent(&file), 0)).expect("it is granted for writing");
        let written = host.table.blocking_write_and_flush(out, b"a".to_vec());
        let Err(StreamError::LastOperationFailed(error)) = written else { panic!("it was written: {written:?}") };
        let error = host.table.push(error).expect("there is room");
        host.calls().filesystem_error_code(error).expect("no trap")
    });
    assert_eq!(code, Some(ErrorCode::BadDescriptor));
}

/// Below a read-only grant everything can be read, and nothing changes.
#[test]
fn a_grant_for_reading_allows_no_change() {
    let files = tree! { file "a" = "one"; dir "d"; symlink "l" = "a"; };
    let answers = same(&files, FsPerms::ReadOnly, |host, root| {
        let (read, write) = (DescriptorFlags::READ, DescriptorFlags::WRITE);
        let file = open(host, root, "a", OpenFlags::empty(), read).expect("it may be read");
        let name = |name: &str| name.to_owned();
        vec![
            open(host, root, "a", OpenFlags::empty(), write).err(),
            open(host, root, "b", OpenFlags::CREATE, read).err(),
            open(host, root, "a", OpenFlags::TRUNCATE, read).err(),
            host.ask(|on| on.write(lent(&file), vec![1], 0)).err(),
            host.ask(|on| on.set_size(lent(&file), 0)).err(),
            host.ask(|on| on.write_via_stream(lent(&file), 0)).err(),
            host.ask(|on| on.append_via_stream(lent(&file))).err(),
            host.ask(|on| on.set_times(lent(&file), NewTimestamp::Now, NewTimestamp::Now)).err(),
            host.ask(|on| on.create_directory_at(lent(root), name("b"))).err(),
            host.ask(|on| on.remove_directory_at(lent(root), name("d"))).err(),
            host.ask(|on| on.unlink_file_at(lent(root), name("a"))).err(),
            host.ask(|on| on.rename_at(lent(root), name("a"), lent(root), name("b"))).err(),
            host.ask(|on| on.link_at(lent(root), unfollowed(), name("a"), lent(root), name("b"))).err(),
            host.ask(|on| on.symlink_at(lent(root), name("a"), name("b"))).err(),
        ]
    });
    assert_eq!(answers, vec![Some(ErrorCode::NotPermitted); 14]);
}

/// Names and paths have a maximal length, and may not contain a zero byte.
#[test]
fn names_have_limits() {
    let names = ["n".repeat(255), "n".repeat(256), "d/".repeat(2047) + "a", "d/".repeat(2050) + "a", "a\0b".to_owned()];
    let codes = same(&Tree::new(), FsPerms::ReadWrite, |host, root| {
        names.clone().map(|name| host.ask(|on| on.create_directory_at(lent(root), name)).err())
    });
    let (long, none) = (Some(ErrorCode::NameTooLong), Some(ErrorCode::NoEntry));
    assert_eq!(codes, [None, long, none, long, Some(ErrorCode::Invalid)]);
}

/// A time that was set is returned, for a file and for the target of a link.
#[test]
fn a_time_that_was_set_is_returned() {
    let files = tree! { file "a" = ""; symlink "l" = "a"; };
    let set = Datetime { seconds: 1_000_000_000, nanoseconds: 999 };
    let told = same(&files, FsPerms::ReadWrite, |host, root| {
        let time = NewTimestamp::Timestamp(set);
        host.ask(|on| on.set_times_at(lent(root), PathFlags::SYMLINK_FOLLOW, "l".into(), NewTimestamp::NoChange, time))
            .expect("it may be set");
        let stat = host.ask(|on| on.stat_at(lent(root), unfollowed(), "a".into())).expect("it is there");
        stat.data_modification_timestamp.map(|time| (time.seconds, time.nanoseconds))
    });
    assert_eq!(told, Some((set.seconds, set.nanoseconds)));
}

/// Requests that this host does not support.
#[test]
fn synchronous_writes_are_not_offered() {
    for flag in [
        DescriptorFlags::FILE_INTEGRITY_SYNC,
        DescriptorFlags::DATA_INTEGRITY_SYNC,
        DescriptorFlags::REQUESTED_WRITE_SYNC,
    ] {
        let code = same(&tree! { file "a" = ""; }, FsPerms::ReadWrite, |host, root| {
            open(host, root, "a", OpenFlags::empty(), DescriptorFlags::WRITE | flag).err()
        });
        assert_eq!(code, Some(ErrorCode::Unsupported));
    }
}

/// The one known difference: without following links, wasmtime accepts `file/` for `file`.
#[test]
fn a_file_is_no_directory_here() {
    let [real, simulated] = Host::both(&tree! { file "a" = ""; }).map(|mut host| {
        let root = host.root();
        host.ask(|on| on.stat_at(lent(&root), unfollowed(), "a/".into())).err()
    });
    assert_eq!((real, simulated), (None, Some(ErrorCode::NotDirectory)));
}
