//! The fate of the changes after the program has ended, and the summary.

use std::path::Path;

use onionskin_host::run::Layers;
use onionskin_host::{Change, CommitOptions, Error, ErrorKind, Kind, Onionskin, Select, WorkspaceBuilder};
use serde_json::{Value, json};

use super::arguments::What;
use super::bound::Bound;
use super::uppers::Uppers;
use crate::advice::Failure;
use crate::render::count;
use crate::streams;
use crate::terminal::Terminal;
use crate::text::{Sentence, Text, text};
use crate::workspace::show;
use crate::{Context, FAILED, Format, Stop};

/// The maximum of changes in the summary; for more it names the command that lists them.
const LISTED_MAX: usize = 20;

/// The fate of the changes of one directory.
struct Settled {
    layers: Layers,
    changes: Vec<Change>,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Committed,
    /// They are decided, and the next open completes the commit.
    Decided,
    /// Only the next open can find out whether they are.
    Unknown,
    Discarded,
}

impl Fate {
    /// Whether the changes are not in the upper directory any more.
    const fn has_ended(self) -> bool {
        matches!(self, Self::Committed | Self::Discarded)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Committed => "committed",
            Self::Decided => "decided",
            Self::Unknown => "unknown",
            Self::Discarded => "discarded",
        }
    }
}

/// Decides on the changes, executes the decision, and prints the summary. `message` is an additional one
/// about the end. Without upper directories no program was started.
pub(super) fn settle(
    context: &Context,
    what: What,
    uppers: Option<Uppers>,
    code: u8,
    message: Option<Text>,
    terminal: Option<Terminal>,
    bound: &Bound,
) -> Result<(), Stop> {
    let is_text = context.format == Format::Text;
    if is_text && let Some(message) = &message {
        streams::aside(&text!("{}\n", message))?;
    }
    let Some(mut uppers) = uppers else {
        return match context.format {
            Format::Text => Ok(()),
            Format::Json => {
                Ok(streams::aside_json_after_program(&summary(&[], code, message.as_ref().map(Text::as_str)))?)
            }
        };
    };
    let all = uppers.layers();
    let mut open = Vec::new();
    if !all.is_empty() {
        let onionskin = Onionskin::load()?;
        for layers in all {
            // It was opened before the program, and has its changes, however the program ended.
            let builder = onionskin.workspace(&layers.upper).lowers(&layers.lowers).wait(context.wait);
            let builder = if context.trust { builder.trust_all() } else { builder };
            let changes = changes(&builder).inspect_err(|_| uppers.keep())?;
            open.push((layers, builder, changes));
        }
    }
    let is_changed = open.iter().any(|(_, _, changes)| !changes.is_empty());
    let list = |is_whole| open.iter().map(|(layers, _, changes)| listed(layers, changes, is_whole)).collect::<Text>();
    if is_text && (terminal.is_none() || !is_changed) {
        streams::aside(&list(false))?;
    }
    let fate = match what {
        _ if !is_changed && uppers.is_temporary() => Fate::Discarded,
        _ if !is_changed => Fate::Kept,
        What::Keep => Fate::Kept,
        What::Discard => Fate::Discarded,
        What::Commit if code == 0 => Fate::Committed,
        What::Commit => Fate::Kept,
        What::Review => {
            bound.lift();
            match terminal {
                Some(terminal) => ask(terminal, &list(true))?,
                None => Fate::Kept,
            }
        }
    };
    if fate == Fate::Committed {
        bound.lift();
        first_those_with_conflicts(&mut open)?;
    }
    let (mut settled, mut failure) = (Vec::new(), None);
    for (layers, builder, changes) in open {
        let mut own = fate;
        match fate {
            Fate::Committed if !changes.is_empty() => {
                // After a failure the others stay as they are, and the account says so.
                own = Fate::Kept;
                if failure.is_none() {
                    (own, failure) = commit(&builder, &layers);
                }
                if own != Fate::Committed {
                    uppers.keep();
                }
            }
            Fate::Discarded if !uppers.is_temporary() && is_changed => builder.open()?.discard()?,
            Fate::Kept | Fate::Committed | Fate::Decided | Fate::Unknown | Fate::Discarded => {}
        }
        settled.push(Settled { layers, changes, fate: own });
    }
    if fate == Fate::Kept && is_changed {
        uppers.keep();
    }
    let why = match what {
        _ if failure.is_some() => text!("not committed; "),
        What::Commit => text!("not committed, since the program exited with {}; ", code),
        What::Keep | What::Discard | What::Review => Text::default(),
    };
    match (context.format, failure) {
        (Format::Text, failure) => {
            streams::aside(&settled.iter().map(|it| it.text(what, &why)).collect())?;
            failure.map_or(Ok(()), |error| Err(error.into()))
        }
        (Format::Json, None) => {
            Ok(streams::aside_json_after_program(&summary(&settled, code, message.as_ref().map(Text::as_str)))?)
        }
        (Format::Json, Some(error)) => {
            let message = Failure::from(error).message;
            streams::aside_json_after_program(&summary(&settled, FAILED, Some(&message)))?;
            Err(Stop::Exited(FAILED))
        }
    }
}

/// Moves directories with conflicts to the front: their commit fails, and then nothing is committed.
fn first_those_with_conflicts(open: &mut [(Layers, WorkspaceBuilder, Vec<Change>)]) -> Result<(), Error> {
    if open.len() < 2 {
        return Ok(());
    }
    let mut at = 0;
    for index in 0..open.len() {
        let mut workspace = open[index].1.open()?;
        let has_conflicts = !workspace.conflicts(&Select::default())?.is_empty();
        workspace.close()?;
        if has_conflicts {
            open[at..=index].rotate_right(1);
            at += 1;
        }
    }
    Ok(())
}

