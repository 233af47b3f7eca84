//! Moves the corpus between its form in this repository, one file of lines for each target, and that of libFuzzer, a
//! directory with a file for each input: `unpack DIRECTORY` and `pack DIRECTORY`.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use onionskin_tests_fuzz::{TARGETS, corpus, hex};

/// The longest input that is kept; longer ones are a burden of the repository.
const KEPT_BYTES_MAX: usize = 512;

fn unpack(directory: &Path) -> io::Result<()> {
    for target in &TARGETS {
        let place = directory.join(target.name);
        fs::create_dir_all(&place)?;
        let inputs = [(target.seeds)(), corpus(target)].concat();
        for (number, input) in inputs.iter().enumerate() {
            fs::write(place.join(format!("kept-{number}")), input)?;
        }
    }
    Ok(())
}

fn pack(directory: &Path) -> io::Result<()> {
    for target in &TARGETS {
        let mut lines = Vec::new();
        for entry in fs::read_dir(directory.join(target.name))? {
            let input = fs::read(entry?.path())?;
            if input.len() <= KEPT_BYTES_MAX {
                lines.push(hex(&input) + "\n");
            }
        }
        lines.sort_by_key(|line| (line.len(), line.clone()));
        fs::write(format!("{}/corpus/{}.hex", env!("CARGO_MANIFEST_DIR"), target.name), lines.concat())?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let answer = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["unpack", directory] => unpack(Path::new(directory)),
        ["pack", directory] => pack(Path::new(directory)),
        _ => Err(io::Error::other("give `unpack` or `pack`, and a directory")),
    };
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
