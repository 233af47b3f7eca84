//! `run`: a program on directories that stay unchanged.

mod after;
mod arguments;
mod bound;
mod compiling;
mod temporary;
pub(crate) use arguments::duration;
pub(crate) use temporary::private;
mod uppers;

use std::process::{Command, ExitCode};

use onionskin_host::run::{Ended, How, Program, World, compile_for_parent};
use onionskin_host::{Error, Trap};

pub(super) use self::arguments::Run;
use self::arguments::What;
use self::bound::Bound;
use self::compiling::Compiling;
use self::uppers::Uppers;
use super::terminal::Terminal;
use super::text::{Sentence, Text, text};
use super::{Context, FAILED, Stop};

/// The argument with which this program compiles a program for another process of its own.
const COMPILE: &str = "compile-for-run";

/// Compiles, if this process was started for that.
pub(super) fn compile() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let is_asked = arguments.next().is_some_and(|first| first == COMPILE);
    is_asked.then(|| compile_for_parent(&arguments.collect::<Vec<_>>()))
}

pub(super) fn run(context: &Context, arguments: &Run) -> Result<(), Stop> {
    if context.explain {
        return Err(Stop::Usage("the steps of a program are not recorded: leave out --explain"));
    }
    let what = arguments.what()?;
    let terminal = if what == What::Review { Terminal::open() } else { None };
    if what == What::Review && terminal.is_none() {
        return Err(Stop::Usage(
            "--review asks at the end, and there is no terminal to ask on: say --commit, --keep or --discard",
        ));
    }
    let world = arguments.world()?;
    bound::within(context, arguments, |bound| {
        // It may be a pipe, and is read before an upper is made for it.
        let program = read(arguments)?;
        let uppers = Uppers::make(arguments, what)?;
        if !uppers.layers().is_empty() {
            bound.has(uppers.layers().into_iter().map(|layers| layers.upper).collect(), uppers.temporary());
        }
        start(context, arguments, &program, world, uppers, terminal, bound)
    })
}

/// Reads the program, and lets another process compile it.
fn read(arguments: &Run) -> Result<Program, Stop> {
    let program = Program::read(arguments.program())?;
    let program = match std::env::current_exe() {
        Ok(this) => program.compile_with(move || {
            let mut command = Command::new(&this);
            command.arg(COMPILE);
            command
        }),
        // If the path of this program is unknown, this process compiles.
        Err(_) => program,
    };
    let name = text!("{}", arguments.program());
    Ok(program.announce(move || Compiling::of(&name)))
}

/// Starts the program, and handles its changes.
fn start(
    context: &Context,
    arguments: &Run,
    program: &Program,
    world: World,
    uppers: Uppers,
    terminal: Option<Terminal>,
    bound: &Bound,
) -> Result<(), Stop> {
    let what = arguments.what()?;
    let world = World { layers: uppers.layers(), faults: context.faults.clone(), trust_all: context.trust, ..world };
    let ended = program.start(&world)?;
    if let How::Injected { call, what } = ended.how {
        let root = world.layers.first().map_or_else(|| arguments.program().to_owned(), |layers| layers.upper.clone());
        return Err(Error::Trap { root, trap: Trap::Injected { call, what } }.into());
    }
    let code = code(&ended.how);
    let message = end_message(arguments, &ended);
    if ended.how == How::TimedOut {
        bound.ended();
    }
    let uppers = if ended.how == How::NotCompiled { None } else { Some(uppers) };
    after::settle(context, what, uppers, code, message, terminal, bound)?;
    if code == 0 { Ok(()) } else { Err(Stop::Exited(code)) }
}

/// Returns the exit code for this process: that of the program if it fits into a byte, otherwise a failure.
fn code(how: &How) -> u8 {
    match how {
        How::Exited(code) => u8::try_from(*code).unwrap_or(FAILED),
        How::TimedOut | How::NotCompiled | How::Injected { .. } | How::Trapped(_) => FAILED,
    }
}

/// Returns the message about the end, if the program did not end by itself.
fn end_message(arguments: &Run, ended: &Ended) -> Option<Text> {
    let program = arguments.program();
    let end = match &ended.how {
        How::TimedOut => text!("{}: stopped, since it ran longer than its --timeout allows", program),
        How::NotCompiled => text!(
            "{}: not started, since to compile it takes longer than its --timeout allows; that is so once for each \
             program",
            program
        ),
        How::Trapped(why) => text!("{}: the program failed: {}", program, Sentence(why.trim_end_matches('.'))),
        How::Exited(0) if !ended.bytes_were_denied && !ended.entries_were_denied => return None,
        How::Exited(code) => text!("{}: exited with {}", program, code),
        How::Injected { .. } => return None,
    };
    let mut denied = Text::default();
    if ended.memory_was_denied {
        denied.push(&text!("; it had wanted more memory than its --memory allows"));
    }
    if ended.bytes_were_denied {
        denied.push(&text!("; it had wanted to write more than its --max-bytes allows"));
    }
    if ended.entries_were_denied {
        denied.push(&text!("; it had wanted to make more entries than its --max-entries allows"));
    }
    if matches!(ended.how, How::Exited(code) if u8::try_from(code).is_err()) {
        denied.push(&text!("; this is a failure, since an exit code has one byte"));
    }
    let is_expected = matches!(ended.how, How::Exited(_)) && denied.is_empty();
    (!is_expected).then(|| text!("{}{}", end, denied))
}
