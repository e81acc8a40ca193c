//! Parses arguments, runs a command, sets the exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: the worker opens neither configuration nor database, and starts no threads of ours.
    if std::env::args_os().nth(1).is_some_and(|command| command == "vcs-worker") {
        return packagist_selfhosted::vcs::worker::main();
    }
    if std::env::args_os().nth(1).is_some_and(|command| command == "vcs-connect") {
        return packagist_selfhosted::vcs::ssh::passage::main();
    }
    if std::env::args_os().nth(1).is_some_and(|command| command == "vcs-relay") {
        return packagist_selfhosted::vcs::relay();
    }
    packagist_selfhosted::cli::run(std::env::args_os())
}
