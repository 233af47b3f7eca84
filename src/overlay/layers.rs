//! The layered directories. The names of the preopened directories define them, so that every host can do so,
//! and no import beside the filesystem is needed.
//!
//! A directory `/data` is formed from the directories that are granted as `/data#upper` and `/data#lower`,
//! and, below that, `/data#lower.2`, `/data#lower.3` and so on. All others are passed on unchanged. With
//! `/data#upper;entries=50` no more than 50 files, directories and links can be created in it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::limits::LOWERS_MAX;
use crate::text::as_number;

/// A layered directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layered {
    /// The name under which a program finds it.
    pub name: String,
    /// The name of its upper.
    pub upper: String,
    /// The names of its lowers, the topmost first.
    pub lowers: Vec<String>,
    /// The number of files, directories and links that the upper may hold.
    pub entries: Option<u64>,
}

/// The role that a granted name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'n> {
    /// The upper, with the maximum number of entries.
    Upper(&'n str, Option<u64>),
    /// A lower, numbered from 1, the topmost.
    Lower(&'n str, u64),
    Plain(&'n str),
}

impl<'n> Part<'n> {
    fn of(name: &'n str) -> Self {
        match name.rsplit_once('#') {
            Some((base, "upper")) => Self::Upper(base, None),
            Some((base, "lower")) => Self::Lower(base, 1),
            Some((base, part)) => {
                let number = |before| part.strip_prefix(before).and_then(as_number);
                match (number("upper;entries="), number("lower.")) {
                    (Some(entries), _) => Self::Upper(base, Some(entries)),
                    (_, Some(number)) => Self::Lower(base, number),
                    _ => Self::Plain(name),
                }
            }
            None => Self::Plain(name),
        }
    }
}

/// Checks whether a granted name is part of a layered directory, and is not passed on.
pub fn is_part(name: &str) -> bool {
    !matches!(Part::of(name), Part::Plain(_))
}

/// Finds the layered directories among granted names.
///
/// # Errors
/// A message that names the part that is missing or given twice.
pub fn layers(names: &[&str]) -> Result<Vec<Layered>, String> {
    let parts = || names.iter().map(|name| Part::of(name));
    let mut found: Vec<Layered> = Vec::new();
    for part in parts() {
        let (Part::Upper(base, _) | Part::Lower(base, _)) = part else { continue };
        if found.iter().any(|layered| layered.name == base) {
            continue;
        }
        let mut uppers = names.iter().filter_map(|name| match Part::of(name) {
            Part::Upper(of, entries) if of == base => Some((*name, entries)),
            _ => None,
        });
        let (upper, more_uppers) = (uppers.next(), uppers.next());
        let mut numbers: Vec<u64> = Vec::new();
        numbers.extend(parts().filter_map(|part| match part {
            Part::Lower(of, number) if of == base => Some(number),
            _ => None,
        }));
        numbers.sort_unstable();
        let say = |what: &str| Err(format!("the directory {base} cannot be layered: {what}"));
        if base.is_empty() {
            return say("it has no name before the `#`");
        }
        let Some((upper, entries)) = upper else {
            return say(&format!("grant a directory for what is written as {base}#upper, too"));
        };
        if numbers.is_empty() {
            return say(&format!("grant the directory that is shown as {base}#lower, too"));
        }
        if more_uppers.is_some() || parts().any(|part| part == Part::Plain(base)) {
            return say("it is granted twice");
        }
        if numbers.len() > LOWERS_MAX || numbers.iter().zip(1..).any(|(number, wanted)| *number != wanted) {
            return say("its lowers are #lower, #lower.2, #lower.3 and so on, up to 64, each of them once");
        }
        let lower = |number: &u64| match number {
            1 => format!("{base}#lower"),
            number => format!("{base}#lower.{number}"),
        };
        found.push(Layered {
            name: base.to_owned(),
            upper: upper.to_owned(),
            lowers: numbers.iter().map(lower).collect(),
            entries,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(names: &[&str]) -> String {
        layers(names).expect_err("half of it is missing")
    }

    #[test]
    fn a_directory_is_formed_from_its_parts_in_whatever_order_they_are_granted() {
        let names = ["/tmp", "/data#lower.2", "/data#upper", "/data#lower", "/a#b"];
        let data = Layered {
            name: "/data".to_owned(),
            upper: "/data#upper".to_owned(),
            lowers: ["/data#lower".to_owned(), "/data#lower.2".to_owned()].into(),
            entries: None,
        };
        assert_eq!(layers(&names), Ok([data].into()));
        let limited = layers(&["/a#upper;entries=7", "/a#lower"]).expect("it is well formed");
        assert_eq!((limited[0].upper.as_str(), limited[0].entries), ("/a#upper;entries=7", Some(7)));
        assert!(is_part("/data#lower.2") && is_part("/a#upper;entries=7"));
        assert!(!is_part("/a#b") && !is_part("/tmp"));
    }

    #[test]
    fn what_is_half_configured_is_refused_with_the_way_out() {
        assert!(wrong(&["/data#lower"]).contains("as /data#upper, too"));
        assert!(wrong(&["/data#upper"]).contains("as /data#lower, too"));
        assert!(wrong(&["/data#upper", "/data#lower", "/data"]).contains("twice"));
        assert!(wrong(&["/data#upper", "/data#lower", "/data#upper;entries=1"]).contains("twice"));
        assert!(wrong(&["/data#upper", "/data#lower", "/data#lower"]).contains("each of them once"));
        assert!(wrong(&["/data#upper", "/data#lower", "/data#lower.3"]).contains("each of them once"));
        assert!(wrong(&["#upper", "#lower"]).contains("no name"));
    }
}
