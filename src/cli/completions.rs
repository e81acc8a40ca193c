//! `completions` and `man`: generated from the command definitions, so that they cannot differ.

use std::io::{self, Write};

use clap::Command;

use super::failure::Failure;
use super::{PROGRAM, definition};

/// Writes the completions of a shell.
pub fn write(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definition(), PROGRAM, &mut text);
    print(&text)
}

/// Writes the manual page of a command, or one after the other those of all.
pub fn manual(words: &[String]) -> Result<u8, Failure> {
    let mut root = definition();
    root.build();
    let mut chosen = root;
    for word in words {
        let found = chosen.get_subcommands().find(|command| command.get_name() == word && !command.is_hide_set());
        chosen = found.cloned().ok_or_else(|| Failure::Usage(format!("there is no command `{}`", words.join(" "))))?;
    }
    let mut text = Vec::new();
    pages(&chosen, words.is_empty(), &mut text)?;
    print(&text)
}

fn pages(command: &Command, deep: bool, text: &mut Vec<u8>) -> Result<(), Failure> {
    // Building the definition gave each command its page's name, with hyphens as git's have.
    clap_mangen::Man::new(command.clone()).render(text)?;
    if deep {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            pages(sub, deep, text)?;
        }
    }
    Ok(())
}

fn print(text: &[u8]) -> Result<u8, Failure> {
    match io::stdout().write_all(text) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{definition, pages};

    #[test]
    fn every_command_has_a_page() {
        let mut root = definition();
        root.build();
        let mut text = Vec::new();
        assert!(pages(&root, true, &mut text).is_ok());
        let text = String::from_utf8_lossy(&text).into_owned();
        for page in ["packagist-selfhosted 1", "packagist-selfhosted-package-add 1", "packagist-selfhosted-serve 1"] {
            assert!(text.contains(&format!(".TH {page}")), "{page}");
        }
        assert!(!text.contains("run-request"));
    }
}
