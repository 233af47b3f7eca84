//! `review`: the choice of changes by a person, on a terminal or from a page.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use onionskin_host::{Change, CommitOptions, Error, Receipt, Select, Workspace};
use serde_json::json;

use super::super::render::{self, Answer};
use super::super::terminal::Terminal;
use super::super::text::{Text, text};
use super::super::{Context, Stop};
use super::choice::{self, Choice, Chosen};
use super::lines::applied;
use super::patch::Patch;
use super::questions::{Decision, HELP, Question, Questions, Reply};
use super::{Upper, apply, close, diff, observed, open_with_progress, page, show};

/// Differences of one change that are shown; the number of the others is named.
const SHOWN_MAX: usize = 20;

/// The label of the state that is kept while a part of a file is committed.
const LABEL: &str = "before a part of it was committed";

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin workspace review ./changes --into ./project
  onionskin workspace review ./changes --into ./project 'src/' --except '**/*.tmp'
  onionskin workspace review ./changes --html ./changes.html

Asks about each change, and about each hunk of a text, as `git add -p` does; then writes what was taken to the
topmost lower, atomically, after a last question. What was left stays in the workspace. The page needs no network
and runs no script.")]
pub(super) struct Review {
    #[command(flatten)]
    upper: Upper,
    /// Only what is at or below these paths inside the workspace
    #[arg(value_parser = choice::path)]
    paths: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    /// The topmost lower, named so that nothing is written by mistake
    #[arg(long, value_name = "DIR", required_unless_present = "html")]
    into: Option<PathBuf>,
    /// Write a page with the changes side by side to this file, and ask nothing
    #[arg(long, value_name = "FILE", conflicts_with = "into")]
    html: Option<PathBuf>,
}

pub(super) fn review(context: &Context, arguments: &Review) -> Result<Answer, Stop> {
    match (&arguments.html, &arguments.into) {
        (Some(file), _) => page(context, arguments, file),
        (None, Some(into)) => ask(context, arguments, into),
        (None, None) => Err(Stop::Usage("say --into DIR or --html FILE")),
    }
}

/// Writes the page.
fn page(context: &Context, arguments: &Review, file: &Path) -> Result<Answer, Stop> {
    let read = |workspace: &mut Workspace| {
        let Chosen { changes, all } = arguments.choice.of(workspace, &arguments.upper.upper, &arguments.paths)?;
        let page = html(workspace, &arguments.upper.upper, &changes, &all)?;
        Ok((page, changes.len(), workspace.recovered().to_vec()))
    };
    let (page, changes, recovered) = observed(context, &arguments.upper, read)?;
    let failed = |source| Error::Io { action: "write the page", path: file.to_owned(), source };
    write_private(file, page.as_bytes()).map_err(failed)?;
    let text = text!("{}: {}\n", file, render::count(changes as u64, "change"));
    Ok(Answer::new(text, json!({"page": file, "changes": changes})).with_recovered(&recovered))
}

/// Writes a file that nobody else can read if it is new: the contents in it may be secrets.
fn write_private(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(content)
}

/// Returns the page about chosen changes.
fn html(workspace: &mut Workspace, upper: &Path, changes: &[Change], all: &[Change]) -> Result<String, Error> {
    let conflicts = workspace.conflicts(&Select::default())?;
    let (mut missing, mut patches) = (Vec::new(), Vec::new());
    diff::each(workspace, changes, all, &mut missing, |patch| {
        patches.push(patch);
        Ok::<_, Error>(())
    })?;
    Ok(page::of(&page::Subject {
        upper,
        lowers: workspace.lowers(),
        changes,
        conflicts: &conflicts,
        patches: &patches,
        missing: &missing,
    }))
}

/// Returns the page of a review as HTML: all changes of an open workspace, side by side with the lowers. It needs no
/// network and has no script, and every name and content in it is escaped. `upper` is the name of the workspace in it.
///
/// # Errors
/// A part of the workspace or of its lowers that cannot be read.
pub fn review_page(workspace: &mut Workspace, upper: &Path) -> Result<String, Error> {
    let all = workspace.changes(&Select::default())?;
    html(workspace, upper, &all, &all)
}

