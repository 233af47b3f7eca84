//! A file gets its new content as a whole, at the requested durability.

use onionskin::error::{Error, ErrorKind};
use onionskin::store::{Durability, Receipt, Store, WriteOptions};
use onionskin_sim::{SimFs, Switches, Tree, tree};

use crate::support::{DATABASE, Scene, WAL, check, check_with, receipt, refused};

const DURABILITIES: [Durability; 3] = [Durability::Visible, Durability::Data, Durability::Full];

fn before() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/file" = "old"; file "ws/a/b/deep" = "old"; }
}

fn at(durability: Durability) -> WriteOptions {
    WriteOptions { durability, ..WriteOptions::default() }
}

type Action = fn(&Store<SimFs>, &WriteOptions) -> Result<Receipt, Error>;

/// Every way to give `file` the content `12`.
const WAYS: [(&str, Action); 4] = [
    ("replace", |store, options| store.replace("file", b"12".to_vec(), options)),
    ("replace_json", |store, options| store.replace_json("file", "12", options)),
    ("writer", |store, options| {
        let mut writer = store.writer("file", options)?;
        writer.write(b"1".to_vec())?;
        writer.write(Vec::new())?;
        writer.write(b"2".to_vec())?;
        writer.commit()
    }),
    ("write_from", |store, options| {
        let mut source = store.writer("a/source", &WriteOptions::default())?;
        source.write(b"0123".to_vec())?;
        source.commit()?;
        let mut writer = store.writer("file", options)?;
        assert_eq!(writer.write_from("/ws/a/source", 1, 2), Ok(2));
        assert_eq!(writer.write_from("/ws/a/source", 4, 10), Ok(0), "nothing is beyond the end");
        let receipt = writer.commit()?;
        Ok(Receipt { transaction: receipt.transaction - 1, ..receipt })
    }),
];

/// Every way to write works at every durability, and the receipt reports the achieved one: less than requested only
/// where the host cannot sync a directory.
#[test]
fn every_way_to_write_achieves_the_requested_durability() {
    for directory_sync in [true, false] {
        let switches = Switches { directory_sync, ..Switches::default() };
        for (name, act) in WAYS {
            for asked in DURABILITIES {
                let context = format!("{name}, {asked:?}, directory sync: {directory_sync}");
                let mut after = before().file("ws/file", "12");
                if name == "write_from" {
                    after = after.file("ws/a/source", "0123");
                }
                let achieved = if directory_sync { asked } else { asked.min(Durability::Data) };
                let expected = Ok(receipt(achieved, 1, 2));
                check_with(switches, &context, &before(), |store| act(store, &at(asked)), expected, &after);
            }
        }
    }
}

/// New names, deep names, empty content, and a host whose writes are short.
#[test]
fn content_of_any_shape_arrives_whole() {
    let long = vec![b'x'; 200_000];
    let cases: [(&str, &[u8]); 5] =
        [("new", b"1"), ("a/b/new", b"1"), ("a/b/deep", b"2"), ("file", b""), ("file", &long)];
    for short_writes in [false, true] {
        let switches = Switches { short_writes, ..Switches::default() };
        for (path, bytes) in cases {
            let context = format!("{path}, {} bytes, short writes: {short_writes}", bytes.len());
            let act = |store: &Store<SimFs>| store.replace(path, bytes.to_vec(), &WriteOptions::default());
            let after = before().file(format!("ws/{path}"), bytes);
            check_with(
                switches,
                &context,
                &before(),
                act,
                Ok(receipt(Durability::Full, 1, bytes.len() as u64)),
                &after,
            );
        }
    }
}

/// A file below a read-only grant may be a source, and the pieces of a writer are appended in order.
#[test]
fn a_writer_takes_pieces_and_parts_of_other_files() {
    let act = |store: &Store<SimFs>| {
        let mut writer = store.writer("file", &WriteOptions::default())?;
        writer.write(b"<".to_vec())?;
        assert_eq!(writer.write_from("/lower/original", 7, 100)?, 5, "as many as there were");
        writer.write(b">".to_vec())?;
        writer.commit()
    };
    let after = before().file("ws/file", "<truth>");
    check("pieces", &before(), act, Ok(receipt(Durability::Full, 1, 7)), &after);
}

/// A write to one file does not create missing directories.
#[test]
fn a_missing_directory_is_an_error_that_names_it() {
    for path in ["none/file", "a/none/file"] {
        let named = path.trim_end_matches("/file");
        let act = |store: &Store<SimFs>| store.replace(path, b"1".to_vec(), &WriteOptions::default());
        check(path, &before(), act, refused("not-found", named), &before());
    }
}

