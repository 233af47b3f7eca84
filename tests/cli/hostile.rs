//! No text from outside acts on the terminal or hides: not a name, a link target, a label, a content or a message.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::Value;

use crate::ground;
use crate::screen;
use crate::world::World;

/// A name that moves the cursor, erases a line, begins one of its own, and turns the direction, with controls of one
/// and of two bytes.
const HOSTILE: &str = "k\x1b[1A\x1b[2K\nINJECTED\r\u{9b}2J\u{202e}\u{2028}\u{200b}\x7f.txt";

/// The same as it is shown.
const SHOWN: &str = "k\\x1b[1A\\x1b[2K\\nINJECTED\\r\\u{9b}2J\\u{202e}\\u{2028}\\u{200b}\\x7f.txt";

/// The colours of the program.
const COLOURS: [u8; 6] = [0, 31, 32, 33, 35, 36];

/// Commands without input from outside.
const WITHOUT_INPUT: [&str; 1] = ["demo"];

/// What a command must show of the hostile name.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    Shown,
    Unnamed,
}
use Names::{Shown, Unnamed};

/// Every command, in an order in which each finds what it needs: the arguments, in which `@` is the hostile name, the
/// exit code, and whether the name is in the output.
const COMMANDS: &[(&str, i32, Names)] = &[
    ("replace root@ @", 0, Shown),
    ("--explain replace root@ @", 0, Shown),
    ("replace root@ none@/x", 1, Shown),
    ("replace root@ ../@", 1, Unnamed),
    ("replace root@ @ --from none@", 1, Shown),
    ("--crash-at 2 replace root@ @", 70, Shown),
    ("inspect root@", 0, Unnamed),
    ("recover root@", 0, Unnamed),
    ("probe root@", 0, Shown),
    ("probe none@", 1, Shown),
    ("materialize root@ link@ --lower lower@", 0, Shown),
    ("materialize root@ far@", 1, Shown),
    ("put-dir root@ d@ --from source@", 0, Shown),
    ("put-dir root@ d@ --from source@ --remove none@", 1, Shown),
    ("workspace create up@ --lower lower@", 0, Shown),
    ("workspace create up@ --lower lower@", 1, Shown),
    ("workspace put up@ @", 0, Shown),
    ("workspace mkdir up@ dir@", 0, Shown),
    ("workspace mv up@ file@ dir@/moved@", 0, Shown),
    ("workspace rm up@ gone@", 0, Shown),
    ("workspace rm up@ none@", 1, Shown),
    ("workspace put up@ text", 0, Unnamed),
    ("workspace ls up@", 0, Shown),
    ("workspace ls up@ none@", 1, Shown),
    ("workspace cat up@ none@", 1, Shown),
    ("workspace changes up@", 0, Shown),
    ("workspace diff up@", 0, Unnamed),
    ("workspace conflicts up@", 0, Unnamed),
    ("workspace refresh up@ --theirs", 0, Unnamed),
    ("workspace checkpoint up@ label@", 0, Unnamed),
    ("workspace status up@", 0, Shown),
    ("workspace restore up@ 1", 0, Unnamed),
    ("workspace restore up@ 99", 1, Shown),
    ("workspace limit up@ --max-entries 100", 0, Unnamed),
    ("workspace fork up@ fork@", 0, Shown),
    ("workspace export up@ out@", 0, Shown),
    ("workspace review up@ --html page@", 0, Shown),
    ("workspace review up@ --into lower@", 2, Unnamed),
    ("workspace commit up@ --into root@ --yes", 1, Shown),
    ("workspace commit up@ --into lower@", 2, Unnamed),
    ("workspace commit up@ --into lower@ --yes", 0, Shown),
    ("workspace discard up@ --yes", 0, Shown),
    ("workspace status up@", 1, Shown),
    ("run none@", 1, Shown),
    ("run text@", 1, Shown),
    ("run --lower lower@::/data@ program@", 0, Shown),
    ("run --lower lower@::/data@ import@", 1, Shown),
    ("crash --component none@ --run x --check y", 1, Shown),
    ("crash --component text@ --run x --check y", 1, Unnamed),
    ("unknown@", 2, Shown),
    ("replace root@ @ --durability @", 2, Shown),
    ("replace root@ @ --unknown@", 2, Shown),
    ("run --lower ::@ x", 2, Shown),
];

/// A module that does nothing.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\
    \x07\x13\x02\x06_start\0\0\x06memory\x02\0\x0a\x04\x01\x02\0\x0b";

/// A module that imports a function of this name.
fn importing(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a short name");
    let body = [&[1, length], name.as_bytes(), &[length], name.as_bytes(), &[0, 0]].concat();
    let size = u8::try_from(body.len()).expect("a short section");
    assert!(size < 0x80, "a number of one byte");
    let (head, tail) = MODULE.split_at(14);
    // The function is the second one now.
    let tail = [&tail[..20], &[1], &tail[21..]].concat();
    [head, &[2, size], &body, &tail].concat()
}

