//! Calls that are refused from some moment on: the world has changed, and every later process finds it so.

use onionskin::fs::Cause;

use super::call::{Place, Verb};

/// Every call of one kind on one path is refused, with one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The refused kind of call.
    pub verb: Verb,
    /// The refused path, as a [`Call`](super::Call) prints it; of a rename or link, either of its two.
    pub path: String,
    /// The answer.
    pub cause: Cause,
    /// How many calls of this process come before the first that can be refused.
    pub after: u32,
}

/// The obstacles of a filesystem.
#[derive(Clone, Debug, Default)]
pub(crate) struct Obstacles {
    pub(crate) list: Vec<Obstacle>,
    /// How many calls they refused.
    pub(crate) met: u32,
}

impl Obstacles {
    /// Returns the answer of the first obstacle in the way of a call.
    pub(crate) fn refuse(&mut self, calls: usize, verb: Verb, place: &Place, to: Option<&Place>) -> Result<(), Cause> {
        let here = |path: &str| place.to_string() == path || to.is_some_and(|to| to.to_string() == path);
        let stands = |one: &&Obstacle| one.verb == verb && calls >= one.after as usize && here(&one.path);
        let Some(cause) = self.list.iter().find(stands).map(|obstacle| obstacle.cause) else { return Ok(()) };
        self.met += 1;
        Err(cause)
    }
}
