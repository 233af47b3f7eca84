//! `crash`: every operation, crashed at every crash point and recovered.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use onionskin_host::Error;
use onionskin_lab::crash::{self, CrashReport, Depth, Guest, Progress, Sums, Trial, TrialResult};
use onionskin_lab::simulated::Program;
use onionskin_sim::Model;
use onionskin_sim::explore::{Totals, Violation};
use onionskin_sim::faults::FaultViolation;
use onionskin_sim::operations::{self, Operation};
use serde_json::{Value, json};

use super::render::{self, Answer};
use super::text::{Sentence, Text, text};
use super::{Context, Stop};

/// The interval of drawing the progress.
const TICK: Duration = Duration::from_millis(120);

/// Crashes operations at every point, into every state that a power loss can leave, and recovers from each of them.
///
/// This runs in memory, on a simulated filesystem: the operations are those of the component, compiled for this
/// machine. Every distinct state is recovered once, and the recovery is crashed in the same way. The result must be the
/// old state or the new one.
///
/// With --component any command of WASI 0.2 is crashed, which sees one directory, named /, and no network. Its check
/// must exit with 0 on every state. On standard input the check gets the text that the run had printed before the
/// crash, so that it can verify every acknowledgement.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin crash
  onionskin crash --operation swap --operation replace --model any
  onionskin crash --full --faults --report ./crashes
  onionskin crash --component save.wasm --run 'save notes' --check verify --dir ./before

Exit codes: 0 no promise was broken, 1 one was, 2 wrong usage.")]
pub(super) struct Crash {
    /// An operation to explore, as --list names it; may be given several times. All, if not given
    #[arg(long = "operation", value_name = "NAME", value_parser = names(), hide_possible_values = true)]
    operations: Vec<String>,
    /// The part of unsynced operations that survives a crash; may be given several times. All, if not given
    #[arg(long = "model", value_enum, value_name = "MODEL")]
    models: Vec<Survives>,
    /// Also make every call fail in every way, in operations and in recovery
    #[arg(long)]
    faults: bool,
    /// Go further: more states where there are too many to try all, writes torn by sectors over
    /// garbage, and with --faults pairs of faults
    #[arg(long)]
    full: bool,
    /// The seed of the samples, where there are too many states to explore all
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The number of threads, on which the result does not depend. As many as can run, if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Write crash.html, a page with pictures, and crash.json to this directory
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Only list the operations with their descriptions
    #[arg(long)]
    list: bool,
    /// Crash this program instead: a component with wasi:cli/run
    #[arg(long, value_name = "PROGRAM.wasm", requires_all = ["run", "check"])]
    #[arg(conflicts_with_all = ["operations", "faults", "list"])]
    component: Option<PathBuf>,
    /// The arguments with which the program is crashed, quoted as for a shell
    #[arg(long, value_name = "ARGS", requires = "component", value_parser = words, allow_hyphen_values = true)]
    run: Option<Words>,
    /// The arguments of the check, whose exit code accepts or rejects a state
    #[arg(long, value_name = "ARGS", requires = "component", value_parser = words, allow_hyphen_values = true)]
    check: Option<Words>,
    /// The initial files of the program; none, if not given. Nothing is written there
    #[arg(long, value_name = "DIR", requires = "component")]
    dir: Option<PathBuf>,
    /// Make these files read-only originals: the changes of the program go to a workspace
    #[arg(long, requires = "component")]
    layered: bool,
}

/// Arguments of a program.
#[derive(Clone)]
struct Words(Vec<String>);

fn words(text: &str) -> Result<Words, &'static str> {
    shlex::split(text).map(Words).ok_or("a quote is not closed")
}

#[derive(Clone, Copy, ValueEnum)]
enum Survives {
    /// Everything: the process was killed
    Process,
    /// Names in order, contents in any choice
    Ordered,
    /// Any choice
    Any,
    /// Any choice, and renames between directories torn
    Split,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(operations::all().iter().map(|it| PossibleValue::new(it.name)))
}

pub(super) fn run(context: &Context, arguments: &Crash) -> Result<(), Stop> {
    if context.crash_at.is_some() {
        return Err(Stop::Usage("crash crashes at every call by itself: leave out --crash-at"));
    }
    let chosen = chosen(&arguments.operations);
    if arguments.list {
        return context.print(&list(&chosen));
    }
    let trial = arguments.trial();
    let start = Instant::now();
    let results = match &arguments.component {
        Some(program) => vec![arguments.try_guest(program, &trial)?],
        None => try_all(&chosen, &trial),
    };
    let elapsed = start.elapsed();
    if let Some(directory) = &arguments.report {
        write(&CrashReport::new(&trial, &results), directory)?;
    }
    let mut text = summary(&results, trial.faults);
    text.push(&speed(&results, elapsed));
    context.print(&Answer {
        text,
        notes: notes(&results, arguments.report.as_deref()),
        json: as_json(&trial, &results),
    })?;
    if results.iter().all(TrialResult::held) { Ok(()) } else { Err(Stop::Broken) }
}

