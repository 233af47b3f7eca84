//! One small file, replaced repeatedly.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use onionskin_host::{Durability, OpenOptions as Opening, Store, WriteOptions};

use crate::pairs::{Pairs, each};
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

const CONTENT: [u8; 4 << 10] = [b'x'; 4 << 10];
const NAME: &str = "metadata.json";
const PEER: &str = "native, same calls";

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    let pairs = bench.pairs(60, 15);
    report.times(("persist 4 KiB, durable", PEER), Ok(bench.places.disk()), Target::Ratio(1.15), |place| {
        run(bench, place, Durability::Full, pairs, 5)
    });
    report.times(("persist 4 KiB, visible", PEER), bench.places.memory(), Target::Ratio(1.8), |place| {
        run(bench, place, Durability::Visible, pairs, 500)
    });
}

/// Runs pairs of `batch` changes each.
fn run(bench: &Bench, place: &Place, durability: Durability, pairs: usize, batch: u32) -> Result<Pairs> {
    let root = place.directory("persist-ours")?;
    let store = bench.onionskin.store(&root).open(&Opening::default())?;
    let how = WriteOptions::default().durability(durability);
    let native = Native::new(place.directory("persist-peer")?, durability == Durability::Full)?;
    let ours = || persist(&store, &how, batch);
    let pairs = Pairs::run(pairs, ours, || each(batch, || native.persist()))?;
    store.close()?;
    Ok(pairs)
}

fn persist(store: &Store, how: &WriteOptions, batch: u32) -> Result<Duration> {
    each(batch, || {
        store.replace(NAME, &CONTENT, how)?;
        Ok(())
    })
}

/// A native program that makes the calls of the component itself.
struct Native {
    root: PathBuf,
    target: PathBuf,
    staged: PathBuf,
    synced: bool,
}

impl Native {
    fn new(root: PathBuf, synced: bool) -> Result<Self> {
        let staging = root.join(".staging");
        fs::create_dir(&staging)?;
        Ok(Self { target: root.join(NAME), staged: staging.join("file"), root, synced })
    }

    fn persist(&self) -> Result<()> {
        refuse_directory(&self.target)?;
        create(&self.staged, &CONTENT, self.synced)?;
        fs::rename(&self.staged, &self.target)?;
        if self.synced {
            sync_directory(&self.root)?;
        }
        Ok(())
    }
}

/// The check of a target that every careful program makes.
pub(crate) fn refuse_directory(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Err(format!("{} is a directory", path.display()).into()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Creates a file with this content.
pub(crate) fn create(path: &Path, content: &[u8], synced: bool) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    if synced {
        file.sync_all()?;
    }
    Ok(())
}

pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    Ok(File::open(path)?.sync_all()?)
}
