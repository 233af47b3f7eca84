//! The simulated filesystem as a program sees it.

mod call;
mod data;
mod fault;
mod handle;
mod lstat;
mod monitor;
mod names;
mod node;
mod obstacle;
mod path;
mod powers;
mod rights;
mod setup;
mod state;
mod storage;
mod switches;

use std::cell::RefCell;
use std::rc::Rc;

pub use call::{Call, Place, Verb};
pub use data::FILE_BYTES_MAX;
use fault::Pass;
pub use fault::{Counts, Fault, Harm, When};
pub use handle::{Dir, File};
pub use lstat::Lstat;
pub(crate) use lstat::{Listing, first_other_mode};
pub use monitor::{Intrusion, Trespass};
pub use node::{Found, NodeStat, OpenOptions, Stamp};
pub use obstacle::Obstacle;
pub use path::LINKS_FOLLOWED_MAX;
pub use rights::{Rights, SETGID, STICKY, Seal};
pub use state::NAME_BYTES_MAX;
use state::State;
pub use switches::Switches;

use onionskin::fs::Cause;

use crate::disk::{Disk, ROOT};
use crate::images::Images;
use crate::model::{Model, Power};
use crate::op::Trace;
use crate::tree::Tree;

/// A filesystem in memory that can lose power.
///
/// A value is a handle: clones lead to the same filesystem. It is bound to one thread; a [`Disk`] and a [`Recording`]
/// can be passed between threads.
#[derive(Clone, Debug)]
pub struct SimFs {
    state: Rc<RefCell<State>>,
}

/// The recording of a run: the events on the disk, and the calls that caused them.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The disk at the start and everything since.
    pub trace: Trace,
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// The forbidden accesses of the run.
    pub intrusions: Vec<Intrusion>,
    /// The crash point at each acknowledgement, and the disk that was visible then.
    pub acknowledged: Vec<(usize, Disk)>,
    /// The visible state at the end.
    pub visible: Disk,
}

impl Recording {
    /// The call before a crash point, or nothing for the first.
    #[must_use]
    pub fn call_before(&self, point: usize) -> Option<&Call> {
        let call = self.trace.points[point].call?;
        self.calls.get(call as usize)
    }
}

impl Default for SimFs {
    fn default() -> Self {
        Self::new()
    }
}

impl SimFs {
    /// An empty filesystem.
    #[must_use]
    pub fn new() -> Self {
        Self::mount(Disk::new(), Switches::default())
    }

    /// An empty filesystem that behaves as the switches say.
    #[must_use]
    pub fn with_switches(switches: Switches) -> Self {
        Self::mount(Disk::new(), switches)
    }

    /// A filesystem with a tree on it, all of it durable.
    #[must_use]
    pub fn holding(tree: &Tree) -> Self {
        Self::mount(tree.to_disk(), Switches::default())
    }

    /// The filesystem on a disk that was at rest, as after a reboot. Whether case is ignored must
    /// not have changed since the disk was made.
    #[must_use]
    pub fn mount(disk: Disk, switches: Switches) -> Self {
        let trace = Trace::new(disk.clone());
        SimFs { state: Rc::new(RefCell::new(State::new(disk, trace, switches))) }
    }

    /// Returns the filesystem after a process was killed at a crash point: everything is visible, and unsynced
    /// operations are still pending.
    #[must_use]
    pub fn resume(trace: &Trace, point: usize, switches: Switches) -> Self {
        let visible = trace.visible(point);
        let state = State::new(visible, trace.until(point), switches);
        SimFs { state: Rc::new(RefCell::new(state)) }
    }

    /// The root directory, open for change.
    #[must_use]
    pub fn root(&self) -> Dir {
        Dir { ino: ROOT, path: "".into(), writable: true }
    }