impl Crash {
    fn try_guest(&self, path: &Path, trial: &Trial) -> Result<TrialResult, onionskin_lab::Error> {
        let program = Program::load(path, self.layered)?;
        let words = |words: &Option<Words>| words.as_ref().map(|Words(words)| words.clone()).unwrap_or_default();
        let files = self.dir.as_deref().map(crash::files).transpose()?.unwrap_or_default();
        let guest = Guest { program: &program, run: words(&self.run), check: words(&self.check), files };
        if let Some(text) = guest.rehearse()? {
            return Err(onionskin_lab::Error::Rehearsal { path: path.to_owned(), text });
        }
        let progress = Arc::new(Progress::default());
        let bar = bar(1, &progress);
        bar.set_message(Text::from(program.name()).as_str().to_owned());
        let result = trial.run_guest(&guest, &progress);
        bar.finish_and_clear();
        Ok(result)
    }

    fn trial(&self) -> Trial {
        let wanted: Vec<Model> = self.models.iter().map(|model| model.model()).collect();
        let usual = Trial::default();
        let models = usual.models.iter().copied().filter(|it| wanted.is_empty() || wanted.contains(it)).collect();
        Trial {
            models,
            depth: if self.full { Depth::Full } else { Depth::Usual },
            faults: self.faults,
            results: self.report.is_some(),
            seed: self.seed,
            threads: self.threads.map_or(usual.threads, usize::from),
        }
    }
}

impl Survives {
    fn model(self) -> Model {
        match self {
            Self::Process => Model::Process,
            Self::Ordered => Model::Ordered,
            Self::Any => Model::Any,
            Self::Split => Model::Split,
        }
    }
}

/// The operations with these names, in their own order; all, if there are no names.
fn chosen(names: &[String]) -> Vec<Operation> {
    let wanted = |it: &Operation| names.is_empty() || names.iter().any(|name| name == it.name);
    operations::all().into_iter().filter(wanted).collect()
}

fn list(operations: &[Operation]) -> Answer {
    let rows: Vec<_> = operations.iter().map(|it| vec![it.name.into(), it.about.into()]).collect();
    let json: Value = operations.iter().map(|it| json!({"name": it.name, "about": it.about})).collect();
    Answer::new(render::table(&rows), json!({"operations": json}))
}

fn try_all(operations: &[Operation], trial: &Trial) -> Vec<TrialResult> {
    let progress = Arc::new(Progress::default());
    let bar = bar(operations.len(), &progress);
    let mut results = Vec::new();
    for operation in operations {
        bar.set_message(operation.name);
        results.push(trial.run(operation, &progress));
        bar.inc(1);
    }
    bar.finish_and_clear();
    results
}

/// A line on standard error, if that is a terminal.
fn bar(operations: usize, progress: &Arc<Progress>) -> ProgressBar {
    let phase = Arc::clone(progress);
    let phase = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A failure to write the line cannot be reported.
        let _ = write!(out, "{}", phase.phase());
    };
    let rate = Arc::clone(progress);
    let rate = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{}", grouped(per_second(rate.states(), state.elapsed())));
    };
    let left = Arc::clone(progress);
    let left = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = match left.time_left() {
            Some(left) => write!(out, "{} s left", left.as_secs() + 1),
            None => write!(out, ".."),
        };
    };
    let template = "{pos}/{len} {wide_bar} {msg} ({phase}): {rate} states/s, {left}";
    let style = ProgressStyle::with_template(template).expect("the template is right");
    let style = style.with_key("phase", phase).with_key("rate", rate).with_key("left", left);
    let bar = ProgressBar::new(operations as u64).with_style(style);
    bar.enable_steady_tick(TICK);
    bar
}

fn write(report: &CrashReport, directory: &Path) -> Result<(), Error> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::Io { action, path, source }
    };
    std::fs::create_dir_all(directory).map_err(failed("make the directory of the report", directory))?;
    for (name, content) in [("crash.html", report.html()), ("crash.json", report.json())] {
        let path = directory.join(name);
        std::fs::write(&path, content).map_err(failed("write the report", &path))?;
    }
    Ok(())
}

/// The violations in full, then one line for each operation.
fn summary(results: &[TrialResult], faults: bool) -> Text {
    let mut head = ["operation", "crash points", "raw images", "unique", "exhaustive", "old", "new"].to_vec();
    if faults {
        head.extend(["faults", "by faults"]);
    }
    head.push("violations");
    let mut rows = vec![head.into_iter().map(Text::from).collect()];
    rows.extend(results.iter().map(|it| {
        let found = it.faults.as_ref().map(|found| (found.injected, found.violations_total));
        row(&it.report.subject, &it.report.totals(), found)
    }));
    let sums = Sums::of(results);
    rows.push(row("all", &sums.crashes, faults.then_some((sums.faults, sums.fault_violations))));
    let mut text: Text = results.iter().map(broken).collect();
    text.push(&numbers(&rows));
    text
}

