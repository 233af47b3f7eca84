//! The fate of the changes after the program has ended, and the summary.

use std::io::{self, Write as _};

use onionskin_host::run::Layers;
use onionskin_host::{Change, CommitOptions, Error, Onionskin, Select, Workspace, WorkspaceBuilder};
use serde_json::{Value, json};

use super::arguments::What;
use super::bound::Bound;
use super::uppers::Uppers;
use crate::render::count;
use crate::workspace::show;
use crate::{Context, Format, Stop};

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
    Discarded,
}

impl Fate {
    const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Committed => "committed",
            Self::Discarded => "discarded",
        }
    }
}

/// Decides on the changes, executes the decision, and prints the summary. `message` is an additional message
/// about the end. Without upper directories no program was started.
pub(super) fn settle(
    context: &Context,
    what: What,
    uppers: Option<Uppers>,
    code: u8,
    message: Option<String>,
    bound: &Bound,
) -> Result<(), Stop> {
    let is_text = context.format == Format::Text;
    if is_text && let Some(message) = &message {
        writeln!(io::stderr(), "{message}")?;
    }
    let Some(mut uppers) = uppers else {
        return match context.format {
            Format::Text => Ok(()),
            Format::Json => Ok(writeln!(io::stderr(), "{}", summary(&[], code, message.as_deref()))?),
        };
    };
    let all = uppers.layers();
    let mut open = Vec::new();
    if !all.is_empty() {
        let onionskin = Onionskin::load()?;
        for layers in all {
            // It was opened before the program, and has its changes, however the program ended.
            let builder = onionskin.workspace(&layers.upper).lowers(&layers.lowers);
            let changes = changes(&builder).inspect_err(|_| uppers.keep())?;
            open.push((layers, builder, changes));
        }
    }
    let is_changed = open.iter().any(|(_, _, changes)| !changes.is_empty());
    if is_text {
        for (layers, _, changes) in &open {
            write!(io::stderr(), "{}", listed(layers, changes, what == What::Review))?;
        }
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
            ask()?
        }
    };
    let mut settled = Vec::new();
    for (layers, builder, changes) in open {
        let is_left = fate == Fate::Kept || changes.is_empty();
        match fate {
            Fate::Committed if !is_left => {
                bound.lift();
                if let Err(error) = commit(&builder, &layers) {
                    uppers.keep();
                    writeln!(io::stderr(), "{}: not committed; {}", layers.guest, way_on(&layers))?;
                    return Err(error.into());
                }
            }
            Fate::Discarded if !uppers.is_temporary() && is_changed => builder.open()?.discard()?,
            Fate::Kept | Fate::Committed | Fate::Discarded => {}
        }
        settled.push(Settled { layers, changes, fate });
    }
    if fate == Fate::Kept && is_changed {
        uppers.keep();
    }
    match context.format {
        Format::Text => settled.iter().try_for_each(|it| write!(io::stderr(), "{}", it.text(what, code)))?,
        Format::Json => writeln!(io::stderr(), "{}", summary(&settled, code, message.as_deref()))?,
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

fn commit(builder: &WorkspaceBuilder, layers: &Layers) -> Result<(), Error> {
    let mut workspace: Workspace = builder.open()?;
    let into = layers.lowers.first().expect("a layer without lowers is refused before the program starts");
    workspace.commit(into, &CommitOptions::default())?;
    workspace.close()
}

fn listed(layers: &Layers, changes: &[Change], all: bool) -> String {
    if changes.is_empty() {
        return format!("{}: nothing changed\n", layers.guest);
    }
    let shown = if all { changes } else { &changes[..changes.len().min(LISTED_MAX)] };
    let mut text = format!("{}: {}\n", layers.guest, count(changes.len() as u64, "change"));
    text.push_str(&show::changes(shown, true));
    if shown.len() < changes.len() {
        text.push_str(&format!("... and {} more\n", changes.len() - shown.len()));
    }
    text
}

/// Asks for the fate of the changes until there is an answer.
fn ask() -> Result<Fate, Stop> {
    loop {
        let mut out = io::stderr().lock();
        write!(out, "Commit, discard or keep them? [c/d/K] ")?;
        out.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "c" | "C" | "commit" => return Ok(Fate::Committed),
            "d" | "D" | "discard" => return Ok(Fate::Discarded),
            "" | "k" | "K" | "keep" => return Ok(Fate::Kept),
            _ => {}
        }
    }
}

impl Settled {
    /// Returns the outcome for people; an empty text without changes.
    fn text(&self, what: What, code: u8) -> String {
        let Self { layers, changes, fate } = self;
        if changes.is_empty() {
            return String::new();
        }
        match fate {
            Fate::Committed => format!("{}: committed to {}\n", layers.guest, into(layers)),
            Fate::Discarded => {
                let way =
                    if what == What::Review { "" } else { "; --keep or --upper DIR keeps them, --commit applies them" };
                format!("{}: discarded{way}\n", layers.guest)
            }
            Fate::Kept => {
                let why = if what == What::Commit {
                    format!("not committed, since the program exited with {code}; ")
                } else {
                    String::new()
                };
                format!("{}: {why}{}\n", layers.guest, way_on(layers))
            }
        }
    }
}

/// Returns the directory of the kept changes, and the next commands.
fn way_on(layers: &Layers) -> String {
    let (upper, into) = (layers.upper.display(), into(layers));
    format!("kept in {upper}: onionskin workspace diff {upper}, commit {upper} --into {into}, or discard {upper}")
}

/// Returns the directory that a commit changes.
fn into(layers: &Layers) -> impl std::fmt::Display {
    layers.lowers.first().map(|it| it.display().to_string()).unwrap_or_default()
}

/// Returns the summary for programs: one line, the last one on standard error.
fn summary(settled: &[Settled], code: u8, message: Option<&str>) -> Value {
    let one = |it: &Settled| {
        json!({
            "guest": it.layers.guest,
            "lowers": it.layers.lowers,
            "upper": if it.fate == Fate::Kept { json!(it.layers.upper) } else { Value::Null },
            "changes": show::changes_json(&it.changes),
            "fate": it.fate.word(),
        })
    };
    json!({"exit": code, "message": message, "layers": settled.iter().map(one).collect::<Vec<_>>()})
}
