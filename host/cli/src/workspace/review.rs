//! `status`, `changes`, `diff` and `conflicts`: the review of the changes.

use onionskin_host::{Change, ChangeKind, Error, Select};
use serde_json::json;

use super::super::Context;
use super::super::render::{Answer, table};
use super::{Upper, close, diff, limit, open, show};

#[derive(clap::Args)]
pub(super) struct Changes {
    #[command(flatten)]
    upper: Upper,
    /// Only what is at or below this path inside the workspace
    path: Option<String>,
}

impl Changes {
    fn chooses(&self, change: &Change) -> bool {
        let Some(path) = self.path.as_deref().filter(|path| *path != ".") else { return true };
        change.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

pub(super) fn status(context: &Context, arguments: &Upper) -> Result<Answer, Error> {
    let mut workspace = open(context, arguments)?;
    let changes = workspace.changes(&Select::default())?;
    let conflicts = workspace.conflicts(&Select::default())?;
    let kept = workspace.checkpoints()?;
    let quota = workspace.quota()?;
    let mut rows = vec![vec!["upper".to_owned(), arguments.upper.display().to_string()]];
    rows.extend(workspace.lowers().iter().map(|lower| vec!["lower".to_owned(), lower.display().to_string()]));
    let mut counts = Vec::new();
    for word in ["deleted", "added", "modified", "renamed", "retyped"] {
        let count = changes.iter().filter(|change| show::word(&change.what) == word).count();
        if count > 0 {
            counts.push(format!("{count} {word}"));
        }
    }
    let bytes = changes.iter().filter(|change| change.what != ChangeKind::Deleted).map(|change| change.size).sum();
    let told = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    rows.push(vec!["changes".to_owned(), told]);
    rows.push(vec!["size".to_owned(), show::size(bytes)]);
    rows.push(vec![
        "conflicts".to_owned(),
        if conflicts.is_empty() { "none".into() } else { conflicts.len().to_string() },
    ]);
    rows.push(vec!["limits".to_owned(), limit::text(quota)]);
    rows.extend(kept.iter().map(|kept| vec!["checkpoint".to_owned(), format!("{} {}", kept.number, kept.label)]));
    let json = json!({
        "lowers": workspace.lowers(),
        "changes": changes.len(),
        "bytes": bytes,
        "conflicts": conflicts,
        "limits": limit::value(quota),
        "checkpoints": kept.iter().map(|kept| json!({"number": kept.number, "label": kept.label})).collect::<Vec<_>>(),
    });
    close(workspace, table(&rows), json)
}

pub(super) fn changes(context: &Context, arguments: &Changes) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    let mut changes = workspace.changes(&Select::default())?;
    changes.retain(|change| arguments.chooses(change));
    let text = show::in_colour(show::changes(&changes, show::has_reader()));
    close(workspace, text, json!({"changes": show::changes_json(&changes)}))
}

pub(super) fn diff(context: &Context, arguments: &Changes) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    let all = workspace.changes(&Select::default())?;
    let (mut text, mut diffs) = (String::new(), Vec::new());
    for change in all.iter().filter(|change| arguments.chooses(change)) {
        let diff = diff::of(&mut workspace, change, &all)?;
        text.push_str(&diff.text);
        let lines = diff.is_text.then_some(diff.text);
        diffs.push(json!({"kind": show::word(&change.what), "path": change.path, "diff": lines}));
    }
    close(workspace, show::in_colour(text), json!({"diffs": diffs}))
}

pub(super) fn conflicts(context: &Context, arguments: &Upper) -> Result<Answer, Error> {
    let mut workspace = open(context, arguments)?;
    let conflicts = workspace.conflicts(&Select::default())?;
    let rows: Vec<_> = conflicts.iter().map(|path| vec!["conflict".to_owned(), path.clone()]).collect();
    close(workspace, show::in_colour(table(&rows)), json!({"conflicts": conflicts}))
}
