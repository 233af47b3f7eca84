//! Operations of programs on a workspace through `wasi:filesystem`: `/upper` over `/top` and `/lower`, as in the module
//! of workspaces.

use onionskin::error::{Error, ErrorKind};
use onionskin::fs::Fs as _;
use onionskin::overlay::{Access, Code, OpenOptions, Overlay};

use super::workspaces::{Done, kept, killed, open, power, view, written};
use super::{FaultyFs, Operation};
use crate::model::Model;

pub(super) fn all() -> Vec<Operation> {
    let mut all = changes();
    all.extend(durable());
    all
}

const READ_WRITE: Access = Access { read: true, write: true };

/// Does something as a program does. Of a failure it hears a code alone: it may be done, or not.
fn run(faulty: &FaultyFs, act: impl FnOnce(&mut Overlay<FaultyFs>) -> Result<(), Code>) -> Done {
    let mut overlay = Overlay::new(open(faulty)?);
    // Of more there is no end of subsets, and nothing new in them.
    overlay.keep_spares(2);
    act(&mut overlay).map_err(|code| told(&code))
}

fn told(code: &Code) -> Error {
    ErrorKind::OutcomeUnknown.named("a program").because(format!("{code:?}"))
}

/// Writes into a file that is there.
fn write(faulty: &FaultyFs, path: &str, offset: u64, bytes: &[u8], sync: bool) -> Done {
    run(faulty, |overlay| {
        let root = overlay.root();
        let file = overlay.open_at(&root, path, OpenOptions { access: READ_WRITE, ..OpenOptions::default() })?;
        let taken = overlay.write(&file, offset, bytes)?;
        if taken < bytes.len() {
            overlay.write(&file, offset + taken as u64, &bytes[taken..])?;
        }
        if sync { overlay.sync(&file) } else { Ok(()) }
    })
}

/// Saves as editors do: another file, which then takes the name.
fn save(faulty: &FaultyFs, overlay: &mut Overlay<FaultyFs>, sync: bool) -> Result<(), Code> {
    let root = overlay.root();
    let how = OpenOptions { create: true, truncate: true, access: READ_WRITE, ..OpenOptions::default() };
    let draft = overlay.open_at(&root, "draft", how)?;
    let file = overlay.file_to_stream(&draft)?;
    let write = |offset, bytes: &[u8]| -> Result<(), Code> {
        let mut taken = 0;
        while taken < bytes.len() {
            taken += faulty.write(&file, offset + taken as u64, &bytes[taken..])?;
        }
        Ok(())
    };
    write(0, b"new ")?;
    overlay.sync(&draft)?;
    // Of this nobody is told but the filesystem.
    write(4, b"content")?;
    if sync {
        overlay.sync(&draft)?;
    }
    overlay.rename_at(&root, "draft", &root, "file")?;
    overlay.sync(&root)
}

fn link(faulty: &FaultyFs, old: &str, new: &str, sync: bool) -> Done {
    run(faulty, |overlay| {
        let root = overlay.root();
        overlay.link_at(&root, old, &root, new)?;
        if sync { overlay.sync(&root) } else { Ok(()) }
    })
}

/// The tree of the workspaces, regardless of the draft.
fn saves(found: &crate::Tree, stage: &crate::Tree) -> bool {
    let shown = |disk| view(disk).without(|path| path.ends_with("/draft") || path.ends_with("/.left"));
    shown(found) == shown(stage)
}

fn changes() -> Vec<Operation> {
    vec![
        killed("overlay-write", "a program writes an original", |faulty| write(faulty, "file", 2, b"NEW", false)),
        killed("overlay-write-own", "a program writes what it wrote before", |faulty| {
            write(faulty, "own", 2, b"x", false)
        }),
        Operation {
            models: &[Model::Process],
            ..power("overlay-write-kept", "a program writes what a checkpoint keeps", kept, |faulty| {
                write(faulty, "own", 0, b"M", false)
            })
        },
        killed("overlay-truncate", "a program makes an original empty", |faulty| {
            run(faulty, |overlay| {
                let root = overlay.root();
                let how = OpenOptions { truncate: true, access: READ_WRITE, ..OpenOptions::default() };
                overlay.open_at(&root, "file", how).map(drop)
            })
        }),
        killed("overlay-create", "a program makes a file", |faulty| {
            run(faulty, |overlay| {
                let root = overlay.root();
                let how = OpenOptions { create: true, exclusive: true, access: READ_WRITE, ..OpenOptions::default() };
                overlay.open_at(&root, "moved/more", how).map(drop)
            })
        }),
        killed("overlay-unlink-open", "a program removes what it has open, and goes on writing", |faulty| {
            run(faulty, |overlay| {
                let root = overlay.root();
                let how = OpenOptions { access: READ_WRITE, ..OpenOptions::default() };
                let file = overlay.open_at(&root, "file", how)?;
                overlay.unlink_file_at(&root, "file")?;
                overlay.write(&file, 0, b"unseen").map(drop)
            })
        }),
        killed("overlay-link", "a program gives its file a second name", |faulty| {
            link(faulty, "own", "moved/own", false)
        }),
        killed("overlay-link-original", "a program gives an original a second name", |faulty| {
            link(faulty, "file", "twin", false)
        }),
    ]
}

fn durable() -> Vec<Operation> {
    vec![
        power("overlay-sync", "a program writes an original, and syncs it", written, |faulty| {
            write(faulty, "file", 2, b"NEW", true)
        }),
        power("overlay-sync-own", "a program writes what it wrote before, and syncs it", written, |faulty| {
            write(faulty, "own", 0, b"M", true)
        }),
        power(
            "overlay-sync-link",
            "a program gives its file a second name, and syncs the directory",
            written,
            |faulty| link(faulty, "own", "moved/own", true),
        ),
        Operation {
            matches: saves,
            ..power(
                "overlay-save-twice",
                "a program saves, and once more in a file that was at hand",
                written,
                |faulty| {
                    run(faulty, |overlay| {
                        save(faulty, overlay, true)?;
                        save(faulty, overlay, false)
                    })
                },
            )
        },
        Operation {
            matches: saves,
            ..power("overlay-save", "a program saves, with every sync", written, |faulty| {
                run(faulty, |overlay| save(faulty, overlay, true))
            })
        },
        Operation {
            matches: saves,
            ..power("overlay-save-unsynced", "a program saves, and forgets to sync its draft", written, |faulty| {
                run(faulty, |overlay| save(faulty, overlay, false))
            })
        },
    ]
}