fn row(name: &str, totals: &Totals, faults: Option<(u64, u64)>) -> Vec<Text> {
    let mut row = vec![name.to_owned()];
    row.extend([totals.points, totals.raw, totals.unique].map(grouped));
    row.push(share(totals.windows_exhaustive, totals.windows));
    row.extend([totals.old, totals.new].map(grouped));
    row.extend(faults.into_iter().flat_map(|(injected, violations)| [injected, violations].map(grouped)));
    row.push(grouped(totals.violations));
    row.into_iter().map(Text::from).collect()
}

/// The violations of an operation, each with its crash point and crash state.
fn broken(result: &TrialResult) -> Text {
    let name = &result.report.subject;
    let mut text = Text::default();
    for model in &result.report.models {
        for Violation { path, text: what, image, after } in &model.violations {
            text.push(&text!("broken: {}, {}: {}\n", name, model.model.as_str(), Sentence(what)));
            text.push(&indented(path));
            text.push(&titled("what the crash left:", image));
            text.push(&titled("what recovery made of it, next to the old state:", after));
        }
    }
    for FaultViolation { faults, text: what, detail } in result.faults.iter().flat_map(|it| &it.violations) {
        text.push(&text!("broken: {}, faults: {}\n", name, Sentence(what)));
        text.push(&indented(faults));
        text.push(&titled("what was left:", detail));
    }
    text
}

fn indented(lines: &[String]) -> Text {
    lines.iter().map(|line| text!("  {}\n", Sentence(line))).collect()
}

fn titled(title: &str, lines: &str) -> Text {
    if lines.is_empty() {
        return Text::default();
    }
    let lines = lines.lines().map(|line| text!("    {}\n", Sentence(line)));
    [text!("  {}\n", title)].into_iter().chain(lines).collect()
}

fn speed(results: &[TrialResult], elapsed: Duration) -> Text {
    let raw = Sums::of(results).crashes.raw;
    let each = grouped(per_second(raw, elapsed));
    let seconds = format!("{:.1}", elapsed.as_secs_f64());
    text!("{} raw images in {} s: {} per second\n", grouped(raw), seconds, each)
}

fn notes(results: &[TrialResult], report: Option<&Path>) -> Vec<Text> {
    let named = |left_out: &dyn Fn(&TrialResult) -> bool| {
        let names = results.iter().filter(|it| left_out(it)).map(|it| Text::from(&it.report.subject));
        Text::join(names, ", ")
    };
    let parts = [
        ("promises nothing under these models", named(&|it| it.report.models.is_empty())),
        ("crashes of recoveries were not followed to the end", named(&|it| !it.complete)),
    ];
    let mut notes: Vec<Text> =
        parts.iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| text!("{}: {}", what, names)).collect();
    notes.extend(report.map(|directory| text!("the pictures are in {}", directory.join("crash.html"))));
    notes
}

fn as_json(trial: &Trial, results: &[TrialResult]) -> Value {
    let operation = |it: &TrialResult| {
        let model = |model: &onionskin_sim::explore::ModelReport| {
            json!({
                "model": model.model,
                "tear": model.tear,
                "garbage": model.garbage,
                "complete": model.complete,
                "totals": model.totals,
                "violations": model.violations,
            })
        };
        json!({
            "name": it.report.subject,
            "held": it.held(),
            "complete": it.complete,
            "totals": it.report.totals(),
            "models": it.report.models.iter().map(model).collect::<Value>(),
            "faults": it.faults,
        })
    };
    json!({
        "held": results.iter().all(TrialResult::held),
        "depth": trial.depth,
        "seed": trial.seed,
        "totals": Sums::of(results),
        "operations": results.iter().map(operation).collect::<Value>(),
    })
}

/// Rows with a name on the left and numbers on the right.
fn numbers(rows: &[Vec<Text>]) -> Text {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(Text::width).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<Text>| {
        let mut line = Text::default();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let padding = width - cell.width();
            line.pad(if at == 0 { 0 } else { padding + 2 });
            line.push(cell);
            line.pad(if at == 0 { padding } else { 0 });
        }
        text!("{}\n", line)
    };
    rows.iter().map(line).collect()
}

/// A number with its digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent, never rounded up to all.
fn share(part: u64, all: u64) -> String {
    match part.saturating_mul(1000).checked_div(all) {
        Some(tenths) if part < all => format!("{}.{} %", tenths / 10, tenths % 10),
        Some(_) | None => "100 %".to_owned(),
    }
}

fn per_second(count: u64, elapsed: Duration) -> u64 {
    (count as f64 / elapsed.as_secs_f64().max(0.001)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_threes_and_shares_are_not_flattered() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([share(3, 3), share(9999, 10_000), share(0, 0)], ["100 %", "99.9 %", "100 %"]);
    }
}
