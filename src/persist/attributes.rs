//! The attributes of new content: those of the file that it replaces, or those of a new file.

use crate::control;
use crate::error::Error;
use crate::fs::{Fs, Kind};
use crate::path::{At, RelPath, RootId};
use crate::persist::directory::Resolved;
use crate::persist::transaction::{DirectoryOptions, Pending};
use crate::plan::{Attributes, Plan};
use crate::store::State;

impl<F: Fs> State<F> {
    /// Returns the attributes of new content for a path where an entry of this kind stands now: those of the
    /// file that it replaces, also of one that is shared by link; otherwise those of a new file.
    pub(crate) fn attributes_for(&mut self, path: &RelPath, old: Option<Kind>) -> Attributes {
        let at = At::store(path.clone());
        let original = match old {
            Some(Kind::File) => Some(at),
            Some(Kind::Symlink) => self
                .link_target(&at)
                .and_then(|target| self.resolve_source(&At::store(target)))
                .ok()
                .and_then(|(at, stat)| (stat.kind == Kind::File).then_some(at)),
            Some(Kind::Directory | Kind::Other) | None => None,
        };
        match original {
            Some(from) => Attributes::Of { from, times: false },
            None => Attributes::NewIn(self.existing_above(path)),
        }
    }

    /// Returns the deepest directory above a path that exists.
    fn existing_above(&mut self, path: &RelPath) -> RelPath {
        let mut parent = path.parent();
        while !parent.is_root() && self.exec.dir(RootId::STORE, &parent).is_err() {
            parent = parent.parent();
        }
        parent
    }

    /// Gives each staged content the attributes for its path, which is known only now.
    pub(crate) fn keep_attributes(
        &mut self,
        number: u64,
        resolved: &Resolved,
        options: DirectoryOptions,
    ) -> Result<(), Error> {
        let mut plan = Plan::new();
        for (path, entry) in &resolved.changes {
            let Pending::Put(content) = &entry.pending else { continue };
            if content.existing || self.exec.lacks_powers() {
                continue;
            }
            let staged = control::staged(number, content.index);
            let as_of = self.attributes_for(path, entry.old.map(|old| old.kind));
            plan.set_attributes(&staged, as_of, "or the replaced file would lose its mode and owner");
            if options.synced() {
                plan.sync_file(&staged, "or its name could be durable before its mode");
            }
        }
        self.run(plan)
    }
}
