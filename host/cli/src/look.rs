//! `probe`, `inspect` and `recover`: the state of a root.

use std::path::PathBuf;

use onionskin_host::Error;

use super::Context;
use super::render::{self, Answer};

#[derive(clap::Args)]
pub(super) struct Recover {
    #[command(flatten)]
    root: Root,
    /// Also remove the generations (of `put-dir --publish pointer`) to which no link leads any more; `inspect` names
    /// them
    #[arg(long)]
    free_generations: bool,
    /// Give up the change of this number, which was decided and cannot be completed: its records and its new content
    /// are set aside in the directory .onionskin
    #[arg(long, value_name = "NUMBER")]
    abandon: Option<u64>,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin probe ./store
  onionskin inspect ./store
  onionskin --explain recover ./store")]
pub(super) struct Root {
    /// The directory
    root: PathBuf,
}

pub(super) fn probe(context: &Context, arguments: &Root) -> Result<Answer, Error> {
    let abilities = context.store(&arguments.root, &[])?.probe()?;
    Ok(render::abilities(&arguments.root, &abilities))
}

pub(super) fn inspect(context: &Context, arguments: &Root) -> Result<Answer, Error> {
    let findings = context.store(&arguments.root, &[])?.inspect()?;
    Ok(render::findings(&findings, "would be found"))
}

pub(super) fn recover(context: &Context, arguments: &Recover) -> Result<Answer, Error> {
    let store = context.store(&arguments.root.root, &[])?.open(&context.open_options())?;
    let mut findings = store.recovered()?;
    if arguments.free_generations {
        findings.extend(store.free_generations()?);
    }
    if let Some(transaction) = arguments.abandon {
        findings.push(store.abandon(transaction)?);
    }
    let answer = render::findings(&findings, "found");
    let steps = if context.explain { Some(store.steps()?) } else { None };
    store.close()?;
    Ok(answer.with_steps(steps))
}
