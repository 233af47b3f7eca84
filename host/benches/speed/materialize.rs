//! A large file, made independent of its original.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use onionskin_host::{
    Content, Durability, Error, Onionskin, OpenOptions as Opening, Source, Store, Trap, WriteOptions,
};

use crate::pairs::Pairs;
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

const LENGTH: u64 = 256 << 20;
/// The memory limit of the component for a file of any size, in bytes.
const MEMORY_BYTES: u64 = 8 << 20;
const PAGE_BYTES: u64 = 64 << 10;
const LINK: &str = "table.bin";
const COPY: &str = "cp --reflink=never";
const COPY_SYNCED: &str = "cp --reflink=never, fsync";

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    let target = Target::Ratio(1.2);
    let (full, quick) = (bench.pairs(11, 3), bench.pairs(7, 3));
    report.times(("materialize 256 MiB", COPY_SYNCED), bench.places.memory(), target, |place| {
        run(bench, place, full, Operation::Materialize)
    });
    report.times(("materialize 256 MiB", COPY_SYNCED), Ok(bench.places.disk()), target, |place| {
        run(bench, place, quick, Operation::Materialize)
    });
    report.times(("copy 256 MiB by a writer, visible", COPY), bench.places.memory(), target, |place| {
        run(bench, place, full, Operation::Visible)
    });
    report.times(("copy 256 MiB by a writer, visible", COPY), Ok(bench.places.disk()), target, |place| {
        run(bench, place, quick, Operation::Visible)
    });
    report.bytes("memory of the component for it", MEMORY_BYTES, || needed(bench));
}

/// The operation to measure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    /// `materialize`, which is durable.
    Materialize,
    /// A copy without a promise for power losses.
    Visible,
}

/// An original, and a workspace with a link to it.
struct Workspace {
    root: PathBuf,
    lower: PathBuf,
    original: PathBuf,
}

impl Workspace {
    fn make(place: &Place) -> Result<Self> {
        let (root, lower) = (place.directory("workspace")?, place.directory("originals")?);
        let original = lower.join(LINK);
        let mut file = File::create(&original)?;
        let block: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
        for _ in 0..LENGTH / block.len() as u64 {
            file.write_all(&block)?;
        }
        file.sync_all()?;
        Ok(Self { root, lower, original })
    }

    fn open(&self, onionskin: &Onionskin) -> Result<Store> {
        Ok(onionskin.store(&self.root).lower(&self.lower).open(&Opening::default())?)
    }

    #[cfg(unix)]
    fn link(&self) -> Result<()> {
        let link = self.root.join(LINK);
        remove(&link)?;
        Ok(std::os::unix::fs::symlink(&self.original, link)?)
    }

    #[cfg(not(unix))]
    fn link(&self) -> Result<()> {
        Err("links can be created on Unix only".into())
    }

    fn check(&self, copy: &Path) -> Result<()> {
        let found = fs::symlink_metadata(copy)?;
        if found.is_file() && found.len() == LENGTH { Ok(()) } else { Err("the copy differs in length".into()) }
    }
}

impl Drop for Workspace {
    /// Removed early, since it may occupy half a gigabyte of memory. A failure leaves it to the end.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.lower);
    }
}

fn run(bench: &Bench, place: &Place, pairs: usize, operation: Operation) -> Result<Pairs> {
    let workspace = Workspace::make(place)?;
    let onionskin = limited(bench, MEMORY_BYTES)?;
    let store = workspace.open(&onionskin)?;
    let peer = place.directory("copies")?.join(LINK);
    let pairs = Pairs::run(
        pairs,
        || {
            let took = match operation {
                Operation::Materialize => materialize(&workspace, &store)?,
                Operation::Visible => copy(&workspace, &store)?,
            };
            let copied = workspace.root.join(LINK);
            workspace.check(&copied)?;
            remove(&copied)?;
            Ok(took)
        },
        || {
            let took = cp(&workspace.original, &peer, operation == Operation::Materialize)?;
            workspace.check(&peer)?;
            remove(&peer)?;
            Ok(took)
        },
    )?;
    store.close()?;
    Ok(pairs)
}

fn materialize(workspace: &Workspace, store: &Store) -> Result<Duration> {
    workspace.link()?;
    let start = Instant::now();
    store.materialize(LINK, &Source::LinkTarget, &Content::Keep)?;
    Ok(start.elapsed())
}

fn copy(workspace: &Workspace, store: &Store) -> Result<Duration> {
    let operation = WriteOptions::default().durability(Durability::Visible);
    let start = Instant::now();
    let mut writer = store.writer(LINK, &operation)?;
    writer.append_from(&workspace.original, 0, LENGTH)?;
    writer.commit()?;
    Ok(start.elapsed())
}

fn cp(from: &Path, to: &Path, synced: bool) -> Result<Duration> {
    let start = Instant::now();
    let status = Command::new("cp").arg("--reflink=never").arg(from).arg(to).status()?;
    if !status.success() {
        return Err(format!("{COPY}: {status}").into());
    }
    if synced {
        File::open(to)?.sync_all()?;
    }
    Ok(start.elapsed())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn limited(bench: &Bench, bytes: u64) -> Result<Onionskin> {
    let builder = Onionskin::builder().cache_directory(bench.places.cache());
    Ok(builder.memory_bytes(usize::try_from(bytes)?).build()?)
}

/// The smallest limit of memory with which it works, to a page.
fn needed(bench: &Bench) -> Result<u64> {
    let workspace = Workspace::make(bench.places.memory().unwrap_or(bench.places.disk()))?;
    let (mut too_little, mut enough) = (0, MEMORY_BYTES / PAGE_BYTES);
    if !works(bench, &workspace, MEMORY_BYTES)? {
        return Err("8 MiB are not enough".into());
    }
    while too_little + 1 < enough {
        let middle = too_little.midpoint(enough);
        if works(bench, &workspace, middle * PAGE_BYTES)? {
            enough = middle;
        } else {
            too_little = middle;
        }
    }
    Ok(enough * PAGE_BYTES)
}

fn works(bench: &Bench, workspace: &Workspace, bytes: u64) -> Result<bool> {
    let onionskin = limited(bench, bytes)?;
    let store = match workspace.open(&onionskin) {
        Ok(store) => store,
        // Not even the initial memory.
        Err(_) => return Ok(false),
    };
    workspace.link()?;
    let answer = match store.materialize(LINK, &Source::LinkTarget, &Content::Keep) {
        Ok(_) => true,
        Err(Error::Trap { trap: Trap::OutOfMemory { .. }, .. }) => false,
        Err(error) => return Err(error.into()),
    };
    drop(store);
    Ok(answer)
}
