//! The `onionskin` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    onionskin_cli::main()
}
