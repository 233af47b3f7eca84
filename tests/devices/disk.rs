//! A disk in memory, served as a file from which the kernel can mount a filesystem. It records writes and flushes, and
//! its content can be replaced.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use onionskin_tests::fuser::{
    self, BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite,
    Request, WriteFlags,
};

const PAGE_BYTES: usize = 4096;
const NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
/// While the disk exists only its content changes.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// Requests of the kernel in their order, and notes in between.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// These bytes become durable at some time.
    Write { at: usize, data: Arc<[u8]> },
    /// All earlier writes are durable when this returns.
    Flush,
    /// A call of [`Disk::note`].
    Note,
}

/// The content of a disk: the written pages; all others are zero.
#[derive(Clone, Default)]
pub(crate) struct Image(HashMap<usize, Arc<[u8; PAGE_BYTES]>>);

impl Image {
    pub(crate) fn write(&mut self, mut at: usize, mut data: &[u8]) {
        while !data.is_empty() {
            let (page, inside) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let (now, rest) = data.split_at(data.len().min(PAGE_BYTES - inside));
            let page = self.0.entry(page).or_insert_with(|| Arc::new([0; PAGE_BYTES]));
            Arc::make_mut(page)[inside..inside + now.len()].copy_from_slice(now);
            (at, data) = (at + now.len(), rest);
        }
    }

    fn read(&self, mut at: usize, mut into: &mut [u8]) {
        while !into.is_empty() {
            let (page, inside) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let length = into.len().min(PAGE_BYTES - inside);
            let (now, rest) = into.split_at_mut(length);
            match self.0.get(&page) {
                Some(page) => now.copy_from_slice(&page[inside..inside + length]),
                None => now.fill(0),
            }
            (at, into) = (at + length, rest);
        }
    }
}

#[derive(Default)]
struct State {
    image: Image,
    events: Option<Vec<Event>>,
}

/// A disk, which exists until it is dropped.
pub(crate) struct Disk {
    directory: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    // Dropped first.
    session: Option<BackgroundSession>,
}

impl Disk {
    /// Creates an empty disk.
    pub(crate) fn new(bytes: u64) -> std::io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let state = Arc::default();
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("onionskin-disk".into())];
        let served = Served { state: Arc::clone(&state), bytes };
        let session = Some(fuser::spawn_mount(served, directory.path(), &config)?);
        Ok(Self { directory, state, session })
    }

    /// The path of the file for the kernel.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(NAME)
    }

    /// Starts recording, and returns the present content.
    pub(crate) fn record(&self) -> Image {
        let mut state = locked(&self.state);
        state.events = Some(Vec::new());
        state.image.clone()
    }

    /// Records that a step is done.
    pub(crate) fn note(&self) {
        locked(&self.state).events.get_or_insert_default().push(Event::Note);
    }

    /// Returns the events since [`Disk::record`].
    pub(crate) fn recorded(&self) -> Vec<Event> {
        locked(&self.state).events.take().unwrap_or_default()
    }

    /// Replaces the content. No filesystem may be mounted from the disk.
    pub(crate) fn load(&self, image: Image) {
        locked(&self.state).image = image;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = session.umount_and_join();
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A filesystem with one file.
struct Served {
    state: Arc<Mutex<State>>,
    bytes: u64,
}

impl Served {
    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let (kind, perm, size) = match ino {
            FILE => (FileType::RegularFile, 0o600, self.bytes),
            _ => (FileType::Directory, 0o700, 0),
        };
        FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&FOREVER, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOREVER, &self.attributes(ino));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // The kernel must cache nothing: writes arrive here, and reads see loaded content.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut data = vec![0; u64::from(size).min(self.bytes.saturating_sub(offset)) as usize];
        locked(&self.state).image.read(offset as usize, &mut data);
        reply.data(&data);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = locked(&self.state);
        state.image.write(offset as usize, data);
        if let Some(events) = &mut state.events {
            events.push(Event::Write { at: offset as usize, data: data.into() });
        }
        reply.written(data.len() as u32);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if let Some(events) = &mut locked(&self.state).events {
            events.push(Event::Flush);
        }
        reply.ok();
    }
}
