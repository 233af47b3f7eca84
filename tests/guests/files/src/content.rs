//! The content of files: read, written, appended and truncated, with the correct position.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::{report, report_done};

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
    report("read a text", fs::read_to_string(directory.join("notes.txt")));
    report("read in the second lower", fs::read_to_string(directory.join("base/deep/er/leaf")));
    report("read what both lowers have", fs::read_to_string(directory.join("both.txt")));
    report("read bytes as text", fs::read_to_string(directory.join("bytes.bin")));
    report("read a directory as a file", fs::read(directory.join("base")));
    report("read what is missing", fs::read(directory.join("missing")));
    report("read below a file", fs::read(directory.join("notes.txt/below")));
    if let Some(file) = report_done("open many lines", File::open(directory.join("lines.txt"))) {
        let lines = BufReader::new(&file).lines().count();
        println!("lines: {lines}");
        let mut file = file;
        report("seek from the end", file.seek(SeekFrom::End(-6)));
        let mut rest = String::new();
        report("read the rest", file.read_to_string(&mut rest));
        println!("rest: {rest:?}");
        report("seek before the start", file.seek(SeekFrom::Current(-1_000_000)));
        report("seek beyond the end", file.seek(SeekFrom::Start(1 << 30)));
        report("read beyond the end", file.read(&mut [0; 8]));
        // The code is not printed: on a plain directory the stream is created and fails, the overlay creates none.
        println!("write to what is open for reading: refused {}", file.write(b"x").is_err());
    }
}

fn writing(directory: &Path) {
    let notes = directory.join("notes.txt");
    if let Some(mut file) =
        report_done("open an original for both", OpenOptions::new().read(true).write(true).open(&notes))
    {
        report("write over its start", file.write_all(b"NOTES"));
        report("position", file.stream_position());
        report("seek to 8", file.seek(SeekFrom::Start(8)));
        report("write two", file.write(b"##"));
        report("rewind", file.rewind());
        let mut all = String::new();
        report("read it all", file.read_to_string(&mut all));
        println!("all: {all:?}");
        report("sync data", file.sync_data());
        report("sync all", file.sync_all());
    }
    if let Some(mut file) =
        report_done("open to append", OpenOptions::new().append(true).open(directory.join("both.txt")))
    {
        report("append", file.write_all(b" and more"));
        report("seek to the start", file.seek(SeekFrom::Start(0)));
        report("append all the same", file.write_all(b" and yet more"));
        println!("read what is for appending: refused {}", file.read(&mut [0; 4]).is_err());
    }
    report("both", fs::read_to_string(directory.join("both.txt")));
    report("write a new file", fs::write(directory.join("new.txt"), "new"));
    report("write it again, shorter", fs::write(directory.join("new.txt"), "n"));
    report("read it", fs::read_to_string(directory.join("new.txt")));
    report("write in a directory that is missing", fs::write(directory.join("none/new.txt"), "new"));
    report("write a directory", fs::write(directory.join("base"), "new"));
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    report("write much", fs::write(directory.join("large.bin"), &large));
    println!("it is whole: {}", fs::read(directory.join("large.bin")).is_ok_and(|read| read == large));
    report("write nothing", fs::write(directory.join("empty"), ""));
}

fn lengths(directory: &Path) {
    let lines = directory.join("lines.txt");
    if let Some(mut file) = report_done("open an original to cut it", OpenOptions::new().write(true).open(&lines)) {
        report("cut", file.set_len(20));
        report("make it longer", file.set_len(30));
        report("seek far beyond", file.seek(SeekFrom::Start(40)));
        report("write there", file.write_all(b"end"));
        report("length", file.metadata().map(|it| it.len()));
    }
    report("with the gap", fs::read(&lines).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    report("truncate what is open for reading", File::open(&lines).and_then(|file| file.set_len(1)));
    report("an impossible length", OpenOptions::new().write(true).open(&lines).and_then(|file| file.set_len(u64::MAX)));
}

fn copying(directory: &Path) {
    report("copy an original", fs::copy(directory.join("bytes.bin"), directory.join("copy.bin")));
    report("copy over an original", fs::copy(directory.join("new.txt"), directory.join("base/deep/er/leaf")));
    report("copy over itself", fs::copy(directory.join("new.txt"), directory.join("new.txt")));
    report("the leaf", fs::read_to_string(directory.join("base/deep/er/leaf")));
    report("copy a directory", fs::copy(directory.join("base"), directory.join("base2")));
    report("copy what is missing", fs::copy(directory.join("missing"), directory.join("copy2")));
}

fn times(directory: &Path) {
    let moment = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_000_000);
    let path = directory.join("bytes.bin");
    let set = |file: File| {
        file.set_times(FileTimes::new().set_modified(moment).set_accessed(moment))?;
        file.metadata()?.modified().map(|it| it == moment)
    };
    report("set the times of an original", OpenOptions::new().write(true).open(&path).and_then(set));
    report("they stay", fs::metadata(&path).and_then(|it| it.modified()).map(|it| it == moment));
    let early = moment - Duration::from_secs(86_400);
    let read_early = |file: File| file.set_times(FileTimes::new().set_accessed(early));
    report("set the time of the last reading", OpenOptions::new().write(true).open(&path).and_then(read_early));
    let both = |it: fs::Metadata| Ok((it.accessed()? == early, it.modified()? == moment));
    report("the two are apart", fs::metadata(&path).and_then(both));
    let is_old = |it: fs::Metadata| it.modified().map(|it| it < SystemTime::now());
    report("an original is older than now", fs::metadata(directory.join("base/old")).and_then(is_old));
    let before = SystemTime::now() - Duration::from_secs(60);
    report(
        "a write makes it new",
        fs::write(&path, "new").and_then(|()| fs::metadata(&path)?.modified()).map(|it| it > before),
    );
}

/// A handle that was opened before another handle writes sees the new content.
fn one_file_twice(directory: &Path) {
    let path = directory.join("base/twice");
    let Some(mut reader) = report_done("open to read", File::open(&path)) else { return };
    let mut text = String::new();
    report("read before", reader.read_to_string(&mut text));
    println!("before: {text:?}");
    let write = OpenOptions::new().write(true).open(&path).and_then(|mut file| file.write_all(b"AFTER"));
    report("another handle writes", write);
    text.clear();
    report("rewind", reader.rewind());
    report("read after", reader.read_to_string(&mut text));
    println!("after: {text:?}");
    report("length by the old handle", reader.metadata().map(|it| it.len()));
}
