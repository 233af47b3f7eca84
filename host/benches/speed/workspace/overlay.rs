//! The same small operations on a workspace and on an overlay that the system mounts.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use onionskin_host::Workspace;

use super::{Ground, fill, large, names};
use crate::pairs::Pairs;
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

/// The number of files of the lower, and of those that one run uses.
const FILES: usize = 10_000;
const SOME: usize = 1_000;
const LENGTH: usize = 1 << 10;
const DIRECTORY: &str = "files";
const LARGE: &str = "large";
const LARGE_BYTES: u64 = 64 << 20;

/// The overlay that layers one directory over another.
#[derive(Clone, Copy)]
enum Kind {
    Kernel,
    /// The kernel, with a record of the origin of a renamed directory.
    Redirecting,
    Fuse,
}

/// An operation on some files.
struct Task {
    what: &'static str,
    target: Target,
    ours: fn(&mut Workspace) -> Result<()>,
    peer: fn(&Path) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        what: "stat 1,000 files",
        target: Target::Ratio(10.0),
        ours: |workspace| {
            some(|name| {
                workspace.stat(name)?;
                Ok(())
            })
        },
        peer: |root| {
            some(|name| {
                fs::symlink_metadata(root.join(name))?;
                Ok(())
            })
        },
    },
    Task {
        what: "list a directory of 1,000",
        target: Target::Ratio(10.0),
        ours: |workspace| counted(workspace.list("files/000")?.len()),
        peer: |root| counted(fs::read_dir(root.join("files/000"))?.count()),
    },
    Task {
        what: "read 1,000 files of 1 KiB",
        target: Target::Ratio(10.0),
        ours: |workspace| {
            some(|name| {
                workspace.read(name, 0, LENGTH as u32)?;
                Ok(())
            })
        },
        peer: |root| {
            some(|name| {
                fs::read(root.join(name))?;
                Ok(())
            })
        },
    },
    Task {
        what: "make 1,000 files of 1 KiB",
        target: Target::Ratio(10.0),
        ours: |workspace| some(|name| Ok(workspace.put(&new(name), &[b'x'; LENGTH])?)),
        peer: |root| some(|name| Ok(fs::write(root.join(new(name)), [b'x'; LENGTH])?)),
    },
    Task {
        what: "append to 1,000 originals",
        target: Target::Ratio(10.0),
        ours: |workspace| {
            some(|name| {
                workspace.append(name, b"more")?;
                Ok(())
            })
        },
        peer: |root| {
            some(|name| {
                let mut file = fs::OpenOptions::new().append(true).open(root.join(name))?;
                Ok(std::io::Write::write_all(&mut file, b"more")?)
            })
        },
    },
    Task {
        what: "copy up 64 MiB",
        target: Target::None,
        ours: |workspace| Ok(workspace.write(LARGE, LARGE_BYTES / 2, b"more")?),
        peer: |root| {
            let file = fs::OpenOptions::new().write(true).open(root.join(LARGE))?;
            Ok(file.write_all_at(b"more", LARGE_BYTES / 2)?)
        },
    },
    Task {
        what: "remove 1,000 originals",
        target: Target::Ratio(10.0),
        ours: |workspace| some(|name| Ok(workspace.remove(name)?)),
        peer: |root| some(|name| Ok(fs::remove_file(root.join(name))?)),
    },
    Task {
        what: "rename a directory of 10,000 originals",
        target: Target::Ratio(1.0),
        ours: |workspace| Ok(workspace.rename(DIRECTORY, "renamed")?),
        peer: |root| rename(&root.join(DIRECTORY), &root.join("renamed")),
    },
];

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    for task in TASKS {
        row(bench, report, task, Kind::Kernel, task.target);
    }
    if let Some(rename) = TASKS.last() {
        row(bench, report, rename, Kind::Redirecting, Target::None);
    }
    for task in TASKS {
        row(bench, report, task, Kind::Fuse, Target::None);
    }
}

fn row(bench: &Bench, report: &mut Report, task: &Task, kind: Kind, target: Target) {
    let peer = match kind {
        Kind::Kernel => "overlayfs",
        Kind::Redirecting => "overlayfs, redirect_dir=on",
        Kind::Fuse => "fuse-overlayfs",
    };
    report.times((task.what, peer), bench.places.memory(), target, |place| {
        let ground = Ground::make(bench, place, "overlay")?;
        fill(&ground.lower, DIRECTORY, FILES, LENGTH)?;
        large(&ground.lower.join(LARGE), LARGE_BYTES)?;
        Pairs::run(
            bench.pairs(9, 5),
            || {
                let mut workspace = ground.fresh()?;
                let start = Instant::now();
                (task.ours)(&mut workspace)?;
                Ok(start.elapsed())
            },
            || {
                let overlay = Overlay::mount(kind, place, &ground.lower)?;
                let start = Instant::now();
                (task.peer)(&overlay.merged)?;
                let took = start.elapsed();
                overlay.unmount()?;
                Ok(took)
            },
        )
    });
}

fn some(each: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut each = each;
    names(DIRECTORY, SOME).try_for_each(|name| each(&name))
}

fn new(name: &str) -> String {
    format!("{name}.new")
}

fn counted(count: usize) -> Result<()> {
    if count == SOME { Ok(()) } else { Err(format!("{count} names").into()) }
}

/// As `mv`: an entry that cannot be renamed is copied and removed.
fn rename(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            run(Command::new("cp").arg("-a").arg(from).arg(to))?;
            Ok(fs::remove_dir_all(from)?)
        }
        renamed => Ok(renamed?),
    }
}

/// A mounted overlay, in directories of the place.
struct Overlay {
    merged: PathBuf,
    mounted: bool,
}

impl Overlay {
    fn mount(kind: Kind, place: &Place, lower: &Path) -> Result<Self> {
        let [upper, work, merged] =
            [place.directory("overlay-up")?, place.directory("overlay-work")?, place.directory("overlay-merged")?];
        let mut options =
            format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
        let mut command = match kind {
            Kind::Fuse => Command::new("fuse-overlayfs"),
            Kind::Kernel | Kind::Redirecting => Command::new("mount"),
        };
        match kind {
            Kind::Kernel => options.push_str(",redirect_dir=off"),
            Kind::Redirecting => options.push_str(",redirect_dir=on"),
            Kind::Fuse => {}
        }
        if !matches!(kind, Kind::Fuse) {
            command.args(["-t", "overlay", "overlay"]);
        }
        run(command.arg("-o").arg(options).arg(&merged))?;
        Ok(Self { merged, mounted: true })
    }

    fn unmount(mut self) -> Result<()> {
        self.mounted = false;
        run(Command::new("umount").arg(&self.merged))
    }
}

impl Drop for Overlay {
    /// After a failure: nothing stays mounted, even if it is still in use.
    fn drop(&mut self) {
        if self.mounted
            && let Err(error) = run(Command::new("umount").arg("--lazy").arg(&self.merged))
        {
            eprintln!("still mounted: {}: {error}", self.merged.display());
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", said.lines().next().unwrap_or("failed")).into())
}
