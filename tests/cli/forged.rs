//! A map of this user with the text of another, as from an archive that was unpacked: it names directories that no
//! command named. None is read, and none is changed.

use std::fs;
use std::path::Path;

use onionskin::path::RelPath;
use onionskin::workspace::map::{Header, Map, Origin, Record};

use crate::ground;
use crate::world::World;

const MAP: &str = "up/.onionskin/workspace/map";

/// Every command that opens a workspace, and its arguments.
const COMMANDS: [&[&str]; 13] = [
    &["status", "up"],
    &["changes", "up"],
    &["diff", "up"],
    &["conflicts", "up"],
    &["ls", "up"],
    &["cat", "up", "file"],
    &["review", "up", "--html", "page"],
    &["export", "up", "out"],
    &["checkpoint", "up"],
    &["fork", "up", "other"],
    &["put", "up", "new"],
    &["commit", "up", "--into", "lower", "--yes"],
    &["commit", "up", "--into", "secret", "--yes"],
];

/// A workspace that removes `file` of its lower, and a directory elsewhere with such a file.
fn world() -> World {
    let world =
        World::new(&[("lower/file", "plain\n"), ("secret/file", "SECRET\n"), ("secret/.onionskin/tx-1/0", "x")]);
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    world.done(&["workspace", "rm", "up", "file"]);
    world
}

/// Writes the map of the workspace anew, with another header.
fn forge(world: &World, name: &str, forged: impl FnOnce(&mut Header, &mut Map)) {
    let place = world.at(MAP);
    let (mut map, mut header, _) = Map::decode(&fs::read(&place).expect("it is there")).expect("it is sound");
    forged(&mut header, &mut map);
    fs::write(place.with_file_name(name), map.encode(&header).0).expect("a writable directory");
}

fn named(place: &Path) -> String {
    place.canonicalize().expect("it is there").to_str().expect("a plain name").to_owned()
}

/// A pipe or a device in the place of a record is refused by every command, and opened by none: an archive can carry
/// one.
#[test]
fn a_pipe_among_the_records_of_a_workspace_is_not_opened() {
    for name in ["map", "file"] {
        let world = world();
        assert_eq!(world.run_with(&["workspace", "put", "up", "file"], "new\n").code, 0);
        let records = world.at("up/.onionskin/workspace");
        let files = fs::read_dir(records.join("files")).expect("it is there").flatten();
        let content = files.map(|entry| entry.path()).find(|path| fs::read(path).is_ok_and(|bytes| bytes == b"new\n"));
        let place = if name == "map" { records.join(name) } else { content.expect("the content has a file") };
        fs::remove_file(&place).expect("it is there");
        let made = std::process::Command::new("mkfifo").arg(&place).status();
        assert!(made.is_ok_and(|status| status.success()), "a new pipe");
        for command in COMMANDS {
            let run = world.run(&[&["workspace"], command].concat());
            let is_about_content = matches!(command[0], "diff" | "cat" | "review" | "export" | "commit");
            assert!(run.code == 1 || name != "map" && !is_about_content, "{name}, {command:?}: {}", run.err);
        }
    }
}

/// A map that names another directory as its lower: without an identity, with that of the true lower, and with one of
/// nothing. The error names the directory, and nothing of it is shown or changed.
#[test]
fn a_directory_that_only_the_map_names_is_not_read() {
    for what in ["no identity", "the identity of another", "an identity of nothing"] {
        let world = world();
        let secret = named(&world.at("secret"));
        forge(&world, "map", |header, _| {
            header.lowers[0].name.clone_from(&secret);
            match what {
                "no identity" => header.lowers[0].identity = None,
                "the identity of another" => {}
                _ => header.lowers[0].identity = Some(7),
            }
        });
        let before = world.tree();
        for command in COMMANDS {
            let ran = world.run_with(&[&["workspace"], command].concat(), "new");
            assert_eq!(ran.code, 1, "{what}, {command:?}: {ran:?}");
            assert!(!ran.out.contains("SECRET") && !ran.err.contains("SECRET"), "{what}, {command:?}: {ran:?}");
            let is_named = ran.err.contains(&secret) && ran.err.contains("--moved");
            assert!(is_named, "{what}, {command:?}: {ran:?}");
        }
        let changed = ground::difference(&before, &world.tree());
        // The directory for the fork is made before it is asked whether there is something to fork.
        assert!(changed.iter().all(|path| path.starts_with("other")), "{what}: {changed:?}");
    }
}

/// A map that says that a commit into another directory is not complete: no command that looks opens that directory for
/// writing, and no other one removes what is staged there.
#[test]
fn a_commit_that_only_the_map_tells_of_is_not_completed() {
    for identity in [None, Some(7)] {
        let world = world();
        let secret = named(&world.at("secret"));
        for name in ["map", "next"] {
            forge(&world, name, |header, map| {
                header.lowers[0].identity = identity;
                header.lowers[0].name.clone_from(&secret);
                if name == "next" {
                    let path = RelPath::parse("file").expect("a good path");
                    header.proof = Some([7; 32]);
                    map.apply(&[Record::Shows(path, Some(Origin::Nowhere))]);
                }
            });
        }
        let before = ground::read(&world.at("secret"));
        for command in COMMANDS {
            world.run_with(&[&["workspace"], command].concat(), "new");
            assert_eq!(ground::read(&world.at("secret")), before, "{command:?}");
        }
        world.run(&["recover", "up"]);
        assert_eq!(ground::read(&world.at("secret")), before, "recover");
    }
}
