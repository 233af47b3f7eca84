//! `workspace`: a writable directory over others that do not change, and the review of the changes.

mod apply;
mod choice;
mod decide;
mod diff;
mod files;
mod handle;
mod limit;
mod lines;
mod originals;
mod page;
mod patch;
mod progress;
mod questions;
mod refresh;
mod review;
pub(super) mod show;
mod trees;

pub use decide::review_page;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Subcommand;
use onionskin_host::{Error, Onionskin, Workspace, WorkspaceBuilder};
use serde_json::{Value, json};

use super::apart::inside;
use super::input::wanted;
use super::render::Answer;
use super::text::{Text, text};
use super::{Context, Stop};

/// How often a workspace is read again that its owner changes.
const READINGS_MAX: usize = 2000;

/// The time between two readings.
const BETWEEN: Duration = Duration::from_millis(5);

const EXAMPLES: &str = "\
Examples:
  onionskin workspace create ./changes --lower ./project
  echo 'hello' | onionskin workspace put ./changes notes/today.md
  onionskin workspace diff ./changes
  onionskin workspace commit ./changes --into ./project --except 'drafts/**'
  onionskin workspace discard ./changes

Each command takes UPPER, the directory that holds the changes, and then paths inside the workspace.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The workspace of a command.
#[derive(clap::Args)]
struct Upper {
    /// The upper directory, with the changes
    upper: PathBuf,
    /// The new path of a lower that was moved; may be repeated, the topmost first
    #[arg(long, value_name = "DIR")]
    moved: Vec<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Creates an empty workspace in UPPER, over directories that stay unchanged
    Create(Create),
    /// Reports the number of changes, the limits and the lowers
    Status(Upper),
    /// Lists the changes: kind and path of each, deletions first
    Changes(review::Changes),
    /// Prints the changes as a patch for `git apply`; fails if a part of them cannot be in one
    Diff(review::Changes),
    /// Lists the changes of lowers at paths that were changed here, too
    Conflicts(Upper),
    /// Takes changes of lowers at paths that were changed here, too: merges text by lines, or chooses a side
    Refresh(refresh::Refresh),
    /// Asks about each change and each hunk, then writes what was taken; or writes a page to look at
    Review(decide::Review),
    /// Writes changes to the topmost lower atomically; asks first
    Commit(apply::Commit),
    /// Discards all changes, and the workspace itself; asks first on a terminal
    Discard(apply::Discard),
    /// Writes the merged tree to an empty directory atomically
    Export(apply::Export),
    /// Keeps the present state under a number, without copying; or drops a kept state
    Checkpoint(apply::Checkpoint),
    /// Restores a kept state; the present one is kept first
    Restore(apply::Restore),
    /// Creates a second workspace from the present state
    Fork(apply::Fork),
    /// Sets the limits of the workspace
    Limit(limit::Limit),
    /// Lists a directory
    Ls(files::Ls),
    /// Writes the content of a file to standard output, as it is
    Cat(files::Named),
    /// Replaces the content of a file atomically
    Put(files::Put),
    /// Removes a file, a link, or an empty directory
    Rm(files::Rm),
    /// Renames an entry, and replaces the one of the new name
    Mv(files::Mv),
    /// Creates a directory
    Mkdir(files::Named),
}

