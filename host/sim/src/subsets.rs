//! Which subsets of the pending operations are tried.

use crate::model::Bounds;
use crate::window::Window;

/// Explores subsets of a window, calling `each` with each of them included. Returns whether all closed subsets were
/// explored.
pub(crate) fn enumerate(window: &mut Window<'_>, bounds: &Bounds, each: &mut impl FnMut(&mut Window<'_>)) -> bool {
    let free = window.steps.iter().filter(|step| !step.forced).count();
    let few =
        free <= bounds.exhaustive_ops as usize || count(window, bounds.exhaustive_subsets) <= bounds.exhaustive_subsets;
    let mut included = vec![false; window.steps.len()];
    if few {
        all(window, 0, &mut included, each);
    } else {
        some(window, bounds, &mut included, each);
    }
    few
}

fn closed(window: &Window<'_>, step: usize, included: &[bool]) -> bool {
    window.steps[step].needs.iter().all(|need| included[*need as usize])
}

fn all(window: &mut Window<'_>, step: usize, included: &mut [bool], each: &mut impl FnMut(&mut Window<'_>)) {
    if step == included.len() {
        each(window);
        return;
    }
    if !window.steps[step].forced {
        all(window, step + 1, included, each);
    }
    if closed(window, step, included) {
        let mark = window.mark();
        included[step] = true;
        window.include(step);
        all(window, step + 1, included, each);
        window.undo(mark);
        included[step] = false;
    }
}

/// How many closed subsets there are, or more than `most` if there are more.
fn count(window: &Window<'_>, most: u64) -> u64 {
    fn below(window: &Window<'_>, step: usize, included: &mut [bool], left: u64) -> u64 {
        if step == included.len() {
            return 1;
        }
        let mut found = 0;
        if !window.steps[step].forced {
            found += below(window, step + 1, included, left);
        }
        if found <= left && closed(window, step, included) {
            included[step] = true;
            found += below(window, step + 1, included, left - found);
            included[step] = false;
        }
        found
    }
    below(window, 0, &mut vec![false; window.steps.len()], most)
}

fn some(window: &mut Window<'_>, bounds: &Bounds, included: &mut [bool], each: &mut impl FnMut(&mut Window<'_>)) {
    let count = included.len();
    for end in 0..=count {
        try_one(window, included, |step| step < end, each);
    }
    for first in 0..count {
        for second in first..count {
            try_one(window, included, |step| step != first && step != second, each);
        }
    }
    let triples = count <= bounds.triples_ops as usize;
    for first in 0..count {
        for second in first..count {
            let last = if triples { count } else { second + 1 };
            for third in second..last {
                let wanted = with_needs(window, &[first, second, third]);
                try_one(window, included, |step| wanted[step], each);
            }
        }
    }
    let mut random = fastrand::Rng::with_seed(bounds.seed);
    for _ in 0..bounds.samples {
        let share = random.f64();
        let wanted: Vec<bool> = (0..count).map(|_| random.f64() < share).collect();
        try_one(window, included, |step| wanted[step], each);
    }
}

/// Tries the wanted operations, but for those that need one that is missing.
fn try_one(
    window: &mut Window<'_>,
    included: &mut [bool],
    wanted: impl Fn(usize) -> bool,
    each: &mut impl FnMut(&mut Window<'_>),
) {
    let mark = window.mark();
    for step in 0..included.len() {
        let taken = window.steps[step].forced || wanted(step);
        included[step] = taken && closed(window, step, included);
        if included[step] {
            window.include(step);
        }
    }
    each(window);
    window.undo(mark);
    included.fill(false);
}

fn with_needs(window: &Window<'_>, chosen: &[usize]) -> Vec<bool> {
    let mut wanted = vec![false; window.steps.len()];
    for step in chosen {
        wanted[*step] = true;
    }
    for step in (0..wanted.len()).rev() {
        if wanted[step] {
            for need in &window.steps[step].needs {
                wanted[*need as usize] = true;
            }
        }
    }
    wanted
}
