//! Merges: a text that both sides changed, line by line, from the original that both began with.
//!
//! For that the workspace keeps a copy of a text when it writes over it for the first time. No sync is spent on the
//! copy: it counts only if it has the sum that was noted with it. Without one, what both sides changed is a conflict.

use alloc::vec::Vec;

use super::difference::Delta;
use super::map::{Record, SEED, sum};
use super::view::Place;
use super::{Workspace, layout};
use crate::error::Error;
use crate::fs::{Fs, Kind};
use crate::limits::{MERGED_LINES_MAX, SUMMED_BYTES_MAX};
use crate::path::At;
use crate::plan::Plan;

/// A text of both sides, and that of the lowers in it.
pub(super) struct Merged {
    pub(super) text: Vec<u8>,
    pub(super) theirs: Vec<u8>,
}

impl<F: Fs> Workspace<F> {
    /// Keeps a copy of a text of the lowers with the note of its state, where one is about to be recorded; returns its
    /// number. A failure costs the merge, and nothing else; none is kept where the bytes are limited.
    pub(super) fn keep_original(&mut self, at: &At, records: &mut [Record]) -> Option<u64> {
        if self.quota.bytes.is_some() {
            return None;
        }
        let seen = records.iter_mut().find_map(|record| match record {
            Record::Saw(_, Some(seen)) if seen.below != 0 => Some(seen),
            _ => None,
        })?;
        seen.entry.filter(|entry| entry.kind == Kind::File && entry.size > 0)?;
        let text = self.text(at).ok().flatten().filter(|text| sum(SEED, text) == seen.below)?;
        seen.kept = self.new_file(text, false).ok();
        seen.kept
    }

    /// Writes a new file of the upper; returns its number. Nothing remains of it after a failure.
    ///
    /// # Errors
    /// The quota; the filesystem's failures.
    pub(super) fn new_file(&mut self, content: Vec<u8>, synced: bool) -> Result<u64, Error> {
        let number = self.files.next;
        let (file, length) = (layout::file(number), content.len() as u64);
        self.check_bytes(&file, length)?;
        self.files.next += 1;
        self.files.bytes += length;
        let mut plan = Plan::new();
        plan.create(&file, "no file that exists is written, but one's own");
        plan.write(&file, content, "a text of a merge");
        if synced {
            plan.sync_file(&file, "or the map could name content that was lost");
        }
        let written = self.state.run(plan);
        self.state.exec.close(&file);
        written.map(|()| number).inspect_err(|_| self.remove_file(number))
    }

    /// Merges both sides of a difference. `None` where there is no copy of the original, where one of the three is no
    /// text or too long, and where both sides changed the same lines, unless these are `marked`.
    ///
    /// # Errors
    /// The filesystem's failures.
    pub(super) fn merged(&mut self, delta: &Delta, marked: bool) -> Result<Option<Merged>, Error> {
        let (Some(Place::File(number)), Some((at, stat))) = (&delta.after, &delta.before) else { return Ok(None) };
        let Some(seen) = self.map.seen(&delta.path).cloned() else { return Ok(None) };
        // Of a file with several names each could have another text on the other side.
        let is_one = stat.kind == Kind::File && self.map.names_of(*number) == 1;
        let Some(kept) = seen.kept.filter(|_| is_one) else { return Ok(None) };
        let mut texts = Vec::new();
        for at in [&At::store(layout::file(kept)), &At::store(layout::file(*number)), at] {
            match self.text(at)? {
                Some(text) => texts.push(text),
                None => return Ok(None),
            }
        }
        let [base, ours, theirs] = &mut texts[..] else { return Ok(None) };
        if sum(SEED, base) != seen.below {
            return Ok(None);
        }
        // Whether the last line has an end is a change of its own: a mark needs a line for itself, and lines that
        // differ in their end alone are no different lines.
        let [was_open, is_open, are_open] = [&mut *base, &mut *ours, &mut *theirs].map(close);
        let merged = match diffy::merge_bytes(base, ours, theirs) {
            Err(_) if !marked => return Ok(None),
            Ok(mut merged) => {
                if if is_open == was_open { are_open } else { is_open } {
                    merged.pop();
                }
                merged
            }
            Err(merged) => merged,
        };
        if are_open {
            theirs.pop();
        }
        Ok(texts.pop().map(|theirs| Merged { text: merged, theirs }))
    }

    /// Reads a file whole; `None` for one that is too long, or no text.
    fn text(&mut self, at: &At) -> Result<Option<Vec<u8>>, Error> {
        if self.state.exec.stat_in(at.root, &at.path)?.is_none_or(|stat| stat.size > SUMMED_BYTES_MAX) {
            return Ok(None);
        }
        let text = self.state.exec.read_at(at, 0, SUMMED_BYTES_MAX as usize + 1)?;
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        let is_text = text.len() as u64 <= SUMMED_BYTES_MAX && lines < MERGED_LINES_MAX && !text.contains(&0);
        Ok(Some(text).filter(|_| is_text))
    }
}

/// Ends the last line of a text; returns whether it had no end.
fn close(text: &mut Vec<u8>) -> bool {
    let is_open = text.last().is_some_and(|byte| *byte != b'\n');
    if is_open {
        text.push(b'\n');
    }
    is_open
}
