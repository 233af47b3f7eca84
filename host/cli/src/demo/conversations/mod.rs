//! Conversations: a directory that is persisted repeatedly, with crashes and faults at every call.

mod fixture;

use std::fs;
use std::path::Path;

use onionskin_host::{ErrorCode, Fault, Faults, Onionskin, Publish};

use super::tree::{self, difference};
use super::{DemoError, Report, listed};
use fixture::{Fixture, State, expected, persist, unmanaged_of};

/// After a crash the directory has the old managed files or the new ones, and no mixture.
pub const OLD_OR_NEW: &str = "After a crash at any call: exactly the old or exactly the new files";
/// The same after a failed call, and the error names the side of the commit point.
pub const TRUE_ERRORS: &str = "After an error at any call: the files are as the error says";
/// Acknowledged changes are present.
pub const ACKNOWLEDGED: &str = "What was acknowledged is there";
/// Unmanaged files, modes and sub-directories are unchanged.
pub const UNMANAGED: &str = "Files that are not part of the change stay as they were";
/// The root has the directory, and the generations of its mode.
pub const LEFT_OVER: &str = "After opening, nothing is left over";
/// The second open has no findings and changes nothing.
pub const OPEN_TWICE: &str = "Opening twice equals opening once";
/// The host recorded every call of the component, and none of them opened such a file.
pub const MONITOR: &str = "No existing file is opened for writing";

/// The maximum of calls in a run; a longer run counts as endless.
const CALLS_MAX: u64 = 10_000;

/// A publish mode, and the number of publishes before the interrupted change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The publish mode.
    pub publish: Publish,
    /// The number of earlier changes.
    pub earlier: u32,
}

/// The scenes with different steps, among them a `pointer` that is published for the first time, and one with old
/// generations to collect.
pub const SCENES: [Scene; 4] = [
    Scene { publish: Publish::InPlace, earlier: 0 },
    Scene { publish: Publish::Swap, earlier: 0 },
    Scene { publish: Publish::Pointer, earlier: 0 },
    Scene { publish: Publish::Pointer, earlier: 3 },
];

/// The fault at the N-th mutating call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The component is stopped before the call.
    Crash,
    /// The call fails with this code, and so does every later one if `lasting`.
    Failure {
        /// The code.
        code: ErrorCode,
        /// Whether later calls fail, too.
        lasting: bool,
    },
}

/// The outcomes of the cases of one scene and fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases in which the directory had the old files.
    pub old: u64,
    /// Cases in which it had the new ones.
    pub new: u64,
    /// Cases in which it had neither, or could not be opened.
    pub neither: u64,
}

/// Runs the demonstration in a directory that does not exist yet.
pub fn run(onionskin: &Onionskin, directory: &Path, report: &mut Report<'_>) -> Result<(), DemoError> {
    report.title("Conversations")?;
    report.paragraph(
        "A directory holds metadata.json, events.json, base_config.json and more, which a program\n\
         rewrites, and files that it does not know: a message, an executable script, attachments.\n\
         One change puts, adds, renames and removes files, all together or not at all. It is made\n\
         again and again on new copies, each time stopped one call later; then the root is opened,\n\
         which recovers, and everything in it is compared; then it is opened once more.",
    )?;
    for scene in SCENES {
        report.paragraph(scene.description())?;
        repeatedly(onionskin, &directory.join("repeatedly"), scene, report)?;
        for kind in FaultKind::ALL {
            let broken = report.broken();
            let tally = at_every_call(onionskin, directory, scene, kind, report)?;
            let Tally { old, new, neither } = tally;
            let verdict = if report.broken() == broken { "as promised" } else { "NOT as promised" };
            report.line(&format!(
                "  {:<33} {:>3} cases: old {old:>2}, new {new:>2}, neither {neither} ({verdict})",
                kind.description(),
                old + new + neither
            ))?;
        }
    }
    Ok(())
}

