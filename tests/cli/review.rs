//! `workspace review`: the choice by file and by hunk on a terminal, and the page.

use std::fs;
use std::process::Command;

use crate::ground::{self, skip};
use crate::screen::{self, Seen};
use crate::world::World;

const OLD: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n";

/// The first change of the text, and the second one.
const FIRST: (&str, &str) = ("2\n3", "two\n3");
const SECOND: (&str, &str) = ("18\n", "18\nmore\n");

fn with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(OLD.to_owned(), |text, (from, to)| text.replacen(from, to, 1))
}

/// A workspace in which a file is gone, one is new, and a text has two hunks.
fn world() -> World {
    let world = World::new(&[("lower/gone", "gone\n"), ("lower/text", OLD)]);
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    world.done(&["workspace", "rm", "up", "gone"]);
    world.done_with(&["workspace", "put", "up", "text"], &with(&[FIRST, SECOND]));
    world.done_with(&["workspace", "put", "up", "fresh"], "fresh\n");
    world
}

fn review(world: &World, typed: &str) -> Seen {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
    command
        .args(["workspace", "review", "up", "--into", "lower"])
        .current_dir(world.at(""))
        .env("ONIONSKIN_CACHE_DIR", ground::cache())
        .env("NO_COLOR", "1");
    screen::run(command, typed)
}

/// What was taken is committed, a hunk among it; what was left is still a change, and no conflict.
#[test]
fn a_hunk_is_committed_and_the_other_one_stays() {
    let world = world();
    // The deletion, the new file, the two hunks, and the last question.
    let Seen { code, screen } = review(&world, "n\ny\ny\nn\ny\n");
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("(1/2) Take this hunk of text [y,n,a,d,s,k,q,?]"), "{screen}");
    assert!(
        screen.contains("added     fresh  6 B\nmodified  text   58 B\nin part   text\nWrite this to lower? [y/N]"),
        "{screen}"
    );
    assert!(world.at("lower/gone").exists(), "{screen}");
    assert_eq!((world.text("lower/text"), world.text("lower/fresh")), (with(&[FIRST]), "fresh\n".to_owned()));
    assert_eq!(world.done(&["workspace", "cat", "up", "text"]), with(&[FIRST, SECOND]));
    assert_eq!(world.done(&["workspace", "changes", "up"]), "deleted   gone\nmodified  text\n");
    let status = world.json(&["workspace", "status", "up"]);
    assert_eq!((&status["conflicts"], &status["checkpoints"]), (&serde_json::json!([]), &serde_json::json!([])));
    let Seen { code, screen } = review(&world, "y\na\ny\n");
    assert_eq!((code, world.text("lower/text")), (0, with(&[FIRST, SECOND])), "{screen}");
    assert_eq!((world.at("lower/gone").exists(), world.done(&["workspace", "changes", "up"])), (false, String::new()));
}

/// Nothing is written if nothing was taken, if the last answer is no, and at the end of input.
#[test]
fn nothing_is_written_without_a_yes() {
    let world = world();
    let before = world.tree();
    for (typed, code) in [("q\n", 0), ("", 0), ("n\nd\nn\n", 0), ("y\na\ny\nn\n", 1), ("y\na\ny\n", 1)] {
        let seen = review(&world, typed);
        assert_eq!(seen.code, code, "{typed:?}: {}", seen.screen);
        assert_eq!(ground::difference(&before, &world.tree()), ground::NONE, "{typed:?}: {}", seen.screen);
    }
}

/// Without a terminal it is wrong usage, and the message names the page.
#[test]
fn a_review_needs_a_terminal() {
    let world = world();
    let ran = world.run(&["workspace", "review", "up", "--into", "lower"]);
    assert_eq!((ran.code, ran.err.contains("--html")), (2, true), "{ran:?}");
    assert_eq!(world.run(&["workspace", "review", "up"]).code, 2);
}

/// A name and a content that would be a script.
const SCRIPT: &str = "<script>document.title='RAN'</script><img src=x onerror=\"document.title='RAN'\">";

/// Writes the page of a workspace with hostile names and contents.
fn page(world: &World) -> String {
    let name = SCRIPT.replace('/', "\u{2044}");
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    world.done_with(&["workspace", "put", "up", &name], SCRIPT);
    world.done_with(&["workspace", "put", "up", "text"], &format!("{SCRIPT}\u{202e}\x1b[2J\n"));
    world.done(&["workspace", "mkdir", "up", "dir"]);
    world.done_with(&["workspace", "put", "up", &format!("dir/\u{202e}{name}")], "deep\n");
    let said = world.done(&["workspace", "review", "up", "--html", "page.html"]);
    assert_eq!(said, "page.html: 4 changes\n");
    world.text("page.html")
}

/// The page names each change, and has no letter that acts and no tag of an outsider.
#[test]
fn the_page_has_hostile_names_and_contents_as_text() {
    let world = World::new(&[("lower/text", "old\n")]);
    let page = page(&world);
    assert!(page.contains("default-src 'none'") && !page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(!page.contains(['\x1b', '\u{202e}']), "{page}");
    for text in ["&lt;script&gt;", "\\u{202e}", "\\x1b[2J", "<b>dir/</b>", "deep", "old"] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

/// In a browser nothing of it runs, nothing is asked of the network, and all of it is there.
#[test]
fn nothing_runs_in_a_browser() {
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()));
    let Some(browser) = browser else {
        return skip("no chromium is installed, so the page was not opened in a browser");
    };
    let world = World::new(&[("lower/text", "old\n")]);
    page(&world);
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        .arg(format!("--user-data-dir={}", world.at("profile").display()))
        .arg(format!("file://{}", world.at("page.html").display()))
        .output()
        .expect("the browser starts");
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(
        page.contains("<title>Changes of a workspace</title>"),
        "{page}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for element in ["<script", "<img"] {
        assert!(!page.contains(element), "{element}: {page}");
    }
    assert!(page.contains("&lt;script&gt;") && page.contains("deep"), "{page}");
    // The style was accepted by the policy: the page is not the plain one.
    let shot = world.at("page.png");
    let taken = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"])
        .arg(format!("--user-data-dir={}", world.at("profile").display()))
        .arg(format!("--screenshot={}", shot.display()))
        .arg(format!("file://{}", world.at("page.html").display()))
        .output()
        .expect("the browser starts");
    assert!(fs::metadata(&shot).is_ok_and(|it| it.len() > 10_000), "{}", String::from_utf8_lossy(&taken.stderr));
}
