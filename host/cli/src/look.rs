//! `probe`, `inspect` and `recover`: the state of a root.

use std::path::{Path, PathBuf};

use onionskin_host::{Error, Finding, Verdict};

use super::advice::Failure;
use super::render::{self, Answer};
use super::text::{Sentence, text};
use super::{Context, workspace};

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
    let store = context.store(&arguments.root, &[])?;
    let mut answer = render::findings(&store.inspect()?, "would be found");
    if let Err(error @ Error::Untrusted { .. }) = store.check_trust() {
        answer.notes.push(text!("an open would be refused: {}", Sentence(Failure::from(error).message)));
    }
    if arguments.root.join(WAITS).symlink_metadata().is_ok() {
        answer.notes.push(text!("a commit of the workspace was begun; `onionskin recover` ends it"));
    }
    Ok(answer)
}

pub(super) fn recover(context: &Context, arguments: &Recover) -> Result<Answer, Error> {
    let store = context.store(&arguments.root.root, &[])?.open(&context.open_options())?;
    let mut findings = store.recovered()?;
    if arguments.free_generations {
        findings.extend(store.free_generations()?);
    }
    if let Some(transaction) = arguments.abandon {
        // What is parked besides is found by the next open.
        findings.retain(|finding| finding.verdict != Verdict::Parked);
        findings.push(store.abandon(transaction)?);
    }
    let steps = if context.explain { Some(store.steps()?) } else { None };
    store.close()?;
    if arguments.abandon.is_some() {
        let store = context.store(&arguments.root.root, &[])?.open(&context.open_options())?;
        findings.extend(store.recovered()?);
        store.close()?;
    }
    findings.extend(completed(context, &arguments.root.root)?);
    let answer = render::findings(&findings, "found");
    Ok(answer.with_steps(steps))
}

/// The map of a workspace that waits for the end of a commit.
const WAITS: &str = ".onionskin/workspace/next";

/// Completes a commit of the workspace in a root, if there is one that was interrupted. Without such a commit it need not
/// be one that can be opened.
fn completed(context: &Context, root: &Path) -> Result<Vec<Finding>, Error> {
    if root.join(WAITS).symlink_metadata().is_err() {
        return Ok(Vec::new());
    }
    let workspace = workspace::session(context, root)?.open()?;
    let findings = workspace.recovered().to_vec();
    workspace.close()?;
    Ok(findings)
}