/// Text that is not JSON is refused before any call that would change the disk.
#[test]
fn invalid_json_never_touches_the_disk() {
    for text in ["", "{", "[1,]", "nul", "{\"a\":1}x", "'a'", "\u{feff}1"] {
        let scene = Scene::new(&before());
        let store = scene.open();
        let calls = scene.fs.counts().mutations;
        let answer = store.replace_json("file", text, &WriteOptions::default());
        let Err(error) = answer else { panic!("{text:?}: {answer:?}") };
        assert_eq!((error.kind(), error.subject()), (ErrorKind::InvalidJson, "file"), "{text:?}");
        assert!(error.to_string().contains("line"), "{text:?}: the reason names the line: {error}");
        assert_eq!(scene.fs.counts().mutations, calls, "{text:?}: calls that change something");
        drop(store);
        scene.ends_as(text, &before());
    }
}

/// JSON is written verbatim: white space and the order of keys are preserved.
#[test]
fn json_is_written_as_given() {
    let text = " {\"b\": 1,\n  \"a\": [1, 2.50, \"\\u0041\"], \"b\": 2}\n";
    let act = |store: &Store<SimFs>| store.replace_json("file", text, &WriteOptions::default());
    let expected = Ok(receipt(Durability::Full, 1, text.len() as u64));
    check("json", &before(), act, expected, &before().file("ws/file", text));
}

/// On request identical content is not written: inode and time stay, and the receipt counts no change.
#[test]
fn identical_content_keeps_inode_and_time() {
    for keep_identical in [true, false] {
        for (name, act) in &WAYS[..3] {
            let tree = before().file("ws/file", "12");
            let scene = Scene::new(&tree);
            let seen = scene.inode("ws/file");
            let store = scene.open();
            let options = WriteOptions { keep_identical, ..WriteOptions::default() };
            let got = act(&store, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
            drop(store);
            let (applied, bytes) = if keep_identical { (0, 0) } else { (1, 2) };
            assert_eq!(got, receipt(Durability::Full, applied, bytes), "{name}");
            assert_eq!(scene.inode("ws/file") == seen, keep_identical, "{name}: inode and time");
            scene.ends_as(name, &tree);
        }
    }
}

/// Content of the same length, content that begins the same, and content that is longer are not
/// identical.
#[test]
fn almost_identical_content_is_written() {
    let options = WriteOptions { keep_identical: true, ..WriteOptions::default() };
    for text in ["olx", "xld", "ol", "older", ""] {
        let act = |store: &Store<SimFs>| store.replace("file", text.into(), &options);
        let expected = Ok(receipt(Durability::Full, 1, text.len() as u64));
        check(text, &before(), act, expected, &before().file("ws/file", text));
    }
}

/// An identical file with a second name is not independent, so it is written as a new file.
#[test]
fn an_identical_file_with_a_second_name_is_rewritten() {
    let tree = before().file("ws/file", "12").same("ws/twin", "ws/file");
    let options = WriteOptions { keep_identical: true, ..WriteOptions::default() };
    for (name, act) in &WAYS[..3] {
        let after = before().file("ws/file", "12").file("ws/twin", "12");
        check(name, &tree, |store| act(store, &options), Ok(receipt(Durability::Full, 1, 2)), &after);
    }
    let linked = before().file("ws/original", "12").symlink("ws/file", "original");
    let after = before().file("ws/original", "12").file("ws/file", "12");
    check("link", &linked, |store| WAYS[0].1(store, &options), Ok(receipt(Durability::Full, 1, 2)), &after);
}

/// No way to write puts a database beside the journal of another one.
#[test]
fn a_database_is_not_put_beside_a_stale_journal() {
    let writers: [(&str, Action); 2] = [
        ("replace", |store, options| store.replace("index.db", DATABASE.to_vec(), options)),
        ("writer", |store, options| {
            let mut writer = store.writer("index.db", options)?;
            writer.write(DATABASE[..3].to_vec())?;
            writer.write(DATABASE[3..].to_vec())?;
            writer.commit()
        }),
    ];
    for suffix in ["-wal", "-journal"] {
        let beside = format!("index.db{suffix}");
        for database in [true, false] {
            let mut tree = before().file(format!("ws/{beside}"), WAL);
            if database {
                tree = tree.file("ws/index.db", "another database");
            }
            for (name, act) in writers {
                let context = format!("{name} beside {beside}, database there: {database}");
                let act = |store: &Store<SimFs>| act(store, &WriteOptions::default());
                check(&context, &tree, act, refused("hot-journal", &beside), &tree);
            }
        }
    }
    let tree = before().file("ws/index.db-wal", WAL);
    let act = |store: &Store<SimFs>| store.replace("index.db", b"not a database".to_vec(), &WriteOptions::default());
    let after = tree.clone().file("ws/index.db", "not a database");
    check("no database", &tree, act, Ok(receipt(Durability::Full, 1, 14)), &after);
}
