//! Help shows examples; wrong usage exits with code 2 and changes nothing.

use crate::world::{World, nothing};

const COMMANDS: [&str; 9] =
    ["demo", "crash", "probe", "replace", "materialize", "put-dir", "workspace", "inspect", "recover"];

/// Flags that the help of a command must name.
const FLAGS: [(&str, &[&str]); 4] = [
    ("replace", &["--from", "--json", "--durability", "--symlinks", "--when", "--lower", "--keep-identical"]),
    ("materialize", &["--lower", "--content", "--from"]),
    ("put-dir", &["--from", "--publish", "--remove", "--lower"]),
    ("recover", &["--format", "--explain", "--crash-at"]),
];

/// Every command has a help text with an example that begins with the name of the program.
#[test]
fn help_shows_an_example() {
    let world = World::new(&[]);
    let top = world.done(&["--help"]);
    for command in COMMANDS {
        assert!(top.lines().any(|line| line.trim_start().starts_with(command)), "{command} is not in the help:\n{top}");
        let help = world.done(&[command, "--help"]);
        let example = help.lines().any(|line| line.starts_with("  ") && line.contains(&format!("onionskin {command}")));
        let example =
            example || help.lines().any(|line| line.contains("onionskin --explain ") && line.contains(command));
        assert!(example, "the help of {command} shows no example:\n{help}");
    }
    assert!(top.contains("Exit codes: 0 done, 1 failed, 2 wrong usage, 70 stopped by --crash-at."), "{top}");
}

/// The help of a command names every flag of it, and the global flags.
#[test]
fn help_names_every_flag() {
    let world = World::new(&[]);
    for (command, flags) in FLAGS {
        let help = world.done(&[command, "--help"]);
        for flag in flags {
            assert!(help.contains(flag), "{flag} is not in the help of {command}:\n{help}");
        }
    }
    assert!(world.done(&["--version"]).starts_with("onionskin "));
}

/// Exit code 2, a message on standard error, nothing on standard output, no change.
#[test]
fn wrong_usage_is_exit_code_2() {
    let world = World::new(&[("root/file", "old"), ("src/x", "x")]);
    let before = world.tree();
    let wrong: [&[&str]; 26] = [
        &[],
        &["unknown"],
        &["replace"],
        &["replace", "root"],
        &["replace", "root", "file", "extra"],
        &["replace", "root", "file", "--unknown"],
        &["replace", "root", "file", "--durability", "eternal"],
        &["replace", "root", "file", "--symlinks", "follow"],
        &["replace", "root", "file", "--when", "never"],
        &["replace", "root", "file", "--when", "unchanged"],
        &["replace", "root", "file", "--when", "unchanged=sha256:ab"],
        &["replace", "root", "file", "--when", "unchanged=md5:d41d8cd98f00b204e9800998ecf8427e"],
        &["materialize", "root"],
        &["materialize", "root", "file", "--content", "lose"],
        &["materialize", "root", "file", "--from", "src/x"],
        &["put-dir", "root", "d"],
        &["put-dir", "root", "d", "--from", "src", "--publish", "loudly"],
        &["probe"],
        &["recover", "root", "--crash-at", "0"],
        &["recover", "root", "--crash-at", "-1"],
        &["recover", "root", "--format", "xml"],
        &["demo", "--crash-at", "1"],
        &["workspace"],
        &["workspace", "create", "root"],
        &["workspace", "commit", "root", "--into", "lower", "--ours", "--theirs"],
        &["--explain", "workspace", "status", "root"],
    ];
    for arguments in wrong {
        let ran = world.run_with(arguments, "new");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("Usage") || ran.err.contains("error:"), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(world.tree(), before);
    world.left_over(nothing);
}

/// Global flags are accepted before and after the command.
#[test]
fn global_flags_stand_anywhere() {
    let world = World::new(&[]);
    let before = world.done(&["--format", "json", "inspect", "root"]);
    let after = world.done(&["inspect", "root", "--format", "json"]);
    assert_eq!((before.as_str(), before.as_str()), (after.as_str(), "{\"findings\":[]}\n"));
}