#[derive(clap::Args)]
struct Create {
    /// The directory for the changes, created if it does not exist
    upper: PathBuf,
    /// The lower directories, the topmost first
    #[arg(long, value_name = "DIR", num_args = 1.., required = true)]
    lower: Vec<PathBuf>,
    #[command(flatten)]
    limits: limit::Limits,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<(), Stop> {
    if context.explain {
        return Err(Stop::Usage(
            "the steps of a workspace cannot be told: its interface has no call for them; leave out --explain",
        ));
    }
    let answer = match &arguments.command {
        Command::Create(create) => self::create(context, create)?,
        Command::Status(upper) => review::status(context, upper)?,
        Command::Changes(changes) => review::changes(context, changes)?,
        Command::Diff(changes) => return diff::diff(context, changes),
        Command::Conflicts(upper) => review::conflicts(context, upper)?,
        Command::Refresh(refresh) => self::refresh::refresh(context, refresh)?,
        Command::Review(review) => decide::review(context, review)?,
        Command::Commit(commit) => apply::commit(context, commit)?,
        Command::Discard(discard) => apply::discard(context, discard)?,
        Command::Export(export) => apply::export(context, export)?,
        Command::Checkpoint(checkpoint) => apply::checkpoint(context, checkpoint)?,
        Command::Restore(restore) => apply::restore(context, restore)?,
        Command::Fork(fork) => apply::fork(context, fork)?,
        Command::Limit(limit) => limit::limit(context, limit)?,
        Command::Ls(ls) => files::ls(context, ls)?,
        Command::Cat(file) => return files::cat(context, file),
        Command::Put(put) => files::put(context, put)?,
        Command::Rm(rm) => files::rm(context, rm)?,
        Command::Mv(mv) => files::mv(context, mv)?,
        Command::Mkdir(directory) => files::mkdir(context, directory)?,
    };
    context.print(&answer)
}

/// An upper directory, and the requested crash.
pub(super) fn session(context: &Context, upper: &Path) -> Result<WorkspaceBuilder, Error> {
    let session = Onionskin::load()?.workspace(upper).wait(context.wait);
    let session = if context.trust { session.trust_all() } else { session };
    Ok(match &context.faults {
        Some(faults) => session.faults(faults),
        None => session,
    })
}

fn open(context: &Context, upper: &Upper) -> Result<Workspace, Error> {
    open_in(session(context, &upper.upper)?, upper)
}

/// As [`open`], with a progress bar for writes.
fn open_with_progress(context: &Context, upper: &Upper) -> Result<Workspace, Error> {
    let session = session(context, &upper.upper)?;
    open_in(if wanted() { session.faults(&progress::faults(context)) } else { session }, upper)
}

/// Reads a workspace beside its owner, if there is one; reads it again where the owner replaced what was read.
fn observed<T>(
    context: &Context,
    upper: &Upper,
    mut read: impl FnMut(&mut Workspace) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut session = session(context, &upper.upper)?;
    if !upper.moved.is_empty() {
        session = session.lowers(&upper.moved).moved();
    }
    let mut tries = 0..READINGS_MAX;
    loop {
        let mut workspace = session.observe()?;
        let answer = read(&mut workspace);
        // What was read of the lowers is checked, too: a commit changes both.
        let is_one_state = workspace.stat(".").is_ok() && !matches!(&answer, Err(Stop::Failed(it)) if it.is_replaced());
        workspace.close()?;
        if is_one_state || tries.next().is_none() {
            return answer;
        }
        thread::sleep(BETWEEN);
    }
}

fn open_in(session: WorkspaceBuilder, upper: &Upper) -> Result<Workspace, Error> {
    if upper.moved.is_empty() { session.open() } else { session.lowers(&upper.moved).moved().open() }
}

fn create(context: &Context, arguments: &Create) -> Result<Answer, Error> {
    if let Some(text) = inside(&arguments.upper, &arguments.lower) {
        return Err(Error::Layout { guest: arguments.upper.display().to_string(), text });
    }
    let is_new = !arguments.upper.exists();
    make_directory(&arguments.upper)?;
    let session = session(context, &arguments.upper)?.lowers(&arguments.lower);
    let workspace = session.quota(arguments.limits.quota()).create().inspect_err(|_| {
        if is_new {
            // A directory with entries stays: the next command recovers it.
            let _empty_or_not = fs::remove_dir(&arguments.upper);
        }
    })?;
    let lowers = Text::join(arguments.lower.iter().map(Text::from), ", ");
    let text = text!("{}: a workspace over {}\n", arguments.upper, lowers);
    finish(workspace, text, json!({"lowers": arguments.lower}))
}

/// Makes the changes durable, and closes the workspace.
fn finish(mut workspace: Workspace, text: Text, json: Value) -> Result<Answer, Error> {
    workspace.sync()?;
    close(workspace, text, json)
}

/// As [`finish`], without a change.
fn close(workspace: Workspace, text: Text, json: Value) -> Result<Answer, Error> {
    let answer = Answer::new(text, json).with_recovered(workspace.recovered());
    workspace.close()?;
    Ok(answer)
}

/// Creates a directory without access for other users, unless it exists.
fn make_directory(path: &Path) -> Result<(), Error> {
    match crate::run::private().create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|source| Error::Io { action: "make the directory", path: path.to_owned(), source }),
    }
}
