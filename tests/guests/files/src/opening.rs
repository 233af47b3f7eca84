//! `OpenOptions` in all combinations, on an original, a new name, an own file and a directory.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

pub fn all(directory: &Path) {
    println!("== opening");
    let place = directory.join("opening");
    for bits in 0..64_u32 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        for kind in ["original", "own", "missing", "directory"] {
            let path = place.join(format!("{kind}-{bits}"));
            match kind {
                "own" => fs::write(&path, "own content").expect("the directory takes files"),
                "directory" => fs::create_dir_all(&path).expect("the directory takes directories"),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.read(has(0)).write(has(1)).append(has(2)).truncate(has(3)).create(has(4)).create_new(has(5));
            let mut did = String::new();
            match options.open(&path) {
                Err(error) => did.push_str(&format!("error {:?}", error.kind())),
                Ok(mut file) => {
                    let mut buffer = [0; 3];
                    let read = file.read(&mut buffer).map_err(|error| error.kind());
                    let wrote = file.write(b"!").map_err(|error| error.kind());
                    let length =
                        file.metadata().map(|it| it.is_file().then_some(it.len())).map_err(|error| error.kind());
                    did.push_str(&format!("read {read:?} {buffer:?}, wrote {wrote:?}, length {length:?}"));
                }
            }
            let left =
                fs::read(&path).map(|it| String::from_utf8_lossy(&it).into_owned()).map_err(|error| error.kind());
            println!("{kind} {bits:06b}: {did}; left {left:?}");
        }
    }
}
