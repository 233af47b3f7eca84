//! Names: renamed, linked, removed and looked up.

use std::fs;
use std::path::Path;

use crate::{report, report_done};

pub fn all(directory: &Path) {
    println!("== names");
    let at = |name: &str| directory.join(name);
    looking(directory);
    report("rename an original", fs::rename(at("names/a"), at("names/a2")));
    report("it is gone", fs::metadata(at("names/a")).map(|_| ()));
    report("it is there", fs::read_to_string(at("names/a2")));
    report("rename over an original", fs::rename(at("names/a2"), at("names/b")));
    report("what is there now", fs::read_to_string(at("names/b")));
    report("rename to itself", fs::rename(at("names/b"), at("names/b")));
    report("rename what is missing", fs::rename(at("names/missing"), at("names/x")));
    report("rename a directory of originals", fs::rename(at("names/dir"), at("names/moved")));
    report("what is in it", fs::read_to_string(at("names/moved/inside")));
    report("write in it", fs::write(at("names/moved/inside"), "changed"));
    report("rename it back", fs::rename(at("names/moved"), at("names/dir")));
    report("what is in it", fs::read_to_string(at("names/dir/inside")));
    report("rename a directory into itself", fs::rename(at("names/dir"), at("names/dir/sub/x")));
    report("rename a directory over a full one", fs::rename(at("names/dir"), at("names/full")));
    report("rename a directory over an empty one", fs::rename(at("names/dir"), at("names/empty")));
    report("rename a file over a directory", fs::rename(at("names/b"), at("names/full")));
    report("rename a directory over a file", fs::rename(at("names/full"), at("names/b")));
    report("rename with a slash at the end", fs::rename(at("names/b"), at("names/c/")));
    report("rename out of the directory", fs::rename(at("names/b"), directory.join("../out")));
    linking(directory);
    symlinks(directory);
    report("remove an original", fs::remove_file(at("names/c1")));
    report("remove it again", fs::remove_file(at("names/c1")));
    report("make it again", fs::write(at("names/c1"), "again"));
    report("remove it once more", fs::remove_file(at("names/c1")));
    report("remove a directory as a file", fs::remove_file(at("names/full")));
    report("remove a file as a directory", fs::remove_dir(at("names/b")));
    report("remove a full directory", fs::remove_dir(at("names/full")));
    report("remove what is missing", fs::remove_dir(at("names/missing")));
    for odd in ["", ".", "names/../names/b", "./names/b", "names//b", "../x", "names/b/", "names/full/", "names/full/."]
    {
        report(&format!("look at {odd:?}"), fs::metadata(at(odd)).map(|it| it.is_dir()));
    }
    report("a long name", fs::write(at(&"n".repeat(255)), "n"));
    report("a longer name", fs::write(at(&"n".repeat(256)), "n"));
    report("a name of other letters", fs::write(at("grüße 語 \u{1f9c5}"), "n"));
    report("a name with a newline", fs::write(at("a\nb"), "n"));
    report("a name that begins like another", fs::write(at("notes.txt2"), "n"));
}

fn looking(directory: &Path) {
    for name in ["notes.txt", "base", "base/deep", "empty", "missing", "notes.txt/x", "link", "dangling"] {
        let report_done =
            |it: fs::Metadata| (it.is_file(), it.is_dir(), it.is_symlink(), it.is_file().then_some(it.len()));
        report(&format!("{name} is"), fs::metadata(directory.join(name)).map(report_done));
        report(&format!("{name} itself is"), fs::symlink_metadata(directory.join(name)).map(report_done));
    }
    report("exists", fs::exists(directory.join("notes.txt")));
    report("does not exist", fs::exists(directory.join("missing")));
    report("the permissions", fs::metadata(directory.join("notes.txt")).map(|it| it.permissions().readonly()));
    report("make canonical", fs::canonicalize(directory.join("base/../notes.txt")));
}

fn linking(directory: &Path) {
    let at = |name: &str| directory.join(name);
    report("link an original", fs::hard_link(at("names/c1"), at("names/c2")));
    report("the second name", fs::read_to_string(at("names/c2")));
    report("link a file of one's own", fs::hard_link(at("new.txt"), at("names/new2")));
    report("the second name", fs::read_to_string(at("names/new2")));
    report("link to a name that is taken", fs::hard_link(at("new.txt"), at("names/b")));
    report("link a directory", fs::hard_link(at("names/full"), at("names/full2")));
    report("link what is missing", fs::hard_link(at("names/missing"), at("names/m2")));
    report("write by one name", fs::write(at("names/new2"), "by the second"));
    report("read by the other", fs::read_to_string(at("new.txt")));
}

fn symlinks(directory: &Path) {
    let at = |name: &str| directory.join(name);
    report("read a link", fs::read_link(at("link")));
    report("read through a link", fs::read_to_string(at("link")));
    report("read a link that dangles", fs::read_to_string(at("dangling")));
    report("read a file as a link", fs::read_link(at("notes.txt")));
    report("read through a link to a directory", fs::read_to_string(at("link-dir/deep/er/leaf")));
    report("write through a link", fs::write(at("link"), "through the link"));
    report("what it leads to", fs::read_to_string(at("notes.txt")));
    report("the link is still one", fs::symlink_metadata(at("link")).map(|it| it.is_symlink()));
    report("follow a circle", fs::read(at("circle")));
    report_done("rename a link", fs::rename(at("link"), at("link2")));
    report("it leads there", fs::read_link(at("link2")));
    report("remove a link", fs::remove_file(at("link2")));
    report("what it led to stays", fs::exists(at("notes.txt")));
    report("follow a link out of the directory", fs::read(at("link-out")));
}
