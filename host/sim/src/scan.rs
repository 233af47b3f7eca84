//! The crash points of one run in order, and the images at each.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::disk::Disk;
use crate::model::Power;
use crate::op::Trace;
use crate::replay::Replay;
use crate::subsets::enumerate;
use crate::window::{Hashes, Window};

/// A crash image that was met in a scan.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// The hash that distinguishes it from every other image, in any scan.
    pub(crate) hash: u128,
    /// The image itself, unless it was known before the scan.
    pub(crate) disk: Option<Disk>,
}

/// The crash states of one crash point.
#[derive(Clone, Debug, Default)]
pub(crate) struct At {
    /// How many operations were pending.
    pub(crate) pending: u32,
    /// How many subsets were tried.
    pub(crate) raw: u64,
    /// Whether these were all closed subsets.
    pub(crate) exhaustive: bool,
    /// The unique images, as numbers into those of the scan.
    pub(crate) images: Vec<u32>,
}

/// A walk along the crash points of one trace.
#[derive(Debug)]
pub(crate) struct Scan<'t> {
    trace: &'t Trace,
    power: Power,
    replay: Replay,
    fed: usize,
    last: Option<(usize, At)>,
    pub(crate) images: Vec<Image>,
    by_raw: FxHashMap<u128, u32>,
    by_hash: FxHashMap<u128, u32>,
    /// At which scan point an image was last met.
    met: Vec<u32>,
    points: u32,
    hashes: Hashes,
}

impl<'t> Scan<'t> {
    pub(crate) fn new(trace: &'t Trace, power: Power) -> Self {
        Scan {
            trace,
            power,
            replay: Replay::new(trace.base.clone(), power),
            fed: 0,
            last: None,
            images: Vec::new(),
            by_raw: FxHashMap::default(),
            by_hash: FxHashMap::default(),
            met: Vec::new(),
            points: 0,
            hashes: Hashes::default(),
        }
    }

    /// Enumerates the images at a crash point; points come in ascending order. Images in `known`
    /// are reported without their disk.
    pub(crate) fn at(&mut self, point: usize, known: &FxHashSet<u128>) -> At {
        let events = self.trace.points[point].events;
        if let Some((before, at)) = &self.last
            && *before == events
        {
            return at.clone();
        }
        for event in &self.trace.events[self.fed..events] {
            self.replay.feed(event);
        }
        self.fed = events;
        let at = self.enumerate(known);
        self.last = Some((events, at.clone()));
        at
    }

    fn enumerate(&mut self, known: &FxHashSet<u128>) -> At {
        let Scan { replay, power, images, by_raw, by_hash, met, points, hashes, fed, .. } = self;
        *points += 1;
        let mut window = Window::new(replay, power.fill(), hashes);
        let mut bounds = power.bounds;
        // By the position in the trace: the samples do not depend on the thread that scans a point.
        bounds.seed ^= *fed as u64;
        let (mut raw, mut found) = (0, Vec::new());
        let exhaustive = enumerate(&mut window, &bounds, &mut |window| {
            raw += 1;
            let number = *by_raw.entry(window.raw).or_insert_with(|| {
                let hash = window.canonical();
                *by_hash.entry(hash).or_insert_with(|| {
                    let disk = (!known.contains(&hash)).then(|| window.disk());
                    images.push(Image { hash, disk });
                    met.push(0);
                    images.len() as u32 - 1
                })
            });
            if met[number as usize] != *points {
                met[number as usize] = *points;
                found.push(number);
            }
        });
        let pending = replay.pending.iter().filter(|pending| !pending.durable).count() as u32;
        At { pending, raw, exhaustive, images: found }
    }
}
