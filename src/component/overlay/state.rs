//! The overlays of this instance, opened when a program first asks for its directories.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};

use super::Component;
use super::bindings::exports::wasi::filesystem::preopens::{Descriptor, Guest};
use super::descriptor::Node;
use crate::component::wasi_fs::{WasiFs, preopens};
use crate::error::{Error, ErrorKind};
use crate::lock::Ownership;
use crate::overlay::Overlay;
use crate::overlay::layers::{Layered, is_part, layers};
use crate::workspace::{Options, Quota, Workspace};

/// One overlay, shared by all that have a descriptor open in it.
pub(super) type Shared = Rc<RefCell<Overlay<WasiFs>>>;

/// A value of an instance, which a single thread runs.
struct Once(OnceCell<Vec<(String, Shared)>>);

// SAFETY: the target has no threads, and the component shares no memory.
#[allow(unsafe_code)]
unsafe impl Sync for Once {}

static OVERLAYS: Once = Once(OnceCell::new());

impl Guest for Component {
    fn get_directories() -> Vec<(Descriptor, String)> {
        let overlays = OVERLAYS.0.get_or_init(|| open_all().unwrap_or_else(|message| refuse(&message)));
        let granted = wasi::filesystem::preopens::get_directories();
        let through = granted.into_iter().filter(|(_, name)| !is_part(name));
        let mut all: Vec<_> = through.map(|(dir, name)| (Descriptor::new(Node::Through(dir)), name)).collect();
        for (name, overlay) in overlays {
            let root = overlay.borrow_mut().root();
            all.push((Descriptor::new(Node::Layered(Rc::clone(overlay), root)), name.clone()));
        }
        all
    }
}

/// Opens the workspaces of all layered directories.
fn open_all() -> Result<Vec<(String, Shared)>, String> {
    let preopens = preopens();
    let names: Vec<&str> = preopens.entries.iter().map(|(name, _)| name.as_str()).collect();
    let mut overlays = Vec::new();
    for layered in layers(&names)? {
        let name = layered.name.clone();
        let overlay = open(&preopens, layered);
        let overlay = overlay.map_err(|error| format!("the directory {name} cannot be layered: {error}"))?;
        overlays.push((name, Rc::new(RefCell::new(overlay))));
    }
    Ok(overlays)
}

/// Opens the workspace of a layered directory, and creates it when there is none.
fn open(preopens: &crate::store::Preopens<WasiFs>, layered: Layered) -> Result<Overlay<WasiFs>, Error> {
    let Layered { upper, lowers, entries, .. } = layered;
    let quota = Quota { entries, ..Quota::default() };
    // The host that runs the programs ensures that one runs at a time: the names do not express ownership.
    let options = Options { upper, lowers, owner: Ownership::Host, quota, moved: false, trace: false };
    let workspace = match Workspace::open(WasiFs, preopens, &options) {
        Err(error) if error.kind() == ErrorKind::NotFound => Workspace::create(WasiFs, preopens, &options)?,
        answer => answer?,
    };
    Ok(Overlay::new(workspace))
}

/// Ends the program before it starts: without the directory that it was promised, it could only do something
/// other than it was asked to.
fn refuse(message: &str) -> ! {
    let line = format!("onionskin: {message}\n");
    let stderr = wasi::cli::stderr::get_stderr();
    for piece in line.as_bytes().chunks(4096) {
        let _nobody_else_to_tell = stderr.blocking_write_and_flush(piece);
    }
    wasi::cli::exit::exit(Err(()));
    core::arch::wasm32::unreachable()
}
