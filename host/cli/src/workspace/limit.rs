//! `limit`: the limits of a workspace, set on creation or later.

use onionskin_host::{Error, Quota};
use serde_json::{Value, json};

use super::super::Context;
use super::super::render::Answer;
use super::super::text::text;
use super::{Upper, close, open, show};

/// The requested limits.
#[derive(clap::Args)]
pub(super) struct Limits {
    /// The limit for the bytes of its files, checkpoints included: 500000, 64KiB, 10MiB, 2GiB, or `none`
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    max_bytes: Option<Most>,
    /// The limit for the number of its files, directories and links, or `none`
    #[arg(long, value_name = "N", value_parser = entries)]
    max_entries: Option<Most>,
}

/// A limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Most(Option<u64>);

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  onionskin workspace limit ./changes --max-bytes 2GiB --max-entries 100000
  onionskin workspace limit ./changes --max-entries none

What is there already stays, also above a limit. Without an option it says what the limits are.")]
pub(super) struct Limit {
    #[command(flatten)]
    upper: Upper,
    #[command(flatten)]
    limits: Limits,
}

impl Limits {
    /// The limits of a new workspace: a missing one is unlimited.
    pub(super) fn quota(&self) -> Quota {
        let given = |most: Option<Most>| most.and_then(|Most(limit)| limit);
        Quota { bytes: given(self.max_bytes), entries: given(self.max_entries) }
    }

    /// The limits of an existing workspace: a missing one stays.
    fn over(&self, quota: Quota) -> Quota {
        let given = |most: Option<Most>, before| most.map_or(before, |Most(limit)| limit);
        Quota { bytes: given(self.max_bytes, quota.bytes), entries: given(self.max_entries, quota.entries) }
    }
}

pub(super) fn limit(context: &Context, arguments: &Limit) -> Result<Answer, Error> {
    let mut workspace = open(context, &arguments.upper)?;
    let before = workspace.quota()?;
    let quota = arguments.limits.over(before);
    if (quota.bytes, quota.entries) != (before.bytes, before.entries) {
        workspace.set_quota(quota)?;
    }
    close(workspace, text!("{}\n", text(quota)), json!({"limits": value(quota)}))
}

/// Limits for people.
pub(super) fn text(quota: Quota) -> String {
    let limits = [quota.bytes.map(show::size), quota.entries.map(|entries| format!("{entries} entries"))];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    if limits.is_empty() { "none".to_owned() } else { limits.join(", ") }
}

/// Limits for programs.
pub(super) fn value(quota: Quota) -> Value {
    json!({"bytes": quota.bytes, "entries": quota.entries})
}

fn entries(text: &str) -> Result<Most, String> {
    if text == "none" {
        return Ok(Most(None));
    }
    let number = text.parse().map_err(|_| "say a number, or `none`")?;
    Ok(Most(Some(number)))
}

fn bytes(text: &str) -> Result<Most, String> {
    if text == "none" {
        return Ok(Most(None));
    }
    let wrong = || "say a number of bytes, such as 500000, 64KiB, 10MiB or 2GiB, or `none`".to_owned();
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" | "K" => 10,
        "MiB" | "M" => 20,
        "GiB" | "G" => 30,
        "TiB" | "T" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(1 << shift).ok_or_else(|| "so many bytes there are nowhere".to_owned())?;
    Ok(Most(Some(bytes)))
}

#[cfg(test)]
mod tests {
    use super::{Most, bytes, entries};

    #[test]
    fn limits_are_numbers_with_units_or_none() {
        for (text, limit) in [("0", 0), ("64KiB", 64 << 10), ("10M", 10 << 20), ("2 GiB", 2 << 30)] {
            assert_eq!(bytes(text), Ok(Most(Some(limit))));
        }
        assert_eq!((bytes("none"), entries("none")), (Ok(Most(None)), Ok(Most(None))));
        for text in ["", "-1", "10XB", "99999999TiB", "1.5GiB"] {
            assert!(bytes(text).is_err() && entries(text).is_err(), "{text}");
        }
    }
}
