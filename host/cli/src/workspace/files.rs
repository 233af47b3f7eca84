//! `ls`, `cat`, `put`, `rm`, `mv` and `mkdir`: the merged tree.

use std::io::Write as _;
use std::path::PathBuf;

use onionskin_host::{Error, Layer, NodeKind, Workspace};
use serde_json::json;

use super::super::input::{Input, progress};
use super::super::render::{Answer, table};
use super::super::text::{Text, text};
use super::super::{Context, Stop, streams};
use super::{Upper, choice, finish, observed, open, show};

#[derive(clap::Args)]
pub(super) struct Named {
    #[command(flatten)]
    upper: Upper,
    /// The path inside the workspace
    #[arg(value_parser = choice::path)]
    path: String,
}

#[derive(clap::Args)]
pub(super) struct Ls {
    #[command(flatten)]
    upper: Upper,
    /// The directory inside the workspace
    #[arg(default_value = ".", value_parser = choice::path)]
    path: String,
}

#[derive(clap::Args)]
pub(super) struct Put {
    #[command(flatten)]
    upper: Upper,
    /// The file inside the workspace; its directory must exist
    #[arg(value_parser = choice::new_path)]
    path: String,
    /// Take the new content from this file, instead of standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct Rm {
    #[command(flatten)]
    upper: Upper,
    /// The path inside the workspace
    #[arg(value_parser = choice::path)]
    path: String,
    /// Remove a directory with everything in it
    #[arg(long, short)]
    recursive: bool,
}

#[derive(clap::Args)]
pub(super) struct Mv {
    #[command(flatten)]
    upper: Upper,
    /// The path inside the workspace
    #[arg(value_parser = choice::path)]
    old: String,
    /// Its new path inside the workspace
    #[arg(value_parser = choice::path)]
    new: String,
}

pub(super) fn ls(context: &Context, arguments: &Ls) -> Result<Answer, Stop> {
    observed(context, &arguments.upper, |workspace| Ok(list(workspace, arguments)?))
}

fn list(workspace: &mut Workspace, arguments: &Ls) -> Result<Answer, Error> {
    let (mut rows, mut entries) = (Vec::new(), Vec::new());
    for entry in workspace.list(&arguments.path)? {
        let path =
            if arguments.path == "." { entry.name.clone() } else { format!("{}/{}", arguments.path, entry.name) };
        let size = if entry.kind == NodeKind::File { Some(workspace.stat(&path)?.size) } else { None };
        let layer = match entry.origin {
            Layer::Lower => "lower",
            Layer::Upper => "upper",
        };
        let kind = show::kind(entry.kind);
        rows.push(vec![
            kind.into(),
            layer.into(),
            size.map_or_else(Text::default, |it| show::size(it).into()),
            (&entry.name).into(),
        ]);
        entries.push(json!({"name": entry.name, "type": kind, "origin": layer, "size": size}));
    }
    Ok(Answer::new(table(&rows), json!({"entries": entries})).with_recovered(workspace.recovered()))
}

pub(super) fn cat(context: &Context, arguments: &Named) -> Result<(), Stop> {
    let mut out = streams::exact();
    let (mut has_begun, mut failure) = (false, None);
    observed(context, &arguments.upper, |workspace| {
        // What is written cannot be taken back, so it is not read again.
        if has_begun {
            return Ok(());
        }
        // The last chunk is whole once the end was found after it.
        let mut last = Vec::new();
        for chunk in workspace.chunks(&arguments.path) {
            match chunk {
                Ok(chunk) => {
                    has_begun |= !last.is_empty();
                    out.write_all(&std::mem::replace(&mut last, chunk))?;
                }
                Err(error) if has_begun => {
                    failure = Some(error);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        has_begun = true;
        Ok(out.write_all(&last)?)
    })?;
    out.flush()?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

pub(super) fn put(context: &Context, arguments: &Put) -> Result<Answer, Error> {
    let input = Input::open(arguments.from.as_deref())?;
    let mut workspace = open(context, &arguments.upper)?;
    let bar = progress(input.length);
    let bytes = workspace.put_from(&arguments.path, bar.wrap_read(input))?;
    bar.finish_and_clear();
    finish(workspace, text!("{}: {} written\n", arguments.path, show::size(bytes)), json!({"bytes": bytes}))
}

pub(super) fn rm(context: &Context, arguments: &Rm) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    let removed = if arguments.recursive {
        workspace.remove_tree(&arguments.path)?
    } else {
        workspace.remove(&arguments.path)?;
        1
    };
    let entries = if removed == 1 { Text::default() } else { text!(", {} entries", removed) };
    finish(workspace, text!("{}: removed{}\n", arguments.path, entries), json!({"removed": removed}))
}

pub(super) fn mv(context: &Context, arguments: &Mv) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    workspace.rename(&arguments.old, &arguments.new)?;
    let (old, new) = (&arguments.old, &arguments.new);
    finish(workspace, text!("{}: is {} now\n", old, new), json!({"old": old, "new": new}))
}

pub(super) fn mkdir(context: &Context, arguments: &Named) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    workspace.make_directory(&arguments.path)?;
    finish(workspace, text!("{}: made\n", arguments.path), json!({"path": arguments.path}))
}
