//! `put-dir`: many files at once.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::ProgressBar;
use onionskin_host::{DirectoryOptions, Error, ErrorKind, Grant, GuestError, Publish, Receipt, Store, Transaction};

use super::Context;
use super::file::{CHUNK_BYTES, When, finish};
use super::input::{Input, progress};
use super::render::Answer;

/// The maximum of absolute links that are materialized before a commit is abandoned.
const LINKS_MAX: usize = 40;

/// The prefix of the component's own paths, whose links must not be replaced.
const RESERVED: &str = ".onionskin";

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin put-dir ./store conv-1 --from ./next
  onionskin put-dir ./store conv-1 --from ./next --publish pointer --remove draft.json old/notes.md
  onionskin put-dir ./store conv-1 --from ./next --expect index.json=unchanged=sha256:9f86d081884c7d65... --wait 5s

What is in DIR and not in SRC stays as it is, sub-directories included.")]
pub(super) struct PutDir {
    /// The root of the store
    root: PathBuf,
    /// The directory to change, relative to ROOT; created if it does not exist. `.` is ROOT itself
    dir: String,
    /// Put every regular file of this directory, and of the directories in it
    #[arg(long, value_name = "SRC")]
    from: PathBuf,
    /// How the change becomes visible
    #[arg(long, value_enum, default_value = "in-place")]
    publish: Mode,
    /// The number of the newest generations that stay with `--publish pointer`, the new one included
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..))]
    keep_generations: u32,
    /// Also remove these files, named relative to DIR
    #[arg(long, value_name = "NAME", num_args = 1..)]
    remove: Vec<String>,
    /// Change nothing unless the file NAME, relative to DIR, meets this condition: `absent`, `single-link`, or
    /// `unchanged=sha256:HEX`. Also for files that are only read; may be repeated
    #[arg(long, value_name = "NAME=CONDITION", value_parser = Expected::parse)]
    expect: Vec<Expected>,
    /// Grant this directory for reading, for absolute links that lead there; may be repeated
    #[arg(long, value_name = "DIR")]
    lower: Vec<PathBuf>,
}

/// A condition for a file.
#[derive(Clone)]
struct Expected {
    name: String,
    when: When,
}

impl Expected {
    fn parse(text: &str) -> Result<Self, String> {
        // A name may hold the sign, and a condition begins with a word.
        let starts = text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let found = starts.filter_map(|(name, when)| Some((name, When::parse(when).ok()?))).next();
        let (name, when) = found.ok_or_else(|| {
            "give NAME=absent, NAME=single-link, or NAME=unchanged=sha256: and 64 hexadecimal digits".to_owned()
        })?;
        Ok(Self { name: name.to_owned(), when })
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// File by file; a reader may see old and new files side by side for a moment
    InPlace,
    /// The whole directory; a reader sees all old, for a moment nothing, then all new
    Swap,
    /// DIR becomes a symbolic link that is switched; a reader sees all old or all new
    Pointer,
}

pub(super) fn put(context: &Context, arguments: &PutDir) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    tree.walk(&arguments.from, "")?;
    let store = context.store(&arguments.root, &arguments.lower)?.open(&context.open_options())?;
    let publish = match arguments.publish {
        Mode::InPlace => Publish::InPlace,
        Mode::Swap => Publish::Swap,
        Mode::Pointer => Publish::Pointer,
    };
    let options = DirectoryOptions::default().publish(publish).keep_generations(arguments.keep_generations);
    let receipt = commit(&store, arguments, &options, &tree)?;
    let mut answer = finish(context, store, &arguments.dir, &receipt)?;
    answer.skipped(&tree.skipped);
    Ok(answer)
}

/// Stages and commits; and again, after an absolute link that stopped the commit was materialized.
fn commit(store: &Store, arguments: &PutDir, options: &DirectoryOptions, tree: &Tree) -> Result<Receipt, Error> {
    let mut links = 0;
    loop {
        let mut transaction = store.begin(&arguments.dir, options)?;
        let bar = progress(Some(tree.bytes));
        stage(store, &mut transaction, arguments, tree, &bar)?;
        bar.finish_and_clear();
        match transaction.commit() {
            Err(Error::Guest { error, .. }) if links < LINKS_MAX && is_link_to_resolve(&error) => {
                store.materialize_link(&error.subject)?;
                links += 1;
            }
            result => return result,
        }
    }
}

fn is_link_to_resolve(error: &GuestError) -> bool {
    error.kind == ErrorKind::LinkUnreadable && !error.subject.starts_with(RESERVED)
}

fn stage(
    store: &Store,
    transaction: &mut Transaction,
    arguments: &PutDir,
    tree: &Tree,
    bar: &ProgressBar,
) -> Result<(), Error> {
    let chunk_bytes = store.limits()?.chunk_bytes.min(CHUNK_BYTES);
    for Expected { name, when } in &arguments.expect {
        let path = if arguments.dir == "." { name.clone() } else { format!("{}/{name}", arguments.dir) };
        transaction.expect(name, &when.precondition(store, &path)?)?;
    }
    for name in &arguments.remove {
        transaction.remove(name)?;
    }
    for (name, source) in &tree.files {
        let mut input = Input::open(Some(source))?;
        let mut chunk = input.chunk(chunk_bytes)?;
        transaction.put(name, &chunk)?;
        while !chunk.is_empty() {
            bar.inc(chunk.len() as u64);
            chunk = input.chunk(chunk_bytes)?;
            if !chunk.is_empty() {
                transaction.append(name, &chunk)?;
            }
        }
    }
    Ok(())
}

/// The files to put: names in the form of the contract, and the paths of their content.
#[derive(Default)]
struct Tree {
    files: Vec<(String, PathBuf)>,
    bytes: u64,
    skipped: Vec<String>,
}

impl Tree {
    fn walk(&mut self, directory: &Path, prefix: &str) -> Result<(), Error> {
        let failed = |source| Error::Io { action: "list the directory", path: directory.to_owned(), source };
        let mut entries = fs::read_dir(directory).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                return Err(Error::Grant(Grant::NotUtf8 { path }));
            };
            let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let metadata = fs::symlink_metadata(&path).map_err(|source| Error::Io {
                action: "look at",
                path: path.clone(),
                source,
            })?;
            if metadata.is_dir() {
                self.walk(&path, &name)?;
            } else if metadata.is_file() {
                self.bytes += metadata.len();
                self.files.push((name, path));
            } else {
                self.skipped.push(name);
            }
        }
        Ok(())
    }
}
