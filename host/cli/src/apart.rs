//! Upper directories are kept apart from their lowers: otherwise they would appear in the merged tree, and change it.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the reason why an upper directory, which need not exist yet, is refused: it is inside a lower.
pub(super) fn inside(upper: &Path, lowers: &[PathBuf]) -> Option<String> {
    let place = std::path::absolute(upper).unwrap_or_else(|_| upper.to_owned());
    let place = place.ancestors().find_map(|above| {
        let rest = place.strip_prefix(above).ok()?;
        Some(fs::canonicalize(above).ok()?.join(rest))
    })?;
    let lower = lowers.iter().find(|lower| fs::canonicalize(lower).is_ok_and(|lower| place.starts_with(lower)))?;
    Some(format!(
        "the upper directory {} is inside the lower {}; keep the upper directory apart",
        upper.display(),
        lower.display()
    ))
}
