//! The progress of long operations, on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use onionskin_host::{Fault, Faults};

use super::super::Context;

/// Operations that end before this show nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Counts what the component writes, on a line of standard error that goes when the command ends. A requested crash
/// comes as well.
pub(super) fn faults(context: &Context) -> Faults {
    let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template("{spinner} {bytes} written, {bytes_per_sec}, {elapsed}");
    line.set_style(style.expect("the template is a constant and was tried"));
    let line = Line { line, start: Instant::now() };
    let faults = context.faults.clone().unwrap_or_else(|| Faults::counting(Fault::None));
    faults.on_write(move |bytes| line.add(bytes))
}

struct Line {
    line: ProgressBar,
    start: Instant,
}

impl Line {
    fn add(&self, bytes: u64) {
        if self.line.is_hidden() && self.start.elapsed() > PATIENCE {
            self.line.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.line.inc(bytes);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}
