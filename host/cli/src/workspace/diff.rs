//! `diff`: the changes as a patch.

use std::io::{self, Seek as _, Write as _};

use onionskin_host::{Change, Error, Finding, Workspace};
use serde_json::{Value, json};
use tempfile::SpooledTempFile;

use super::super::text::{Text, text};
use super::super::{Context, Format, Stop, streams, terminal};
use super::patch::Patch;
use super::trees::{Missing, Trees};
use super::{choice, observed, review, show};

/// Patches longer than this are kept in a file until all is read, in bytes.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// All that a reading found: it is printed once it is whole.
struct Read {
    missing: Vec<Missing>,
    values: Vec<Value>,
    shown: Text,
    exact: SpooledTempFile,
    recovered: Vec<Finding>,
}

impl Read {
    fn new() -> Self {
        let (missing, values, shown, recovered) = (Vec::new(), Vec::new(), Text::default(), Vec::new());
        Self { missing, values, shown, exact: SpooledTempFile::new(KEPT_BYTES_MAX), recovered }
    }
}

/// Prints a patch that `git apply` takes. Fails at the end if a part of the changes is not in it.
pub(super) fn diff(context: &Context, arguments: &review::Changes) -> Result<(), Stop> {
    let read = |workspace: &mut Workspace| {
        let choice::Chosen { changes, all } =
            arguments.choice.of(workspace, &arguments.upper.upper, &arguments.paths)?;
        let mut read = Read { recovered: workspace.recovered().to_vec(), ..Read::new() };
        each(workspace, &changes, &all, &mut read.missing, |patch| {
            match context.format {
                Format::Json => read.values.push(value(&patch)),
                Format::Text if terminal::is_answer_seen() => read.shown.push(&show::in_colour(patch.shown())),
                Format::Text => read.exact.write_all(&patch.exact())?,
            }
            Ok::<_, Stop>(())
        })?;
        Ok(read)
    };
    let Read { missing, values, shown, mut exact, recovered } = observed(context, &arguments.upper, read)?;
    streams::answer(&shown)?;
    exact.rewind()?;
    io::copy(&mut exact, &mut streams::exact())?;
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
pub(super) fn each<E: From<Error>>(
    workspace: &mut Workspace,
    changes: &[Change],
    all: &[Change],
    missing: &mut Vec<Missing>,
    mut each: impl FnMut(Patch) -> Result<(), E>,
) -> Result<(), E> {
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
