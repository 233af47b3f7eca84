//! An `Fs` that wraps the simulated filesystem. It counts and measures calls, reports false sizes, and acts at moments
//! that otherwise only another process could choose.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use onionskin::error::Error;
use onionskin::fs::{Cause, Fs, Listed, Stat};
use onionskin::lock::Ownership;
use onionskin::store::{Preopens, Store};
use onionskin_sim::{Dir, File, SimFs};

type OnRead = Box<dyn FnMut(&SimFs, &str)>;

/// The hooks that a test sets, and the maxima that were observed.
pub struct Hooks {
    /// Called before every read, with the path of the file.
    pub on_read: RefCell<OnRead>,
    /// Reports this length for files of this name.
    pub fake_length: RefCell<Option<(&'static str, u64)>>,
    /// Reports this many additional files in directories of this name.
    pub fake_entries: RefCell<Option<(&'static str, usize)>>,
    /// The length of the longest read that was requested, in bytes.
    pub longest_read: Cell<usize>,
    /// The length of the longest write that was requested, in bytes.
    pub longest_write: Cell<usize>,
    /// The largest number of directories open at the same time.
    pub most_open: Cell<usize>,
    /// The largest number of files open at the same time.
    pub most_files: Cell<usize>,
    open: Rc<()>,
    files: Rc<()>,
}

/// The simulated filesystem behind the hooks.
#[derive(Clone)]
pub struct InterceptFs {
    pub fs: SimFs,
    pub hooks: Rc<Hooks>,
}

/// An open directory that counts towards `most_open`.
pub struct Counted {
    dir: Dir,
    _open: Rc<()>,
}

/// An open file that counts towards `most_files`.
pub struct CountedFile {
    file: File,
    _open: Rc<()>,
}

impl InterceptFs {
    pub fn on(fs: &SimFs) -> Self {
        let hooks = Hooks {
            on_read: RefCell::new(Box::new(|_, _| ())),
            fake_length: RefCell::new(None),
            fake_entries: RefCell::new(None),
            longest_read: Cell::new(0),
            longest_write: Cell::new(0),
            most_open: Cell::new(0),
            most_files: Cell::new(0),
            open: Rc::new(()),
            files: Rc::new(()),
        };
        Self { fs: fs.clone(), hooks: Rc::new(hooks) }
    }

    /// Opens the store at `/ws`, with `/lower` granted for reading only.
    pub fn open(&self) -> Result<Store<Self>, Error> {
        let mut entries = Vec::new();
        for (name, writable) in [("ws", true), ("lower", false)] {
            let dir = self.fs.open_dir(&self.fs.root(), name).expect("both grants are there");
            let dir = if writable { dir } else { dir.read_only() };
            entries.push((format!("/{name}"), Rc::new(self.count(dir))));
        }
        Store::open(self.clone(), &Preopens { entries }, "/ws", &Ownership::Host, false)
    }

    /// Runs `act` before each of the first `times` reads of a file whose path ends with `name`.
    pub fn at_read_of(&self, name: &'static str, mut times: usize, mut act: impl FnMut(&SimFs) + 'static) {
        *self.hooks.on_read.borrow_mut() = Box::new(move |fs, path| {
            if times > 0 && path.ends_with(name) {
                times -= 1;
                act(fs);
            }
        });
    }

    fn count(&self, dir: Dir) -> Counted {
        let counted = Counted { dir, _open: Rc::clone(&self.hooks.open) };
        // One reference belongs to the hooks themselves.
        let open = Rc::strong_count(&self.hooks.open) - 1;
        self.hooks.most_open.set(self.hooks.most_open.get().max(open));
        counted
    }

    fn count_file(&self, file: File) -> CountedFile {
        let counted = CountedFile { file, _open: Rc::clone(&self.hooks.files) };
        let open = Rc::strong_count(&self.hooks.files) - 1;
        self.hooks.most_files.set(self.hooks.most_files.get().max(open));
        counted
    }
}

impl Fs for InterceptFs {
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
        let fake_length = self.hooks.fake_length.borrow().filter(|(of, _)| *of == name);
        Ok(fake_length.map_or(stat, |(_, size)| Stat { size, ..stat }))
    }

    fn list(&self, dir: &Counted) -> Result<Vec<Listed>, Cause> {
        let mut names = self.fs.list(&dir.dir)?;
        if let Some((of, more)) = *self.hooks.fake_entries.borrow()
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
        self.hooks.longest_read.set(self.hooks.longest_read.get().max(length));
        (self.hooks.on_read.borrow_mut())(&self.fs, file.file.path());
        self.fs.read(&file.file, offset, length)
    }

    fn write(&self, file: &CountedFile, offset: u64, bytes: &[u8]) -> Result<usize, Cause> {
        self.hooks.longest_write.set(self.hooks.longest_write.get().max(bytes.len()));
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