    /// How this filesystem behaves.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.state.borrow().switches
    }

    /// Returns the visible tree.
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::of(&self.state.borrow().disk)
    }

    /// Returns the visible state as a disk.
    #[must_use]
    pub fn disk(&self) -> Disk {
        self.state.borrow().disk.compact()
    }

    /// Declares everything visible durable, as after an orderly shutdown, and forgets how it came
    /// to be.
    pub fn settle(&self) {
        self.state.borrow_mut().settle();
    }

    /// Begins the life of another process: calls are counted from 0, no fault is left, and every inode counts as older
    /// than the process. Unsynced operations stay pending.
    pub fn restart(&self) {
        let mut state = self.state.borrow_mut();
        let own = std::mem::take(&mut state.monitor.own);
        let obstacles = std::mem::take(&mut state.obstacles.list);
        let trace = state.trace.clone();
        *state = State::new(state.disk.clone(), trace, state.switches);
        let here = state.trace.points.last().expect("there is a first point").events;
        state.trace.points = vec![crate::op::Point { events: here, call: None }];
        state.monitor.own = own;
        state.obstacles.list = obstacles.into_iter().map(|obstacle| Obstacle { after: 0, ..obstacle }).collect();
    }

    /// Marks the acknowledgement of the operation to its caller. From here on a crash must not undo the visible state.
    pub fn acknowledge(&self) {
        let mut state = self.state.borrow_mut();
        let point = state.trace.points.len() - 1;
        let disk = state.disk.clone();
        state.acknowledged.push((point, disk));
    }

    /// Adds a fault. Of several that meet one call the first counts.
    pub fn harm(&self, fault: Fault) {
        self.state.borrow_mut().faults.list.push(fault);
    }

    /// Puts an obstacle in the way. It stays through a [`SimFs::restart`], and then
    /// stands from the first call.
    pub fn obstruct(&self, obstacle: Obstacle) {
        self.state.borrow_mut().obstacles.list.push(obstacle);
    }

    /// Takes all obstacles away.
    pub fn clear(&self) {
        self.state.borrow_mut().obstacles.list.clear();
    }

    /// How many calls of this process an obstacle refused.
    #[must_use]
    pub fn obstructed(&self) -> u32 {
        self.state.borrow().obstacles.met
    }

    /// Takes all faults away, and lets a dead process live again.
    pub fn heal(&self) {
        self.state.borrow_mut().faults.heal();
    }

    /// Whether a fault has ended the process. A host over this filesystem ends its guest then.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state.borrow().faults.dead
    }

    /// How often a fault was at work.
    #[must_use]
    pub fn harmed(&self) -> u32 {
        self.state.borrow().faults.fired
    }

    /// How many calls there were.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.borrow().faults.counts
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state.borrow().calls.clone()
    }

    /// Returns the forbidden accesses.
    #[must_use]
    pub fn intrusions(&self) -> Vec<Intrusion> {
        self.state.borrow().monitor.intrusions.clone()
    }

    /// Lets files below a path be written in place: upper files of one's own.
    pub fn own(&self, path: &str) {
        self.state.borrow_mut().monitor.own.push(path.to_owned());
    }

    /// Returns the events so far.
    #[must_use]
    pub fn recording(&self) -> Recording {
        let state = self.state.borrow();
        Recording {
            trace: state.trace.clone(),
            calls: state.calls.clone(),
            intrusions: state.monitor.intrusions.clone(),
            acknowledged: state.acknowledged.clone(),
            visible: state.disk.clone(),
        }
    }

    /// Every state that a loss of power at this moment can leave behind.
    #[must_use]
    pub fn images(&self, model: Model) -> Images {
        self.images_with(&Power::new(model))
    }

    /// Every state that a loss of power at this moment can leave behind, with torn writes and
    /// garbage as wanted.
    #[must_use]
    pub fn images_with(&self, power: &Power) -> Images {
        let state = self.state.borrow();
        Images::at(&state.trace, state.trace.points.len() - 1, power)
    }

    fn call<T>(
        &self,
        verb: Verb,
        place: Place,
        to: Option<Place>,
        act: impl FnOnce(&mut State, Pass) -> Result<T, Cause>,
    ) -> Result<T, Cause> {
        self.state.borrow_mut().call(verb, place, to, act)
    }
}
