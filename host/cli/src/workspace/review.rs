//! `status`, `changes` and `conflicts`: the review of the changes.

use onionskin_host::{ChangeKind, Error, Select, Workspace};
use serde_json::json;

use super::super::render::{Answer, table};
use super::super::text::{Text, text};
use super::super::{Context, Stop, terminal};
use super::choice::{self, Choice, Chosen};
use super::{Upper, limit, observed, show};

#[derive(clap::Args)]
#[command(after_help = choice::GLOBS)]
pub(super) struct Changes {
    #[command(flatten)]
    pub(super) upper: Upper,
    /// Only what is at or below these paths inside the workspace
    #[arg(value_parser = choice::path)]
    pub(super) paths: Vec<String>,
    #[command(flatten)]
    pub(super) choice: Choice,
}

pub(super) fn status(context: &Context, arguments: &Upper) -> Result<Answer, Stop> {
    observed(context, arguments, |workspace| Ok(status_of(workspace, arguments)?))
}

fn status_of(workspace: &mut Workspace, arguments: &Upper) -> Result<Answer, Error> {
    let changes = workspace.changes(&Select::default())?;
    let conflicts = workspace.conflicts(&Select::default())?;
    let kept = workspace.checkpoints()?;
    let quota = workspace.quota()?;
    let mut rows = vec![vec!["upper".into(), (&arguments.upper).into()]];
    rows.extend(workspace.lowers().iter().map(|lower| vec!["lower".into(), lower.into()]));
    let mut counts = Vec::new();
    for word in ["deleted", "added", "modified", "renamed", "retyped"] {
        let count = changes.iter().filter(|change| show::word(&change.what) == word).count();
        if count > 0 {
            counts.push(text!("{} {}", count, word));
        }
    }
    let bytes = changes.iter().filter(|change| change.what != ChangeKind::Deleted).map(|change| change.size).sum();
    let none = || text!("none");
    rows.push(vec!["changes".into(), if counts.is_empty() { none() } else { Text::join(counts, ", ") }]);
    rows.push(vec!["size".into(), show::size(bytes).into()]);
    rows.push(vec!["conflicts".into(), if conflicts.is_empty() { none() } else { (&conflicts.len()).into() }]);
    rows.push(vec!["limits".into(), limit::text(quota).into()]);
    rows.extend(kept.iter().map(|kept| vec!["checkpoint".into(), text!("{} {}", kept.number, kept.label)]));
    let json = json!({
        "lowers": workspace.lowers(),
        "changes": changes.len(),
        "bytes": bytes,
        "conflicts": conflicts,
        "limits": limit::value(quota),
        "checkpoints": kept.iter().map(|kept| json!({"number": kept.number, "label": kept.label})).collect::<Vec<_>>(),
    });
    Ok(Answer::new(table(&rows), json).with_recovered(workspace.recovered()))
}

pub(super) fn changes(context: &Context, arguments: &Changes) -> Result<Answer, Stop> {
    observed(context, &arguments.upper, |workspace| {
        let Chosen { changes, .. } = arguments.choice.of(workspace, &arguments.upper.upper, &arguments.paths)?;
        let text = show::in_colour(show::changes(&changes, terminal::is_answer_seen()));
        let json = json!({"changes": show::changes_json(&changes)});
        Ok(Answer::new(text, json).with_recovered(workspace.recovered()))
    })
}

pub(super) fn conflicts(context: &Context, arguments: &Upper) -> Result<Answer, Stop> {
    observed(context, arguments, |workspace| {
        let conflicts = workspace.conflicts(&Select::default())?;
        let rows: Vec<_> = conflicts.iter().map(|path| vec!["conflict".into(), path.into()]).collect();
        let answer = Answer::new(show::in_colour(table(&rows)), json!({"conflicts": conflicts}));
        Ok(answer.with_recovered(workspace.recovered()))
    })
}
