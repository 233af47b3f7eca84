//! The arguments of `run`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use onionskin_host::Quota;
use onionskin_host::run::{Limits, MEMORY_BYTES_DEFAULT, Mount, World};

use crate::Stop;

const EXAMPLES: &str = "\
Examples:
  onionskin run --lower ./project::/data tool.wasm /data           the changes are shown, and go away
  onionskin run --lower ./project::/data --upper ./changes tool.wasm /data
  onionskin run --lower ./project::/data --review tool.wasm /data  shows them and asks
  onionskin run --lower ./patch::/data --lower ./base::/data --dir ./in::/in::ro tool.wasm
  onionskin run --lower ./project::/data --timeout 10s --memory 256M --max-bytes 1G untrusted.wasm

With --upper the changes stay there: `onionskin workspace changes|diff|commit|discard ./changes`. Several
directories with layers have an upper directory each, below that of --upper: /data has `data`, /srv/a has
`srv-a`. Without --upper there is a temporary one.

--commit writes the changes to the topmost lower when the program exits with 0; when it does not, they are
kept. Several directories are written one after another in the order in which they are named, each atomically; one
with a conflict comes first. After a failure the rest are kept, and the summary says of each whether it was committed.

What the program is given is what is named here: no other file, no network, no environment. It shares standard input,
output and error with this command, and the summary goes to standard error. With --format json it is the last line
there, an object on a line of its own, after an empty one.

Everything after PROGRAM is the program's, whatever it looks like. --timeout ends all but a commit: compiling,
running, waiting, and the work after the end, for which there are two seconds more.

The exit code is that of the program; 1 when it was stopped or failed, or could not be run; 2 wrong usage.";

/// Runs a WASI program on directories that stay unchanged; its changes go elsewhere
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// A directory that stays unchanged, and its name in the program; several of one name are layered, the topmost
    /// first
    #[arg(long, value_name = "HOST::GUEST", value_parser = place)]
    pub(super) lower: Vec<Place>,
    /// The directory for the changes: created if it does not exist, and continued if it has changes
    #[arg(long, value_name = "DIR", requires = "lower")]
    pub(super) upper: Option<PathBuf>,
    /// A directory that the program may write directly
    #[arg(long, value_name = "HOST::GUEST[::ro]", value_parser = mount)]
    dir: Vec<Mount>,
    /// A variable of the program's environment; with a name only, its value is passed through
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable)]
    env: Vec<Option<(String, String)>>,
    /// The name of the program in its arguments, instead of that of its file
    #[arg(long, value_name = "NAME")]
    argv0: Option<String>,
    /// Keep the changes in a new directory, and print its path. This is the default with --upper
    #[arg(long, group = "end", requires = "lower")]
    keep: bool,
    /// Write the changes to the topmost lower atomically, if the program exits with 0
    #[arg(long, group = "end", requires = "lower")]
    commit: bool,
    /// Discard the changes. This is the default without --upper
    #[arg(long, group = "end", requires = "lower")]
    discard: bool,
    /// Show the changes, and ask whether to commit, discard or keep them
    #[arg(long, group = "end", requires = "lower")]
    review: bool,
    /// The time limit, such as 500ms, 10s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// The memory limit, such as 256M; 1G by default
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// The limit for the total length of all files in the upper directories
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "lower")]
    max_bytes: Option<u64>,
    /// The limit for the number of files, directories and links in the upper directories
    #[arg(long, value_name = "N", requires = "lower")]
    max_entries: Option<u64>,
    /// A component for wasi:cli, or a module for WASI preview 1, and its arguments
    // One list, so that the arguments after the program are never options of this command.
    #[arg(required = true, trailing_var_arg = true, num_args = 1.., value_names = ["PROGRAM", "ARGUMENTS"])]
    command: Vec<OsString>,
}

/// A directory, and its name in the program.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) host: PathBuf,
    pub(super) guest: String,
}

/// The fate of the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Keep,
    Commit,
    Discard,
    Review,
}

