//! What the README shows is what happens.

use crate::world::World;

const README: &str = include_str!("../../README.md");

/// Its session, line by line; `...` stands for the rest of a line.
#[test]
fn the_session_goes_as_it_is_shown() {
    let world = World::new(&[]);
    let session = README.split("```").find_map(|block| block.strip_prefix("console\n")).expect("there is a session");
    let commands: Vec<&str> = session.split("$ ").skip(1).collect();
    assert!(commands.len() > 4, "{session}");
    for command in commands {
        let (command, shown) = command.split_once('\n').expect("a command ends its line");
        let (told, shown) = (world.shell(command), shown.trim_end());
        match shown.strip_suffix("...") {
            Some(start) => assert!(told.starts_with(start), "{command}: {told}"),
            None => assert_eq!(told.trim_end(), shown, "{command}"),
        }
    }
}
