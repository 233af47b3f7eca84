//! Two operations measured in turns, and their statistics.

use std::time::{Duration, Instant};

use crate::Result;

/// The times of two sides that ran in turns, each for one operation.
pub(crate) struct Pairs {
    ours: Vec<f64>,
    peer: Vec<f64>,
}

/// A ratio, and the quartiles of the ratios of the single pairs.
#[derive(Clone, Copy)]
pub(crate) struct Ratio {
    pub(crate) of_medians: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Pairs {
    /// Runs both sides in turns, after one pair that does not count. A side returns its time, so that it can exclude
    /// its preparation.
    pub(crate) fn run(
        count: usize,
        mut ours: impl FnMut() -> Result<Duration>,
        mut peer: impl FnMut() -> Result<Duration>,
    ) -> Result<Self> {
        ours()?;
        peer()?;
        let mut pairs = Self { ours: Vec::new(), peer: Vec::new() };
        for _ in 0..count {
            pairs.ours.push(ours()?.as_secs_f64());
            pairs.peer.push(peer()?.as_secs_f64());
        }
        Ok(pairs)
    }

    /// Returns our median, in seconds.
    pub(crate) fn ours(&self) -> f64 {
        quantile(&self.ours, 0.5)
    }

    /// Returns the median of the peer, in seconds.
    pub(crate) fn peer(&self) -> f64 {
        quantile(&self.peer, 0.5)
    }

    pub(crate) fn ratio(&self) -> Ratio {
        let ratios: Vec<f64> = self.ours.iter().zip(&self.peer).map(|(ours, peer)| ours / peer).collect();
        Ratio { of_medians: self.ours() / self.peer(), low: quantile(&ratios, 0.25), high: quantile(&ratios, 0.75) }
    }

    pub(crate) fn count(&self) -> usize {
        self.ours.len()
    }
}

/// Returns the average time of `count` operations that run together, because a single one is too short.
pub(crate) fn each(count: u32, mut operation: impl FnMut() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..count {
        operation()?;
    }
    Ok(start.elapsed() / count)
}

/// Returns the quantile of sorted values, interpolated between neighbours.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = part * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}
