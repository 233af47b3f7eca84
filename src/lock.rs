//! Ownership by lock file, and the takeover from a dead owner.
//!
//! WASI knows neither processes nor whether one is alive, so a lock is never broken by itself. A
//! person, or a program that knows the owner is dead, breaks it: that begins an *epoch*, by a file
//! `epoch-N` which is created exclusively and never reused. It holds the digest of the log that was
//! there at that moment, or nothing: that decision is completed by the next owner, and one that
//! the old owner may still publish afterwards is set aside.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::control::{self, Control};
use crate::error::{Error, ErrorKind, Side};
use crate::exec::Exec;
use crate::fs::{Cause, Fs};
use crate::journal::digest;
use crate::limits::TOKEN_BYTES_MAX;
use crate::path::RelPath;
use crate::plan::{At, Plan};
use crate::recover::survey::file_digest;
use crate::text::hex;

/// Who keeps a second owner out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The host does.
    Host,
    /// A lock file that holds this token.
    LockFile(String),
}

/// An owner's claim, to be checked again before it decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What the lock file must hold; nothing when the host keeps others out.
    pub token: Option<String>,
    /// The epoch the owner began in.
    pub epoch: u64,
}

/// Takes the root, or says who holds it.
///
/// # Errors
/// [`ErrorKind::Locked`] with the token found, [`ErrorKind::InvalidArgument`] for a token that cannot be
/// one, [`ErrorKind::NotCommitted`] when the filesystem fails.
pub fn acquire<F: Fs>(exec: &mut Exec<F>, control: &Control, how: &Ownership) -> Result<Claim, Error> {
    if let Some(holder) = holder(exec, control)? {
        return Err(ErrorKind::Locked.of(&holder));
    }
    let token = match how {
        Ownership::Host => return Ok(Claim { token: None, epoch: control.epoch }),
        Ownership::LockFile(token) => checked(token)?,
    };
    let draft = control::entry(&format!("lock-{}", hex(&digest(token.as_bytes())[..8])));
    let lock = control::entry(control::LOCK);
    let mut plan = Plan::new();
    if !control.exists {
        plan.make_dir(&control::directory(), "the lock lives here");
    }
    if control.loose.iter().any(|name| name == draft.name()) {
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
        Ok(_) => Ok(Claim { token: Some(token.to_string()), epoch: control.epoch }),
        Err(error) if error.cause() == Some(Cause::AlreadyExists) => {
            let now = Control::read(exec)?;
            Err(ErrorKind::Locked.of(&holder(exec, &now)?.unwrap_or_default()))
        }
        Err(error) => {
            if error.side() == Side::After {
                // Nobody owns the root with it: it would only keep everybody out.
                let mut plan = Plan::new();
                plan.remove_file(&lock, "the root is not ours after all");
                let _to_be_broken_when_it_stays = exec.run(plan);
            }
            Err(error)
        }
    }
}

/// Whether the filesystem has no hard links, as far as its answer tells.
fn cannot_link(error: &Error) -> bool {
    error.action() == "link" && error.cause() != Some(Cause::AlreadyExists)
}

/// The lock without a hard link: exclusive too, but a reader may catch it before its token is in it.
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

/// The token in the lock file, if there is one.
///
/// # Errors
/// The filesystem's failures.
pub fn holder<F: Fs>(exec: &mut Exec<F>, control: &Control) -> Result<Option<String>, Error> {
    if !control.locked {
        return Ok(None);
    }
    let bytes = exec.read_start(&At::store(control::entry(control::LOCK)), TOKEN_BYTES_MAX)?;
    // As we write it, it is ASCII.
    let letter = |byte: u8| if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER };
    Ok(Some(bytes.into_iter().map(letter).collect()))
}

/// Checks, just before a decision, that the root is still ours.
///
/// # Errors
/// [`ErrorKind::Locked`] when it is not.
pub fn check<F: Fs>(exec: &mut Exec<F>, claim: &Claim) -> Result<(), Error> {
    let Some(token) = &claim.token else { return Ok(()) };
    let now = Control::read(exec)?;
    let holder = holder(exec, &now)?.unwrap_or_default();
    if holder == *token && now.epoch == claim.epoch { Ok(()) } else { Err(ErrorKind::Locked.of(&holder)) }
}

/// The plan that gives the root back.
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
/// [`ErrorKind::NotFound`] when there is no lock, [`ErrorKind::Locked`] when it holds another token or when
/// somebody else is breaking it, [`ErrorKind::NotCommitted`] when the filesystem fails.
pub fn take_over<F: Fs>(exec: &mut Exec<F>, expected: &str) -> Result<(), Error> {
    let control = Control::read(exec)?;
    let lock = control::entry(control::LOCK);
    match holder(exec, &control)? {
        None => return Err(ErrorKind::NotFound.at(&lock)),
        Some(token) if token != expected => return Err(ErrorKind::Locked.of(&token)),
        Some(_) => {}
    }
    let epoch = control::epoch(control.epoch + 1);
    let bytes = match control.log {
        Some(name) => hex(&file_digest(exec, &control::entry(name))?).into_bytes(),
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
        Some(Cause::AlreadyExists) => ErrorKind::Locked.of(expected),
        _ => error,
    })
}

/// Whether a log may be completed: one of the present epoch, or the one that the takeover found.
///
/// # Errors
/// The filesystem's failures.
pub fn may_decide<F: Fs>(exec: &mut Exec<F>, control: &Control, epoch: u64, log: &[u8]) -> Result<bool, Error> {
    if epoch == control.epoch {
        return Ok(true);
    }
    if epoch > control.epoch || control.epoch == 0 {
        return Ok(false);
    }
    let place = At::store(control::epoch(control.epoch));
    let allowed = exec.read_start(&place, 64)?;
    Ok(allowed == hex(&digest(log)).into_bytes())
}
