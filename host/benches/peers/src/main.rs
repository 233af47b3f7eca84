//! Replaces a file repeatedly with a crate of another project, and prints the average seconds.
//!
//!     peers tempfile|atomic-write-file ROOT COUNT durable|data|visible BYTES
//!
//! `durable` syncs the file and its directory, `data` the file only. `atomic-write-file` always syncs both.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use atomic_write_file::AtomicWriteFile;
use tempfile::NamedTempFile;

/// The number of bytes in one write.
const CHUNK_BYTES: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let &[peer, root, count, how, bytes] = &words[..] else { return Err("five arguments are wanted".into()) };
    let (root, count, bytes) = (Path::new(root), count.parse::<u32>()?, bytes.parse()?);
    let chunk = vec![b'x'; CHUNK_BYTES.min(bytes)];
    let replace = || match peer {
        "tempfile" => with_tempfile(root, how, &chunk, bytes),
        "atomic-write-file" => {
            let mut file = AtomicWriteFile::open(root.join("metadata.json"))?;
            write(&mut file, &chunk, bytes)?;
            Ok(file.commit()?)
        }
        other => Err(format!("there is no peer {other}").into()),
    };
    if count > 1 {
        replace()?;
    }
    let start = Instant::now();
    for _ in 0..count {
        replace()?;
    }
    println!("{}", (start.elapsed() / count).as_secs_f64());
    Ok(())
}

/// tempfile syncs nothing by itself, and leaves that to the caller.
fn with_tempfile(root: &Path, how: &str, chunk: &[u8], bytes: usize) -> Result<(), Box<dyn Error>> {
    let mut file = NamedTempFile::new_in(root)?;
    write(&mut file, chunk, bytes)?;
    if how != "visible" {
        file.as_file().sync_all()?;
    }
    file.persist(root.join("metadata.json"))?;
    if how == "durable" {
        File::open(root)?.sync_all()?;
    }
    Ok(())
}

fn write(file: &mut impl Write, chunk: &[u8], bytes: usize) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let piece = &chunk[..left.min(chunk.len())];
        file.write_all(piece)?;
        left -= piece.len();
    }
    Ok(())
}
