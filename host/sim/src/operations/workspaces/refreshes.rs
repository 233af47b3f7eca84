//! Refreshes: what others did to the lowers is taken into the workspace, and the lowers do not change.

use std::sync::OnceLock;

use onionskin::error::ErrorKind;
use onionskin::workspace::Resolution;
use onionskin::workspace::glob::Select;

use super::super::files::refused;
use super::super::{FaultyFs, Operation};
use super::{Done, create, lowers, made, open, power};
use crate::tree::Tree;

pub(super) fn all() -> Vec<Operation> {
    vec![
        power("workspace-merge", "the lines of both sides become one text", disturbed, |faulty| {
            refresh(faulty, &["text"], Resolution::Merge)
        }),
        power("workspace-merge-refused", "a line of both sides, and nothing is merged", disturbed, |faulty| {
            refused(refresh(faulty, &[], Resolution::Merge), |error| error.kind() == ErrorKind::Conflicts)
        }),
        power("workspace-merge-marked", "a line of both sides gets marks", disturbed, |faulty| {
            refresh(faulty, &[], Resolution::Mark)
        }),
        power("workspace-refresh-ours", "the change of the workspace stays, for a commit", disturbed, |faulty| {
            refresh(faulty, &[], Resolution::Ours)
        }),
        power("workspace-refresh-theirs", "the lower shows again", disturbed, |faulty| {
            refresh(faulty, &[], Resolution::Theirs)
        }),
    ]
}

fn refresh(faulty: &FaultyFs, only: &[&str], resolution: Resolution) -> Done {
    let only = only.iter().map(ToString::to_string).collect();
    open(faulty)?.refresh(&Select { only, except: Vec::new() }, resolution).map(drop)
}

/// With texts that were changed, and then changed underneath: one in another line.
fn disturbed() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    let texts = || lowers().file("top/text", "1\n2\n3\n");
    let tree = made(&LEFT, texts, |faulty| {
        let mut workspace = create(faulty)?;
        workspace.put("text", b"one\n2\n3\n".to_vec())?;
        workspace.put("file", b"ours\n".to_vec())?;
        workspace.sync()
    });
    tree.file("top/text", "1\n2\nthree\n").file("top/file", "theirs\n")
}
