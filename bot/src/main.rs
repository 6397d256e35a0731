//! The program `atelier`.

use std::process::ExitCode;

fn main() -> ExitCode {
    atelier::cli::main()
}
