//! What files hold: read, written, appended, cut, with the position where it should be.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::{tell, told};

pub fn all(directory: &Path) {
    println!("== content");
    reading(directory);
    writing(directory);
    lengths(directory);
    copying(directory);
    times(directory);
    one_file_twice(directory);
}

fn reading(directory: &Path) {
    tell("read a text", fs::read_to_string(directory.join("notes.txt")));
    tell("read in the second lower", fs::read_to_string(directory.join("base/deep/er/leaf")));
    tell("read what both lowers have", fs::read_to_string(directory.join("both.txt")));
    tell("read bytes as text", fs::read_to_string(directory.join("bytes.bin")));
    tell("read a directory as a file", fs::read(directory.join("base")));
    tell("read what is missing", fs::read(directory.join("missing")));
    tell("read below a file", fs::read(directory.join("notes.txt/below")));
    if let Some(file) = told("open many lines", File::open(directory.join("lines.txt"))) {
        let lines = BufReader::new(&file).lines().count();
        println!("lines: {lines}");
        let mut file = file;
        tell("seek from the end", file.seek(SeekFrom::End(-6)));
        let mut rest = String::new();
        tell("read the rest", file.read_to_string(&mut rest));
        println!("rest: {rest:?}");
        tell("seek before the start", file.seek(SeekFrom::Current(-1_000_000)));
        tell("seek beyond the end", file.seek(SeekFrom::Start(1 << 30)));
        tell("read beyond the end", file.read(&mut [0; 8]));
        // The code is not told: a plain directory lets the stream be made and fail, a layer makes none.
        println!("write to what is open for reading: refused {}", file.write(b"x").is_err());
    }
}

fn writing(directory: &Path) {
    let notes = directory.join("notes.txt");
    if let Some(mut file) = told("open an original for both", OpenOptions::new().read(true).write(true).open(&notes)) {
        tell("write over its start", file.write_all(b"NOTES"));
        tell("position", file.stream_position());
        tell("seek to 8", file.seek(SeekFrom::Start(8)));
        tell("write two", file.write(b"##"));
        tell("rewind", file.rewind());
        let mut all = String::new();
        tell("read it all", file.read_to_string(&mut all));
        println!("all: {all:?}");
        tell("sync data", file.sync_data());
        tell("sync all", file.sync_all());
    }
    if let Some(mut file) = told("open to append", OpenOptions::new().append(true).open(directory.join("both.txt"))) {
        tell("append", file.write_all(b" and more"));
        tell("seek to the start", file.seek(SeekFrom::Start(0)));
        tell("append all the same", file.write_all(b" and yet more"));
        println!("read what is for appending: refused {}", file.read(&mut [0; 4]).is_err());
    }
    tell("both", fs::read_to_string(directory.join("both.txt")));
    tell("write a new file", fs::write(directory.join("new.txt"), "new"));
    tell("write it again, shorter", fs::write(directory.join("new.txt"), "n"));
    tell("read it", fs::read_to_string(directory.join("new.txt")));
    tell("write in a directory that is missing", fs::write(directory.join("none/new.txt"), "new"));
    tell("write a directory", fs::write(directory.join("base"), "new"));
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    tell("write much", fs::write(directory.join("large.bin"), &large));
    println!("it is whole: {}", fs::read(directory.join("large.bin")).is_ok_and(|read| read == large));
    tell("write nothing", fs::write(directory.join("empty"), ""));
}

fn lengths(directory: &Path) {
    let lines = directory.join("lines.txt");
    if let Some(mut file) = told("open an original to cut it", OpenOptions::new().write(true).open(&lines)) {
        tell("cut", file.set_len(20));
        tell("make it longer", file.set_len(30));
        tell("seek far beyond", file.seek(SeekFrom::Start(40)));
        tell("write there", file.write_all(b"end"));
        tell("length", file.metadata().map(|it| it.len()));
    }
    tell("with the gap", fs::read(&lines).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    tell("truncate what is open for reading", File::open(&lines).and_then(|file| file.set_len(1)));
    tell("an impossible length", OpenOptions::new().write(true).open(&lines).and_then(|file| file.set_len(u64::MAX)));
}

fn copying(directory: &Path) {
    tell("copy an original", fs::copy(directory.join("bytes.bin"), directory.join("copy.bin")));
    tell("copy over an original", fs::copy(directory.join("new.txt"), directory.join("base/deep/er/leaf")));
    tell("copy over itself", fs::copy(directory.join("new.txt"), directory.join("new.txt")));
    tell("the leaf", fs::read_to_string(directory.join("base/deep/er/leaf")));
    tell("copy a directory", fs::copy(directory.join("base"), directory.join("base2")));
    tell("copy what is missing", fs::copy(directory.join("missing"), directory.join("copy2")));
}

fn times(directory: &Path) {
    let moment = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_000_000);
    let path = directory.join("bytes.bin");
    let set = |file: File| {
        file.set_times(FileTimes::new().set_modified(moment).set_accessed(moment))?;
        file.metadata()?.modified().map(|it| it == moment)
    };
    tell("set the times of an original", OpenOptions::new().write(true).open(&path).and_then(set));
    tell("they stay", fs::metadata(&path).and_then(|it| it.modified()).map(|it| it == moment));
    let is_old = |it: fs::Metadata| it.modified().map(|it| it < SystemTime::now());
    tell("an original is older than now", fs::metadata(directory.join("base/old")).and_then(is_old));
    let before = SystemTime::now() - Duration::from_secs(60);
    tell("a write makes it new", fs::write(&path, "new").and_then(|()| fs::metadata(&path)?.modified()).map(|it| it > before));
}

/// A handle that was opened before somebody else writes sees what they wrote.
fn one_file_twice(directory: &Path) {
    let path = directory.join("base/twice");
    let Some(mut reader) = told("open to read", File::open(&path)) else { return };
    let mut text = String::new();
    tell("read before", reader.read_to_string(&mut text));
    println!("before: {text:?}");
    let write = OpenOptions::new().write(true).open(&path).and_then(|mut file| file.write_all(b"AFTER"));
    tell("somebody else writes", write);
    text.clear();
    tell("rewind", reader.rewind());
    tell("read after", reader.read_to_string(&mut text));
    println!("after: {text:?}");
    tell("length by the old handle", reader.metadata().map(|it| it.len()));
}
