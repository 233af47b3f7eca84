//! Who tells a story, and keeps count of its promises.

use std::io::Write;

use super::Trouble;

/// Tells what is done, what was expected and what was seen; and counts.
pub struct Teller<'a> {
    out: Option<&'a mut dyn Write>,
    promises: Vec<Promise>,
}

/// One promise, and how often it was put to the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// In words.
    pub text: &'static str,
    /// How many cases were tried.
    pub cases: u64,
    /// The cases in which it did not hold: what was tried, expected and seen.
    pub broken: Vec<String>,
}

impl<'a> Teller<'a> {
    /// Tells in full.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out: Some(out), promises: Vec::new() }
    }

    /// Only counts.
    #[must_use]
    pub fn silent() -> Self {
        Self { out: None, promises: Vec::new() }
    }

    /// The promises so far, in the order in which they were first tried.
    #[must_use]
    pub fn promises(&self) -> &[Promise] {
        &self.promises
    }

    /// Whether every promise held in every case, and there was one.
    #[must_use]
    pub fn all_held(&self) -> bool {
        !self.promises.is_empty() && self.promises.iter().all(|promise| promise.broken.is_empty())
    }

    pub(super) fn title(&mut self, text: &str) -> Result<(), Trouble> {
        self.line(&format!("\n{text}\n{}", "=".repeat(text.chars().count())))
    }

    pub(super) fn say(&mut self, text: &str) -> Result<(), Trouble> {
        self.line(&format!("\n{text}"))
    }

    /// Tries a promise once, and tells about it.
    pub(super) fn check(
        &mut self,
        promise: &'static str,
        done: &str,
        expected: &str,
        seen: &str,
    ) -> Result<(), Trouble> {
        let verdict = if expected == seen { "as promised" } else { "NOT as promised" };
        self.line(&format!("  done:     {done}"))?;
        self.line(&format!("  expected: {expected}"))?;
        self.line(&format!("  seen:     {seen} ({verdict})"))?;
        self.count(promise, done, expected, seen);
        Ok(())
    }

    /// Tries a promise once, and says nothing unless it is broken.
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

    /// How many cases were broken so far.
    pub(super) fn broken(&self) -> usize {
        self.promises.iter().map(|promise| promise.broken.len()).sum()
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), Trouble> {
        match &mut self.out {
            Some(out) => writeln!(out, "{text}").map_err(Trouble::Output),
            None => Ok(()),
        }
    }
}
