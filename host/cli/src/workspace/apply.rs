//! `commit`, `discard`, `export`, `checkpoint`, `restore` and `fork`: the fate of a state.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use onionskin_host::{CommitOptions, Durability, Error, ErrorKind, GuestError, OnConflict, Select};
use serde_json::json;

use super::super::render::{self, Answer};
use super::super::{Context, Stop};
use super::{Upper, close, finish, make_directory, open, open_with_progress, show};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin workspace commit ./changes --into ./project
  onionskin workspace commit ./changes --into ./project --only 'src/**' --except '**/*.tmp' --ours --yes

A glob is matched against whole paths; `*` stays within a name, `**` does not, and a glob that matches
a directory matches all below it.")]
pub(super) struct Commit {
    #[command(flatten)]
    upper: Upper,
    /// The topmost lower, named so that nothing is written by mistake
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Commit only paths that one of these globs matches, and their dependencies; may be repeated
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Except paths that one of these globs matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    except: Vec<String>,
    /// In conflicts, the change of the workspace replaces that of the lower
    #[arg(long, conflicts_with = "theirs")]
    ours: bool,
    /// In conflicts, the lower stays, and the change of the workspace is discarded
    #[arg(long)]
    theirs: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(clap::Args)]
pub(super) struct Export {
    #[command(flatten)]
    upper: Upper,
    /// An empty directory, created if it does not exist
    out: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct Discard {
    #[command(flatten)]
    upper: Upper,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(clap::Args)]
pub(super) struct Checkpoint {
    #[command(flatten)]
    upper: Upper,
    /// The label of the state
    #[arg(default_value = "", conflicts_with = "drop")]
    label: String,
    /// Drop this state instead, and release its space
    #[arg(long, value_name = "N")]
    drop: Option<u64>,
}

#[derive(clap::Args)]
pub(super) struct Restore {
    #[command(flatten)]
    upper: Upper,
    /// Its number; `status` lists them
    number: u64,
}

#[derive(clap::Args)]
pub(super) struct Fork {
    #[command(flatten)]
    upper: Upper,
    /// The directory for the second workspace, created if it does not exist
    upper2: PathBuf,
}

pub(super) fn commit(context: &Context, arguments: &Commit) -> Result<Answer, Stop> {
    let mut workspace = open_with_progress(context, &arguments.upper)?;
    let paths = Select { only: arguments.only.clone(), except: arguments.except.clone() };
    if !arguments.yes {
        let changes = workspace.changes(&paths)?;
        let conflicts = workspace.conflicts(&paths)?;
        let mut text = show::changes(&changes, true);
        for path in &conflicts {
            text.push_str(&format!("conflict  {path}\n"));
        }
        let question =
            format!("Write {} to {}?", render::count(changes.len() as u64, "change"), arguments.into.display());
        if !is_somebody_there() {
            return Err(Stop::Usage(
                "a commit asks first, and there is no terminal to ask on: look with `onionskin workspace changes`, \
                 then say --yes",
            ));
        }
        if !is_confirmed(&text, &question)? {
            return Err(Stop::Declined);
        }
    }
    let conflicts = match (arguments.ours, arguments.theirs) {
        (true, _) => OnConflict::Ours,
        (_, true) => OnConflict::Theirs,
        (false, false) => OnConflict::Fail,
    };
    let options = CommitOptions::default().paths(paths.clone()).conflicts(conflicts);
    let receipt = match workspace.commit(&arguments.into, &options) {
        Err(Error::Guest { root, error }) if error.kind == ErrorKind::Conflicts => {
            let error = with_choice(error, &workspace.conflicts(&paths)?, &arguments.into);
            return Err(Error::Guest { root, error }.into());
        }
        answer => answer?,
    };
    let answer = render::receipt(&arguments.into.display().to_string(), &receipt, workspace.recovered());
    workspace.close()?;
    Ok(answer)
}

/// Adds the options for conflicts to the error of a commit, with the paths that are in conflict. There are none
/// if a path changed during the commit alone: then it can be tried again, as the error says.
fn with_choice(error: GuestError, paths: &[String], into: &Path) -> GuestError {
    if paths.is_empty() {
        return error;
    }
    let message = format!(
        "changed in {} since changed here, so nothing was committed: {}. Say --ours or --theirs, or leave them out \
         with --except",
        into.display(),
        paths.join(", ")
    );
    GuestError { message, ..error }
}

/// Whether there is a terminal to ask on.
fn is_somebody_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Shows the planned action, and asks.
fn is_confirmed(text: &str, question: &str) -> Result<bool, Stop> {
    let mut out = io::stderr().lock();
    write!(out, "{text}{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

pub(super) fn discard(context: &Context, arguments: &Discard) -> Result<Answer, Stop> {
    let mut workspace = open(context, &arguments.upper)?;
    if !arguments.yes && is_somebody_there() {
        let changes = workspace.changes(&Select::default())?;
        let number = render::count(changes.len() as u64, "change");
        let kept = match workspace.checkpoints()?.len() as u64 {
            0 => String::new(),
            kept => format!(" and {}", render::count(kept, "checkpoint")),
        };
        let question = format!("Give up {number}{kept} in {}?", arguments.upper.upper.display());
        if !is_confirmed(&show::changes(&changes, true), &question)? {
            return Err(Stop::Declined);
        }
    }
    let recovered = workspace.recovered().to_vec();
    workspace.discard()?;
    let text = format!("{}: discarded\n", arguments.upper.upper.display());
    Ok(Answer::new(text, json!({})).with_recovered(&recovered))
}

pub(super) fn export(context: &Context, arguments: &Export) -> Result<Answer, Error> {
    let mut workspace = open_with_progress(context, &arguments.upper)?;
    make_directory(&arguments.out)?;
    let receipt = workspace.export(&arguments.out, Durability::Full)?;
    let answer = render::receipt(&arguments.out.display().to_string(), &receipt, workspace.recovered());
    workspace.close()?;
    Ok(answer)
}

pub(super) fn checkpoint(context: &Context, arguments: &Checkpoint) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    if let Some(number) = arguments.drop {
        workspace.drop_checkpoint(number).map_err(|error| unknown_checkpoint(error, number))?;
        return close(workspace, format!("checkpoint {number}: dropped\n"), json!({"dropped": number}));
    }
    let number = workspace.checkpoint(&arguments.label)?;
    close(workspace, format!("checkpoint {number}\n"), json!({"checkpoint": number}))
}

pub(super) fn restore(context: &Context, arguments: &Restore) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    let restored = workspace.restore(arguments.number);
    let before = restored.map_err(|error| unknown_checkpoint(error, arguments.number))?;
    let text = format!("checkpoint {} is back; the state before is checkpoint {before}", arguments.number);
    finish(workspace, &text, json!({"restored": arguments.number, "before": before}))
}

/// Adds the command that lists states to the message about an unknown one.
fn unknown_checkpoint(error: Error, number: u64) -> Error {
    match error {
        Error::Guest { root, error } if error.kind == ErrorKind::NotFound => {
            let message = format!("there is no checkpoint {number}; `onionskin workspace status` lists them");
            Error::Guest { root, error: GuestError { message, ..error } }
        }
        error => error,
    }
}

pub(super) fn fork(context: &Context, arguments: &Fork) -> Result<Answer, Error> {
    let mut workspace = open_with_progress(context, &arguments.upper)?;
    make_directory(&arguments.upper2)?;
    workspace.fork(&arguments.upper2)?.close()?;
    let text = format!("{}: a workspace like {}\n", arguments.upper2.display(), arguments.upper.upper.display());
    close(workspace, text, json!({"upper": arguments.upper2}))
}
