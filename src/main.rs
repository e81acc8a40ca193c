//! Parses arguments, runs a command, sets the exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("vcs-worker") {
        return packagist_selfhosted::vcs::worker::main();
    }
    ExitCode::FAILURE
}
