//! The contract as a page of Markdown.

use std::fmt::Write as _;

use anyhow::Result;

use crate::contract::{Contract, Item, Kind};

/// The beginning of the page.
const HEAD: &str = "\
Made from the comments in [wit](../wit) by `just contract`, and held to them by a test: change those, not this page.
How to call it is in [package.md](package.md), what it rests on in [ARCHITECTURE.md](../ARCHITECTURE.md).
";

/// Returns the page.
pub fn contract(contract: &Contract) -> Result<String> {
    let items = contract.items()?;
    let mut page = format!("# The contract `{}`\n\n{HEAD}\n", contract.name());
    for item in items.iter().filter(|item| matches!(item.kind, Kind::Interface | Kind::World)) {
        let kind = word(item.kind);
        writeln!(page, "- [{kind} `{0}`](#{kind}-{0}): {1}", item.place, sentence(&item.docs))?;
    }
    let mut listing = false;
    for item in &items {
        if item.kind == Kind::Part {
            if !std::mem::replace(&mut listing, true) {
                page.push('\n');
            }
            writeln!(page, "- `{}`: {}", item.shown, item.docs.replace('\n', "\n  "))?;
        } else {
            listing = false;
            section(&mut page, item)?;
        }
    }
    Ok(page)
}

fn section(page: &mut String, item: &Item) -> Result<()> {
    let outer = matches!(item.kind, Kind::Interface | Kind::World);
    let name = item.place.split_once('.').map_or(item.place.as_str(), |(_, name)| name);
    let level = if outer { "##" } else { "###" };
    writeln!(page, "\n{level} {} `{name}`\n", word(item.kind))?;
    if item.kind == Kind::Function || item.shown.contains(" = ") {
        writeln!(page, "```wit\n{}\n```\n", item.shown)?;
    }
    for line in item.docs.lines() {
        // A heading in a comment is placed below that of its item.
        let below = if line.starts_with('#') { level } else { "" };
        writeln!(page, "{below}{line}")?;
    }
    Ok(())
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Interface => "interface",
        Kind::World => "world",
        Kind::Type(keyword) => keyword,
        Kind::Function => "func",
        Kind::Part => "part",
    }
}

/// Returns the first sentence, on one line.
fn sentence(docs: &str) -> String {
    let paragraph = docs.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    paragraph.split_inclusive(". ").next().unwrap_or_default().trim_end().to_owned()
}
