//! How two trees differ, for people.

use std::collections::BTreeSet;

use super::{Node, Tree};

/// The most bytes of a file that are shown.
const SHOWN_BYTES_MAX: usize = 48;

impl Tree {
    /// The lines by which `other` differs: `-` is in this tree alone, `+` in the other alone.
    /// Empty if the two are equal.
    #[must_use]
    pub fn diff(&self, other: &Tree) -> String {
        let paths: BTreeSet<_> = self.nodes.keys().chain(other.nodes.keys()).collect();
        let mut lines = String::new();
        for path in paths {
            let (old, new) = (self.nodes.get(path), other.nodes.get(path));
            if old == new {
                continue;
            }
            for (sign, node) in [('-', old), ('+', new)] {
                if let Some(node) = node {
                    lines.push(sign);
                    lines.push(' ');
                    lines.push_str(&line(path, node));
                    lines.push('\n');
                }
            }
        }
        lines
    }
}

/// One node on one line.
pub(super) fn line(path: &[u8], node: &Node) -> String {
    let path = path.escape_ascii();
    match node {
        Node::File { bytes, group } => {
            let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
            let more = if shown.len() < bytes.len() { ".." } else { "" };
            let same = group.map(|group| format!(" #{group}")).unwrap_or_default();
            let length = bytes.len();
            format!("{path}{same} [{length}] \"{}\"{more}", shown.escape_ascii())
        }
        Node::Directory => format!("{path}/"),
        Node::Symlink(text) => format!("{path} -> {text}"),
        Node::Other => format!("{path} (other)"),
    }
}
