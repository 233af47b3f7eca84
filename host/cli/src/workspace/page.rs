//! The page of a review: for a person who decides.
//!
//! It needs no network and has no script, which its policy forbids besides. Every text from outside is escaped twice: as
//! on a terminal, so that nothing is invisible or out of order, and for HTML.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use onionskin_host::{Change, ChangeKind, NodeKind};

use super::super::render::count;
use super::super::text::{Text, text};
use super::lines::{Fate, Hunk, Line};
use super::patch::{Mode, Patch, Side};
use super::show;
use super::trees::Missing;

/// Differences with more lines are folded at first.
const LINES_OPEN_MAX: usize = 400;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --old: #f8514922; --new: #2ea04326; --bad: #d1242f; --dim: #8888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1.5rem; max-width: 110rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.path, td, .note { font-family: ui-monospace, monospace; font-size: 13px; unicode-bidi: isolate; direction: ltr; }
.path { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dd { margin: 0; }
details { border-left: 1px solid var(--line); padding-left: .8rem; margin: .4rem 0; }
details.file { border: 1px solid var(--line); border-radius: 6px; padding: .3rem .6rem; }
summary { cursor: pointer; overflow-wrap: anywhere; } summary b { font-weight: 600; }
.kind { display: inline-block; min-width: 5.5rem; font-weight: 600; }
.deleted, .conflict { color: var(--bad); } .added { color: #1a7f37; } .renamed { color: #0969da; }
.modified { color: #9a6700; } .retyped { color: #8250df; } .dim { color: GrayText; }
table { border-collapse: collapse; width: 100%; } table.diff { table-layout: fixed; margin: .4rem 0; }
td, th { padding: .05rem .5rem; vertical-align: top; text-align: left; }
table.diff td { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 1px solid var(--line); }
table.diff td.number { width: 3.2rem; color: GrayText; text-align: right; user-select: none; }
td.old { background: var(--old); } td.new { background: var(--new); }
tr.hunk td { color: GrayText; background: var(--line); }
.number-column { width: 4.2rem; }
";

/// The subject of a page.
pub(super) struct Subject<'a> {
    pub(super) upper: &'a Path,
    pub(super) lowers: &'a [PathBuf],
    pub(super) changes: &'a [Change],
    pub(super) conflicts: &'a [String],
    pub(super) patches: &'a [Patch],
    pub(super) missing: &'a [Missing],
}

/// HTML made of literals of this program and of escaped texts.
#[derive(Default)]
struct Html(String);

impl Html {
    fn raw(&mut self, html: &'static str) {
        self.0.push_str(html);
    }

    fn text(&mut self, text: &Text) {
        for letter in text.as_str().chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                letter => self.0.push(letter),
            }
        }
    }

    /// Adds an element with a text.
    fn element(&mut self, start: &'static str, text: &Text, end: &'static str) {
        self.raw(start);
        self.text(text);
        self.raw(end);
    }
}

/// Returns the page.
pub(super) fn of(subject: &Subject<'_>) -> String {
    let mut body = Html::default();
    body.element("<h1>Changes in <span class=path>", &subject.upper.into(), "</span></h1>\n<dl>\n");
    for lower in subject.lowers {
        body.element("<dt>lower</dt><dd class=path>", &lower.into(), "</dd>\n");
    }
    body.element("<dt>changes</dt><dd>", &count(subject.changes.len() as u64, "change").into(), "</dd>\n");
    let conflicts = count(subject.conflicts.len() as u64, "conflict");
    let start = if subject.conflicts.is_empty() { "<dt>conflicts</dt><dd>" } else { CONFLICTS };
    body.element(start, &conflicts.into(), "</dd>\n</dl>\n");
    list(subject, &mut body);
    if !subject.patches.is_empty() {
        body.raw("<h2>Files and links, side by side</h2>\n");
        let mut root = Folder::default();
        for patch in subject.patches {
            root.add(patch.path(), patch);
        }
        root.write(&mut body);
    }
    if !subject.missing.is_empty() {
        body.raw("<h2>Not shown side by side</h2>\n<ul>\n");
        for missing in subject.missing {
            body.element("<li class=path>", &text!("{}: {}", missing.path, missing.reason), "</li>\n");
        }
        body.raw("</ul>\n");
    }
    let mut page = Html::default();
    page.raw("<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n");
    // The style alone has this word, which depends on all of the page.
    let nonce = blake3::hash(body.0.as_bytes()).to_hex();
    page.raw("<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; base-uri 'none'; ");
    page.element("form-action 'none'; style-src 'nonce-", &nonce.as_str().into(), "'\">\n");
    page.raw("<meta name=referrer content=no-referrer>\n<title>Changes of a workspace</title>\n");
    page.element("<style nonce=", &nonce.as_str().into(), ">");
    page.raw(STYLE);
    page.raw("</style>\n");
    page.0.push_str(&body.0);
    page.0
}

