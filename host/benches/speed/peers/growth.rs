//! The growth of the cost with the number of files in one change, with their size, and with the size of a directory.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use onionskin_host::{DirectoryOptions, Durability, OpenOptions, Publish, Store, WriteOptions};
use tempfile::NamedTempFile;

use super::programs::{Programs, Way};
use crate::pairs::{Pairs, each};
use crate::persist::{create, sync_directory};
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

const SMALL: [u8; 4 << 10] = [b'x'; 4 << 10];
/// The number of bytes in one write of a writer.
const CHUNK: usize = 1 << 20;
const DIRECTORY: &str = "d";

pub(super) fn measure(bench: &Bench, report: &mut Report, programs: &Programs) {
    let counts: &[usize] = if bench.quick { &[1, 100, 1_000] } else { &[1, 10, 100, 1_000, 10_000] };
    for (durability, how) in [(Durability::Visible, "visible"), (Durability::Full, "durable")] {
        for &count in counts {
            let pairs = if count < 1_000 { bench.pairs(15, 5) } else { bench.pairs(5, 3) };
            let what = format!("{} of 4 KiB, all or nothing, {how}", files_of(count));
            report.times((what, "tempfile, one by one"), super::files::place(bench, how), Target::None, |place| {
                many(bench, place, (count, durability), pairs)
            });
        }
    }
    let sizes: &[u32] = if bench.quick { &[12, 20, 26] } else { &[12, 16, 20, 24, 28, 30] };
    for &bits in sizes {
        let pairs = if bits < 26 { bench.pairs(15, 5) } else { bench.pairs(3, 3) };
        let what = format!("{} by a writer, durable", size(1 << bits));
        report.times((what, Way::AtomicWriteFile.name()), Ok(bench.places.disk()), Target::None, |place| {
            large(bench, (place, programs), 1 << bits, pairs)
        });
    }
    for &count in counts {
        let pairs = if count < 1_000 { bench.pairs(10, 5) } else { bench.pairs(3, 3) };
        let what = format!("one of {} by swap, durable", files_of(count));
        report.times((what, "the plain swap"), Ok(bench.places.disk()), Target::None, |place| {
            swap(bench, place, count, pairs)
        });
    }
}

fn files_of(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn size(bytes: u64) -> String {
    match bytes.ilog2() {
        30.. => format!("{} GiB", bytes >> 30),
        20..30 => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

fn name(number: usize) -> String {
    format!("event-{number:05}.json")
}

/// A change of many files, compared with as many changes of one file, which a crash can separate. Durable, each of
/// those is synced, and the directory once at the end.
fn many(bench: &Bench, place: &Place, (count, durability): (usize, Durability), pairs: usize) -> Result<Pairs> {
    let (ours, peer) = (place.directory("growth-ours")?, place.directory("growth-peer")?);
    let store = bench.onionskin.store(&ours).open(&OpenOptions::default())?;
    let how = DirectoryOptions::default().durability(durability);
    let ours = || {
        each(1, || {
            let mut change = store.begin(DIRECTORY, &how)?;
            for number in 0..count {
                change.put(&name(number), &SMALL)?;
            }
            change.commit()?;
            Ok(())
        })
    };
    let theirs = || {
        each(1, || {
            for number in 0..count {
                let mut file = NamedTempFile::new_in(&peer)?;
                file.write_all(&SMALL)?;
                if durability == Durability::Full {
                    file.as_file().sync_all()?;
                }
                file.persist(peer.join(name(number)))?;
            }
            if durability == Durability::Full { sync_directory(&peer) } else { Ok(()) }
        })
    };
    let pairs = Pairs::run(pairs, ours, theirs)?;
    store.close()?;
    Ok(pairs)
}

fn large(bench: &Bench, (place, programs): (&Place, &Programs), bytes: u64, pairs: usize) -> Result<Pairs> {
    let (ours, peer) = (place.directory("growth-ours")?, place.directory("growth-peer")?);
    let store = bench.onionskin.store(&ours).open(&OpenOptions::default())?;
    let bytes = usize::try_from(bytes)?;
    let chunk = vec![b'x'; CHUNK.min(bytes)];
    let count = bytes / chunk.len();
    let ours = || each(1, || written(&store, &chunk, count));
    let theirs = || programs.run(Way::AtomicWriteFile, &peer, 1, "durable", bytes);
    let pairs = Pairs::run(pairs, ours, theirs)?;
    store.close()?;
    // Removed early, since it may occupy two gigabytes.
    place.directory("growth-ours")?;
    place.directory("growth-peer")?;
    Ok(pairs)
}

fn written(store: &Store, chunk: &[u8], count: usize) -> Result<()> {
    let mut writer = store.writer("f", &WriteOptions::default())?;
    for _ in 0..count {
        writer.append(chunk)?;
    }
    writer.commit()?;
    Ok(())
}

/// One file changed in a directory of many, by a swap.
fn swap(bench: &Bench, place: &Place, count: usize, pairs: usize) -> Result<Pairs> {
    let (ours, peer) = (place.directory("swap-ours")?, place.directory("swap-peer")?);
    for root in [&ours, &peer] {
        fs::create_dir(root.join(DIRECTORY))?;
        for number in 0..count {
            create(&root.join(DIRECTORY).join(name(number)), &SMALL, false)?;
        }
    }
    let store = bench.onionskin.store(&ours).open(&OpenOptions::default())?;
    let how = DirectoryOptions::default().publish(Publish::Swap);
    let swapped = || {
        each(1, || {
            let mut change = store.begin(DIRECTORY, &how)?;
            change.put(&name(0), &SMALL)?;
            change.commit()?;
            Ok(())
        })
    };
    let pairs = Pairs::run(pairs, swapped, || plain_swap(&peer))?;
    store.close()?;
    Ok(pairs)
}

/// The swap of a simple program: a new directory of links beside the old one, two renames, and the removal of the old
/// one. A crash between the renames leaves no directory, and nothing repairs that.
fn plain_swap(root: &Path) -> Result<Duration> {
    let [now, new, old]: [PathBuf; 3] = [DIRECTORY, "new", "old"].map(|name| root.join(name));
    each(1, || {
        fs::create_dir(&new)?;
        for entry in fs::read_dir(&now)? {
            let entry = entry?;
            if entry.file_name() != *name(0) {
                fs::hard_link(entry.path(), new.join(entry.file_name()))?;
            }
        }
        create(&new.join(name(0)), &SMALL, true)?;
        sync_directory(&new)?;
        fs::rename(&now, &old)?;
        fs::rename(&new, &now)?;
        sync_directory(root)?;
        fs::remove_dir_all(&old)?;
        sync_directory(root)
    })
}
