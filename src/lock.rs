//! Ownership by lock file, and the takeover from a dead owner.
//!
//! WASI has no notion of processes or of their being alive, so a lock is never broken automatically. A
//! person, or a program that knows that the owner is dead, breaks it. That begins an *epoch*, by a file
//! `epoch-N` that is created exclusively and never reused. The file holds the digest of the log found at that
//! moment, or nothing. The next owner completes that decision; a decision that the old owner publishes
//! afterwards is set aside.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::control;
use crate::error::{CommitPhase, Error, ErrorKind};
use crate::exec::Executor;
use crate::fs::{Call, Cause, Fs};
use crate::journal::digest;
use crate::limits::TOKEN_BYTES_MAX;
use crate::path::{At, RelPath};
use crate::plan::Plan;
use crate::records::Records;
use crate::text::hex;

/// The mechanism that excludes a second owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The host excludes it.
    Host,
    /// A lock file that holds this token excludes it.
    LockFile(String),
}

/// The claim of an owner, checked again before every decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The token that the lock file must hold; `None` if the host excludes other owners.
    pub token: Option<String>,
    /// The epoch in which the owner began.
    pub epoch: u64,
}

/// Acquires the root, or returns the token of its owner in an error.
///
/// # Errors
///
/// [`ErrorKind::Locked`] with the token found, [`ErrorKind::InvalidArgument`] for an invalid token,
/// [`ErrorKind::NotCommitted`] if the filesystem fails.
pub fn acquire<F: Fs>(exec: &mut Executor<F>, records: &Records, options: &Ownership) -> Result<Claim, Error> {
    if let Some(holder) = holder(exec, records)? {
        return Err(Error::locked(&holder));
    }
    let token = match options {
        Ownership::Host => return Ok(Claim { token: None, epoch: records.epoch }),
        Ownership::LockFile(token) => checked(token)?,
    };
    let draft = control::entry(&format!("lock-{}", hex(&digest(token.as_bytes())[..8])));
    let lock = control::entry(control::LOCK);
    let mut plan = Plan::new();
    if !records.exists {
        plan.make_dir(&control::directory(), "the lock lives here");
    }
    if records.loose.iter().any(|name| name == draft.name()) {
        plan.remove_file(&draft, "left by this very owner when it died");
    }
    plan.create(&draft, "the token is complete before it is the lock");
    plan.write(&draft, token.as_bytes().into(), "who holds the root");
    plan.sync_file(&draft, "or a lock that says nothing could be left");
    plan.link(&draft, &lock, "fails when the lock is held");
    plan.decides();
    plan.remove_file(&draft, "the lock has its own name now");
    plan.sync_control("or the lock could vanish under its owner");
    let answer = match exec.run(plan) {
        Err(error) if cannot_link(&error) => exec.run(create_lock(&draft, &lock, token)),
        answer => answer,
    };
    match answer {
        Ok(_) => Ok(Claim { token: Some(token.to_string()), epoch: records.epoch }),
        Err(error) if error.cause() == Some(Cause::AlreadyExists) => {
            let now = Records::read(exec)?;
            Err(Error::locked(&holder(exec, &now)?.unwrap_or_default()))
        }
        Err(error) => {
            if error.phase() == CommitPhase::After {
                // The root has no owner with this token, and the file would exclude every other one.
                let mut plan = Plan::new();
                plan.remove_file(&lock, "the root is not ours after all");
                let _to_be_broken_when_it_stays = exec.run(plan);
            }
            Err(error)
        }
    }
}

/// Checks whether the error indicates a filesystem without hard links.
fn cannot_link(error: &Error) -> bool {
    error.call() == Some(Call::Link) && error.cause() != Some(Cause::AlreadyExists)
}

/// Creates the lock without a hard link. This is exclusive too, but a reader may see the lock file before its
/// token is written.
fn create_lock(draft: &RelPath, lock: &RelPath, token: &str) -> Plan {
    let mut plan = Plan::new();
    plan.remove_file(draft, "this filesystem has no hard links");
    plan.create(lock, "fails when the lock is held");
    plan.decides();
    plan.write(lock, token.as_bytes().into(), "who holds the root");
    plan.sync_file(lock, "or a lock that says nothing could be left");
    plan.sync_control("or the lock could vanish under its owner");
    plan
}