fn world() -> World {
    let file = |name: &str| format!("{name}{HOSTILE}");
    let files = ["lower", "root", "source"].map(|directory| format!("{directory}{HOSTILE}/file{HOSTILE}"));
    let gone = format!("lower{HOSTILE}/gone{HOSTILE}");
    let text = format!("lower{HOSTILE}/text");
    let world = World::new(&[
        (&files[0], "x"),
        (&files[1], "x"),
        (&files[2], "x"),
        (&gone, HOSTILE),
        (&text, "old\n"),
        (&file("text"), HOSTILE),
    ]);
    fs::write(world.at(&file("program")), MODULE).expect("a new file");
    fs::write(world.at(&file("import")), importing("\x1b[2K\nINJECTED\u{202e}")).expect("a new file");
    world.link(&files[0], &format!("root{HOSTILE}/link{HOSTILE}"));
    world.link(&files[2], &format!("root{HOSTILE}/far{HOSTILE}"));
    drop(UnixListener::bind(world.at(&format!("source{HOSTILE}/s"))).expect("a new socket"));
    world
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace('@', HOSTILE)).collect()
}

/// Asserts that a text has no letter that acts but line breaks, and no line that an outsider began.
fn assert_harmless(text: &str, of: &str) {
    let acting = |letter: char| {
        letter.is_control() && letter != '\n' || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
    };
    assert!(!text.contains(acting), "{of}: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("INJECTED")), "{of}: {text:?}");
}

/// Every command, for people and for programs: what it prints is harmless, names are shown by their escapes, and JSON
/// has them exactly.
#[test]
fn no_command_passes_a_name_on() {
    for format in ["text", "json"] {
        let world = world();
        for (line, code, names) in COMMANDS {
            let words = words(line);
            let arguments: Vec<&str> =
                ["--format", format].into_iter().chain(words.iter().map(String::as_str)).collect();
            let ran = world.run_with(&arguments, HOSTILE);
            assert_eq!(ran.code, *code, "{line}: {ran:?}");
            for text in [&ran.out, &ran.err] {
                assert_harmless(text, line);
            }
            if format == "text" && *names == Shown {
                assert!(ran.out.contains(SHOWN) || ran.err.contains(SHOWN), "{line}: {ran:?}");
            }
            if format == "json" && *code < 2 {
                let last = [&ran.out, &ran.err].map(|text| text.lines().last().unwrap_or_default().to_owned()).concat();
                let value: Value =
                    serde_json::from_str(&last).unwrap_or_else(|error| panic!("{line}: {error}: {ran:?}"));
                assert!(value.is_object(), "{line}: {value}");
            }
        }
    }
}

/// JSON has a name as it is.
#[test]
fn json_is_exact() {
    let world = world();
    let (lower, upper) = (format!("lower{HOSTILE}"), format!("up{HOSTILE}"));
    world.done(&["workspace", "create", &upper, "--lower", &lower]);
    world.done_with(&["workspace", "put", &upper, HOSTILE], "new");
    assert_eq!(world.json(&["workspace", "changes", &upper])["changes"][0]["path"], HOSTILE);
    assert_eq!(world.json(&["workspace", "ls", &upper])["entries"][2]["name"], HOSTILE);
}

/// No command is missing in the list.
#[test]
fn every_command_is_tried() {
    let world = World::new(&[]);
    let tried: BTreeSet<&str> = COMMANDS.iter().flat_map(|(line, ..)| line.split(' ')).collect();
    for of in [&["--help"][..], &["workspace", "--help"]] {
        let help = world.done(of);
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let commands: Vec<&str> =
            commands.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()).collect();
        assert!(commands.len() > 5, "{help}");
        for command in commands {
            assert!(tried.contains(command) || command == "help" || WITHOUT_INPUT.contains(&command), "{command}");
        }
    }
}

/// On a terminal, too, where colours are all that acts.
#[test]
fn a_terminal_gets_nothing_but_colours() {
    let world = world();
    let on_terminal = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onionskin"));
        command.args(words(line)).current_dir(world.at("")).env("ONIONSKIN_CACHE_DIR", ground::cache());
        screen::run(command, "n\n")
    };
    let (lower, upper) = (format!("lower{HOSTILE}"), format!("up{HOSTILE}"));
    world.done(&["workspace", "create", &upper, "--lower", &lower]);
    world.done_with(&["workspace", "put", &upper, HOSTILE], HOSTILE);
    world.done_with(&["workspace", "put", &upper, "text"], HOSTILE);
    for line in ["changes", "diff", "ls", "status"] {
        let seen = on_terminal(&format!("workspace {line} up@"));
        assert_eq!(seen.code, 0, "{line}: {}", seen.screen);
        let plain =
            COLOURS.iter().fold(seen.screen.clone(), |text, colour| text.replace(&format!("\x1b[{colour}m"), ""));
        assert_harmless(&plain, line);
    }
    for line in ["commit up@ --into lower@", "discard up@"] {
        let seen = on_terminal(&format!("workspace {line}"));
        assert_eq!((seen.code, seen.screen.contains(SHOWN)), (1, true), "{line}: {}", seen.screen);
        assert_harmless(&seen.screen, line);
    }
}