/// Asks about each change, and commits what was taken.
fn ask(context: &Context, arguments: &Review, into: &Path) -> Result<Answer, Stop> {
    let Some(mut terminal) = Terminal::open() else {
        return Err(Stop::Usage(
            "a review asks, and there is no terminal to ask on: look with `onionskin workspace diff`, or say --html FILE",
        ));
    };
    let mut workspace = open_with_progress(context, &arguments.upper)?;
    let Chosen { changes, all } = arguments.choice.of(&mut workspace, &arguments.upper.upper, &arguments.paths)?;
    let conflicts = workspace.conflicts(&Select::default())?;
    let mut originals = Vec::new();
    let mut questions = Vec::new();
    for change in &changes {
        let (question, original) = question(&mut workspace, change, &all, conflicts.contains(&change.path))?;
        questions.push(question);
        originals.push(original);
    }
    let mut questions = Questions::new(questions);
    while let Some((shown, prompt)) = questions.present() {
        terminal.show(&show::in_colour(shown))?;
        match questions.answer(terminal.ask(&prompt)?.as_deref()) {
            Reply::Next => {}
            Reply::Help => terminal.show(&Text::of_lines(HELP))?,
            Reply::Unsplittable => terminal.show(&text!("this hunk cannot be split\n"))?,
        }
    }
    let decisions = questions.decisions();
    let paths = select(&decisions);
    if paths.only.is_empty() {
        return Ok(close(workspace, text!("nothing was taken\n"), json!({"applied": 0}))?);
    }
    let parts = decisions.iter().zip(&originals).filter_map(|((path, decision), original)| match decision {
        Decision::Hunks(hunks) => Some((path.clone(), applied(original, hunks))),
        Decision::Whole | Decision::Nothing => None,
    });
    let parts: Vec<(String, Vec<u8>)> = parts.collect();
    let mut list = show::changes(&workspace.changes(&paths)?, true);
    list.push(&parts.iter().map(|(path, _)| text!("in part   {}\n", path)).collect());
    if !apply::is_confirmed(&mut terminal, &show::in_colour(list), &text!("Write this to {}?", into))? {
        return Err(Stop::Declined);
    }
    let options = CommitOptions::default().paths(paths.clone());
    let committed = commit(&mut workspace, into, &options, parts);
    let receipt = committed.or_else(|error| apply::with_choice(error, &mut workspace, &paths, into))?;
    let answer = render::receipt(into, &receipt, workspace.recovered());
    workspace.close()?;
    Ok(answer)
}

/// Returns the question about a change, and its content in the lowers if that is a text with hunks.
fn question(
    workspace: &mut Workspace,
    change: &Change,
    all: &[Change],
    is_conflict: bool,
) -> Result<(Question, Vec<u8>), Stop> {
    let mut patches: Vec<Patch> = Vec::new();
    let mut missing = Vec::new();
    diff::each(workspace, std::slice::from_ref(change), all, &mut missing, |patch| {
        patches.push(patch);
        Ok::<_, Error>(())
    })?;
    let mut head = text!("\n{}", show::changes(std::slice::from_ref(change), true));
    if is_conflict {
        head.push(&text!("conflict  {}\n", change.path));
    }
    if let [Patch { old: Some(old), new: Some(new), hunks, .. }] = &patches[..]
        && new.path == change.path
        && !hunks.is_empty()
    {
        head.push(&patches[0].head());
        return Ok((Question::new(change.path.clone(), head, hunks.clone()), old.content.clone()));
    }
    head.push(&patches.iter().take(SHOWN_MAX).map(Patch::shown).collect());
    if patches.len() > SHOWN_MAX {
        head.push(&text!("... and {} more\n", patches.len() - SHOWN_MAX));
    }
    Ok((Question::new(change.path.clone(), head, Vec::new()), Vec::new()))
}

/// Returns the choice of paths that the decisions are: a path that was left, below one that was taken, is excepted.
fn select(decisions: &[(String, Decision)]) -> Select {
    let is_below = |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
    let paths = |is_taken: bool| {
        let is = move |it: &&(String, Decision)| (it.1 != Decision::Nothing) == is_taken;
        decisions.iter().filter(is).map(|(path, _)| path.as_str()).collect::<Vec<_>>()
    };
    let (taken, left) = (paths(true), paths(false));
    let is_excepted = |path: &str| {
        taken.iter().any(|above| is_below(path, above)) && !taken.iter().any(|taken| is_below(taken, path))
    };
    Select {
        only: taken.iter().map(|path| choice::literal(path)).collect(),
        except: left.into_iter().filter(|path| is_excepted(path)).map(choice::literal).collect(),
    }
}

/// Commits; of some files these contents, after which the workspace has the whole ones again. While they are not
/// there, a checkpoint has them.
fn commit(
    workspace: &mut Workspace,
    into: &Path,
    options: &CommitOptions,
    parts: Vec<(String, Vec<u8>)>,
) -> Result<Receipt, Error> {
    if parts.is_empty() {
        return workspace.commit(into, options);
    }
    let checkpoint = workspace.checkpoint(LABEL)?;
    let mut wholes = Vec::new();
    let mut committed = Ok(());
    for (path, part) in &parts {
        let whole: Result<Vec<_>, Error> = workspace.chunks(path).collect();
        committed = whole.and_then(|whole| {
            wholes.push((path, whole.concat()));
            workspace.put(path, part)
        });
        if committed.is_err() {
            break;
        }
    }
    let committed = committed.and_then(|()| workspace.commit(into, options));
    for (path, whole) in wholes {
        workspace.put(path, &whole)?;
    }
    workspace.sync()?;
    workspace.drop_checkpoint(checkpoint)?;
    committed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_below_what_was_taken_is_excepted() {
        let decision = |path: &str, taken| (path.to_owned(), if taken { Decision::Whole } else { Decision::Nothing });
        let select = select(&[
            decision("new", true),
            decision("new/a*", false),
            decision("new/b", true),
            decision("new/sub", false),
            decision("new/sub/c", true),
            decision("old", false),
        ]);
        assert_eq!(select.only, ["new", "new/b", "new/sub/c"]);
        assert_eq!(select.except, ["new/a\\*"]);
    }
}
