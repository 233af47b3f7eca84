//! Directories: made, listed, walked, removed.

use std::fs;
use std::io;
use std::path::Path;

use crate::tell;

pub fn all(directory: &Path) {
    println!("== trees");
    let at = |name: &str| directory.join(name);
    tell("make a directory", fs::create_dir(at("made")));
    tell("make it again", fs::create_dir(at("made")));
    tell("make one over a file", fs::create_dir(at("notes.txt")));
    tell("make one below what is missing", fs::create_dir(at("missing/made")));
    tell("make all on the way", fs::create_dir_all(at("made/a/b/c")));
    tell("make all again", fs::create_dir_all(at("made/a/b/c")));
    tell("make all below an original", fs::create_dir_all(at("base/deep/x/y")));
    tell("make all through a file", fs::create_dir_all(at("notes.txt/x/y")));
    tell("fill it", fs::write(at("made/a/b/c/file"), "c"));
    tell("list a file", listed(&at("notes.txt")));
    tell("list what is missing", listed(&at("missing")));
    tell("list an original that was changed", listed(&at("base")));
    tell("list the root", listed(directory));
    tell("remove a full one", fs::remove_dir(at("made")));
    tell("remove all of it", fs::remove_dir_all(at("made")));
    tell("it is gone", listed(&at("made")));
    tell("remove a tree of originals", fs::remove_dir_all(at("gone")));
    tell("it is gone", listed(&at("gone")));
    tell("make it anew", fs::create_dir(at("gone")));
    tell("it is empty", listed(&at("gone")));
    tell("put something in it", fs::write(at("gone/new"), "new"));
    tell("list it", listed(&at("gone")));
    tell("remove all of a file", fs::remove_dir_all(at("both.txt")));
    tell("remove while it is listed", removed_while_listed(&at("listed")));
    tell("walk", walked(directory));
}

/// What is in a directory, sorted: the order is that of the filesystem.
fn listed(directory: &Path) -> io::Result<Vec<(String, bool, bool)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        names.push((entry.file_name().to_string_lossy().into_owned(), kind.is_dir(), kind.is_symlink()));
    }
    names.sort();
    Ok(names)
}

fn removed_while_listed(directory: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(directory)? {
        fs::remove_file(entry?.path())?;
        count += 1;
    }
    Ok(count)
}

/// How many files and directories are below, and the length of all files.
fn walked(directory: &Path) -> io::Result<(usize, usize, u64)> {
    let (mut files, mut directories, mut bytes) = (0, 0, 0);
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            let below = walked(&entry.path())?;
            (files, directories, bytes) = (files + below.0, directories + 1 + below.1, bytes + below.2);
        } else {
            (files, bytes) = (files + 1, bytes + if metadata.is_file() { metadata.len() } else { 0 });
        }
    }
    Ok((files, directories, bytes))
}
