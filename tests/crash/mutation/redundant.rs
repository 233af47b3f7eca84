//! Syncs and orders whose loss no crash and no fault reveals, and the reasons to keep them.
//!
//! A sync is listed by operation, with its number among those of the same path in one run. Two steps that may be
//! exchanged are listed by the role of their paths: `staging` and other `records` of the store, the `log`, the `new`
//! and `old` sibling of a directory, a `generation`, the `root`, and the `target`.

/// A reason, and the mutants that it explains.
pub(crate) type Rows = &'static [(&'static str, &'static [&'static str])];

/// Syncs that can be left out, one at a time.
pub(crate) const SYNCS: Rows = &[
    (
        "the other sync of the records makes the epoch durable before the lock is gone; a lock that is back is broken again",
        &[
            "break-lock-decided: Operation sync-dir ws/.onionskin #0",
            "break-lock-decided: Operation sync-dir ws/.onionskin #1",
        ],
    ),
    (
        "the directory of records was durable before the log; with the durability `visible` it was not",
        &[
            "break-lock-decided: Recovery sync-dir ws #0",
            "in-place-new: Recovery sync-dir ws #0",
            "in-place-reshape: Recovery sync-dir ws #0",
            "in-place: Recovery sync-dir ws #0",
        ],
    ),
    (
        "two syncs of the records on both sides of the end of a log: either is enough",
        &[
            "break-lock-decided: Recovery sync-dir ws/.onionskin #1",
            "break-lock-decided: Recovery sync-dir ws/.onionskin #2",
            "break-lock-decided: Recovery sync-dir ws/.onionskin #3",
            "break-lock-decided: Recovery sync-dir ws/.onionskin #4",
            "in-place-new: Recovery sync-dir ws/.onionskin #1",
            "in-place-new: Recovery sync-dir ws/.onionskin #2",
            "in-place-reshape: Recovery sync-dir ws/.onionskin #1",
            "in-place-reshape: Recovery sync-dir ws/.onionskin #2",
            "in-place: Recovery sync-dir ws/.onionskin #1",
            "in-place: Recovery sync-dir ws/.onionskin #2",
            "materialize-database: Recovery sync-dir ws/.onionskin #1",
            "materialize-database: Recovery sync-dir ws/.onionskin #2",
        ],
    ),
    (
        "its owner synced it before the log got its name; one with the durability `visible` did not",
        &[
            "break-lock-decided: Recovery sync-file ws/.onionskin/tx-1/0 #0",
            "break-lock-decided: Recovery sync-file ws/.onionskin/tx-1/1 #0",
            "in-place-new: Recovery sync-file ws/.onionskin/tx-1/0 #0",
            "in-place-new: Recovery sync-file ws/.onionskin/tx-1/1 #0",
            "in-place-reshape: Recovery sync-file ws/.onionskin/tx-1/0 #0",
            "in-place-reshape: Recovery sync-file ws/.onionskin/tx-1/1 #0",
            "in-place: Recovery sync-file ws/.onionskin/tx-1/0 #0",
            "in-place: Recovery sync-file ws/.onionskin/tx-1/1 #0",
            "materialize-database: Recovery sync-file ws/.onionskin/tx-1/0 #0",
            "materialize-database: Recovery sync-file ws/.onionskin/tx-1/1 #0",
        ],
    ),
    (
        "a log that comes back after its staging is gone finds its digests in place; not so where content was renamed",
        &["in-place-new: Operation sync-dir ws/.onionskin #2", "in-place: Operation sync-dir ws/.onionskin #2"],
    ),
    (
        "content that was there before: its writer may not have synced it",
        &[
            "in-place-reshape: Operation sync-file ws/.onionskin/tx-1/1 #0",
            "swap-reshape: Operation sync-file ws/.onionskin/tx-1/1 #0",
        ],
    ),
    (
        "a loss of power ends the owner, too: a lock that is lost or torn then excludes no living owner",
        &[
            "lock-replace: Operation sync-dir ws/.onionskin #0",
            "lock-replace: Operation sync-file ws/.onionskin/lock-391887cbcf922e19 #0",
            "lock-replace: Recovery sync-dir ws/.onionskin #0",
            "lock-replace: Recovery sync-dir ws/.onionskin #1",
            "lock-replace: Recovery sync-dir ws/.onionskin #2",
            "lock-replace: Recovery sync-file ws/.onionskin/epoch-1 #0",
        ],
    ),
    (
        "the intent is durable by then, and distinguishes a completed switch from one that is not",
        &[
            "materialize-directory: Operation sync-dir ws/.onionskin #1",
            "materialize-directory: Operation sync-dir ws/.onionskin #3",
            "swap-reshape: Operation sync-dir ws/.onionskin #1",
            "swap-reshape: Operation sync-dir ws/.onionskin #3",
        ],
    ),
    (
        "the content that the log needs is in the sibling, and no longer in the staging",
        &[
            "materialize-directory: Operation sync-dir ws/.onionskin/tx-1 #1",
            "swap-reshape: Operation sync-dir ws/.onionskin/tx-1 #1",
        ],
    ),
    (
        "a switch is synced when it is made, and again before the log goes: either is enough unless a call fails \
         between, see `found`",
        &[
            "materialize-directory: Recovery sync-dir ws #0",
            "materialize-directory: Recovery sync-dir ws #2",
            "materialize-directory: Recovery sync-dir ws #4",
            "swap-reshape: Recovery sync-dir ws #0",
            "swap-reshape: Recovery sync-dir ws #2",
            "swap-reshape: Recovery sync-dir ws #4",
        ],
    ),
    (
        "there are no late entries here: with them it is needed, see `found`",
        &["swap-reshape: Recovery sync-dir ws/conv #0"],
    ),
    (
        "renames are seen as done or not done, and synced again before the sweep removes anything",
        &[
            "materialize-directory: Recovery sync-dir ws/.onionskin #0",
            "materialize-directory: Recovery sync-dir ws/.onionskin #1",
            "materialize-directory: Recovery sync-dir ws/.onionskin #2",
            "materialize-directory: Recovery sync-dir ws/.onionskin #3",
            "swap-reshape: Recovery sync-dir ws/.onionskin #1",
            "swap-reshape: Recovery sync-dir ws/.onionskin #2",
            "swap-reshape: Recovery sync-dir ws/.onionskin #3",
        ],
    ),
    (
        "a later sync of the same directory, or of the one below, comes before the link gets its place",
        &[
            "pointer: Operation sync-dir ws #0",
            "pointer: Operation sync-dir ws #1",
            "pointer: Operation sync-dir ws #3",
            "pointer: Operation sync-dir ws/.onionskin #1",
            "pointer: Operation sync-dir ws/.onionskin/directories #0",
            "pointer: Operation sync-dir ws/.onionskin/directories #1",
        ],
    ),
    (
        "a generation that comes back is known by the intent, and removed again",
        &[
            "pointer: Recovery sync-dir ws #1",
            "pointer: Recovery sync-dir ws/.onionskin #0",
            "pointer: Recovery sync-dir ws/.onionskin/directories #0",
            "pointer: Recovery sync-dir ws/.onionskin/directories #1",
            "pointer: Recovery sync-dir ws/.onionskin/directories/1 #0",
        ],
    ),
    (
        "a file leaves no log: this keeps a removed log of others from coming back",
        &["replace-absent: Recovery sync-dir ws/.onionskin #0", "replace: Recovery sync-dir ws/.onionskin #0"],
    ),
];

