//! Exceeds its limits.
//!
//!     greedy spin | sleep | memory | network
//!     greedy fill DIRECTORY            a file that grows until a write fails; prints how far it came
//!     greedy again DIRECTORY           the same file written and removed, many times
//!     greedy nameless DIRECTORY        open files without a name
//!     greedy extend DIRECTORY          a file that is extended at once
//!     greedy many DIRECTORY            files, until one cannot be created
//!     greedy note DIRECTORY CODE       writes the file `note`, removes `other` and exits with CODE
//!     greedy note-and-wait DIRECTORY   the same, then prints a line and waits for the end of its input
//!     greedy replace FILE OLD NEW      puts another text in the place of one in the file
//!     greedy look                      prints arguments, environment, directories and input

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

const PIECE: [u8; 4096] = [b'x'; 4096];
/// More than any limit of a test.
const PIECES: usize = 4096;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["spin"] => loop {
            std::hint::black_box(0);
        },
        ["sleep"] => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            Ok(())
        }
        ["memory"] => memory(),
        ["network"] => std::net::TcpStream::connect("127.0.0.1:9").map(|_| println!("connected")),
        ["fill", directory] => fill(Path::new(directory)),
        ["again", directory] => again(Path::new(directory)),
        ["nameless", directory] => nameless(Path::new(directory)),
        ["extend", directory] => File::create(Path::new(directory).join("long")).and_then(|it| it.set_len(1 << 40)),
        ["many", directory] => many(Path::new(directory)),
        ["note", directory, code] => match note(Path::new(directory)) {
            Ok(()) => return ExitCode::from(code.parse::<u8>().unwrap_or(1)),
            failed => failed,
        },
        ["note-and-wait", directory] => note(Path::new(directory)).and_then(|()| {
            println!("noted");
            io::stdin().read_to_string(&mut String::new()).map(drop)
        }),
        ["replace", file, old, new] => replace(Path::new(file), old, new),
        ["look", ..] => look(&words),
        _ => Err(io::Error::other("usage: greedy WHAT [DIRECTORY]")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{:?}", error.kind());
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn replace(file: &Path, old: &str, new: &str) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    fs::write(file, text.replace(old, new))
}

fn note(directory: &Path) -> io::Result<()> {
    fs::write(directory.join("note"), "a note\n")?;
    match fs::remove_file(directory.join("other")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn memory() -> io::Result<()> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut piece = Vec::new();
        piece.try_reserve_exact(1 << 20).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        piece.resize(1 << 20, 1);
        all.push(std::hint::black_box(piece));
    }
}

fn fill(directory: &Path) -> io::Result<()> {
    let mut file = File::create(directory.join("full"))?;
    for _ in 0..PIECES {
        let written = file.write_all(&PIECE);
        if let Err(error) = written {
            println!("wrote {} KiB", file.metadata()?.len() >> 10);
            return Err(error);
        }
    }
    Ok(())
}

fn again(directory: &Path) -> io::Result<()> {
    let path = directory.join("again");
    for _ in 0..PIECES / 16 {
        let mut file = File::create(&path)?;
        for _ in 0..16 {
            file.write_all(&PIECE)?;
        }
        drop(file);
        fs::remove_file(&path)?;
    }
    Ok(())
}

fn nameless(directory: &Path) -> io::Result<()> {
    let mut open = Vec::new();
    for number in 0..PIECES / 16 {
        let path = directory.join(format!("nameless-{number}"));
        let mut file = File::create(&path)?;
        // It may be impossible to remove an open file, or to write to it afterwards.
        fs::remove_file(&path)?;
        for _ in 0..16 {
            file.write_all(&PIECE)?;
        }
        open.push(file);
    }
    println!("wrote {} files", open.len());
    Ok(())
}

fn many(directory: &Path) -> io::Result<()> {
    for number in 0..PIECES {
        let made = fs::write(directory.join(format!("{number}")), "");
        if let Err(error) = made {
            println!("made {number}");
            return Err(error);
        }
    }
    Ok(())
}

fn look(words: &[&str]) -> io::Result<()> {
    println!("arguments {words:?}");
    println!("environment {:?}", std::env::vars().collect::<Vec<_>>());
    let names = |place: &str| -> io::Result<Vec<String>> {
        fs::read_dir(place)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    println!(
        "/ {:?}, /etc {:?}",
        names("/").map_err(|error| error.kind()),
        names("/etc").map_err(|error| error.kind())
    );
    for word in words.iter().skip(1).filter(|word| word.starts_with('/')) {
        println!("{word} {:?}", names(word).map_err(|error| error.kind()));
    }
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    println!("input {input:?}");
    Ok(())
}
