//! What a program may use, and what it sees.

use std::fs;
use std::time::{Duration, Instant};

use crate::ground::{Ground, put};
use crate::guests::program;
use crate::trial::{Said, as_data, onionskin};

fn ground() -> Ground {
    Ground::new(|top, _| put(top, "here", "here"))
}

fn greedy(ground: &Ground, more: &[&str], arguments: &[&str]) -> Option<Said> {
    Some(ground.layered(more, &program("greedy")?, arguments))
}

/// Time: for a program that computes and for one that sleeps.
#[test]
fn a_program_that_runs_too_long_is_stopped() {
    let ground = ground();
    for what in ["spin", "sleep"] {
        let start = Instant::now();
        let Some(said) = greedy(&ground, &["--timeout", "300ms"], &[what]) else { return };
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains("longer than its --timeout allows"), "{what}: {}", said.err);
        assert!(start.elapsed() < Duration::from_secs(120), "{what}: {:?}", start.elapsed());
    }
    let Some(said) = greedy(&ground, &["--timeout", "10m"], &["look"]) else { return };
    assert_eq!(said.code, Some(0), "{}", said.err);
}

/// Memory: the program is told that there is no more, and so is who started it.
#[test]
fn a_program_gets_no_more_memory_than_it_may() {
    let Some(said) = greedy(&ground(), &["--memory", "64M"], &["memory"]) else { return };
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(said.out, "OutOfMemory\n");
    assert!(said.err.contains("more memory than its --memory allows"), "{}", said.err);
}

/// Space: what is refused is refused before it is there, and what is given back can be had again.
#[test]
fn an_upper_directory_holds_no_more_than_it_may() {
    const MOST: u64 = 1 << 20;
    for (what, is_refused) in [("fill", true), ("again", false), ("nameless", true), ("extend", true)] {
        let ground = ground();
        let Some(said) = greedy(&ground, &["--max-bytes", "1M"], &[what, "/data"]) else { return };
        let told = format!("{what}: {said:?}");
        if is_refused {
            assert_eq!(said.code, Some(1), "{told}");
            // For a stream the C library of WASI says no more than that it failed.
            assert!(said.err.contains("Quota exceeded") || said.err.contains("I/O error"), "{told}");
        } else {
            assert_eq!(said.code, Some(0), "{told}");
        }
        assert!(held(&ground) <= MOST, "{told}: {} bytes are there", held(&ground));
        ground.assert_lowers_stay();
    }
    let ground = ground();
    let Some(said) = greedy(&ground, &["--max-entries", "50"], &["many", "/data"]) else { return };
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("QuotaExceeded") && said.out.starts_with("made "), "{said:?}");
    // The workspace is sound and can be worked on.
    let status = onionskin(["workspace".as_ref(), "status".as_ref(), ground.at("upper").as_os_str()]);
    assert_eq!(status.code, Some(0), "{}", status.err);
}

fn held(ground: &Ground) -> u64 {
    let mut bytes = 0;
    let mut waiting = vec![ground.at("upper")];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).expect("a readable directory") {
            let entry = entry.expect("a readable directory");
            let metadata = entry.metadata().expect("it is there");
            if metadata.is_dir() { waiting.push(entry.path()) } else { bytes += metadata.len() }
        }
    }
    bytes
}

/// The world of a program is what was named: arguments, environment and directories, and no network.
#[test]
fn a_program_sees_what_it_is_given_and_nothing_else() {
    let ground = ground();
    let Some(greedy) = program("greedy") else { return };
    fs::create_dir(ground.at("in")).expect("a writable directory");
    fs::write(ground.at("in/given"), "").expect("a writable directory");
    let input = format!("{}::/in::ro", ground.at("in").display());
    let said = ground.layered(
        &["--dir", &input, "--env", "NAME=a value", "--env", "EMPTY="],
        &greedy,
        &["look", "/data", "/in", "--not-ours", "-x"],
    );
    let told = "arguments [\"look\", \"/data\", \"/in\", \"--not-ours\", \"-x\"]
environment [(\"NAME\", \"a value\"), (\"EMPTY\", \"\")]
/ Err(NotFound), /etc Err(NotFound)
/data Ok([\"here\"])
/in Ok([\"given\"])
input \"\"
";
    assert_eq!((said.code, said.out.as_str()), (Some(0), told), "{}", said.err);
    let said = ground.layered(&["--dir", &input], &greedy, &["fill", "/in"]);
    assert_eq!(said.code, Some(1), "a directory for reading was written: {said:?}");
    assert_eq!(fs::read_dir(ground.at("in")).expect("a readable directory").count(), 1);
    let said = ground.layered(&[], &greedy, &["network"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let plain = onionskin(["run", "--dir", &as_data(&ground.at("plain")), greedy.to_str().expect("plain"), "network"]);
    assert_eq!(plain.code, Some(1), "{plain:?}");
}
