//! `commit`, `discard`, `export`, `checkpoint`, `restore` and `fork`: the fate of a state.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use onionskin_host::{
    CommitOptions, Durability, Error, ErrorKind, GuestError, OnConflict, Resolution, Select, Workspace,
};
use serde_json::json;

use super::super::render::{self, Answer};
use super::super::terminal::Terminal;
use super::super::text::{Sentence, Text, text};
use super::super::{Context, Stop};
use super::choice::Choice;
use super::{Upper, close, finish, make_directory, open, open_with_progress, refresh, session, show};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin workspace commit ./changes --into ./project
  onionskin workspace commit ./changes --into ./project --only 'src/**' --except '**/*.tmp' --ours --yes

A glob is matched against whole paths. `?` is one character, `*` any number within a name, `[ab]` and `[a-z]` one
of these, `[!ab]` one that is none of them, `{a,b}` one of these parts, `**` any number of names; a backslash makes
the next character an ordinary one. A glob that matches a directory matches all below it.")]
pub(super) struct Commit {
    #[command(flatten)]
    upper: Upper,
    /// The topmost lower, named so that nothing is written by mistake
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// In conflicts, the change of the workspace replaces that of the lower
    #[arg(long, conflicts_with_all = ["theirs", "merge"])]
    ours: bool,
    /// In conflicts, the lower stays, and the change of the workspace is discarded
    #[arg(long, conflicts_with = "merge")]
    theirs: bool,
    /// First merges text that both sides have changed, by lines, as `workspace refresh` does
    #[arg(long)]
    merge: bool,
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
    let all = workspace.changes(&Select::default())?;
    let paths = arguments.choice.select(&mut workspace, &arguments.upper.upper, &[], &all)?;
    let merged = if arguments.merge {
        let merged = workspace.refresh(&paths, Resolution::Merge);
        merged.or_else(refresh::with_ways_out)?
    } else {
        Vec::new()
    };
    let conflicts = match (arguments.ours, arguments.theirs) {
        (true, _) => OnConflict::Ours,
        (_, true) => OnConflict::Theirs,
        (false, false) => OnConflict::Fail,
    };
    let mut options = CommitOptions::default().paths(paths.clone()).conflicts(conflicts);
    if !arguments.yes {
        let changes = workspace.changes(&paths)?;
        let named = workspace.conflicts(&paths)?;
        let mut text = show::changes(&changes, true);
        for path in &merged {
            text.push(&text!("merged  {}\n", path));
        }
        let carried = changes.iter().filter(|change| show::is_carried(change)).count();
        for path in &named {
            text.push(&text!("conflict  {}\n", path));
        }
        let question = text!("Write {} to {}?", render::count(carried as u64, "change"), arguments.into);
        let Some(mut terminal) = Terminal::open() else {
            return Err(Stop::Usage(
                "a commit asks first, and there is no terminal to ask on: look with `onionskin workspace changes`, \
                 then say --yes",
            ));
        };
        if !is_confirmed(&mut terminal, &text, &question)? {
            return Err(Stop::Declined);
        }
        if workspace.conflicts(&paths)? != named {
            // A side was chosen for those that were listed, and for no others.
            options = options.conflicts(OnConflict::Fail);
        }
    }
    let committed = workspace.commit(&arguments.into, &options);
    let receipt = committed.or_else(|error| with_choice(error, &mut workspace, &paths, &arguments.into))?;
    let answer = render::receipt(&arguments.into, &receipt, workspace.recovered());
    workspace.close()?;
    Ok(answer)
}

/// Adds the options for conflicts to the error of a commit, with the paths that are in conflict. There are none
/// if a path changed during the commit alone: then it can be tried again, as the error says.
pub(super) fn with_choice<T>(error: Error, workspace: &mut Workspace, paths: &Select, into: &Path) -> Result<T, Error> {
    let Error::Guest { root, error } = error else { return Err(error) };
    let paths = if error.kind == ErrorKind::Conflicts { workspace.conflicts(paths)? } else { Vec::new() };
    if paths.is_empty() {
        return Err(Error::Guest { root, error });
    }
    let message = format!(
        "changed in {} since changed here, so nothing was committed: {}. Say --merge, --ours or --theirs, or leave them \
         out with --except",
        into.display(),
        paths.join(", ")
    );
    Err(Error::Guest { root, error: GuestError { message, ..error } })
}

/// Shows the planned action, and asks.
pub(super) fn is_confirmed(terminal: &mut Terminal, text: &Text, question: &Text) -> Result<bool, Stop> {
    terminal.show(text)?;
    let answer = terminal.ask(&text!("{} [y/N]", question))?;
    Ok(matches!(answer.as_deref(), Some("y" | "Y" | "yes")))
}

