//! Changes of the merged tree, one by one and synced.

use onionskin::error::{Error, ErrorKind};
use onionskin::workspace::{Options, Quota, Workspace};

use super::super::files::refused;
use super::super::{FaultyFs, Operation};
use super::{
    Done, create, grants_of, kept, killed, linked, lowers, open, options, power, shows_between, shows_renamed, torn,
    written,
};
use crate::model::Model;

pub(super) fn all() -> Vec<Operation> {
    let mut all = changes();
    all.extend(durable());
    all
}

fn changes() -> Vec<Operation> {
    vec![
        killed("workspace-write", "an original is written: it gets a copy", |faulty| {
            open(faulty)?.write("file", 2, b"NEW".to_vec())
        }),
        killed("workspace-write-own", "a file of one's own is written in place", |faulty| {
            open(faulty)?.write("own", 2, b"longer".to_vec())
        }),
        killed("workspace-append", "bytes are added to an original", |faulty| {
            open(faulty)?.append("file", b" and more".to_vec()).map(drop)
        }),
        killed("workspace-truncate", "an original is made empty", |faulty| open(faulty)?.set_size("file", 0)),
        killed("workspace-extend", "a file of one's own gets longer", |faulty| open(faulty)?.set_size("own", 9)),
        killed("workspace-put", "a file gets other content", |faulty| open(faulty)?.put("own", b"other".to_vec())),
        killed("workspace-put-draft", "a file gets other content, in pieces", |faulty| {
            let mut workspace = open(faulty)?;
            let draft = workspace.draft(None, b"first, ".to_vec())?;
            workspace.draft(Some(draft), b"second".to_vec())?;
            workspace.put_draft(draft, "file")
        }),
        killed("workspace-draft-refused", "a draft that finds no place", |faulty| {
            let mut workspace = open(faulty)?;
            let draft = workspace.draft(None, b"nowhere".to_vec())?;
            refused(workspace.put_draft(draft, "missing/file"), |error| error.kind() == ErrorKind::NotFound)
        }),
        killed("workspace-quota", "a limit is remembered", |faulty| {
            open(faulty)?.set_quota(Quota { bytes: Some(1 << 20), entries: None })
        }),
        killed("workspace-new", "a new file", |faulty| open(faulty)?.write("moved/gap", 3, b"gap".to_vec())),
        killed("workspace-directory", "a directory over a deleted one", |faulty| open(faulty)?.make_directory("deep")),
        killed("workspace-link", "a symbolic link", |faulty| open(faulty)?.make_symlink("own", "to-own")),
        killed("workspace-remove", "an original is removed", |faulty| open(faulty)?.remove("link")),
        killed("workspace-remove-own", "a file of one's own is removed", |faulty| open(faulty)?.remove("own")),
        killed("workspace-remove-tree", "a directory is removed with what was written in it", |faulty| {
            open(faulty)?.remove_tree("moved").map(drop)
        }),
        killed("workspace-rename", "a file of one's own takes the name of an original", |faulty| {
            open(faulty)?.rename("own", "file")
        }),
        killed("workspace-rename-directory", "a directory with what was written in it", |faulty| {
            open(faulty)?.rename("moved", "deep")
        }),
        killed("workspace-rename-home", "a directory goes back where it came from", |faulty| {
            open(faulty)?.rename("moved", "dir")
        }),
        Operation {
            models: &[Model::Process],
            ..power("workspace-write-kept", "a file that a checkpoint keeps is written", kept, |faulty| {
                open(faulty)?.write("moved/new", 0, b"N".to_vec())
            })
        },
        killed("workspace-full", "a quota refuses a change", |faulty| {
            let quota = Quota { bytes: Some(20), entries: Some(3) };
            let how = Options { quota, ..options("/upper") };
            let mut workspace = Workspace::open(faulty.clone(), &grants_of(faulty), &how)?;
            let is_over = |error: &Error| error.kind() == ErrorKind::LimitExceeded;
            refused(workspace.write("own", 4, vec![0; 64]), is_over)?;
            refused(workspace.make_directory("fourth"), is_over)
        }),
    ]
}

pub(super) fn many(faulty: &FaultyFs) -> Done {
    let mut workspace = open(faulty)?;
    workspace.write("fresh", 0, b"fresh".to_vec())?;
    workspace.write("own", 1, b"INE".to_vec())?;
    workspace.remove("link")?;
    workspace.write("tmp", 0, b"whole".to_vec())?;
    workspace.rename("tmp", "file")?;
    workspace.sync()
}

fn durable() -> Vec<Operation> {
    vec![
        power("workspace-create", "a workspace", lowers, |faulty| create(faulty).map(drop)),
        power("workspace-copy-up", "an original is written, and synced", written, |faulty| {
            let mut workspace = open(faulty)?;
            workspace.write("file", 2, b"NEW".to_vec())?;
            workspace.sync()
        }),
        power("workspace-sync-put", "an original gets other content, synced", written, |faulty| {
            let mut workspace = open(faulty)?;
            workspace.put("moved/x", b"other".to_vec())?;
            workspace.sync()
        }),
        power("workspace-sync-rename", "a directory gets another name, synced", written, |faulty| {
            let mut workspace = open(faulty)?;
            workspace.rename("moved", "deep")?;
            workspace.sync()
        }),
        power("workspace-sync-remove", "an own file is removed, and its space given back", written, |faulty| {
            let mut workspace = open(faulty)?;
            workspace.remove("own")?;
            workspace.sync()
        }),
        Operation {
            matches: shows_between,
            ..power("workspace-sync", "changes of all sorts, synced together", written, many)
        },
        Operation {
            // The writes have many pages, and other operations explore their order.
            models: &[Model::Process],
            matches: shows_renamed,
            ..power("workspace-compact", "a map that has grown is written anew", linked, |faulty| {
                let mut workspace = open(faulty)?;
                // Each is one record that repeats all links; the states between are those at the ends.
                for (old, new) in [("many", "else"), ("else", "many"), ("many", "else")] {
                    workspace.rename(old, new)?;
                }
                workspace.sync()
            })
        },
        power("workspace-torn", "a map whose last record was torn", torn, |faulty| open(faulty).map(drop)),
    ]
}
