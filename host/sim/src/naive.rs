//! The enumeration done again without any cleverness, to hold the fast one against.

use std::collections::{BTreeMap, BTreeSet};

use onionskin::fs::{Cause, Fs};

use crate::disk::{Body, Disk, Ino};
use crate::images::Images;
use crate::model::Bounds;
use crate::model::{Model, Power, Tear};
use crate::op::Op;
use crate::replay::Replay;
use crate::simfs::{Fault, Harm, SimFs, When};
use crate::tree::Tree;

const PROGRAMS: u64 = 400;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A random program; most calls may fail, which is fine.
fn program(fs: &SimFs, random: &mut fastrand::Rng) -> Result<(), Cause> {
    let mut dirs = vec![fs.root()];
    let mut files = Vec::new();
    for _ in 0..random.usize(4..16) {
        let at = random.choice(&dirs).cloned().ok_or(Cause::Other)?;
        let to = random.choice(&dirs).cloned().ok_or(Cause::Other)?;
        let (one, two) = (NAMES[random.usize(0..4)], NAMES[random.usize(0..4)]);
        let _ = match random.u8(0..14) {
            0 | 1 => fs.create_file(&at, one).map(|file| files.push(file)),
            2 | 3 => fs.make_dir(&at, one).and_then(|()| fs.open_dir(&at, one)).map(|dir| dirs.push(dir)),
            4..=6 => fs.rename((&at, one), (&to, two)),
            7 => fs.link((&at, one), (&to, two)),
            8 => fs.remove_file(&at, one),
            9 => fs.remove_dir(&at, one),
            10 => fs.sync_dir(&at),
            choice => match random.choice(&files) {
                None => Ok(()),
                Some(file) if choice == 11 => fs.sync_file(file),
                Some(file) if choice == 12 => fs.set_size(file, random.u64(0..6)),
                Some(file) => fs.write(file, random.u64(0..4), &[random.u8(b'a'..b'f')]).map(|_| ()),
            },
        };
    }
    Ok(())
}

/// One image: a subset replayed on a copy of the disk, name by name and byte by byte.
fn image(replay: &Replay, included: &[bool], fill: u8) -> Tree {
    let mut disk = replay.disk.clone();
    let mut contents: BTreeMap<Ino, (BTreeMap<usize, u8>, usize)> = BTreeMap::new();
    for (pending, _) in replay.pending.iter().zip(included).filter(|(_, included)| **included) {
        match &pending.op {
            names @ Op::Names(_) => disk.apply(names, fill),
            Op::Write { ino, offset, bytes, .. } => {
                let (found, _) = contents.entry(*ino).or_insert_with(|| start(&disk, *ino));
                found.extend(bytes.iter().enumerate().map(|(at, byte)| (offset + at, *byte)));
            }
            Op::Size { ino, length, .. } => {
                let (found, before) = contents.entry(*ino).or_insert_with(|| start(&disk, *ino));
                if length < before {
                    found.retain(|at, _| at < length);
                }
                *before = *length;
            }
        }
    }
    for (ino, (found, length)) in contents {
        let bytes: Vec<u8> = (0..length).map(|at| found.get(&at).copied().unwrap_or(fill)).collect();
        *disk.bytes_mut(ino) = bytes;
    }
    Tree::of(&disk.compact())
}

fn start(disk: &Disk, ino: Ino) -> (BTreeMap<usize, u8>, usize) {
    match &disk.inode(ino).body {
        Body::File(bytes) => (bytes.iter().copied().enumerate().collect(), bytes.len()),
        Body::Directory(_) | Body::Symlink(_) | Body::Other => panic!("only files have content"),
    }
}

fn naive(replay: &Replay, fill: u8) -> (BTreeSet<Tree>, u64) {
    let count = replay.pending.len();
    let (mut trees, mut raw) = (BTreeSet::new(), 0);
    for mask in 0..1_u32 << count {
        let included: Vec<bool> = (0..count).map(|at| mask >> at & 1 == 1).collect();
        let closed = replay.pending.iter().zip(&included).all(|(pending, taken)| {
            let met = |need: &u64| {
                let before = replay.pending.iter().position(|earlier| earlier.id == *need);
                before.is_none_or(|before| included[before])
            };
            if *taken { pending.needs.iter().all(met) } else { !pending.durable }
        });
        if closed {
            raw += 1;
            trees.insert(image(replay, &included, fill));
        }
    }
    (trees, raw)
}

/// On random programs, with hard links, moved directories, torn renames and failed syncs, the
/// incremental enumeration finds exactly the images that a naive one finds.
#[test]
fn enumeration_is_right() -> Result<(), Cause> {
    let (mut compared, mut seen) = (0, 0);
    for seed in 0..PROGRAMS {
        let mut random = fastrand::Rng::with_seed(seed);
        let fs = SimFs::new();
        fs.harm(Fault::once(When::Sync(random.u32(0..4)), Harm::LoseSync));
        program(&fs, &mut random)?;
        let trace = fs.recording().trace;
        for model in Model::ALL {
            let garbage = random.bool();
            let power = Power { model, tear: Tear::Sectors, garbage, bounds: Bounds::default() };
            let mut replay = Replay::new(trace.base.clone(), power);
            trace.events.iter().for_each(|event| replay.feed(event));
            if replay.pending.len() > 12 {
                continue;
            }
            let (trees, raw) = naive(&replay, power.fill());
            let images = Images::at(&trace, trace.points() - 1, &power);
            assert!(images.exhaustive && images.raw == raw, "seed {seed}, {model:?}");
            assert_eq!(images.trees, trees, "seed {seed}, {model:?}");
            compared += 1;
            seen += trees.len();
        }
    }
    assert!(compared > 1000 && seen > 10_000, "{compared} windows with {seen} images is no test");
    Ok(())
}
