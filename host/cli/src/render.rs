//! Answers as text and as JSON.

use std::path::Path;

use onionskin_host::{Abilities, Action, Durability, Finding, Receipt, Step, Tier, Verdict};
use serde_json::{Value, json};

use super::advice::Failure;
use super::text::{Sentence, Show, Text, text};

/// The answer of a command.
pub(super) struct Answer {
    /// For standard output, with the last newline.
    pub(super) text: Text,
    /// Asides for standard error, without a newline.
    pub(super) notes: Vec<Text>,
    /// The same for programs: an object.
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn new(text: Text, json: Value) -> Self {
        Self { text, notes: Vec::new(), json }
    }

    /// Adds the executed steps, if requested.
    pub(super) fn with_steps(mut self, steps: Option<Vec<Step>>) -> Self {
        if let Some(steps) = steps {
            self.text.push(&steps_table(&steps));
            self.json["steps"] = steps.iter().map(step_json).collect();
        }
        self
    }

    /// Adds the findings of the recovery before the command.
    pub(super) fn with_recovered(mut self, recovered: &[Finding]) -> Self {
        let note = |it: &Finding| text!("first {}: {}: {}", verdict(it.verdict), place(&it.path), Sentence(&it.detail));
        self.notes.extend(recovered.iter().map(note));
        self.json["recovered"] = findings_json(recovered);
        self
    }

    /// Adds the paths that were left out.
    pub(super) fn skipped(&mut self, names: &[String]) {
        if !names.is_empty() {
            let names = Text::join(names.iter().map(Text::from), ", ");
            self.notes.push(text!("not put, since not a regular file: {}", names));
        }
        self.json["skipped"] = json!(names);
    }
}

pub(super) fn failure(failure: &Failure) -> Value {
    json!({"error": {
        "kind": failure.kind,
        "path": failure.path.to_string_lossy(),
        "message": failure.message,
    }})
}

pub(super) fn abilities(root: &Path, found: &Abilities) -> Answer {
    let tier = match found.tier {
        Tier::Refused => ("refused", "nothing can be promised here"),
        Tier::ProcessCrash => ("process-crash", "atomic when the process dies; nothing about power loss"),
        Tier::Atomic => ("atomic", "atomic under power loss, but not durable"),
        Tier::Durable => ("durable", "atomic and durable"),
    };
    let answer = |ability: Option<bool>| match ability {
        Some(true) => "yes",
        Some(false) => "no",
        None => "could not be tried",
    };
    let mut rows = vec![
        vec![root.into(), text!("{}: {}", tier.0, tier.1)],
        vec![text!("  symbolic links"), answer(found.symlinks).into()],
        vec![text!("  hard links"), answer(found.hard_links).into()],
        vec![text!("  directory sync"), answer(found.directory_sync).into()],
        vec![text!("  case-sensitive"), answer(found.case_sensitive).into()],
    ];
    if !found.reason.is_empty() {
        rows.push(vec![text!("  reason"), text!("{}", Sentence(&found.reason))]);
    }
    let json = json!({
        "tier": tier.0,
        "symlinks": found.symlinks,
        "hard-links": found.hard_links,
        "directory-sync": found.directory_sync,
        "case-sensitive": found.case_sensitive,
        "reason": found.reason,
    });
    Answer::new(table(&rows), json)
}

pub(super) fn findings(findings: &[Finding], how: &str) -> Answer {
    let text = if findings.is_empty() {
        text!("clean: nothing {}\n", how)
    } else {
        let rows: Vec<_> = findings
            .iter()
            .map(|it| vec![verdict(it.verdict).into(), place(&it.path).into(), text!("{}", Sentence(&it.detail))])
            .collect();
        table(&rows)
    };
    Answer::new(text, json!({"findings": findings_json(findings)}))
}

pub(super) fn receipt(path: &(impl Show + ?Sized), receipt: &Receipt, recovered: &[Finding]) -> Answer {
    let achieved = match receipt.achieved {
        Durability::Visible => "visible",
        Durability::Data => "data",
        Durability::Full => "full",
    };
    let text = if receipt.applied == 0 {
        text!("{}: nothing to do\n", path)
    } else {
        text!(
            "{}: {} changed, {} written, durability {}, change {}\n",
            path,
            count(receipt.applied, "path"),
            count(receipt.bytes, "byte"),
            achieved,
            receipt.transaction,
        )
    };
    let json = json!({
        "transaction": receipt.transaction,
        "achieved": achieved,
        "applied": receipt.applied,
        "bytes": receipt.bytes,
    });
    Answer::new(text, json).with_recovered(recovered)
}

fn findings_json(findings: &[Finding]) -> Value {
    findings.iter().map(|it| json!({"path": it.path, "verdict": verdict(it.verdict), "detail": it.detail})).collect()
}

/// The executed steps, one on each line.
pub(super) fn steps_table(steps: &[Step]) -> Text {
    if steps.is_empty() {
        return text!("no step was needed\n");
    }
    let mut rows = vec![["#", "step", "path", "from", "bytes", "", "why"].map(Text::from).to_vec()];
    rows.extend(steps.iter().enumerate().map(|(at, step)| {
        vec![
            (&(at + 1)).into(),
            action(step.action).into(),
            place(&step.path).into(),
            step.origin.as_ref().map(Text::from).unwrap_or_default(),
            if step.bytes == 0 { Text::default() } else { (&step.bytes).into() },
            if step.commits { "COMMIT" } else { "" }.into(),
            text!("{}", Sentence(&step.why)),
        ]
    }));
    table(&rows)
}

fn step_json(step: &Step) -> Value {
    json!({
        "action": action(step.action),
        "path": step.path,
        "origin": step.origin,
        "bytes": step.bytes,
        "commits": step.commits,
        "why": step.why,
    })
}

/// Rows with their columns aligned.
pub(super) fn table(rows: &[Vec<Text>]) -> Text {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..columns).map(|at| rows.iter().filter_map(|row| row.get(at)).map(Text::width).max().unwrap_or(0)).collect();
    let mut lines = Text::default();
    for row in rows {
        let mut line = Text::default();
        for (cell, columns) in row.iter().zip(&widths).filter(|(_, columns)| **columns > 0) {
            line.push(cell);
            line.pad(columns - cell.width() + 2);
        }
        line.trim_end();
        lines.push(&text!("{}\n", line));
    }
    lines
}

pub(super) fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn place(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean => "clean",
        Verdict::Swept => "swept",
        Verdict::RolledBack => "rolled-back",
        Verdict::RolledForward => "rolled-forward",
        Verdict::Quarantined => "quarantined",
        Verdict::InUse => "in-use",
        Verdict::Parked => "parked",
        Verdict::Left => "left",
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::MakeDirectory => "make-directory",
        Action::Create => "create",
        Action::Write => "write",
        Action::Copy => "copy",
        Action::SyncFile => "sync-file",
        Action::SyncDirectory => "sync-directory",
        Action::Rename => "rename",
        Action::Link => "link",
        Action::Symlink => "symlink",
        Action::SetAttributes => "set-attributes",
        Action::RemoveFile => "remove-file",
        Action::RemoveDirectory => "remove-directory",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let row = |cells: [&str; 3]| cells.map(Text::from).to_vec();
        let text = table(&[row(["a", "", "x"]), row(["größe", "", "y"])]);
        assert_eq!(text.as_str(), "a      x\ngröße  y\n");
    }
}