impl Run {
    pub(super) fn what(&self) -> Result<What, Stop> {
        Ok(match (self.keep, self.commit, self.discard, self.review) {
            (true, ..) => What::Keep,
            (_, true, ..) => What::Commit,
            (_, _, true, _) => What::Discard,
            (_, _, _, true) => What::Review,
            _ if self.upper.is_some() => What::Keep,
            _ => What::Discard,
        })
    }

    pub(super) fn program(&self) -> &Path {
        Path::new(self.command.first().expect("it is required"))
    }

    /// Returns the world of the program except the layers.
    pub(super) fn world(&self) -> Result<World, Stop> {
        let arguments = self.command[1..].iter().map(|argument| argument.to_str().map(str::to_owned));
        let arguments = arguments.collect::<Option<_>>();
        Ok(World {
            name: self.argv0.clone(),
            arguments: arguments.ok_or(Stop::Usage("the arguments of a program of WASI are UTF-8"))?,
            environment: self.env.iter().flatten().cloned().collect(),
            mounts: self.dir.clone(),
            limits: Limits {
                time: self.timeout,
                // A value beyond the maximum means no limit.
                memory_bytes: self.memory.map_or(MEMORY_BYTES_DEFAULT, |it| usize::try_from(it).unwrap_or(usize::MAX)),
                quota: Quota { bytes: self.max_bytes, entries: self.max_entries },
            },
            ..World::default()
        })
    }
}

fn place(text: &str) -> Result<Place, String> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("a directory and its name in the program are wanted, as in ./project::/data".to_owned());
    }
    Ok(Place { host: PathBuf::from(host), guest: guest.to_owned() })
}

fn mount(text: &str) -> Result<Mount, String> {
    let (text, read_only) = text.strip_suffix("::ro").map_or((text, false), |rest| (rest, true));
    let Place { host, guest } = place(text)?;
    Ok(Mount { host, guest, read_only })
}

/// Parses a variable with its value. Returns `None` for a variable that is passed through and is not set.
fn variable(text: &str) -> Result<Option<(String, String)>, String> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    let value = match value {
        Some(value) => value.to_owned(),
        None => match env::var(name) {
            Ok(value) => value,
            Err(env::VarError::NotPresent) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        },
    };
    Ok(Some((name.to_owned(), value)))
}

/// Parses a number, and returns it with the unit after it.
fn with_unit(text: &str) -> Result<(u64, &str), String> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Err("it has to begin with a whole number".to_owned());
    }
    if text[end..].starts_with(['.', ',']) {
        return Err("it has to be a whole number: take a smaller unit".to_owned());
    }
    let number = text[..end].parse().map_err(|_| "that is too much".to_owned())?;
    Ok((number, &text[end..]))
}

fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = with_unit(text)?;
    let shift = match unit {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        _ => return Err("the unit is one of K, M, G and T, each 1024 of the one before".to_owned()),
    };
    number.checked_mul(1 << shift).ok_or_else(|| "that is too much".to_owned())
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = with_unit(text)?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs).ok_or("that is too long".to_owned());
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        _ => Err("the unit is one of ms, s, m and h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(["7", "2K", "1MiB"].map(size), [Ok(7), Ok(2048), Ok(1 << 20)]);
        assert!(["", "K", "1Q", "99999999999999999999", "18446744073709551615K"].iter().all(|it| size(it).is_err()));
        assert_eq!(["250ms", "2m"].map(duration), [Ok(Duration::from_millis(250)), Ok(Duration::from_secs(120))]);
        assert!(["", "5", "s", "1d"].iter().all(|it| duration(it).is_err()));
    }

    #[test]
    fn a_directory_may_be_for_reading_and_needs_no_other_name() {
        let read = mount("./in::/in::ro").expect("it is well formed");
        assert_eq!((read.host, read.guest, read.read_only), (PathBuf::from("./in"), "/in".to_owned(), true));
        let same = mount("data").expect("it is well formed");
        assert_eq!((same.host, same.guest, same.read_only), (PathBuf::from("data"), "data".to_owned(), false));
        assert!(place("::/data").is_err() && place("./data::").is_err());
    }
}
