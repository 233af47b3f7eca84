//! Measures file operations from inside a guest, and writes the nanoseconds of each.
//!
//!     pace WHAT PATH COUNT OUT
//!
//! WHAT is `stat`, `open` or `read` (4 KiB of an open file) of a file; `stream` (a whole file, COUNT is the size of a
//! piece in bytes, and the nanoseconds are those of the whole); `list`, the same by `descriptor.read`, which returns a
//! list of the component model; `walk` (a tree, with the metadata of each file); or `nothing`.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use wasi::filesystem::preopens::get_directories;
use wasi::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, path, count, out] = &arguments[..] else {
        return Err(io::Error::other("usage: pace WHAT PATH COUNT OUT"));
    };
    let path = Path::new(path);
    let count: u32 = count.parse().map_err(io::Error::other)?;
    let nanoseconds = match what.as_str() {
        "stat" => each(count, || fs::metadata(path).map(|it| it.len()))?,
        "open" => each(count, || File::open(path))?,
        "read" => {
            let mut file = File::open(path)?;
            let mut piece = [0; 4096];
            each(count, || {
                file.seek(SeekFrom::Start(8192))?;
                file.read_exact(&mut piece)
            })?
        }
        "stream" => all(|| stream(path, count as usize))?,
        "list" => all(|| list(path, u64::from(count)))?,
        "walk" => all(|| walk(path))?,
        "nothing" => Duration::ZERO,
        _ => return Err(io::Error::other("unknown operation")),
    };
    fs::write(out, nanoseconds.as_nanos().to_string())
}

/// Returns the average time of a call.
fn each<T>(count: u32, mut call: impl FnMut() -> io::Result<T>) -> io::Result<Duration> {
    black_box(call()?);
    let start = Instant::now();
    for _ in 0..count {
        black_box(call()?);
    }
    Ok(start.elapsed() / count)
}

fn all(call: impl FnOnce() -> io::Result<u64>) -> io::Result<Duration> {
    let start = Instant::now();
    black_box(call()?);
    Ok(start.elapsed())
}

fn stream(path: &Path, piece: usize) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let (mut buffer, mut bytes) = (vec![0; piece], 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes += read as u64;
    }
}

fn list(path: &Path, piece: u64) -> io::Result<u64> {
    let (directory, name) = (path.parent(), path.file_name().and_then(|name| name.to_str()));
    let granted = get_directories().into_iter().find(|(_, granted)| Some(Path::new(granted)) == directory);
    let (Some((directory, _)), Some(name)) = (granted, name) else {
        return Err(io::Error::other("the file is in no directory that was granted"));
    };
    let failed = |code| io::Error::other(format!("{code:?}"));
    let (follow, how) = (PathFlags::empty(), OpenFlags::empty());
    let file = directory.open_at(follow, name, how, DescriptorFlags::READ).map_err(failed)?;
    let mut bytes = 0;
    loop {
        let (read, is_end) = file.read(piece, bytes).map_err(failed)?;
        bytes += black_box(read).len() as u64;
        if is_end {
            return Ok(bytes);
        }
    }
}

fn walk(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { walk(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