fn changes(builder: &WorkspaceBuilder) -> Result<Vec<Change>, Error> {
    let mut workspace = builder.open()?;
    let changes = workspace.changes(&Select::default())?;
    // Makes the changes durable before this command ends, whether or not the program synced them.
    workspace.sync()?;
    workspace.close()?;
    Ok(changes)
}

/// Commits, and returns what became of the changes, and the failure.
fn commit(builder: &WorkspaceBuilder, layers: &Layers) -> (Fate, Option<Error>) {
    let into = layers.lowers.first().expect("a layer without lowers is refused before the program starts");
    let mut workspace = match builder.open() {
        Ok(workspace) => workspace,
        Err(error) => return (Fate::Kept, Some(error)),
    };
    match workspace.commit(into, &CommitOptions::default()) {
        Ok(_) => (Fate::Committed, workspace.close().err()),
        Err(error) => (fate_after(error.kind()), Some(error)),
    }
}

/// Returns what became of the changes whose commit failed like this.
fn fate_after(failure: Kind) -> Fate {
    match failure {
        Kind::Contract(ErrorKind::NeedsRecovery) => Fate::Decided,
        Kind::Contract(ErrorKind::OutcomeUnknown)
        | Kind::InjectedCrash
        | Kind::OutOfFuel
        | Kind::OutOfTime
        | Kind::OutOfMemory
        | Kind::Stopped
        | Kind::Cancelled
        | Kind::Fault => Fate::Unknown,
        // It is refused before it is decided.
        _ => Fate::Kept,
    }
}

fn listed(layers: &Layers, changes: &[Change], all: bool) -> Text {
    if changes.is_empty() {
        return text!("{}: nothing changed\n", layers.guest);
    }
    let shown = if all { changes } else { &changes[..changes.len().min(LISTED_MAX)] };
    let mut text = text!("{}: {}\n", layers.guest, count(changes.len() as u64, "change"));
    text.push(&show::changes(shown, true));
    if shown.len() < changes.len() {
        text.push(&text!("... and {} more\n", changes.len() - shown.len()));
    }
    text
}

/// Asks for the fate of the changes until there is an answer.
fn ask(mut terminal: Terminal, changes: &Text) -> Result<Fate, Stop> {
    terminal.reset()?;
    terminal.show(changes)?;
    loop {
        let answer = terminal.ask(&text!("Commit, discard or keep them? [c/d/K]"))?;
        match answer.as_deref().unwrap_or_default() {
            "c" | "C" | "commit" => return Ok(Fate::Committed),
            "d" | "D" | "discard" => return Ok(Fate::Discarded),
            "" | "k" | "K" | "keep" => return Ok(Fate::Kept),
            _ => {}
        }
    }
}

impl Settled {
    /// Returns the outcome for people; an empty text without changes.
    fn text(&self, what: What, why: &Text) -> Text {
        let Self { layers, changes, fate } = self;
        if changes.is_empty() {
            return Text::default();
        }
        match fate {
            Fate::Committed => text!("{}: committed to {}\n", layers.guest, into(layers)),
            Fate::Discarded => {
                let way =
                    if what == What::Review { "" } else { "; --keep or --upper DIR keeps them, --commit applies them" };
                text!("{}: discarded{}\n", layers.guest, way)
            }
            Fate::Kept => text!("{}: {}{}\n", layers.guest, why, way_on(layers)),
            Fate::Decided => {
                let upper = word(&layers.upper);
                text!("{}: decided, and not complete; onionskin recover {} completes it\n", layers.guest, upper)
            }
            Fate::Unknown => {
                let upper = word(&layers.upper);
                text!("{}: committed or not; onionskin recover {} finds out\n", layers.guest, upper)
            }
        }
    }
}

/// Returns the directory of the kept changes, and the next commands.
fn way_on(layers: &Layers) -> Text {
    let (upper, into) = (word(&layers.upper), layers.lowers.first().map(|it| word(it)).unwrap_or_default());
    text!(
        "kept in {}: onionskin workspace diff {}, commit {} --into {}, or discard {}",
        upper,
        upper,
        upper,
        into,
        upper
    )
}

/// Returns a path as a word for a shell.
fn word(path: &Path) -> Text {
    match path.to_str().and_then(|path| shlex::try_quote(path).ok()) {
        Some(word) => text!("{}", Sentence(word)),
        None => path.into(),
    }
}

/// Returns the directory that a commit changes.
fn into(layers: &Layers) -> Text {
    layers.lowers.first().map(Text::from).unwrap_or_default()
}

/// Returns the summary for programs: one line, the last one on standard error.
fn summary(settled: &[Settled], code: u8, message: Option<&str>) -> Value {
    let one = |it: &Settled| {
        json!({
            "guest": it.layers.guest,
            "lowers": it.layers.lowers,
            "upper": if it.fate.has_ended() { Value::Null } else { json!(it.layers.upper) },
            "changes": show::changes_json(&it.changes),
            "fate": it.fate.word(),
        })
    };
    json!({"exit": code, "message": message, "layers": settled.iter().map(one).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_that_may_be_committed() {
        assert!(fate_after(Kind::Contract(ErrorKind::Conflicts)) == Fate::Kept);
        assert!(fate_after(Kind::Io) == Fate::Kept);
        assert!(fate_after(Kind::Contract(ErrorKind::NeedsRecovery)) == Fate::Decided);
        assert!(fate_after(Kind::Contract(ErrorKind::OutcomeUnknown)) == Fate::Unknown);
        // A component that ended in the middle says nothing.
        assert!(fate_after(Kind::Fault) == Fate::Unknown);
    }
}
