//! The time limit of a run, the work after its end included.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{process, thread};

use serde_json::json;

use super::arguments::{Run, What};
use super::temporary;
use crate::text::{Text, text};
use crate::{Context, FAILED, Format, Stop, streams};

/// The additional time for the work after the end of the program.
const AFTER: Duration = Duration::from_secs(2);

/// The time for the last message.
const PATIENCE: Duration = Duration::from_millis(500);

/// The state of the limit.
#[derive(Default)]
pub(super) struct Bound {
    is_lifted: AtomicBool,
    has_ended: AtomicBool,
    /// The upper directories, once they were made, and whether they are temporary.
    uppers: Mutex<Option<(Vec<PathBuf>, Option<PathBuf>)>>,
}

impl Bound {
    /// Lifts the limit for a commit or a question, neither of which is abandoned half-way.
    pub(super) fn lift(&self) {
        self.is_lifted.store(true, Ordering::Relaxed);
    }

    /// Notes the upper directories, and the temporary one that holds them.
    pub(super) fn has(&self, uppers: Vec<PathBuf>, temporary: Option<PathBuf>) {
        *self.uppers.lock().unwrap_or_else(PoisonError::into_inner) = Some((uppers, temporary));
    }

    /// Notes that the limit ended the program, which is reported already.
    pub(super) fn ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

/// Executes a run. With a time limit it is on another thread, which may block for ever: this process ends in time.
pub(super) fn within(
    context: &Context,
    arguments: &Run,
    all: impl FnOnce(&Bound) -> Result<(), Stop> + Send,
) -> Result<(), Stop> {
    let bound = &Bound::default();
    let Some(most) = arguments.timeout.and_then(|time| time.checked_add(AFTER)) else { return all(bound) };
    thread::scope(|scope| {
        let (done, ended) = channel();
        let run = scope.spawn(move || {
            let result = all(bound);
            let _nobody_waits_any_more = done.send(());
            result
        });
        if ended.recv_timeout(most) == Err(RecvTimeoutError::Timeout) && !bound.is_lifted.load(Ordering::Relaxed) {
            stop(context, arguments, bound);
        }
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Ends this process. The changes of the program are in its upper directory, as after a crash; a temporary one that was to
/// be discarded is removed, by the next run if that fails.
fn stop(context: &Context, arguments: &Run, bound: &Bound) -> ! {
    let program = arguments.program();
    let uppers = bound.uppers.lock().unwrap_or_else(PoisonError::into_inner).take();
    let is_said = context.format == Format::Text && bound.has_ended.load(Ordering::Relaxed);
    let limit = "stopped, since it ran longer than its --timeout allows";
    let is_discarded = matches!(arguments.what(), Ok(What::Discard));
    let fate = match &uppers {
        None => Text::default(),
        Some((_, Some(temporary))) if is_discarded => {
            temporary::remove(temporary);
            text!("what it changed was discarded")
        }
        Some((uppers, _)) => {
            let places = Text::join(uppers.iter().map(|upper| text!("{}", upper)), ", ");
            text!("what it changed was not looked at, and is in {}", places)
        }
    };
    let parts = [if is_said { Text::default() } else { text!("{}", limit) }, fate];
    let parts = Text::join(parts.into_iter().filter(|part| !part.is_empty()), "; ");
    let message = text!("{}: {}", program, parts);
    let format = context.format;
    let (done, written) = channel();
    // Nobody may read the stream, or the program may still be writing to it.
    thread::spawn(move || {
        // If the message cannot be written, the exit code remains.
        let _ = match format {
            Format::Text => streams::aside(&text!("{}\n", message)),
            Format::Json => {
                streams::aside_json_after_program(&json!({"exit": FAILED, "message": message.as_str(), "layers": []}))
            }
        };
        let _nobody_waits_any_more = done.send(());
    });
    let _or_it_is_not_read = written.recv_timeout(PATIENCE);
    process::exit(FAILED.into())
}