const CONFLICTS: &str = "<dt class=conflict>conflicts</dt><dd class=conflict>";

/// Writes all changes, as `changes` lists them.
fn list(subject: &Subject<'_>, html: &mut Html) {
    html.raw("<table>\n<tr><th>change<th>path<th>size<th>details</tr>\n");
    for change in subject.changes {
        html.raw("<tr><td class=\"kind ");
        html.raw(show::word(&change.what));
        html.raw("\">");
        html.raw(show::word(&change.what));
        html.element("</td><td class=path>", &(&change.path).into(), "</td><td>");
        if change.kind == NodeKind::File && change.what != ChangeKind::Deleted {
            html.text(&show::size(change.size).into());
        }
        html.element("</td><td>", &show::note(change), "");
        if subject.conflicts.contains(&change.path) {
            html.raw(" <span class=conflict>conflict: the lower has changed, too</span>");
        }
        html.raw("</td></tr>\n");
    }
    html.raw("</table>\n");
}

/// Differences by directory.
#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<String, Self>,
    files: Vec<(String, &'a Patch)>,
}

impl<'a> Folder<'a> {
    fn add(&mut self, path: &str, patch: &'a Patch) {
        match path.split_once('/') {
            Some((directory, rest)) => self.folders.entry(directory.to_owned()).or_default().add(rest, patch),
            None => self.files.push((path.to_owned(), patch)),
        }
    }

    fn write(&self, html: &mut Html) {
        for (name, folder) in &self.folders {
            html.element("<details open><summary class=path><b>", &text!("{}/", name), "</b></summary>\n");
            folder.write(html);
            html.raw("</details>\n");
        }
        for (name, patch) in &self.files {
            file(name, patch, html);
        }
    }
}

/// Writes one difference.
fn file(name: &str, patch: &Patch, html: &mut Html) {
    let lines: usize = patch.hunks.iter().map(|hunk| hunk.lines.len()).sum();
    html.raw(if lines > LINES_OPEN_MAX { "<details class=file>" } else { "<details class=file open>" });
    html.raw(match (&patch.old, &patch.new) {
        (None, _) => "<summary><span class=\"kind added\">added</span>",
        (_, None) => "<summary><span class=\"kind deleted\">deleted</span>",
        (Some(old), Some(new)) if old.path != new.path => "<summary><span class=\"kind renamed\">renamed</span>",
        (Some(_), Some(_)) => "<summary><span class=\"kind modified\">modified</span>",
    });
    html.element(" <b class=path>", &name.into(), "</b>");
    if let (Some(old), Some(new)) = (&patch.old, &patch.new)
        && old.path != new.path
    {
        html.element(" <span class=path>from ", &(&old.path).into(), "</span>");
    }
    html.element(" <span class=dim>", &about(patch), "</span></summary>\n");
    if patch.is_text() {
        if !patch.hunks.is_empty() {
            html.raw("<table class=diff><col class=number-column><col><col class=number-column><col>\n");
            for hunk in &patch.hunks {
                rows(hunk, html);
            }
            html.raw("</table>\n");
        }
    } else {
        html.raw("<p class=note>The content is no text.</p>\n");
    }
    html.raw("</details>\n");
}

/// Returns the kinds, modes and sizes of both sides.
fn about(patch: &Patch) -> Text {
    let side = |side: &Side| {
        let kind = match side.mode {
            Mode::File => "file",
            Mode::Executable => "executable file",
            Mode::Link => "link",
        };
        text!("{}, {}", kind, show::size(side.content.len() as u64))
    };
    match (&patch.old, &patch.new) {
        (Some(old), Some(new)) => text!("{}; was {}", side(new), side(old)),
        (Some(only), None) | (None, Some(only)) => side(only),
        (None, None) => Text::default(),
    }
}

