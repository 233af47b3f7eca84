//! `refresh`: the changes of a lower are taken into the workspace, before a commit.

use onionskin_host::{Error, ErrorKind, GuestError, Resolution, Select};
use serde_json::json;

use super::super::render::Answer;
use super::super::text::{Text, text};
use super::super::{Context, Stop};
use super::choice::Choice;
use super::{Upper, close, open};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin workspace refresh ./changes
  onionskin workspace refresh ./changes --theirs --only 'docs/**'

Paths that were not changed here show the lower anyway. Where both sides changed a text, their lines are merged; the
lower itself does not change. What cannot be merged is named, and then nothing is.")]
pub(super) struct Refresh {
    #[command(flatten)]
    upper: Upper,
    #[command(flatten)]
    choice: Choice,
    /// The change of the workspace stays, and a commit replaces that of the lower
    #[arg(long, conflicts_with_all = ["theirs", "mark"])]
    ours: bool,
    /// The lower shows, and the change of the workspace is discarded
    #[arg(long, conflicts_with = "mark")]
    theirs: bool,
    /// Where both sides changed the same lines, both versions are written, between markers
    #[arg(long)]
    mark: bool,
}

pub(super) fn refresh(context: &Context, arguments: &Refresh) -> Result<Answer, Stop> {
    let mut workspace = open(context, &arguments.upper)?;
    let all = workspace.changes(&Select::default())?;
    let paths = arguments.choice.select(&mut workspace, &arguments.upper.upper, &[], &all)?;
    let (resolution, done) = match (arguments.ours, arguments.theirs, arguments.mark) {
        (true, _, _) => (Resolution::Ours, "ours"),
        (_, true, _) => (Resolution::Theirs, "theirs"),
        (_, _, true) => (Resolution::Mark, "merged"),
        (false, false, false) => (Resolution::Merge, "merged"),
    };
    let resolved = workspace.refresh(&paths, resolution).or_else(with_ways_out)?;
    let mut text = Text::default();
    for path in &resolved {
        text.push(&text!("{}  {}\n", done, path));
    }
    if resolved.is_empty() {
        text.push(&text!("{}: nothing was changed on both sides\n", arguments.upper.upper));
    }
    Ok(close(workspace, text, json!({ done: resolved }))?)
}

/// Adds the ways out to the error of a merge.
pub(super) fn with_ways_out<T>(error: Error) -> Result<T, Error> {
    let Error::Guest { root, error } = error else { return Err(error) };
    if error.kind != ErrorKind::Conflicts {
        return Err(Error::Guest { root, error });
    }
    let message = format!(
        "{}: `onionskin workspace refresh` has --ours, --theirs and --mark, and --only and --except choose paths",
        error.message
    );
    Err(Error::Guest { root, error: GuestError { message, ..error } })
}
