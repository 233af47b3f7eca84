//! The simulated filesystem on which calls are made, and what holds of it after every call.

use arbitrary::{Result, Unstructured};
use onionskin::error::{Error, ErrorKind};
use onionskin_sim::{Fault, Harm, SimFs, Tree, When};

/// Plants a tree; the entries below `lowers` are originals.
pub(crate) fn plant(tree: &Tree, lowers: &[&str]) -> SimFs {
    let fs = SimFs::with_switches(onionskin_sim::Switches::default());
    fs.plant(tree);
    lowers.iter().for_each(|lower| fs.set_lower(lower));
    fs
}

/// Asserts that an error names its subject and is a sentence. The subject may be empty where that is the error: an empty
/// path, and a lock without a token.
pub(crate) fn is_well_formed(error: &Error, named: &str) {
    let is_named = !error.subject().is_empty()
        || named.is_empty()
        || matches!(error.kind(), ErrorKind::InvalidPath | ErrorKind::Locked);
    assert!(is_named, "{:?} of {named:?} names no path: {error}", error.kind());
    assert!(!error.to_string().is_empty());
}

/// Lets the process die at one of the next calls.
pub(crate) fn die_soon(fs: &SimFs, from: &mut Unstructured<'_>) -> Result<()> {
    let call = fs.counts().calls + from.int_in_range(0..=40)?;
    fs.harm(Fault::once(When::Call(call), Harm::Die));
    Ok(())
}

/// Chooses a path: of names that exist, of such that are refused, and any text.
pub(crate) fn path_of(from: &mut Unstructured<'_>) -> Result<String> {
    const NAMES: [&str; 12] = ["a", "b", "c", "f", "l", "up", "a-b", ".", "..", ".onionskin", "", "\0"];
    if from.ratio(1, 12)? {
        return from.arbitrary::<&str>().map(str::to_owned);
    }
    let mut names = Vec::new();
    for _ in 0..from.int_in_range(1..=3)? {
        // Mostly one that exists.
        let name = if from.ratio(7, 8)? { from.choose_index(7)? } else { from.choose_index(NAMES.len())? };
        names.push(NAMES[name]);
    }
    Ok(names.join("/"))
}

/// Chooses a short content.
pub(crate) fn content_of(from: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = from.int_in_range(0..=9)?;
    from.bytes(length).map(Into::into)
}
