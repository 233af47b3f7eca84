//! Calls that go wrong on purpose.

use onionskin::fs::Cause;

use super::call::Verb;

/// Which call is meant. Numbers start at 0 and count from the last [`super::SimFs::restart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// The call with this number among all calls.
    Call(u32),
    /// The call with this number among those that change something.
    Mutation(u32),
    /// The call with this number among the syncs of files and directories.
    Sync(u32),
}

/// The fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Harm {
    /// The call fails and has no effect.
    Fail(Cause),
    /// The call takes effect, and the caller gets an error.
    FailLate(Cause),
    /// A write takes about half of the bytes. Nothing happens to any other call.
    ShortWrite,
    /// A sync of a file fails with `Io`, and the pending writes of that file are dropped for ever. A sync of a
    /// directory only fails. Other calls are not affected.
    LoseSync,
    /// A sync does nothing and reports success. Nothing happens to any other call.
    SkipSync,
    /// The disk is full: a call that needs space fails with `InsufficientSpace`. Other calls are not affected.
    Full,
    /// The process is dead: this call and every later one fail with `Io`.
    Die,
}

/// A harm, and the call it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The call.
    pub when: When,
    /// The fault of the call.
    pub harm: Harm,
    /// Whether every later call suffers the same.
    pub sticky: bool,
}

impl Fault {
    /// A fault that comes once.
    #[must_use]
    pub fn once(when: When, harm: Harm) -> Self {
        Fault { when, harm, sticky: false }
    }

    /// A fault that comes and stays.
    #[must_use]
    pub fn sticky(when: When, harm: Harm) -> Self {
        Fault { when, harm, sticky: true }
    }
}

/// How many calls there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All calls.
    pub calls: u32,
    /// Calls that change something.
    pub mutations: u32,
    /// Syncs of files and directories.
    pub syncs: u32,
}

/// How a call is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Plain,
    Late(Cause),
    Short,
    Lose,
    Skip,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) list: Vec<Fault>,
    pub(crate) counts: Counts,
    pub(crate) fired: u32,
    pub(crate) dead: bool,
}

impl Faults {
    /// Removes all faults; the counts stay.
    pub(crate) fn heal(&mut self) {
        self.list.clear();
        self.dead = false;
    }

    /// Counts a call and returns its fault.
    pub(crate) fn admit(&mut self, verb: Verb) -> Result<Pass, Cause> {
        let counts = self.counts;
        self.counts.calls += 1;
        self.counts.mutations += u32::from(verb.mutates());
        self.counts.syncs += u32::from(verb.syncs());
        if self.dead {
            return Err(Cause::Io);
        }
        for fault in &self.list {
            let (number, of) = match fault.when {
                When::Call(number) => (number, Some(counts.calls)),
                When::Mutation(number) => (number, verb.mutates().then_some(counts.mutations)),
                When::Sync(number) => (number, verb.syncs().then_some(counts.syncs)),
            };
            let Some(of) = of else { continue };
            if of != number && !(fault.sticky && of > number) {
                continue;
            }
            let pass = match fault.harm {
                Harm::Fail(cause) => Err(cause),
                Harm::FailLate(cause) => Ok(Pass::Late(cause)),
                Harm::ShortWrite if verb == Verb::Write => Ok(Pass::Short),
                Harm::LoseSync if verb == Verb::SyncFile => Ok(Pass::Lose),
                Harm::LoseSync if verb == Verb::SyncDir => Err(Cause::Io),
                Harm::SkipSync if verb.syncs() => Ok(Pass::Skip),
                Harm::Full if verb.needs_room() => Err(Cause::InsufficientSpace),
                Harm::Die => {
                    self.dead = true;
                    Err(Cause::Io)
                }
                Harm::ShortWrite | Harm::LoseSync | Harm::SkipSync | Harm::Full => continue,
            };
            self.fired += 1;
            return pass;
        }
        Ok(Pass::Plain)
    }
}