/// Steps that can be exchanged.
pub(crate) const ORDERS: Rows = &[
    (
        "a tree in preparation has no reader, and matters only once it is synced and named",
        &[
            "Operation link generation > generation | rename staging > generation",
            "Operation link target > new | make-dir new",
            "Operation make-dir generation | link generation > generation",
            "Operation make-dir generation | make-dir generation",
            "Operation make-dir new | create new",
            "Operation make-dir new | link target > new",
            "Operation make-dir new | make-dir new",
            "Operation make-dir new | rename staging > new",
            "Operation make-dir records | create staging",
            "Operation make-dir records | make-dir staging",
            "Operation make-dir staging | create staging",
            "Operation rename staging > generation | rename staging > generation",
            "Operation rename staging > new | rename staging > new",
            "Operation write staging | write staging",
        ],
    ),
    (
        "another sync of the same directory, or the log that is still there, covers it",
        &[
            "Operation link target > staging | sync-file staging",
            "Operation rename staging > generation | sync-dir generation",
            "Operation write staging | sync-file staging",
            "Recovery make-dir target | sync-file staging",
            "Recovery rename new > target | sync-dir root",
            "Recovery rename staging > target | sync-dir target",
            "Recovery rename staging > target | sync-file staging",
        ],
    ),
    (
        "steps of one decision: the log repeats the one that is missing",
        &[
            "Operation make-dir target | link staging > staging",
            "Operation make-dir target | make-dir target",
            "Operation rename staging > target | link staging > staging",
            "Recovery make-dir target | make-dir target",
            "Recovery make-dir target | remove-file staging",
            "Recovery remove-file target | make-dir target",
            "Recovery rename staging > target | remove-file staging",
        ],
    ),
    (
        "a removal that is lost is made again by the next open",
        &[
            "Operation remove-dir generation | sync-dir root",
            "Operation remove-file lock | sync-dir records",
            "Operation remove-file log | sync-dir records",
            "Operation remove-file staging | sync-dir records",
            "Operation remove-file staging | sync-dir root",
            "Recovery remove-dir generation | sync-dir root",
            "Recovery remove-dir staging | sync-dir root",
            "Recovery remove-dir staging | sync-dir target",
            "Recovery remove-file lock | sync-dir records",
            "Recovery remove-file log | sync-dir records",
            "Recovery remove-file staging | sync-file staging",
            "Recovery remove-file target | sync-file staging",
        ],
    ),
    (
        "content without a name is removed in any order: the next sweep finds the rest",
        &[
            "Operation remove-file generation | remove-dir generation",
            "Operation remove-file old | remove-dir old",
            "Operation remove-file staging | remove-dir staging",
            "Operation remove-file old | remove-file old",
            "Operation remove-file staging | remove-file staging",
            "Operation remove-file target | remove-file target",
            "Recovery remove-dir generation | remove-file generation",
            "Recovery remove-dir new | remove-file new",
            "Recovery remove-dir staging | remove-file staging",
            "Recovery remove-file generation | remove-file generation",
            "Recovery remove-file new | remove-dir new",
            "Recovery remove-file new | remove-file new",
            "Recovery remove-file old | remove-file old",
            "Recovery remove-file staging | remove-file staging",
            "Recovery remove-file target | remove-file staging",
            "Recovery remove-file target | remove-file target",
        ],
    ),
    (
        "nothing happens between two syncs; the step that both guard comes after them",
        &[
            "Operation sync-dir generation | sync-dir generation",
            "Operation sync-dir generation | sync-dir records",
            "Operation sync-dir new | sync-dir new",
            "Operation sync-dir new | sync-dir root",
            "Operation sync-dir records | sync-dir root",
            "Operation sync-dir staging | sync-dir records",
            "Operation sync-dir target | sync-dir root",
            "Operation sync-dir target | sync-dir target",
            "Operation sync-file epoch | sync-dir records",
            "Operation sync-file new | sync-dir new",
            "Operation sync-file staging | sync-dir records",
            "Operation sync-file staging | sync-dir staging",
            "Recovery sync-dir generation | sync-dir generation",
            "Recovery sync-dir generation | sync-dir root",
            "Recovery sync-dir records | sync-dir root",
            "Recovery sync-dir records | sync-dir target",
            "Recovery sync-dir records | sync-file staging",
            "Recovery sync-dir root | sync-dir generation",
            "Recovery sync-dir root | sync-dir records",
            "Recovery sync-dir root | sync-dir root",
            "Recovery sync-dir target | sync-dir root",
            "Recovery sync-dir target | sync-dir target",
            "Recovery sync-file epoch | sync-dir records",
        ],
    ),
    (
        "the sync guards a step after this one; leaving the sync out is tested on its own",
        &[
            "Operation sync-dir records | remove-file lock",
            "Operation sync-dir records | rename staging > log",
            "Operation sync-dir root | rename staging > log",
            "Operation sync-dir staging | create staging",
            "Operation sync-file new | create new",
            "Operation sync-file staging | create staging",
            "Operation sync-file staging | link staging > lock",
            "Recovery sync-dir generation | remove-dir generation",
            "Recovery sync-dir generation | remove-file generation",
            "Recovery sync-dir generation | remove-file staging",
            "Recovery sync-dir records | make-dir target",
            "Recovery sync-dir records | remove-dir staging",
            "Recovery sync-dir records | remove-file lock",
            "Recovery sync-dir root | remove-file log",
            "Recovery sync-dir records | remove-file staging",
            "Recovery sync-dir records | remove-file target",
            "Recovery sync-dir records | rename new > target",
            "Recovery sync-dir records | rename target > old",
            "Recovery sync-dir root | remove-dir new",
            "Recovery sync-dir root | remove-dir old",
            "Recovery sync-dir root | remove-file new",
            "Recovery sync-dir root | remove-file old",
            "Recovery sync-dir root | remove-file staging",
            "Recovery sync-file staging | link staging > staging",
        ],
    ),
    (
        "a question before the decision, about a file that is replaced: its second name is removed at once",
        &["Operation sync-dir root | link target > staging"],
    ),
    (
        "the sync is for entries that others add to a directory between its last reading and the renames of a recovery; \
         the scene has no others",
        &["Recovery rename target > old | sync-dir root", "Recovery sync-dir root | rename new > target"],
    ),
];
