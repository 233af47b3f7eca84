//! Directories: created, listed, walked and removed.

use std::fs;
use std::io;
use std::path::Path;

use crate::report;

pub fn all(directory: &Path) {
    println!("== trees");
    let at = |name: &str| directory.join(name);
    report("make a directory", fs::create_dir(at("made")));
    report("make it again", fs::create_dir(at("made")));
    report("make one over a file", fs::create_dir(at("notes.txt")));
    report("make one below what is missing", fs::create_dir(at("missing/made")));
    report("make all on the way", fs::create_dir_all(at("made/a/b/c")));
    report("make all again", fs::create_dir_all(at("made/a/b/c")));
    report("make all below an original", fs::create_dir_all(at("base/deep/x/y")));
    report("make all through a file", fs::create_dir_all(at("notes.txt/x/y")));
    report("fill it", fs::write(at("made/a/b/c/file"), "c"));
    report("list a file", listed(&at("notes.txt")));
    report("list what is missing", listed(&at("missing")));
    report("list an original that was changed", listed(&at("base")));
    report("list the root", listed(directory));
    report("remove a full one", fs::remove_dir(at("made")));
    report("remove all of it", fs::remove_dir_all(at("made")));
    report("it is gone", listed(&at("made")));
    report("remove a tree of originals", fs::remove_dir_all(at("gone")));
    report("it is gone", listed(&at("gone")));
    report("make it anew", fs::create_dir(at("gone")));
    report("it is empty", listed(&at("gone")));
    report("put something in it", fs::write(at("gone/new"), "new"));
    report("list it", listed(&at("gone")));
    report("remove all of a file", fs::remove_dir_all(at("both.txt")));
    report("remove while it is listed", removed_while_listed(&at("listed")));
    report("walk", walked(directory));
}

/// Returns the entries of a directory, sorted, since filesystems list them in any order.
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

/// Returns the number of files and of directories below, and the total length of the files.
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
