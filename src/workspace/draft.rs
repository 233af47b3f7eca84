//! Drafts: contents that are staged before any path shows them. A content too long for one call is collected
//! here.
//!
//! No record names a draft, so none survives a crash: the next open removes it.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Workspace, layout};
use crate::error::{Error, ErrorKind};
use crate::fs::Fs;
use crate::persist::file::check_chunk;
use crate::plan::Plan;
use crate::store::parse;

impl<F: Fs> Workspace<F> {
    /// Appends bytes to a draft; returns its number. Without a number, starts a new draft.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a number that is no draft of this open workspace;
    /// [`ErrorKind::LimitExceeded`] for the chunk or the quota. The draft remains unchanged.
    pub fn draft(&mut self, draft: Option<u64>, data: Vec<u8>) -> Result<u64, Error> {
        check_chunk("draft", data.len())?;
        self.check_usable()?;
        let (number, length) = match draft {
            Some(number) => (number, self.files.drafts[self.draft_at(number)?].1),
            None => (self.files.next, 0),
        };
        let added = data.len() as u64;
        self.check_bytes(&layout::file(number), added)?;
        let mut plan = Plan::new();
        if draft.is_none() {
            self.files.next += 1;
            plan.create(&layout::file(number), "no file that exists is written, but one's own");
            self.files.drafts.push((number, 0));
        }
        if added > 0 {
            plan.edit(&layout::file(number), length, data, "content that nothing shows yet");
        }
        let written = self.state.run(plan);
        let at = self.draft_at(number)?;
        match written {
            Ok(()) => {
                self.files.drafts[at].1 = length + added;
                self.files.bytes += added;
                Ok(number)
            }
            Err(error) => {
                if draft.is_none() {
                    self.files.drafts.swap_remove(at);
                    self.remove_file(number);
                }
                // Bytes beyond its length are overwritten by the next piece, or removed with the draft.
                Err(error)
            }
        }
    }

    /// Makes a draft the content of a file, atomically; creates the file if it does not exist. The draft no
    /// longer exists afterwards, even after a failure.
    ///
    /// # Errors
    /// As for [`Workspace::write`], and [`ErrorKind::NotFound`] for a number that is no draft.
    pub fn put_draft(&mut self, draft: u64, path: &str) -> Result<(), Error> {
        self.check_usable()?;
        let at = self.draft_at(draft)?;
        let (number, length) = self.files.drafts.swap_remove(at);
        self.files.bytes = self.files.bytes.saturating_sub(length);
        let source = parse(path).and_then(|path| self.source(&path).map(|source| (path, source)));
        let (path, source) = source.inspect_err(|_| self.remove_file(number))?;
        let mut plan = Plan::new();
        // A piece that failed may have left some of its bytes.
        plan.set_size(&layout::file(number), length, "the whole content, and no more");
        self.show(&path, number, (source.as_ref(), length), plan)
    }

    /// Discards a draft.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a number that is no draft.
    pub fn drop_draft(&mut self, draft: u64) -> Result<(), Error> {
        let at = self.draft_at(draft)?;
        let (number, _) = self.files.drafts.swap_remove(at);
        self.remove_file(number);
        Ok(())
    }

    fn draft_at(&self, number: u64) -> Result<usize, Error> {
        let found = self.files.drafts.iter().position(|(known, _)| *known == number);
        found.ok_or_else(|| ErrorKind::NotFound.named(&number.to_string()).because("there is no such draft"))
    }
}
