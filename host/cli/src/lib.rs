//! The `onionskin` program as a library: for tests, which call what `demo` runs, and for hosts that show the page of a
//! review.

// With `clippy.toml`: all that is printed goes through `streams`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod advice;
mod apart;
mod crash;
pub mod demo;
mod directory;
mod file;
mod input;
mod look;
mod render;
mod run;
mod streams;
mod terminal;
mod text;
mod workspace;

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
pub use workspace::review_page;

use onionskin_host::{Error, Fault, Faults, Onionskin, OpenOptions, StoreBuilder};

use self::advice::Failure;
use self::render::Answer;
use self::text::{Sentence, text};

/// Exit code of a failure.
const FAILED: u8 = 1;
/// Exit code of arguments that do not go together, as clap has it.
const USAGE: u8 = 2;
/// Exit code of a run that `--crash-at` stopped.
const CRASHED: u8 = 70;

const EXAMPLES: &str = "\
Examples:
  onionskin demo
  onionskin crash --report ./crashes
  echo '{\"title\":\"Trip\"}' | onionskin replace ./store conv-1/metadata.json --json
  onionskin materialize ./workspace index.db --lower /srv/cache
  onionskin put-dir ./store conv-1 --from ./next --publish swap --remove draft.json
  onionskin --explain replace ./store notes.txt --from ./notes.txt
  onionskin workspace create ./changes --lower ./project
  onionskin run --lower ./project::/data tool.wasm /data
  onionskin --crash-at 7 put-dir ./store conv-1 --from ./next; onionskin recover ./store

Exit codes: 0 done, 1 failed, 2 wrong usage, 70 stopped by --crash-at.
`run` passes on that of its program.";

/// Writes files and directories atomically, and never through a link.
///
/// The work is done by a WebAssembly component that sees only ROOT and the directories granted with --lower. Each
/// command that writes first completes or undoes interrupted changes.
#[derive(Parser)]
#[command(name = "onionskin", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(clap::Args)]
struct Global {
    /// The format of the answer; JSON is one object on standard output, or on standard error for a failure
    #[arg(long, global = true, value_enum, default_value = "text")]
    format: Format,
    /// Also print the executed steps of a command that changes ROOT: the action, the path and the reason of each
    #[arg(long, global = true)]
    explain: bool,
    /// Carry out what other users left in ROOT or in an upper directory, too; without it, only what this user and root
    /// could write
    #[arg(long, global = true)]
    trust: bool,
    /// Wait up to this time, such as 500ms or 5s, for a lock that another owner holds; without it, fail at once
    #[arg(long, global = true, value_name = "TIME", value_parser = run::duration)]
    wait: Option<Duration>,
    /// Stop the component just before its N-th call that makes a change (exit code 70); a normal run if N is beyond the
    /// last
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    crash_at: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Demonstrates the promises on generated data, and checks them
    #[command(after_help = demo::command::HELP)]
    Demo,
    Crash(crash::Crash),
    /// Tests the abilities of ROOT and reports the promise that can be kept there; leaves nothing behind
    Probe(look::Root),
    /// Replaces the content of a file atomically
    Replace(file::Replace),
    /// Turns a link, or a file with several hard links, into an independent file or directory
    Materialize(file::Materialize),
    /// Puts every file of a directory into one below ROOT, atomically
    PutDir(directory::PutDir),
    /// Lays a writable directory over others that do not change; review, commit or discard the changes
    Workspace(workspace::Arguments),
    Run(run::Run),
    /// Reports the findings of an open of ROOT, without changing anything
    Inspect(look::Root),
    /// Finishes or undoes what a crash left at ROOT
    Recover(look::Recover),
}

