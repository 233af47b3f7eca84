//! Filesystems of the kernel, mounted from a disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::disk::Disk;

/// The number of attempts to unmount.
const PATIENCE: usize = 50;

/// A filesystem, and the commands that create and mount it.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    make: &'static [&'static str],
    options: &'static str,
    /// The minimal size, in bytes.
    pub(crate) bytes: u64,
    /// The size of an atomic write, in bytes.
    pub(crate) sector_bytes: usize,
}

/// With a half-written superblock it cannot be mounted, whatever its content.
pub(crate) const EXT4: Kind = Kind {
    name: "ext4",
    make: &["mkfs.ext4", "-q", "-F", "-E", "nodiscard"],
    options: "loop",
    bytes: 64 << 20,
    sector_bytes: 4096,
};
/// Content is written at any time: only synced content is present after a crash.
pub(crate) const EXT4_WRITEBACK: Kind = Kind { name: "ext4, data=writeback", options: "loop,data=writeback", ..EXT4 };
pub(crate) const XFS: Kind =
    Kind { name: "xfs", make: &["mkfs.xfs", "-q", "-f", "-K"], options: "loop", bytes: 300 << 20, sector_bytes: 512 };
/// The superblock is as with ext4.
pub(crate) const BTRFS: Kind = Kind {
    name: "btrfs",
    make: &["mkfs.btrfs", "-q", "-f", "-K"],
    options: "loop",
    bytes: 128 << 20,
    sector_bytes: 4096,
};

impl Kind {
    /// Creates a filesystem on a disk.
    pub(crate) fn make(&self, disk: &Disk) -> Result<(), String> {
        let (program, given) = self.make.split_first().expect("a program makes it");
        run(Command::new(program).args(given).arg(disk.path()))
    }
}

/// A mounted filesystem, unmounted on drop.
pub(crate) struct Mounted<'a> {
    at: &'a Path,
}

impl<'a> Mounted<'a> {
    /// Mounts it at a directory.
    pub(crate) fn new(kind: Kind, disk: &Disk, at: &'a Path) -> Result<Self, String> {
        let of = kind.name.split(',').next().unwrap_or_default();
        run(Command::new("mount").args(["-t", of, "-o", kind.options]).arg(disk.path()).arg(at))?;
        Ok(Self { at })
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let unmount = |how: &[&str]| run(Command::new("umount").args(how).arg(self.at));
        let mut unmounted = unmount(&[]);
        for _ in 0..PATIENCE {
            if unmounted.is_err() {
                // Another process has a file of it open.
                thread::sleep(Duration::from_millis(100));
                unmounted = unmount(&[]);
            }
        }
        if unmounted.is_err() {
            // It is unmounted once no process uses it, and the disk with it.
            let _ = unmount(&["--lazy"]);
            assert!(std::thread::panicking(), "{unmounted:?}");
        }
    }
}

/// Makes every write to the filesystem at this path durable.
pub(crate) fn sync(at: &Path) -> Result<(), String> {
    run(Command::new("sync").arg("--file-system").arg(at))
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = PathBuf::from(command.get_program()).display().to_string();
    let ran = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    let message = String::from_utf8_lossy(&ran.stderr);
    if ran.status.success() { Ok(()) } else { Err(format!("{name}: {}: {}", ran.status, message.trim())) }
}
