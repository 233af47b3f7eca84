//! Prints a demonstration, and counts its promises.

use std::io::Write;

use super::DemoError;
use crate::text::Text;

/// Prints actions, expectations and observations, and counts promises.
pub struct Report<'a> {
    out: Option<&'a mut dyn Write>,
    promises: Vec<Promise>,
}

/// A promise, and the number of its tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Its text.
    pub text: &'static str,
    /// The number of cases.
    pub cases: u64,
    /// The cases in which it was broken: action, expectation and observation.
    pub broken: Vec<String>,
}

impl<'a> Report<'a> {
    /// Prints everything.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out: Some(out), promises: Vec::new() }
    }

    /// Only counts.
    #[must_use]
    pub fn silent() -> Self {
        Self { out: None, promises: Vec::new() }
    }

    /// The promises so far, in the order of their first tests.
    #[must_use]
    pub fn promises(&self) -> &[Promise] {
        &self.promises
    }

    /// Whether every promise was kept in every case, and had one.
    #[must_use]
    pub fn all_held(&self) -> bool {
        !self.promises.is_empty() && self.promises.iter().all(|promise| promise.broken.is_empty())
    }

    pub(super) fn title(&mut self, text: &str) -> Result<(), DemoError> {
        self.line(&format!("\n{text}\n{}", "=".repeat(text.chars().count())))
    }

    pub(super) fn paragraph(&mut self, text: &str) -> Result<(), DemoError> {
        self.line(&format!("\n{text}"))
    }

    /// Tests a promise once, and prints the result.
    pub(super) fn check(
        &mut self,
        promise: &'static str,
        done: &str,
        expected: &str,
        seen: &str,
    ) -> Result<(), DemoError> {
        let verdict = if expected == seen { "as promised" } else { "NOT as promised" };
        self.line(&format!("  done:     {done}"))?;
        self.line(&format!("  expected: {expected}"))?;
        self.line(&format!("  seen:     {seen} ({verdict})"))?;
        self.count(promise, done, expected, seen);
        Ok(())
    }

    /// Tests a promise once, and prints it only if it is broken.
    pub(super) fn count(&mut self, text: &'static str, done: &str, expected: &str, seen: &str) {
        let at = self.promises.iter().position(|promise| promise.text == text);
        let at = at.unwrap_or_else(|| {
            self.promises.push(Promise { text, cases: 0, broken: Vec::new() });
            self.promises.len() - 1
        });
        let promise = &mut self.promises[at];
        promise.cases += 1;
        if expected != seen {
            promise.broken.push(format!("{done}: expected {expected}, seen {seen}"));
        }
    }

    /// Returns the number of broken cases so far.
    pub(super) fn broken(&self) -> usize {
        self.promises.iter().map(|promise| promise.broken.len()).sum()
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), DemoError> {
        match &mut self.out {
            Some(out) => out
                .write_all(
                    Text::of_lines(&format!(
                        "{text}
"
                    ))
                    .as_str()
                    .as_bytes(),
                )
                .map_err(DemoError::Output),
            None => Ok(()),
        }
    }
}