/// The reason for a missing answer.
enum Stop {
    Failed(Failure),
    /// A promise was broken, and the output names it.
    Broken,
    /// The answer could not be written.
    Output(io::Error),
    Usage(&'static str),
    /// A part of the answer is missing, and the output names it.
    Incomplete,
    /// The answer to a question was no.
    Declined,
    /// A program that was run ended with this exit code, which is passed on.
    Exited(u8),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<onionskin_lab::Error> for Stop {
    fn from(error: onionskin_lab::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Parses the arguments of the process, runs the command, and returns the exit code.
pub fn main() -> ExitCode {
    if let Some(ended) = run::compile() {
        return ended;
    }
    let Arguments { command, global } = Arguments::try_parse().unwrap_or_else(|error| wrong(&error));
    let context = Context::new(global);
    context.exit(run(command, &context))
}

/// Prints the help, or the message about arguments that are wrong, and ends the process. The message quotes arguments,
/// so it is made again from the arguments as they are shown.
fn wrong(error: &clap::Error) -> ! {
    let shown: Vec<OsString> = env::args_os().map(|it| text::argument(&it).into_owned()).collect();
    match Arguments::try_parse_from(shown) {
        Err(error) => error.exit(),
        // The escapes are right where the argument was not: the message without its quotation.
        Ok(_) => Arguments::command().error(error.kind(), "an argument is not in the form that the help names").exit(),
    }
}

fn run(command: Command, context: &Context) -> Result<(), Stop> {
    let answer = match command {
        Command::Demo => return demo::command::run(context),
        Command::Crash(arguments) => return crash::run(context, &arguments),
        Command::Workspace(arguments) => return workspace::run(context, &arguments),
        Command::Run(arguments) => return run::run(context, &arguments),
        Command::Probe(root) => look::probe(context, &root)?,
        Command::Replace(arguments) => file::replace(context, &arguments)?,
        Command::Materialize(arguments) => file::materialize(context, &arguments)?,
        Command::PutDir(arguments) => directory::put(context, &arguments)?,
        Command::Inspect(root) => look::inspect(context, &root)?,
        Command::Recover(root) => look::recover(context, &root)?,
    };
    context.print(&answer)
}

/// The options that all commands share.
struct Context {
    format: Format,
    explain: bool,
    crash_at: Option<u64>,
    trust: bool,
    wait: Duration,
    faults: Option<Faults>,
}

impl Context {
    fn new(global: Global) -> Self {
        let Global { format, explain, trust, wait, crash_at } = global;
        let faults = crash_at.map(|call| Faults::counting(Fault::TrapBefore(call)));
        Self { format, explain, crash_at, trust, wait: wait.unwrap_or_default(), faults }
    }

    /// A root with its grants, and the requested crash.
    fn store(&self, root: &PathBuf, lowers: &[PathBuf]) -> Result<StoreBuilder, Error> {
        let store = Onionskin::load()?.store(root).lowers(lowers).wait(self.wait);
        let store = if self.trust { store.trust_all() } else { store };
        Ok(match &self.faults {
            Some(faults) => store.faults(faults),
            None => store,
        })
    }

    /// As [`Self::store`], but calling back with the bytes of each write.
    fn store_with_progress(
        &self,
        root: &PathBuf,
        lowers: &[PathBuf],
        on_write: impl FnMut(u64) + Send + 'static,
    ) -> Result<StoreBuilder, Error> {
        let faults = self.faults.clone().unwrap_or_else(|| Faults::counting(Fault::None));
        Ok(self.store(root, lowers)?.faults(&faults.on_write(on_write)))
    }

    fn open_options(&self) -> OpenOptions {
        OpenOptions::default().trace(self.explain)
    }

    fn print(&self, answer: &Answer) -> Result<(), Stop> {
        match self.format {
            Format::Text => {
                for note in &answer.notes {
                    streams::aside(&text!("{}\n", note))?;
                }
                streams::answer(&answer.text)?;
            }
            Format::Json => streams::answer_json(&answer.json)?,
        }
        Ok(())
    }

    fn exit(&self, result: Result<(), Stop>) -> ExitCode {
        match result {
            Ok(()) if self.crashed() => ExitCode::from(CRASHED),
            Ok(()) => ExitCode::SUCCESS,
            Err(Stop::Broken | Stop::Incomplete | Stop::Declined) => ExitCode::from(FAILED),
            Err(Stop::Exited(code)) => ExitCode::from(code),
            Err(Stop::Usage(message)) => {
                let error = Arguments::command().error(clap::error::ErrorKind::ArgumentConflict, message);
                // A closed standard error cannot be reported.
                let _ = error.print();
                ExitCode::from(USAGE)
            }
            // The reader has closed the pipe.
            Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(Stop::Output(error)) => {
                let _ = streams::aside(&text!("error: cannot write the answer: {}\n", Sentence(error)));
                ExitCode::from(FAILED)
            }
            Err(Stop::Failed(failure)) => {
                // A closed standard error cannot be reported.
                let _ = match self.format {
                    Format::Text => streams::aside(&text!("error: {}\n", Sentence(&failure.message))),
                    Format::Json => streams::aside_json(&render::failure(&failure)),
                };
                ExitCode::from(if failure.is_crash || self.crashed() { CRASHED } else { FAILED })
            }
        }
    }

    /// Whether the crash came, even in a destructor.
    fn crashed(&self) -> bool {
        self.faults.as_ref().is_some_and(Faults::fired)
    }
}
