//! A database is copied with its companions, or not at all.

use onionskin::persist::materialize::{Content, Source};
use onionskin_sim::{Switches, Tree, tree};

use crate::support::{DATABASE, JOURNAL, WAL, refused};
use crate::{check, check_with, from};

const SIZE: u64 = DATABASE.len() as u64;
const WAL_SIZE: u64 = WAL.len() as u64;

/// A database whose newest rows are only in its `-wal`, and a workspace that links to all of its files.
fn before() -> Tree {
    tree! {
        file "lower/index.db" = DATABASE;
        file "lower/index.db-wal" = WAL;
        file "lower/index.db-shm" = "shared memory";
        symlink "ws/index.db" = "/lower/index.db";
        symlink "ws/index.db-wal" = "/lower/index.db-wal";
        symlink "ws/index.db-shm" = "/lower/index.db-shm";
    }
}

fn own(tree: Tree) -> Tree {
    tree.file("ws/index.db", DATABASE).file("ws/index.db-wal", WAL).remove("ws/index.db-shm")
}

/// The `-wal` is copied with its database in one transaction. The `-shm`, which a database would write through its
/// link, is removed, and SQLite creates it again.
#[test]
fn a_database_travels_with_its_log() {
    for hard_links in [true, false] {
        let switches = Switches { hard_links, ..Switches::default() };
        let call = ("index.db", &from("/lower/index.db"), Content::Keep);
        check_with(switches, "all", &before(), call, Ok((3, SIZE + WAL_SIZE)), &own(before()));
    }
    let alone = before().remove("ws/index.db-wal").remove("ws/index.db-shm");
    let origin = from("/lower/index.db");
    check("no links beside", &alone, "index.db", &origin, Content::Keep, Ok((2, SIZE + WAL_SIZE)), &own(alone.clone()));
}

/// A rollback journal is copied as a `-wal` is.
#[test]
fn a_database_travels_with_its_rollback_journal() {
    let tree = tree! {
        file "lower/index.db" = DATABASE;
        file "lower/index.db-journal" = JOURNAL;
        symlink "ws/index.db" = "/lower/index.db";
    };
    let after = tree.clone().file("ws/index.db", DATABASE).file("ws/index.db-journal", JOURNAL);
    let size = SIZE + JOURNAL.len() as u64;
    check("journal", &tree, "index.db", &from("/lower/index.db"), Content::Keep, Ok((2, size)), &after);
}

/// A zeroed or empty journal is not hot, and stays in place.
#[test]
fn a_cold_journal_does_not_travel() {
    for cold in [&[0; 8][..], &[]] {
        let tree = tree! {
            file "lower/index.db" = DATABASE;
            file "lower/index.db-journal" = cold;
            symlink "ws/index.db" = "/lower/index.db";
        };
        let after = tree.clone().file("ws/index.db", DATABASE);
        check("cold", &tree, "index.db", &from("/lower/index.db"), Content::Keep, Ok((1, SIZE)), &after);
    }
}

/// Links inside the root and hard links are materialized too: each name becomes an independent file.
#[test]
fn links_inside_the_root_and_hard_links_travel() {
    let tree = tree! {
        file "ws/store/index.db" = DATABASE;
        file "ws/store/index.db-wal" = WAL;
        symlink "ws/index.db" = "store/index.db";
        symlink "ws/index.db-wal" = "store/index.db-wal";
    };
    let after = tree.clone().file("ws/index.db", DATABASE).file("ws/index.db-wal", WAL);
    let expected = Ok((2, SIZE + WAL_SIZE));
    check("links", &tree, "index.db", &Source::LinkTarget, Content::Keep, expected.clone(), &after);
    let tree = tree! {
        file "ws/store/index.db" = DATABASE;
        file "ws/store/index.db-wal" = WAL;
        same "ws/index.db" = "ws/store/index.db";
        same "ws/index.db-wal" = "ws/store/index.db-wal";
    };
    check("hard links", &tree, "index.db", &Source::LinkTarget, Content::Keep, expected, &after);
}

/// A hot journal without its database is refused: on its own it would corrupt the next database beside it.
#[test]
fn a_hot_journal_alone_is_refused() {
    let tree =
        before().file("lower/index.db-journal", JOURNAL).symlink("ws/index.db-journal", "/lower/index.db-journal");
    for name in ["index.db-wal", "index.db-journal"] {
        let origin = from(&format!("/lower/{name}"));
        check(name, &tree, name, &origin, Content::Keep, refused("hot-journal", name), &tree);
    }
    let tree = before().file("lower/notes-wal", "just a name").symlink("ws/notes-wal", "/lower/notes-wal");
    let after = tree.clone().file("ws/notes-wal", "just a name");
    check("a name alone", &tree, "notes-wal", &from("/lower/notes-wal"), Content::Keep, Ok((1, 11)), &after);
}

/// The journal of another database in the place of a companion is refused.
#[test]
fn a_journal_of_another_database_is_in_the_way() {
    for suffix in ["-wal", "-journal"] {
        let name = format!("index.db{suffix}");
        let beside = before().file(format!("ws/{name}"), WAL);
        let origin = from("/lower/index.db");
        check(suffix, &beside, "index.db", &origin, Content::Keep, refused("hot-journal", &name), &beside);
    }
}

/// New content removes the companions of the old content, links and files alike.
#[test]
fn replacing_the_content_removes_the_companions() {
    let another = [DATABASE, b" of another"].concat();
    let replaced = |tree: Tree| {
        let bare = tree.remove("ws/index.db-wal").remove("ws/index.db-shm").remove("ws/index.db-journal");
        bare.file("ws/index.db", &another)
    };
    let holds = || Content::Replace(another.clone());
    let size = another.len() as u64;
    let links = before();
    check("links", &links, "index.db", &Source::LinkTarget, holds(), Ok((3, size)), &replaced(links.clone()));
    let files = own(before()).file("ws/index.db-journal", JOURNAL);
    check("files", &files, "index.db", &Source::LinkTarget, holds(), Ok((3, size)), &replaced(files.clone()));
    let bare = before().remove("ws/index.db-wal").remove("ws/index.db-shm");
    check("none", &bare, "index.db", &Source::LinkTarget, holds(), Ok((1, size)), &replaced(bare.clone()));
}

/// A file that is no database has no companions, whichever files are beside it.
#[test]
fn a_file_that_is_no_database_has_no_companions() {
    let tree = before().file("lower/index.db", "plain text").file("lower/index.db-wal", "plain text, too");
    let after = tree.clone().file("ws/index.db", "plain text");
    check("plain", &tree, "index.db", &from("/lower/index.db"), Content::Keep, Ok((1, 10)), &after);
}

/// A file beside a journal is a database whatever it begins with: it may be encrypted.
#[test]
fn an_encrypted_database_travels_with_its_log() {
    let tree = before().file("lower/index.db", "any bytes");
    let after = own(tree.clone()).file("ws/index.db", "any bytes");
    check("encrypted", &tree, "index.db", &from("/lower/index.db"), Content::Keep, Ok((3, 9 + WAL_SIZE)), &after);
}

/// A database whose name is one byte shorter than the limit has no room for the names of companions.
#[test]
fn a_long_name_has_no_companions() {
    for length in [250, 251, 252, 255] {
        let name = "n".repeat(length);
        let tree = tree! { file "lower/index.db" = DATABASE; }.symlink(format!("ws/{name}"), "/lower/index.db");
        let after = tree.clone().file(format!("ws/{name}"), DATABASE);
        check(&name, &tree, &name, &from("/lower/index.db"), Content::Keep, Ok((1, SIZE)), &after);
    }
}
