//! Owners by lock file.

use onionskin::error::{Error, ErrorKind};
use onionskin::lock::Ownership;
use onionskin::store::break_lock;
use onionskin::workspace::{Options, Workspace};

use super::super::files::refused;
use super::super::owners::{TOKEN, after_death};
use super::super::{FaultyFs, Operation};
use super::{Done, grants_of, options, power, reopen, written};

fn seize(faulty: &FaultyFs, token: &str) -> Done {
    break_lock(faulty.clone(), &grants_of(faulty), "/upper", token)
}

fn open_locked(faulty: &FaultyFs) -> Result<Workspace<FaultyFs>, Error> {
    let how = Options { owner: Ownership::LockFile(TOKEN.to_owned()), ..options("/upper") };
    Workspace::open(faulty.clone(), &grants_of(faulty), &how)
}

fn take_over(faulty: &FaultyFs) -> Done {
    after_death(|token| seize(faulty, token), || reopen(faulty))
}

pub(super) fn all() -> Vec<Operation> {
    let locked = |name, about, act| Operation { endless: true, reopen: take_over, ..power(name, about, written, act) };
    vec![
        locked("workspace-owner", "an owner by lock file writes and syncs", |faulty| {
            let mut workspace = open_locked(faulty)?;
            workspace.write("file", 2, b"NEW".to_vec())?;
            workspace.sync()
        }),
        locked("workspace-lost-owner", "an owner that lost the upper changes nothing", |faulty| {
            let mut workspace = open_locked(faulty)?;
            seize(faulty, TOKEN)?;
            let is_locked = |error: &Error| error.kind() == ErrorKind::Locked;
            refused(workspace.remove("own"), is_locked)?;
            refused(workspace.sync(), is_locked)
        }),
    ]
}
