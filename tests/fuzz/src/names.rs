//! Texts that stand for paths, numbers, places of generations and selections.

use arbitrary::{Result, Unstructured};
use onionskin::control;
use onionskin::limits::{DEPTH_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX};
use onionskin::path::{RelPath, check_name, is_reserved, match_preopen};
use onionskin::text::as_number;
use onionskin::workspace::glob;

/// Takes one text, or two that a zero byte separates.
pub(crate) fn any_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    path(&text);
    number(&text);
    let (one, other) = text.split_once('\0').unwrap_or((&text, "a/b"));
    path(one);
    two_paths(one, other);
    preopen(one, other);
    matching(one, other);
    pointer(one, other);
}

fn path(text: &str) {
    let (strict, any, record) = (RelPath::parse(text), RelPath::parse_any(text), RelPath::parse_record(text));
    assert!(strict.is_err() || strict == any, "{text:?}");
    assert!(any.is_err() || any == record, "{text:?}");
    if let Ok(path) = &strict {
        assert!(!path.components().any(is_reserved), "{text:?}");
    }
    if let Ok(path) = &any {
        assert!(text.len() <= PATH_BYTES_MAX && path.depth() <= DEPTH_MAX, "{text:?}");
        assert!(path.components().all(|name| check_name(name).is_ok() && name.len() <= NAME_BYTES_MAX), "{text:?}");
    }
    let Ok(path) = record else { return };
    assert_eq!(path.as_str(), text);
    assert!(!path.is_root() && path.components().all(|name| !matches!(name, "" | "." | "..")), "{text:?}");
    let (parent, name) = path.split().expect("it is not the root");
    assert_eq!((parent.child(name), parent.depth() + 1), (path.clone(), path.depth()));
    let (first, rest) = path.split_first().expect("it is not the root");
    assert_eq!(RelPath::ROOT.child(first).join(&rest), path);
}

fn two_paths(one: &str, other: &str) {
    let (Ok(one), Ok(other)) = (RelPath::parse_record(one), RelPath::parse_record(other)) else { return };
    let joined = one.join(&other);
    assert!(joined.is_within(&one) && joined != one);
    assert_eq!(joined.below(&one), Some(other.clone()));
    assert_eq!(one.is_within(&other), one.components().take(other.depth()).eq(other.components()));
    assert_eq!(one.below(&other).map(|rest| other.join(&rest)), one.is_within(&other).then_some(one));
}

fn number(text: &str) {
    if let Some(number) = as_number(text) {
        assert_eq!(number.to_string(), text);
    }
}

fn preopen(one: &str, other: &str) {
    let names = ["/data", "/", "rel", ".", other];
    let Some((index, rest)) = match_preopen(&names, one) else { return };
    assert!(index < names.len() && !one.split('/').any(|name| name == ".."));
    if let Ok(rest) = rest {
        assert!(rest.is_root() || RelPath::parse_any(rest.as_str()).is_ok());
    }
}

/// A glob that matches a directory matches the paths below it, and a name without wildcards matches itself.
fn matching(one: &str, other: &str) {
    if glob::matches(one, other) && !other.is_empty() {
        assert!(glob::matches(one, &format!("{other}/below")), "{one:?} {other:?}");
    }
    let is_plain = !one.contains(['*', '?', '[', '\\']);
    if is_plain && RelPath::parse(one).is_ok() {
        assert!(glob::matches(one, one), "{one:?}");
    }
}

fn pointer(one: &str, other: &str) {
    let Ok(path) = RelPath::parse_record(one) else { return };
    if let Some((directory, generation)) = control::parse_pointer(&path, other) {
        assert_eq!(control::pointer_text(&path, directory, generation), other);
    }
}

/// Makes a path that a record may hold: also one that is deep, or has names of ours.
pub(crate) fn path_of_record(from: &mut Unstructured<'_>) -> Result<RelPath> {
    let mut path = RelPath::ROOT;
    for _ in 0..from.int_in_range(1..=4)? {
        let name = match from.int_in_range(0..=9)? {
            0 => ".onionskin",
            1 => "directories",
            2 => "1",
            3 => "a\\b",
            4..=6 => ["a", "b", "a-b"][from.choose_index(3)?],
            _ => from.arbitrary::<&str>()?,
        };
        if RelPath::parse_record(name).is_ok_and(|name| name.depth() == 1) {
            path = path.child(name);
        }
    }
    if from.ratio(1, 64)? {
        // As deep as a tree may be.
        let name = "n".repeat(from.int_in_range(1..=NAME_BYTES_MAX)?);
        let below = vec![&*name; from.int_in_range(1..=230)?].join("/");
        path = path.join(&RelPath::parse_record(&below).expect("good names"));
    }
    Ok(if path.is_root() { path.child("a") } else { path })
}

/// Returns texts of every form, with and without a second text.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "a/b/c",
        "./a//b/",
        "../a",
        "/data/a/./b",
        ".onionskin/directories/3/14",
        "a\\b",
        "18446744073709551615",
        "007",
        "a/x\0../.onionskin/directories/3/14",
        "**/*.rs\0src/a/b.rs",
        "[!a-z]?\\*/**\0A1*/x",
        "a*b*c*d*e\0aaaaaaaabbbbbbbbcccccccdddddd",
        "/data/cache\0/data/cache/../x",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}
