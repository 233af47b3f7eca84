//! `diff`: the changes as a patch.

use std::io::Write as _;

use onionskin_host::{Change, Workspace};
use serde_json::{Value, json};

use super::super::text::{Text, text};
use super::super::{Context, Format, Stop, streams, terminal};
use super::patch::Patch;
use super::trees::{Missing, Trees};
use super::{choice, open, review, show};

/// Prints a patch that `git apply` takes. Fails at the end if a part of the changes is not in it.
pub(super) fn diff(context: &Context, arguments: &review::Changes) -> Result<(), Stop> {
    let mut workspace = open(context, &arguments.upper)?;
    let choice::Chosen { changes, all } =
        arguments.choice.of(&mut workspace, &arguments.upper.upper, &arguments.paths)?;
    let mut missing = Vec::new();
    let mut values = Vec::new();
    let recovered = workspace.recovered().to_vec();
    each(&mut workspace, &changes, &all, &mut missing, |patch| {
        match context.format {
            Format::Json => values.push(value(&patch)),
            Format::Text if terminal::is_answer_seen() => streams::answer(&show::in_colour(patch.shown()))?,
            Format::Text => streams::exact().write_all(&patch.exact())?,
        }
        Ok(())
    })?;
    workspace.close()?;
    match context.format {
        Format::Json => {
            let left_out: Value = missing.iter().map(|it| json!({"path": it.path, "reason": it.reason})).collect();
            let answer = json!({"diffs": values, "missing": left_out});
            context.print(&super::super::render::Answer::new(Text::default(), answer).with_recovered(&recovered))?;
        }
        Format::Text => streams::aside(&missing.iter().map(line).collect())?,
    }
    if missing.is_empty() { Ok(()) } else { Err(Stop::Incomplete) }
}

/// Calls with the patch of each difference, in the order of the paths.
pub(super) fn each(
    workspace: &mut Workspace,
    changes: &[Change],
    all: &[Change],
    missing: &mut Vec<Missing>,
    mut each: impl FnMut(Patch) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let trees = Trees::of(workspace, changes, all)?;
    missing.extend_from_slice(trees.missing());
    for pair in trees.pairs() {
        match trees.read(workspace, &pair)? {
            Ok((old, new)) => {
                if let Some(patch) = Patch::of(old, new) {
                    each(patch)?;
                }
            }
            Err(part) => missing.push(part),
        }
    }
    Ok(())
}

/// The message about a part that is left out.
pub(super) fn line(missing: &Missing) -> Text {
    text!("not in the patch: {}: {}\n", missing.path, missing.reason)
}

fn value(patch: &Patch) -> Value {
    let path = |side: &Option<super::patch::Side>| side.as_ref().map(|it| it.path.clone());
    let kind = match (&patch.old, &patch.new) {
        (None, _) => "added",
        (_, None) => "deleted",
        (Some(old), Some(new)) if old.path != new.path => "renamed",
        (Some(_), Some(_)) => "modified",
    };
    let mut value = json!({
        "kind": kind,
        "path": path(&patch.new).or_else(|| path(&patch.old)),
        "diff": patch.as_text(),
    });
    if kind == "renamed" {
        value["from"] = json!(path(&patch.old));
    }
    value
}
