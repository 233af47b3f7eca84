//! Uploads, runs, reviews, commits, conflicts and bounds.

use serde_json::{Value, json};

use crate::ground;
use crate::server::Server;

fn number(run: &Value) -> u64 {
    run["run"].as_u64().unwrap_or_else(|| panic!("{run}"))
}

#[test]
fn changes_are_looked_at_and_committed_or_discarded() {
    let mut server = Server::start(&[]);
    let Some(plugin) = server.upload("greedy") else { return };
    let before = ground::read(&server.project(""));
    let run = server.run(&plugin, &["note", "/data", "0"]);
    assert_eq!((&run["ended"], &run["code"]), (&json!("exited"), &json!(0)), "{run}");
    let run = number(&run);
    let (status, page) = server.ask(&format!("GET /runs/{run}"), b"");
    assert!(status == 200 && page.starts_with("<!doctype html>") && page.contains("note"), "{status} {page}");
    let (_, changes) = server.json(&format!("GET /runs/{run}/changes"), b"");
    assert_eq!(changes["changes"].as_array().map(Vec::len), Some(2), "{changes}");
    assert_eq!(ground::difference(&before, &ground::read(&server.project(""))), ground::NONE);

    // The changes outlive the server.
    server.start_again();
    assert_eq!(server.json("GET /runs", b"").1, json!({ "runs": [{ "run": run, "ended": null }] }));
    assert_eq!(server.json(&format!("POST /runs/{run}/commit"), b"").0, 200);
    assert!(server.project("note").exists() && !server.project("other").exists());

    let plugin = server.upload("greedy").expect("it was built");
    let run = number(&server.run(&plugin, &["replace", "/data/text", "two", "zwei"]));
    assert_eq!(server.json(&format!("DELETE /runs/{run}"), b"").0, 200);
    assert!(server.text().contains("two"));
    assert_eq!((server.runs(), server.json("GET /runs", b"").1), (0, json!({ "runs": [] })));
    assert_eq!(server.json(&format!("POST /runs/{run}/commit"), b"").0, 404);
}

/// The second of two that change the same line gets a conflict, and its changes are kept; of other lines, a merge.
#[test]
fn two_plugins_conflict_or_are_merged() {
    let server = Server::start(&[]);
    let Some(plugin) = server.upload("greedy") else { return };
    let run = |old: &str, new: &str| number(&server.run(&plugin, &["replace", "/data/text", old, new]));
    let [first, second, third] = [("two", "zwei"), ("two", "deux"), ("five", "cinq")].map(|(old, new)| run(old, new));
    assert_eq!(server.json(&format!("POST /runs/{first}/commit"), b"").0, 200);
    for (run, merges) in [(second, ""), (second, "?merge"), (third, "")] {
        let (status, answer) = server.json(&format!("POST /runs/{run}/commit{merges}"), b"");
        assert_eq!((status, &answer["kind"]), (409, &json!("conflicts")), "{answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("text")), "{answer}");
    }
    let (status, answer) = server.json(&format!("POST /runs/{third}/commit?merge"), b"");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(server.text(), "one\nzwei\nthree\nfour\ncinq\n");
    assert_eq!(server.runs(), 1);
}

#[test]
fn a_plugin_keeps_its_bounds() {
    let server = Server::start(&["--seconds", "2", "--memory", "64", "--changes", "1"]);
    let Some(plugin) = server.upload("greedy") else { return };
    for (what, ended, is_denied) in
        [("spin", "out of time", false), ("sleep", "out of time", false), ("memory", "exited", true)]
    {
        let run = server.run(&plugin, &[what]);
        assert_eq!((&run["ended"], &run["memory_was_denied"]), (&json!(ended), &json!(is_denied)), "{what}: {run}");
        assert_eq!(server.json(&format!("DELETE /runs/{}", number(&run)), b"").0, 200, "{what}");
    }
    let run = server.run(&plugin, &["fill", "/data"]);
    assert_eq!((&run["ended"], &run["code"]), (&json!("exited"), &json!(1)), "{run}");
    let (_, looked) = server.json(&format!("POST /plugins/{plugin}/runs"), br#"["look", "/data", "/etc"]"#);
    let output = looked["output"].as_str().expect("it prints");
    assert!(output.contains("/etc Err") && output.contains("environment []"), "{output}");
    for (request, headers) in [
        ("POST /plugins", "Host: localhost:1\r\nOrigin: http://elsewhere.example"),
        ("GET /runs", "Host: elsewhere.example"),
    ] {
        assert_eq!(server.ask_with(request, headers, b"").0, 403, "{request}");
    }
    let (status, answer) = server.json("POST /plugins", b"this is no component");
    assert_eq!(status, 400, "{answer}");
}

/// The same for a plugin in each language, on files of the project.
#[test]
fn plugins_are_in_any_language() {
    let server = Server::start(&["--seconds", "60"]);
    for (guest, arguments) in
        [("greedy", &["note", "/data", "0"][..]), ("javascript-files", &["/data"]), ("python-files", &["/data"])]
    {
        let Some(plugin) = server.upload(guest) else { continue };
        let run = server.run(&plugin, arguments);
        assert_eq!(run["ended"], "exited", "{guest}: {run}");
        let run = number(&run);
        let (_, changes) = server.json(&format!("GET /runs/{run}/changes"), b"");
        assert!(changes["changes"].as_array().is_some_and(|it| !it.is_empty()), "{guest}: {changes}");
        assert_eq!(server.json(&format!("DELETE /runs/{run}"), b"").0, 200, "{guest}");
    }
    assert_eq!(server.runs(), 0);
}
