//! The line on the terminal while a large program is compiled, which happens at its first start.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal;
use crate::text::{Text, text};

/// A program that is compiled before this shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// The time between two pictures of the line.
const TICK: Duration = Duration::from_millis(100);

/// Shows the line, where standard error is a terminal, until it is dropped.
pub(super) struct Compiling {
    shown: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Compiling {
    pub(super) fn of(program: &Text) -> Self {
        if !terminal::is_seen() {
            return Self { shown: None };
        }
        let line = text!("{}: is compiled, for this start and later ones", program).as_str().to_owned();
        let (until, ended) = mpsc::channel::<()>();
        let show = move || {
            if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
                let style = style.expect("the template is a constant and was tried");
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
                bar.set_message(line);
                bar.enable_steady_tick(TICK);
                // Nothing is sent: the other end goes.
                let _ = ended.recv();
                bar.finish_and_clear();
            }
        };
        Self { shown: Some((until, thread::spawn(show))) }
    }
}

impl Drop for Compiling {
    fn drop(&mut self) {
        if let Some((until, shows)) = self.shown.take() {
            drop(until);
            // The line is gone before the program writes.
            let _without_a_line_it_goes_on = shows.join();
        }
    }
}
