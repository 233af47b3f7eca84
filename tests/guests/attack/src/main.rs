//! Tries to reach more than its grants, and to exceed its limits.
//!
//!     attack raw                       the directories of the layer, by imports of its own
//!     attack names DIRECTORY           names of the layer in every case, paths and links that lead out
//!     attack special DIRECTORY         the pipes and devices of a directory
//!     attack directories|links|names-of-one DIRECTORY      as many entries as it gets
//!     attack descriptors FILE          as many descriptors as it gets
//!     attack listings DIRECTORY        as many listings of it as it gets
//!     attack deep                      calls itself without an end
//!     attack flood                     standard output without an end
//!
//! Each prints its results.

mod raw;

use std::ffi::{CString, c_char, c_int};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["raw"] => raw::write_maps(),
        ["names", directory] => names(Path::new(directory)),
        ["special", directory] => special(Path::new(directory))?,
        ["directories", directory] => count(|number| fs::create_dir(Path::new(directory).join(number))),
        ["links", directory] => count(|number| symlink("x", &Path::new(directory).join(number))),
        ["names-of-one", directory] => {
            let one = Path::new(directory).join("one");
            fs::write(&one, [b'x'; 1 << 16])?;
            count(|number| fs::hard_link(&one, Path::new(directory).join(number)));
        }
        ["descriptors", file] => {
            let mut open = Vec::new();
            count(|_| File::open(file).map(|file| open.push(file)));
        }
        ["listings", directory] => {
            let mut held = Vec::new();
            count(|_| {
                let mut listing = fs::read_dir(directory)?;
                let entry = listing.next().transpose();
                held.push(listing);
                entry.map(|_| ())
            });
        }
        ["deep"] => println!("{}", deep(std::hint::black_box(1))),
        ["flood"] => loop {
            io::stdout().write_all(&[b'x'; 1 << 16])?;
        },
        _ => return Err(io::Error::other("usage: attack WHAT [PLACE]")),
    }
    Ok(())
}

/// Repeats a call until it fails; prints the number of successes.
fn count(mut make: impl FnMut(String) -> io::Result<()>) {
    for number in 0..20_000 {
        if let Err(error) = make(format!("made-{number}")) {
            println!("{number}: {:?}", error.kind());
            return;
        }
    }
    println!("20000: no end");
}

fn deep(depth: u64) -> u64 {
    let below = [depth; 16];
    std::hint::black_box(&below);
    if depth == 0 { 0 } else { deep(std::hint::black_box(depth + 1)) + below[(depth % 16) as usize] }
}

/// Opens every entry of a directory.
fn special(directory: &Path) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(directory)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let opened = File::open(entry.path()).map(|_| "opened").map_err(|error| error.kind());
        println!("{} {opened:?}", entry.file_name().to_string_lossy());
    }
    Ok(())
}

/// Tries paths that lead out of a directory, and into the records of the layer.
fn names(directory: &Path) {
    let out = [
        "..", "../secret", "../upper", "../data#upper", "./../secret", "dir/../../secret", "/secret", "//secret",
        "/proc/self/environ", "/etc/passwd", "link-out", "link-out/secret", "link-absolute", "link-absolute/passwd",
    ];
    let reserved = [".onionskin", ".Onionskin", ".ONIONSKIN", ".oNiOnSkIn", ".onionskin-1.new", ".onionskin/workspace/map"];
    for name in out {
        let place = directory.join(name);
        let read = fs::read(&place).map(|_| ()).or_else(|_| fs::read_dir(&place).map(|_| ()));
        say("read", name, read);
    }
    for name in out.iter().chain(&reserved) {
        say("write", name, fs::write(directory.join(name), "x"));
    }
    for name in reserved {
        say("make", name, fs::create_dir(directory.join(name)));
        say("link", name, symlink("x", &directory.join(name)));
        say("rename", name, fs::rename(directory.join("file"), directory.join(name)));
        say("name", name, fs::hard_link(directory.join("file"), directory.join(name)));
    }
    // A new link leads no further than an existing one.
    let _ = symlink("../secret", &directory.join("own"));
    say("read", "own", fs::read(directory.join("own")).map(|_| ()));
    say("write", "own", fs::write(directory.join("own"), "x"));
    // An open directory is renamed, and another one is in its place.
    let _ = fs::create_dir(directory.join("moved"));
    let _ = fs::rename(directory.join("moved"), directory.join("moved-on"));
    say("read", "moved/../../secret", fs::read(directory.join("moved/../../secret")).map(|_| ()));
}

/// Creates a link, for which the standard library has no stable call.
fn symlink(text: &str, path: &Path) -> io::Result<()> {
    unsafe extern "C" {
        #[link_name = "symlink"]
        fn make(text: *const c_char, path: *const c_char) -> c_int;
    }
    let c = |text: &str| CString::new(text).map_err(io::Error::other);
    let (text, path) = (c(text)?, c(&path.to_string_lossy())?);
    // SAFETY: both end with a zero, and are only read.
    if unsafe { make(text.as_ptr(), path.as_ptr()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn say(what: &str, name: &str, done: io::Result<()>) {
    if done.is_ok() {
        println!("{what} {name}: done");
    }
}
