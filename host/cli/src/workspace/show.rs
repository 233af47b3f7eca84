//! Changes in the formats for people and for programs.

use std::env;

use onionskin_host::{Change, ChangeKind, NodeKind, Reason, Role};
use serde_json::{Value, json};

use super::super::render::table;
use super::super::terminal;
use super::super::text::{Text, text};

/// Returns the word for a kind.
pub(super) fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::File => "file",
        NodeKind::Directory => "directory",
        NodeKind::Symlink => "link",
        NodeKind::Other => "other",
    }
}

/// Returns the word for a change.
pub(crate) fn word(change: &ChangeKind) -> &'static str {
    match change {
        ChangeKind::Deleted => "deleted",
        ChangeKind::Added => "added",
        ChangeKind::Modified => "modified",
        ChangeKind::Renamed(_) => "renamed",
        ChangeKind::Retyped(_) => "retyped",
    }
}

/// A number of bytes in the unit that suits it.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    const STEP: u64 = 1024;
    if bytes < STEP {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (u128::from(bytes) * 10 / u128::from(STEP), 0);
    while tenths >= 10 * u128::from(STEP) && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / u128::from(STEP), unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// One change on each line: its kind, its path, and details. Sizes are for people. A further line names an entry that a
/// rename writes over.
pub(crate) fn changes(changes: &[Change], is_for_people: bool) -> Text {
    let mut rows = Vec::new();
    for change in changes {
        let size = |bytes: u64| if is_for_people { size(bytes).into() } else { Text::default() };
        let has_size = change.kind == NodeKind::File && change.what != ChangeKind::Deleted;
        let details = if has_size { size(change.size) } else { Text::default() };
        rows.push(vec![word(&change.what).into(), (&change.path).into(), details, note(change)]);
        if let (ChangeKind::Renamed(_), Some(replaced)) = (&change.what, change.replaced) {
            let details = if replaced.kind == NodeKind::File { size(replaced.size) } else { Text::default() };
            rows.push(vec!["overwritten".into(), (&change.path).into(), details, kind(replaced.kind).into()]);
        }
    }
    table(&rows)
}

/// Returns the reason for which a change stays, as a clause.
pub(super) fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::Excepted => "it cannot be without an excepted path",
        Reason::BelowTopmost => "only a lower below the topmost has it",
        Reason::Unreadable => "it must not be read",
        Reason::Special => "it is a pipe, a socket or a device",
        Reason::AbsoluteLink => "it is an absolute link",
        Reason::IllegalName => "it holds a name that is not UTF-8",
    }
}

/// Checks whether a commit carries out a change.
pub(crate) fn is_carried(change: &Change) -> bool {
    !matches!(change.role, Role::Stays(_))
}

/// Returns the details of a change.
pub(super) fn note(change: &Change) -> Text {
    let mut notes = Vec::new();
    match &change.what {
        ChangeKind::Renamed(from) => notes.push(text!("from {}", from)),
        ChangeKind::Retyped(was) => notes.push(text!("{}, was {}", kind(change.kind), kind(*was))),
        ChangeKind::Deleted | ChangeKind::Added | ChangeKind::Modified => {}
    }
    notes.extend(change.target.as_ref().map(|target| text!("to {}", target)));
    match change.role {
        Role::Chosen => {}
        Role::Along => notes.push(text!("comes along")),
        Role::Stays(reason) => notes.push(text!("stays: {}", because(reason))),
    }
    let mut line = Text::default();
    for (index, note) in notes.iter().enumerate() {
        if index > 0 {
            line.push(&text!(", "));
        }
        line.push(note);
    }
    line
}

/// The same for programs.
pub(crate) fn changes_json(changes: &[Change]) -> Value {
    let one = |change: &Change| {
        let mut value = json!({
            "kind": word(&change.what),
            "path": change.path,
            "type": kind(change.kind),
            "size": change.size,
        });
        match &change.what {
            ChangeKind::Renamed(from) => value["from"] = json!(from),
            ChangeKind::Retyped(was) => value["was"] = json!(kind(*was)),
            ChangeKind::Deleted | ChangeKind::Added | ChangeKind::Modified => {}
        }
        if let Some(target) = &change.target {
            value["target"] = json!(target);
        }
        if let Some(replaced) = change.replaced {
            value["replaced"] = json!({"type": kind(replaced.kind), "size": replaced.size});
        }
        match change.role {
            Role::Chosen => {}
            Role::Along => value["along"] = json!(true),
            Role::Stays(reason) => value["stays"] = json!(because(reason)),
        }
        value
    };
    changes.iter().map(one).collect()
}

/// Colours lines by their beginning, on a terminal unless colours are switched off.
pub(super) fn in_colour(text: Text) -> Text {
    const COLOURS: [(&str, u8); 10] = [
        ("deleted", 31),
        ("overwritten", 31),
        ("-", 31),
        ("added", 32),
        ("+", 32),
        ("modified", 33),
        ("renamed", 36),
        ("@@", 36),
        ("retyped", 35),
        ("conflict", 31),
    ];
    if !terminal::is_answer_seen() || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return text;
    }
    text.coloured(&COLOURS)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        let told = [0, 1023, 1024, 1536, 10 << 20, 3 << 40, u64::MAX].map(size);
        assert_eq!(told, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10.0 MiB", "3.0 TiB", "16777215.9 TiB"]);
    }
}