pub(super) fn discard(context: &Context, arguments: &Discard) -> Result<Answer, Stop> {
    let upper = &arguments.upper.upper;
    let mut workspace = match open(context, &arguments.upper) {
        // A command that was killed before it made the workspace left this.
        Err(Error::Guest { error, .. }) if error.kind == ErrorKind::NotFound && is_bare(upper) => {
            let failed =
                |source| Error::Io { action: "remove the unfinished workspace in", path: upper.clone(), source };
            remove_bare(upper).map_err(failed)?;
            return Ok(Answer::new(text!("{}: there were no changes in it\n", upper), json!({})));
        }
        Err(error @ (Error::Guest { .. } | Error::Io { .. } | Error::Grant(_))) => {
            return abandon(context, arguments, error);
        }
        opened => opened?,
    };
    let terminal = if arguments.yes { None } else { Terminal::open() };
    if let Some(mut terminal) = terminal {
        let changes = workspace.changes(&Select::default())?;
        let number = render::count(changes.len() as u64, "change");
        let kept = match workspace.checkpoints()?.len() as u64 {
            0 => Text::default(),
            kept => text!(" and {}", render::count(kept, "checkpoint")),
        };
        let question = text!("Give up {}{} in {}?", number, kept, arguments.upper.upper);
        if !is_confirmed(&mut terminal, &show::changes(&changes, true), &question)? {
            return Err(Stop::Declined);
        }
    }
    let recovered = workspace.recovered().to_vec();
    workspace.discard()?;
    let text = text!("{}: discarded\n", arguments.upper.upper);
    Ok(Answer::new(text, json!({})).with_recovered(&recovered))
}

/// The map of a workspace before it has its name. What it says was never in force.
const STAGED_MAP: &str = ".onionskin/workspace/map.tmp";

/// Checks whether there is nothing but directories and a staged map in an upper directory.
fn is_bare(upper: &Path) -> bool {
    let is_bare = |entry: io::Result<DirEntry>| entry.is_ok_and(|entry| is_bare_at(&entry));
    fs::read_dir(upper).is_ok_and(|mut entries| entries.all(is_bare))
}

fn is_bare_at(entry: &DirEntry) -> bool {
    let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
    if is_directory { is_bare(&entry.path()) } else { entry.path().ends_with(STAGED_MAP) }
}

/// Removes the directories and the staged map. A file that was made in between stays, and is an error.
fn remove_bare(upper: &Path) -> io::Result<()> {
    for entry in fs::read_dir(upper)? {
        let place = entry?.path();
        if place.ends_with(STAGED_MAP) {
            fs::remove_file(&place)?;
        } else {
            remove_bare(&place)?;
            fs::remove_dir(&place)?;
        }
    }
    Ok(())
}

/// Discards a workspace that cannot be opened, for this reason.
fn abandon(context: &Context, arguments: &Discard, because: Error) -> Result<Answer, Stop> {
    let upper = &arguments.upper.upper;
    if !arguments.yes {
        let question = text!("It cannot be opened. Discard {} all the same?", upper);
        let Some(mut terminal) = Terminal::open() else { return Err(because.into()) };
        if !is_confirmed(&mut terminal, &text!("{}\n", Sentence(&because)), &question)? {
            return Err(because.into());
        }
    }
    match session(context, upper)?.abandon() {
        Ok(()) => Ok(Answer::new(text!("{}: discarded\n", upper), json!({}))),
        // Without a workspace, or with another owner, the first error says more.
        Err(_) => Err(because.into()),
    }
}

pub(super) fn export(context: &Context, arguments: &Export) -> Result<Answer, Error> {
    let mut workspace = open_with_progress(context, &arguments.upper)?;
    make_directory(&arguments.out)?;
    let left_outs = workspace.left_outs()?;
    let receipt = workspace.export(&arguments.out, Durability::Full)?;
    let mut answer = render::receipt(&arguments.out, &receipt, workspace.recovered());
    let mut listed = Vec::new();
    for left in &left_outs {
        let because = show::because(left.reason);
        answer.text.push(&text!("left out  {}: {}\n", left.path, because));
        listed.push(json!({"path": left.path, "because": because}));
    }
    answer.json["left_out"] = json!(listed);
    workspace.close()?;
    Ok(answer)
}

pub(super) fn checkpoint(context: &Context, arguments: &Checkpoint) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    if let Some(number) = arguments.drop {
        workspace.drop_checkpoint(number).map_err(|error| unknown_checkpoint(error, number))?;
        return close(workspace, text!("checkpoint {}: dropped\n", number), json!({"dropped": number}));
    }
    let number = workspace.checkpoint(&arguments.label)?;
    close(workspace, text!("checkpoint {}\n", number), json!({"checkpoint": number}))
}

pub(super) fn restore(context: &Context, arguments: &Restore) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    let restored = workspace.restore(arguments.number);
    let before = restored.map_err(|error| unknown_checkpoint(error, arguments.number))?;
    let text = text!("checkpoint {} is back; the state before is checkpoint {}\n", arguments.number, before);
    finish(workspace, text, json!({"restored": arguments.number, "before": before}))
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
    let text = text!("{}: a workspace like {}\n", arguments.upper2, arguments.upper.upper);
    close(workspace, text, json!({"upper": arguments.upper2}))
}
