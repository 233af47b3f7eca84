//! Bytes of a path and of a name, components of a path, links in one path.

use onionskin::error::Error;
use onionskin::limits::{DEPTH_MAX, LINKS_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX};
use onionskin::path::PathRule;
use onionskin::persist::materialize::{Content, Source};
use onionskin::store::{Symlinks, WriteOptions};
use onionskin_sim::{Tree, tree};

use crate::support::{PUBLISH, Scene, outcome, publish, with_links};

/// A path at each limit is accepted, written and read back; one byte or component more is refused with the rule.
#[test]
fn a_path_at_the_limit_is_accepted_and_a_longer_one_is_not() {
    let deep = |depth: usize| vec!["d"; depth].join("/");
    // 16 components of 254 bytes, and the remaining bytes.
    let long = |bytes: usize| {
        let head = vec!["n".repeat(254); 16].join("/");
        format!("{head}/{}", "r".repeat(bytes - head.len() - 1))
    };
    assert_eq!(long(PATH_BYTES_MAX).len(), PATH_BYTES_MAX);
    for (good, bad, rule) in [
        ("n".repeat(NAME_BYTES_MAX), "n".repeat(NAME_BYTES_MAX + 1), PathRule::NameLength),
        (deep(DEPTH_MAX), deep(DEPTH_MAX + 1), PathRule::Depth),
        (long(PATH_BYTES_MAX - 1), long(PATH_BYTES_MAX + 1), PathRule::PathLength),
        (long(PATH_BYTES_MAX), long(PATH_BYTES_MAX + 1), PathRule::PathLength),
    ] {
        let scene = Scene::new(&Tree::new());
        let store = scene.open();
        let mut transaction = store.begin(".", publish(PUBLISH[0])).expect("the root");
        transaction.put(&good, b"1".to_vec()).unwrap_or_else(|error| panic!("{rule:?}: {error}"));
        let refused = Err(Error::invalid_path(&bad, rule));
        assert_eq!(transaction.put(&bad, b"1".to_vec()), refused);
        assert_eq!(transaction.commit().map(|done| done.applied), Ok(1), "{rule:?}");
        let done = store.replace(&good, b"22".to_vec(), &WriteOptions::default()).map(|done| done.applied);
        assert_eq!(done, Ok(1), "{rule:?}");
        assert_eq!(store.replace(&bad, b"22".to_vec(), &WriteOptions::default()).map(drop), refused);
        assert_eq!(store.fingerprint(&good, true).map(|seen| seen.size), Ok(2), "{rule:?}");
        drop(store);
        scene.ends_as(&format!("{rule:?}"), &Tree::new().file(format!("ws/{good}"), "22"));
    }
}

/// A name at the limit leaves no room for a suffix, so the staged names are elsewhere: it is staged and swapped all the
/// same.
#[test]
fn a_name_at_the_limit_may_be_published_in_every_mode() {
    let name = "n".repeat(NAME_BYTES_MAX);
    for mode in PUBLISH {
        let scene = Scene::new(&Tree::new().file(format!("ws/{name}/{name}"), "old"));
        let store = scene.open();
        let mut transaction = store.begin(&name, publish(mode)).expect("a directory");
        transaction.put(&name, b"new".to_vec()).expect("staged");
        assert_eq!(transaction.commit().map(|done| done.applied), Ok(1), "{mode:?}");
    }
}

/// Builds a chain of this many links that begins at `l1` and ends at the file `end`.
fn chain(links: usize) -> Tree {
    let mut tree = tree! { file "ws/end" = "old"; file "ws/dir/f" = "old"; };
    for number in 1..=links {
        let (file, dir) = if number == links {
            ("end".to_owned(), "dir".to_owned())
        } else {
            (format!("l{}", number + 1), format!("d{}", number + 1))
        };
        tree = tree.symlink(format!("ws/l{number}"), &file).symlink(format!("ws/d{number}"), &dir);
    }
    tree
}

/// Links are followed up to the limit; one more is refused, and nothing changes.
#[test]
fn links_are_followed_up_to_the_limit() {
    for (path, target) in [("l1", "end"), ("d1/f", "dir/f")] {
        for links in [1, LINKS_MAX, LINKS_MAX + 1, 3 * LINKS_MAX] {
            let scene = Scene::new(&chain(links));
            let store = scene.open();
            let answer = outcome(store.replace(path, b"new".to_vec(), &with_links(Symlinks::FollowWithin)).map(drop));
            drop(store);
            if links <= LINKS_MAX {
                assert_eq!(answer, Ok(()), "{path}, {links} links");
                scene.ends_as(path, &chain(links).file(format!("ws/{target}"), "new"));
            } else {
                let kind = answer.map_err(|(kind, _)| kind);
                assert!(matches!(kind, Err("symlink-loop" | "limit-exceeded")), "{path}, {links} links: {kind:?}");
                scene.ends_as(path, &chain(links));
            }
        }
    }
}

/// The source of a link that is materialized is looked up within the same limit.
#[test]
fn a_source_is_looked_up_within_the_limit() {
    for links in [LINKS_MAX, LINKS_MAX + 2] {
        let scene = Scene::new(&chain(links));
        let store = scene.open();
        let answer = outcome(store.materialize("l1", &Source::LinkTarget, Content::Keep).map(drop));
        drop(store);
        if links <= LINKS_MAX {
            assert_eq!(answer, Ok(()), "{links} links");
            scene.ends_as("materialize", &chain(links).file("ws/l1", "old"));
        } else {
            let kind = answer.map_err(|(kind, _)| kind);
            assert!(matches!(kind, Err("symlink-loop" | "limit-exceeded")), "{links} links: {kind:?}");
            scene.ends_as("materialize", &chain(links));
        }
    }
}

/// The limit applies to one path as a whole: links at its end and among its parents count together.
#[test]
fn links_on_the_way_and_at_the_end_count_together() {
    let steps = LINKS_MAX / 2 + 5;
    let mut tree = tree! { file "ws/end" = "old"; dir "ws/real"; symlink "ws/dir" = "real"; };
    for number in 1..=steps {
        let text = if number == steps { "../end".to_owned() } else { format!("../dir/l{}", number + 1) };
        tree = tree.symlink(format!("ws/real/l{number}"), &text);
    }
    let scene = Scene::new(&tree);
    let store = scene.open();
    let answer = outcome(store.replace("dir/l1", b"new".to_vec(), &with_links(Symlinks::FollowWithin)).map(drop));
    drop(store);
    let kind = answer.map_err(|(kind, _)| kind);
    assert!(matches!(kind, Err("symlink-loop" | "limit-exceeded")), "{} links: {kind:?}", 2 * steps);
    scene.ends_as("links", &tree);
}