fn checked(token: &str) -> Result<&str, Error> {
    let good = !token.is_empty() && token.len() <= TOKEN_BYTES_MAX && token.bytes().all(|byte| byte.is_ascii_graphic());
    if good {
        Ok(token)
    } else {
        Err(Error::invalid_argument(token, "a token is 1 to 255 printable ASCII characters without spaces"))
    }
}

/// Returns the token in the lock file, if there is one.
///
/// # Errors
///
/// The filesystem's failures.
pub fn holder<F: Fs>(exec: &mut Executor<F>, records: &Records) -> Result<Option<String>, Error> {
    if !records.locked {
        return Ok(None);
    }
    let bytes = exec.read_start(&At::store(control::entry(control::LOCK)), TOKEN_BYTES_MAX)?;
    // A token written by this crate is ASCII.
    let letter = |byte: u8| if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER };
    Ok(Some(bytes.into_iter().map(letter).collect()))
}

/// Checks, just before a decision, that the root is still owned by this claim.
///
/// # Errors
///
/// [`ErrorKind::Locked`] if it is not.
pub fn check<F: Fs>(exec: &mut Executor<F>, claim: &Claim) -> Result<(), Error> {
    let Some(token) = &claim.token else { return Ok(()) };
    let now = Records::read(exec)?;
    let holder = holder(exec, &now)?.unwrap_or_default();
    if holder == *token && now.epoch == claim.epoch { Ok(()) } else { Err(Error::locked(&holder)) }
}

/// Returns the plan that releases the root.
pub fn release(claim: &Claim) -> Plan {
    let mut plan = Plan::new();
    if claim.token.is_some() {
        plan.remove_file(&control::entry(control::LOCK), "the root is free");
    }
    plan
}

/// Takes the root from an owner that is known to be dead.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] if there is no lock, [`ErrorKind::Locked`] if it holds another token or another
/// process is breaking it, [`ErrorKind::NotCommitted`] if the filesystem fails.
pub fn take_over<F: Fs>(exec: &mut Executor<F>, expected: &str) -> Result<(), Error> {
    let records = Records::read(exec)?;
    let lock = control::entry(control::LOCK);
    match holder(exec, &records)? {
        None => return Err(ErrorKind::NotFound.at(&lock)),
        Some(token) if token != expected => return Err(Error::locked(&token)),
        Some(_) => {}
    }
    let epoch = control::epoch(records.epoch + 1);
    let bytes = match records.log {
        Some(name) => hex(&exec.digest(&control::entry(name))?).into_bytes(),
        None => Vec::new(),
    };
    let mut plan = Plan::new();
    plan.create(&epoch, "one of those who break the lock at once gets it");
    plan.write(&epoch, bytes, "the decision that still counts");
    plan.sync_file(&epoch, "or the decision that counts could be forgotten");
    plan.sync_control("or the epoch could be used again");
    plan.remove_file(&lock, "the root is free");
    plan.decides();
    plan.sync_control("or the lock could come back");
    exec.run(plan).map_err(|error| match error.cause() {
        Some(Cause::AlreadyExists) => Error::locked(expected),
        _ => error,
    })
}

/// Checks whether a log may be completed: it is of the present epoch, or the takeover recorded its digest.
///
/// # Errors
///
/// The filesystem's failures.
pub fn may_decide<F: Fs>(exec: &mut Executor<F>, records: &Records, epoch: u64, log: &[u8]) -> Result<bool, Error> {
    if epoch == records.epoch {
        return Ok(true);
    }
    if epoch > records.epoch || records.epoch == 0 {
        return Ok(false);
    }
    let place = At::store(control::epoch(records.epoch));
    let allowed = exec.read_start(&place, 64)?;
    Ok(allowed == hex(&digest(log)).into_bytes())
}
