//! The README shows the true output of its commands.

use crate::world::World;

const README: &str = include_str!("../../README.md");

/// Its session, line by line; `...` stands for the rest of a line.
#[test]
fn the_session_prints_the_shown_output() {
    let world = World::new(&[]);
    let session = README.split("```").find_map(|block| block.strip_prefix("console\n")).expect("there is a session");
    let commands: Vec<&str> = session.split("$ ").skip(1).collect();
    assert!(commands.len() > 4, "{session}");
    for command in commands {
        let (command, shown) = command.split_once('\n').expect("a command ends its line");
        let (output, shown) = (world.shell(command), shown.trim_end());
        match shown.strip_suffix("...") {
            Some(start) => assert!(output.starts_with(start), "{command}: {output}"),
            None => assert_eq!(output.trim_end(), shown, "{command}"),
        }
    }
}