/// Writes the lines of a hunk in two columns.
fn rows(hunk: &Hunk, html: &mut Html) {
    html.element("<tr class=hunk><td colspan=4>", &hunk.head().into(), "</td></tr>\n");
    let (mut old, mut new) = (hunk.old.0, hunk.new.0);
    let mut lines = hunk.lines.iter().peekable();
    while let Some(first) = lines.peek() {
        if first.fate == Fate::Same {
            let line = lines.next();
            (old, new) = (old + 1, new + 1);
            row(line.map(|it| (old, it)), line.map(|it| (new, it)), false, html);
            continue;
        }
        let mut removed = Vec::new();
        let mut added = Vec::new();
        while let Some(line) = lines.next_if(|line| line.fate != Fate::Same) {
            if line.fate == Fate::Removed {
                old += 1;
                removed.push((old, line));
            } else {
                new += 1;
                added.push((new, line));
            }
        }
        for at in 0..removed.len().max(added.len()) {
            row(removed.get(at).copied(), added.get(at).copied(), true, html);
        }
    }
}

fn row(old: Option<(usize, &Line)>, new: Option<(usize, &Line)>, is_change: bool, html: &mut Html) {
    html.raw("<tr>");
    for (side, colour) in [(old, "<td class=old>"), (new, "<td class=new>")] {
        html.raw("<td class=number>");
        if let Some((number, line)) = side {
            html.text(&(&number).into());
            html.element(if is_change { colour } else { "<td>" }, &line.shown(), "");
            if !line.is_ended() {
                html.raw("<span class=dim> (no newline at the end)</span>");
            }
        } else {
            html.raw("<td>");
        }
    }
    html.raw("</tr>\n");
}

#[cfg(test)]
mod tests {
    use onionskin_host::Role;

    use super::*;

    const HOSTILE: &str = "</td><script>alert(1)</script>\"'&\u{202e}\x1b[2J\n<img src=x onerror=alert(1)>";

    fn side(path: &str, content: &str) -> Option<Side> {
        Some(Side { path: path.to_owned(), mode: Mode::File, content: content.into() })
    }

    /// Returns every tag of a page.
    fn tags(page: &str) -> Vec<&str> {
        page.split('<').skip(1).map(|rest| rest.split_once('>').map_or(rest, |it| it.0)).collect()
    }

    fn page(name: &str, content: &str) -> String {
        let patches = [
            Patch::of(side(name, "same\nold\n"), side(name, &format!("same\n{content}"))),
            Patch::of(None, side(&format!("{name}/{name}"), content)),
            Patch::of(side("from", content), side(&format!("to{name}"), content)),
        ];
        let change = |what| Change {
            path: name.to_owned(),
            what,
            kind: NodeKind::File,
            size: 1,
            target: Some(name.to_owned()),
            replaced: None,
            role: Role::Chosen,
        };
        of(&Subject {
            upper: Path::new(name),
            lowers: &[PathBuf::from(name)],
            changes: &[change(ChangeKind::Renamed(name.to_owned())), change(ChangeKind::Added)],
            conflicts: &[name.to_owned()],
            patches: &patches.map(|patch| patch.expect("the sides differ")),
            missing: &[Missing { path: name.to_owned(), reason: "it is neither a file nor a link" }],
        })
    }

    /// The page has the same tags whatever names and contents are, and nothing in it acts or is invisible.
    #[test]
    fn hostile_names_and_contents_are_texts() {
        let (tame, hostile) = (page("a", "b\nb"), page(HOSTILE, HOSTILE));
        let without_nonce = |page: &'_ str| -> Vec<String> {
            tags(page).iter().filter(|tag| !tag.contains("nonce")).map(|tag| (*tag).to_owned()).collect()
        };
        // A `/` in a name is a directory more.
        let (tame, found) = (without_nonce(&tame), without_nonce(&hostile));
        let known: std::collections::BTreeSet<_> = tame.iter().collect();
        assert!(found.iter().all(|tag| known.contains(tag)), "{found:?}");
        assert!(!hostile.contains(|letter: char| letter != '\n' && crate::text::is_acting(letter)));
        assert!(hostile.contains("&lt;script&gt;alert(1)&lt;/"), "{hostile}");
    }

    #[test]
    fn the_policy_forbids_all_but_the_style() {
        let page = page("a", "b");
        let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'nonce-";
        assert!(page.contains(policy), "{page}");
        for word in ["<script", "src=", "href=", "url(", "@import", "style="] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