/// Persists five times in a row without any crash.
pub fn repeatedly(onionskin: &Onionskin, root: &Path, scene: Scene, report: &mut Report<'_>) -> Result<(), DemoError> {
    let faults = Faults::counting(Fault::None);
    let fixture = Fixture::set_up(onionskin, root, Scene { earlier: 0, ..scene })?;
    let builder = fixture.builder(onionskin).faults(&faults);
    for revision in 1..=5 {
        let case = format!("{}, change {revision}", scene.name());
        if let Err(error) = persist(&builder, scene.publish, revision) {
            report.count(ACKNOWLEDGED, &case, "an acknowledged change", &error.to_string());
            return fs::remove_dir_all(root).map_err(DemoError::files(root));
        }
        let now = fixture.directory()?;
        let differs = difference(&expected(revision), &tree::without_modes(&now));
        report.count(ACKNOWLEDGED, &case, "nothing", &differs);
        let differs = difference(&fixture.unmanaged, &unmanaged_of(&now));
        report.count(UNMANAGED, &case, "nothing", &differs);
        report.count(LEFT_OVER, &case, "none", &fixture.left_over()?);
    }
    fs::remove_dir_all(root).map_err(DemoError::files(root))?;
    report.count(MONITOR, scene.name(), "none", &listed(&faults.opened_for_writing()));
    Ok(())
}

/// Makes the same change repeatedly, each time on a new copy and with the fault one call later, until the change
/// completes before it. After each, the root is opened and checked twice.
pub fn at_every_call(
    onionskin: &Onionskin,
    directory: &Path,
    scene: Scene,
    kind: FaultKind,
    report: &mut Report<'_>,
) -> Result<Tally, DemoError> {
    let mut tally = Tally::default();
    for call in 1..=CALLS_MAX {
        let case = format!("{}, {} {call}", scene.name(), kind.description());
        let root = directory.join("case");
        let fixture = match Fixture::set_up(onionskin, &root, scene) {
            Ok(fixture) => fixture,
            Err(DemoError::Host(error)) => {
                report.count(ACKNOWLEDGED, &case, "the earlier changes", &error.to_string());
                return Ok(tally);
            }
            Err(error @ (DemoError::Files(..) | DemoError::Sqlite(..) | DemoError::Output(_))) => {
                return Err(error);
            }
        };
        let (fired, state) = fixture.change_with_fault(onionskin, call, kind, &case, report)?;
        fs::remove_dir_all(&root).map_err(DemoError::files(&root))?;
        match state {
            _ if !fired => return Ok(tally),
            State::Old => tally.old += 1,
            State::New => tally.new += 1,
            State::Neither(_) => tally.neither += 1,
        }
    }
    report.count(OLD_OR_NEW, scene.name(), "an end", "calls without end");
    Ok(tally)
}

impl Scene {
    fn name(self) -> &'static str {
        match (self.publish, self.earlier) {
            (Publish::InPlace, _) => "in-place",
            (Publish::Swap, _) => "swap",
            (Publish::Pointer, 0) => "pointer, the first",
            (Publish::Pointer, _) => "pointer, a later one",
        }
    }

    fn description(self) -> &'static str {
        match (self.publish, self.earlier) {
            (Publish::InPlace, _) => "In place: file by file, from a log of what was decided.",
            (Publish::Swap, _) => "Swap: the whole directory is prepared, and renamed into place.",
            (Publish::Pointer, 0) => "Pointer, the first: the directory becomes a link to a generation of it.",
            (Publish::Pointer, _) => "Pointer, a later one: the link is switched, and an old generation collected.",
        }
    }
}

impl FaultKind {
    /// A crash; an error that occurs once; and a lasting one, such as that of a full disk.
    pub const ALL: [Self; 3] = [
        Self::Crash,
        Self::Failure { code: ErrorCode::Io, lasting: false },
        Self::Failure { code: ErrorCode::InsufficientSpace, lasting: true },
    ];

    fn description(self) -> String {
        match self {
            Self::Crash => "crash before call".to_owned(),
            Self::Failure { code, lasting: false } => format!("{} at call", code.name()),
            Self::Failure { code, lasting: true } => format!("{} from call", code.name()),
        }
    }
}
