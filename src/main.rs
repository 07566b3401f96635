//! Parse, run, and say in one line what failed.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidings::cli::run()
}
