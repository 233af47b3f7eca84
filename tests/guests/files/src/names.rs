//! What names lead to: renamed, linked, removed, looked at.

use std::fs;
use std::path::Path;

use crate::{tell, told};

pub fn all(directory: &Path) {
    println!("== names");
    let at = |name: &str| directory.join(name);
    looking(directory);
    tell("rename an original", fs::rename(at("names/a"), at("names/a2")));
    tell("it is gone", fs::metadata(at("names/a")).map(|_| ()));
    tell("it is there", fs::read_to_string(at("names/a2")));
    tell("rename over an original", fs::rename(at("names/a2"), at("names/b")));
    tell("what is there now", fs::read_to_string(at("names/b")));
    tell("rename to itself", fs::rename(at("names/b"), at("names/b")));
    tell("rename what is missing", fs::rename(at("names/missing"), at("names/x")));
    tell("rename a directory of originals", fs::rename(at("names/dir"), at("names/moved")));
    tell("what is in it", fs::read_to_string(at("names/moved/inside")));
    tell("write in it", fs::write(at("names/moved/inside"), "changed"));
    tell("rename it back", fs::rename(at("names/moved"), at("names/dir")));
    tell("what is in it", fs::read_to_string(at("names/dir/inside")));
    tell("rename a directory into itself", fs::rename(at("names/dir"), at("names/dir/sub/x")));
    tell("rename a directory over a full one", fs::rename(at("names/dir"), at("names/full")));
    tell("rename a directory over an empty one", fs::rename(at("names/dir"), at("names/empty")));
    tell("rename a file over a directory", fs::rename(at("names/b"), at("names/full")));
    tell("rename a directory over a file", fs::rename(at("names/full"), at("names/b")));
    tell("rename with a slash at the end", fs::rename(at("names/b"), at("names/c/")));
    tell("rename out of the directory", fs::rename(at("names/b"), directory.join("../out")));
    linking(directory);
    symlinks(directory);
    tell("remove an original", fs::remove_file(at("names/c1")));
    tell("remove it again", fs::remove_file(at("names/c1")));
    tell("make it again", fs::write(at("names/c1"), "again"));
    tell("remove it once more", fs::remove_file(at("names/c1")));
    tell("remove a directory as a file", fs::remove_file(at("names/full")));
    tell("remove a file as a directory", fs::remove_dir(at("names/b")));
    tell("remove a full directory", fs::remove_dir(at("names/full")));
    tell("remove what is missing", fs::remove_dir(at("names/missing")));
    for odd in ["", ".", "names/../names/b", "./names/b", "names//b", "../x", "names/b/", "names/full/", "names/full/."] {
        tell(&format!("look at {odd:?}"), fs::metadata(at(odd)).map(|it| it.is_dir()));
    }
    tell("a long name", fs::write(at(&"n".repeat(255)), "n"));
    tell("a longer name", fs::write(at(&"n".repeat(256)), "n"));
    tell("a name of other letters", fs::write(at("grüße 語 \u{1f9c5}"), "n"));
    tell("a name with a newline", fs::write(at("a\nb"), "n"));
    tell("a name that begins like another", fs::write(at("notes.txt2"), "n"));
}

fn looking(directory: &Path) {
    for name in ["notes.txt", "base", "base/deep", "empty", "missing", "notes.txt/x", "link", "dangling"] {
        let told = |it: fs::Metadata| (it.is_file(), it.is_dir(), it.is_symlink(), it.is_file().then_some(it.len()));
        tell(&format!("{name} is"), fs::metadata(directory.join(name)).map(told));
        tell(&format!("{name} itself is"), fs::symlink_metadata(directory.join(name)).map(told));
    }
    tell("exists", fs::exists(directory.join("notes.txt")));
    tell("does not exist", fs::exists(directory.join("missing")));
    tell("the permissions", fs::metadata(directory.join("notes.txt")).map(|it| it.permissions().readonly()));
    tell("make canonical", fs::canonicalize(directory.join("base/../notes.txt")));
}

fn linking(directory: &Path) {
    let at = |name: &str| directory.join(name);
    tell("link an original", fs::hard_link(at("names/c1"), at("names/c2")));
    tell("the second name", fs::read_to_string(at("names/c2")));
    tell("link a file of one's own", fs::hard_link(at("new.txt"), at("names/new2")));
    tell("the second name", fs::read_to_string(at("names/new2")));
    tell("link to a name that is taken", fs::hard_link(at("new.txt"), at("names/b")));
    tell("link a directory", fs::hard_link(at("names/full"), at("names/full2")));
    tell("link what is missing", fs::hard_link(at("names/missing"), at("names/m2")));
    tell("write by one name", fs::write(at("names/new2"), "by the second"));
    tell("read by the other", fs::read_to_string(at("new.txt")));
}

fn symlinks(directory: &Path) {
    let at = |name: &str| directory.join(name);
    tell("read a link", fs::read_link(at("link")));
    tell("read through a link", fs::read_to_string(at("link")));
    tell("read a link that dangles", fs::read_to_string(at("dangling")));
    tell("read a file as a link", fs::read_link(at("notes.txt")));
    tell("read through a link to a directory", fs::read_to_string(at("link-dir/deep/er/leaf")));
    tell("write through a link", fs::write(at("link"), "through the link"));
    tell("what it leads to", fs::read_to_string(at("notes.txt")));
    tell("the link is still one", fs::symlink_metadata(at("link")).map(|it| it.is_symlink()));
    tell("follow a circle", fs::read(at("circle")));
    told("rename a link", fs::rename(at("link"), at("link2")));
    tell("it leads there", fs::read_link(at("link2")));
    tell("remove a link", fs::remove_file(at("link2")));
    tell("what it led to stays", fs::exists(at("notes.txt")));
    tell("follow a link out of the directory", fs::read(at("link-out")));
}
