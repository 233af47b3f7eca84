//! Paths of several components stay inside their grant.

use onionskin::fs::{Cause, Fs};
use onionskin_sim::{SimFs, tree};

fn scene() -> SimFs {
    SimFs::holding(&tree! {
        file "a/b/f" = "x"; symlink "to-b" = "a/b"; symlink "a/up" = "../a/b/f";
        symlink "out" = "../x"; symlink "abs" = "/etc"; symlink "loop" = "loop";
        symlink "to-f" = "a/up";
    })
}

/// Where a walk ends: the path of the directory it ends in, and the last component.
fn walk(path: &str, follow: bool) -> Result<(String, String), Cause> {
    let fs = scene();
    let (dir, last) = fs.walk(&fs.root(), path, follow)?;
    Ok((dir.path().to_owned(), last))
}

/// Links on the way are followed; the last one only if asked for.
#[test]
fn links_are_followed_where_asked_for() {
    let to = |dir: &str, last: &str| Ok((dir.to_owned(), last.to_owned()));
    assert_eq!(walk("a/b/f", false), to("a/b", "f"));
    assert_eq!(walk("./a//b/../b/f", false), to("a/b", "f"));
    assert_eq!(walk("to-b/f", false), to("a/b", "f"));
    assert_eq!(walk("to-b", false), to("", "to-b"));
    assert_eq!(walk("to-b", true), to("a", "b"));
    assert_eq!(walk("to-f", true), to("a/b", "f"));
    assert_eq!(walk("a/", false), to("a", "."));
    assert_eq!(walk(".", false), to("", "."));
    assert_eq!(walk("new", true), to("", "new"));
}

/// Nothing leads out, and nothing leads round for ever.
#[test]
fn nothing_leads_out() {
    for path in ["..", "a/../..", "/a", "out", "abs", "abs/x"] {
        assert_eq!(walk(path, true), Err(Cause::NotPermitted), "{path}");
    }
    assert_eq!(walk("loop", true), Err(Cause::Loop));
    assert_eq!(walk("loop/x", false), Err(Cause::Loop));
    assert_eq!(walk("a/b/f/x", true), Err(Cause::NotDirectory));
    assert_eq!(walk("none/x", true), Err(Cause::NoEntry));
    assert_eq!(walk("", true), Err(Cause::NoEntry));
}

/// A directory reached through a read-only grant is read-only too.
#[test]
fn grants_go_along() -> Result<(), Cause> {
    let fs = scene();
    let (dir, _) = fs.walk(&fs.root().read_only(), "to-b/f", true)?;
    assert!(!dir.is_writable());
    assert_eq!(fs.make_dir(&dir, "n"), Err(Cause::NotPermitted));
    Ok(())
}
