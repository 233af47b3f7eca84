//! `demo`: the demonstrations, printed while they are checked.

use std::io;

use onionskin_host::{Error, Onionskin};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{DemoError, Promise, Report};
use crate::render::{self, Answer};
use crate::text::{Sentence, Text, text};
use crate::{Context, Format, Stop, streams};

pub(crate) const HELP: &str = "\
Examples:
  onionskin demo
  onionskin demo --format json

Exit codes: 0 every promise held, 1 one did not, 2 wrong usage.";

/// The number of broken cases that are printed in full for each promise; the first ones are the most instructive.
const BROKEN_SHOWN_MAX: usize = 3;

pub(crate) fn run(context: &Context) -> Result<(), Stop> {
    if context.crash_at.is_some() {
        return Err(Stop::Usage("demo crashes at every call by itself: leave out --crash-at"));
    }
    let directory = scratch()?;
    let onionskin = Onionskin::load()?;
    let mut out = streams::exact();
    let mut report = match context.format {
        Format::Text => Report::new(&mut out),
        Format::Json => Report::silent(),
    };
    let result = super::run(&onionskin, directory.path(), &mut report);
    let (promises, all_held) = (report.promises().to_vec(), report.all_held());
    drop(out);
    context.print(&Answer::new(summary(&promises), summary_json(&promises, all_held)))?;
    result.map_err(stop)?;
    if all_held { Ok(()) } else { Err(Stop::Broken) }
}

/// Creates a directory for the demonstrations: in memory where possible, since thousands of syncs are slow on a disk
/// and no power is lost here.
fn scratch() -> Result<TempDir, Error> {
    if let Ok(directory) = tempfile::tempdir_in("/dev/shm") {
        return Ok(directory);
    }
    tempfile::tempdir().map_err(|source| Error::Io {
        action: "make a directory for the demonstration in",
        path: std::env::temp_dir(),
        source,
    })
}

fn stop(error: DemoError) -> Stop {
    match error {
        DemoError::Output(error) => Stop::Output(error),
        DemoError::Host(error) => error.into(),
        DemoError::Files(path, source) => Error::Io { action: "use a file of the demonstration", path, source }.into(),
        DemoError::Sqlite(path, error) => {
            let source = io::Error::other(error);
            Error::Io { action: "use a database of the demonstration", path, source }.into()
        }
    }
}

/// The first broken cases in full, then one line for each promise.
fn summary(promises: &[Promise]) -> Text {
    let mut broken = Text::default();
    for promise in promises {
        for case in promise.broken.iter().take(BROKEN_SHOWN_MAX) {
            broken.push(&text!("broken: {}: {}\n", promise.text, Sentence(case)));
        }
    }
    let mut rows = vec![["promise", "cases", "result"].map(Text::from).to_vec()];
    rows.extend(promises.iter().map(|promise| {
        let result = match promise.broken.len() {
            0 => text!("held"),
            broken => text!("BROKEN in {}", broken),
        };
        vec![promise.text.into(), (&promise.cases).into(), result]
    }));
    text!("\n{}{}", broken, render::table(&rows))
}

fn summary_json(promises: &[Promise], all_held: bool) -> Value {
    let promises: Value =
        promises.iter().map(|it| json!({"promise": it.text, "cases": it.cases, "broken": it.broken})).collect();
    json!({"held": all_held, "promises": promises})
}
