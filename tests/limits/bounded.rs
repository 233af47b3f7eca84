//! Memory and the number of open directories stay bounded, whatever the size of the work.

use onionskin::limits::{COPY_BYTES, DEPTH_MAX, DIRECTORIES_OPEN_MAX};
use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::{DirectoryOptions, Publish};
use onionskin::store::{Durability, WriteOptions};
use onionskin_sim::{Tree, tree};

use crate::support::intercept::InterceptFs;
use crate::support::{Scene, publish};

/// Every way to copy a file copies it piece by piece, with at most one piece in memory.
#[test]
fn a_copy_holds_at_most_one_piece() {
    let long = vec![b'x'; 5 * COPY_BYTES + 1];
    let tree =
        tree! { file "lower/original" = &long; symlink "ws/link" = "/lower/original"; file "ws/conv/big" = &long; };
    let scene = Scene::with(onionskin_sim::Switches { hard_links: false, ..Default::default() }, &tree);
    let intercept = InterceptFs::on(&scene.fs);
    let store = intercept.open().expect("a root");
    store.materialize("link", &Source::Path("/lower/original".into()), Content::Keep).expect("copied");
    let mut writer = store.writer("written", &WriteOptions::default()).expect("a file");
    writer.write_from("/lower/original", 1, u64::MAX).expect("copied");
    writer.commit().expect("written");
    let mut transaction = store.begin("conv", publish(Publish::Swap)).expect("a directory");
    transaction.put_file("new", "/lower/original").expect("copied");
    transaction.commit().expect("published");
    drop(store);
    assert_eq!(intercept.hooks.longest_read.get(), COPY_BYTES, "bytes asked for in one read");
    assert_eq!(intercept.hooks.longest_write.get(), COPY_BYTES, "bytes given to one write");
    let after = tree.file("ws/link", &long).file("ws/written", &long[1..]).file("ws/conv/new", &long);
    scene.ends_as("copies", &after);
}

/// Few directories are open at the same time, in a wide tree and in a deep one.
#[test]
fn few_directories_are_open_at_once() {
    let mut wide = Tree::new().symlink("ws/link", "top").dir("lower");
    for number in 0..200 {
        wide = wide.file(format!("ws/top/d{number}/f"), "1");
    }
    let inside = vec!["d"; DEPTH_MAX - 2].join("/");
    let deep = Tree::new().symlink("ws/link", "top").dir("lower").file(format!("ws/top/{inside}/f"), "1");
    for (context, tree) in [("wide", wide), ("deep", deep)] {
        for mode in [None, Some(Publish::InPlace), Some(Publish::Swap), Some(Publish::Pointer)] {
            let scene = Scene::new(&tree);
            let intercept = InterceptFs::on(&scene.fs);
            let store = intercept.open().expect("a root");
            match mode {
                None => drop(store.materialize("link", &Source::LinkTarget, Content::Keep).expect("copied")),
                Some(mode) => {
                    let mut transaction = store.begin("top", publish(mode)).expect("a directory");
                    for number in 0..100 {
                        transaction.put(&format!("new{number}/f"), b"1".to_vec()).expect("staged");
                    }
                    transaction.commit().expect("published");
                }
            }
            drop(store);
            // The two grants, the directories that are kept open, and the one or two in use.
            let most = intercept.hooks.most_open.get();
            assert!(most <= DIRECTORIES_OPEN_MAX + 5, "{context}, {mode:?}: {most} directories were open at once");
            assert!(most > 2, "{context}, {mode:?}: the counter works");
            assert_eq!(scene.fs.intrusions(), [], "{context}, {mode:?}");
        }
    }
}

/// A transaction of many files keeps few of them open, at any durability: each one is a descriptor of the host.
#[test]
fn few_files_are_open_at_once() {
    let mut wrong = Vec::new();
    for durability in [Durability::Visible, Durability::Data, Durability::Full] {
        for mode in [Publish::InPlace, Publish::Swap, Publish::Pointer] {
            let scene = Scene::new(&tree! { file "ws/top/f" = "old"; });
            let intercept = InterceptFs::on(&scene.fs);
            let store = intercept.open().expect("a root");
            let mut transaction =
                store.begin("top", DirectoryOptions { durability, ..publish(mode) }).expect("a directory");
            for number in 0..100 {
                transaction.put(&format!("new{number}"), b"1".to_vec()).expect("staged");
            }
            assert_eq!(transaction.commit().map(|done| done.applied), Ok(100));
            let most = intercept.hooks.most_files.get();
            if !(1..=4).contains(&most) {
                wrong.push(format!("{durability:?}, {mode:?}: {most} files were open at once"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
