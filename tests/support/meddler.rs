//! The simulated filesystem with somebody in between, who looks, tells tales, or acts at a moment
//! that only another process could choose.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use onionskin::error::Error;
use onionskin::fs::{Cause, Fs, Listed, Stat};
use onionskin::lock::Ownership;
use onionskin::store::{Preopens, Store};
use onionskin_sim::{Dir, File, SimFs};

type OnRead = Box<dyn FnMut(&SimFs, &str)>;

/// What the one in between does, and what it saw.
pub(crate) struct Ear {
    /// Called before every read, with the path of the file.
    pub(crate) on_read: RefCell<OnRead>,
    /// A file of this name is told to be this long.
    pub(crate) tale: RefCell<Option<(&'static str, u64)>>,
    /// A directory of this name is told to hold this many files more.
    pub(crate) crowd: RefCell<Option<(&'static str, usize)>>,
    /// The longest read that was asked for.
    pub(crate) longest_read: Cell<usize>,
    /// The longest write that was asked for.
    pub(crate) longest_write: Cell<usize>,
    /// The most directories that were open at once.
    pub(crate) most_open: Cell<usize>,
    /// The most files that were open at once.
    pub(crate) most_files: Cell<usize>,
    open: Rc<()>,
    files: Rc<()>,
}

/// A filesystem with somebody in between.
#[derive(Clone)]
pub(crate) struct Meddler {
    pub(crate) fs: SimFs,
    pub(crate) ear: Rc<Ear>,
}

/// An open directory that is counted.
pub(crate) struct Counted {
    dir: Dir,
    _open: Rc<()>,
}

/// An open file that is counted.
pub(crate) struct CountedFile {
    file: File,
    _open: Rc<()>,
}

impl Meddler {
    pub(crate) fn on(fs: &SimFs) -> Self {
        let ear = Ear {
            on_read: RefCell::new(Box::new(|_, _| ())),
            tale: RefCell::new(None),
            crowd: RefCell::new(None),
            longest_read: Cell::new(0),
            longest_write: Cell::new(0),
            most_open: Cell::new(0),
            most_files: Cell::new(0),
            open: Rc::new(()),
            files: Rc::new(()),
        };
        Self { fs: fs.clone(), ear: Rc::new(ear) }
    }

    /// Opens `/ws`, with `/lower` for reading alone.
    pub(crate) fn open(&self) -> Result<Store<Self>, Error> {
        let mut entries = Vec::new();
        for (name, writable) in [("ws", true), ("lower", false)] {
            let dir = self.fs.open_dir(&self.fs.root(), name).expect("both grants are there");
            let dir = if writable { dir } else { dir.read_only() };
            entries.push((format!("/{name}"), Rc::new(self.count(dir))));
        }
        Store::open(self.clone(), &Preopens { entries }, "/ws", &Ownership::Host, false)
    }

    /// Acts once, at the first read of a file of this name, and then `again` more times.
    pub(crate) fn at_read_of(&self, name: &'static str, mut times: usize, mut act: impl FnMut(&SimFs) + 'static) {
        *self.ear.on_read.borrow_mut() = Box::new(move |fs, path| {
            if times > 0 && path.ends_with(name) {
                times -= 1;
                act(fs);
            }
        });
    }

    fn count(&self, dir: Dir) -> Counted {
        let counted = Counted { dir, _open: Rc::clone(&self.ear.open) };
        // One is the ear's own.
        let open = Rc::strong_count(&self.ear.open) - 1;
        self.ear.most_open.set(self.ear.most_open.get().max(open));
        counted
    }

    fn count_file(&self, file: File) -> CountedFile {
        let counted = CountedFile { file, _open: Rc::clone(&self.ear.files) };
        let open = Rc::strong_count(&self.ear.files) - 1;
        self.ear.most_files.set(self.ear.most_files.get().max(open));
        counted
    }
}

impl Fs for Meddler {
    type Dir = Counted;
    type File = CountedFile;

    fn open_dir(&self, at: &Counted, name: &str) -> Result<Counted, Cause> {
        self.fs.open_dir(&at.dir, name).map(|dir| self.count(dir))
    }

    fn open_file(&self, at: &Counted, name: &str) -> Result<CountedFile, Cause> {
        self.fs.open_file(&at.dir, name).map(|file| self.count_file(file))
    }

    fn create_file(&self, at: &Counted, name: &str) -> Result<CountedFile, Cause> {
        self.fs.create_file(&at.dir, name).map(|file| self.count_file(file))
    }

    fn stat(&self, at: &Counted, name: &str) -> Result<Stat, Cause> {
        let stat = self.fs.stat(&at.dir, name)?;
        let tale = self.ear.tale.borrow().filter(|(of, _)| *of == name);
        Ok(tale.map_or(stat, |(_, size)| Stat { size, ..stat }))
    }

    fn list(&self, dir: &Counted) -> Result<Vec<Listed>, Cause> {
        let mut names = self.fs.list(&dir.dir)?;
        if let Some((of, more)) = *self.ear.crowd.borrow()
            && dir.dir.path().ends_with(of)
        {
            names.extend((0..more).map(|number| (format!("one-more-{number}"), onionskin::fs::Kind::File)));
        }
        Ok(names)
    }

    fn read_link(&self, at: &Counted, name: &str) -> Result<String, Cause> {
        self.fs.read_link(&at.dir, name)
    }

    fn read(&self, file: &CountedFile, offset: u64, length: usize) -> Result<Vec<u8>, Cause> {
        self.ear.longest_read.set(self.ear.longest_read.get().max(length));
        (self.ear.on_read.borrow_mut())(&self.fs, file.file.path());
        self.fs.read(&file.file, offset, length)
    }

    fn write(&self, file: &CountedFile, offset: u64, bytes: &[u8]) -> Result<usize, Cause> {
        self.ear.longest_write.set(self.ear.longest_write.get().max(bytes.len()));
        self.fs.write(&file.file, offset, bytes)
    }

    fn sync_file(&self, file: &CountedFile) -> Result<(), Cause> {
        self.fs.sync_file(&file.file)
    }

    fn sync_dir(&self, dir: &Counted) -> Result<(), Cause> {
        self.fs.sync_dir(&dir.dir)
    }

    fn make_dir(&self, at: &Counted, name: &str) -> Result<(), Cause> {
        self.fs.make_dir(&at.dir, name)
    }

    fn remove_dir(&self, at: &Counted, name: &str) -> Result<(), Cause> {
        self.fs.remove_dir(&at.dir, name)
    }

    fn remove_file(&self, at: &Counted, name: &str) -> Result<(), Cause> {
        self.fs.remove_file(&at.dir, name)
    }

    fn rename(&self, from: (&Counted, &str), to: (&Counted, &str)) -> Result<(), Cause> {
        self.fs.rename((&from.0.dir, from.1), (&to.0.dir, to.1))
    }

    fn link(&self, from: (&Counted, &str), to: (&Counted, &str)) -> Result<(), Cause> {
        self.fs.link((&from.0.dir, from.1), (&to.0.dir, to.1))
    }

    fn symlink(&self, target: &str, at: &Counted, name: &str) -> Result<(), Cause> {
        self.fs.symlink(target, &at.dir, name)
    }
}
