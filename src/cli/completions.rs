//! `completions` and `man`: generated from the command definitions, so that they cannot differ.

use std::io;

use clap::Command;

use super::failure::Failure;
use super::output::write_out;
use super::{PROGRAM, visible_definition};

/// The longest title that has room at both ends of a line of 78 characters, with its section and a gap.
const LONGEST_TITLE: usize = 35;

/// Writes the completions of a shell.
pub fn write(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut visible_definition(), PROGRAM, &mut text);
    print(&text)
}

/// Writes the manual page of a command, or one after the other those of all.
pub fn manual(words: &[String]) -> Result<u8, Failure> {
    let mut root = visible_definition();
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
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    text.extend(titled(command, &String::from_utf8_lossy(&page)).into_bytes());
    if deep {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            pages(sub, deep, text)?;
        }
    }
    Ok(())
}

/// The page with a heading of our own: clap's loses empty parts, so that the others move up into their places.
fn titled(command: &Command, page: &str) -> String {
    // Building the definition gave each command its page's name, with hyphens as git's have.
    let name = command.get_display_name().unwrap_or(PROGRAM).to_uppercase();
    let short = name.strip_prefix(&format!("{PROGRAM}-").to_uppercase()).unwrap_or(&name);
    let name = if name.len() > LONGEST_TITLE { short } else { &name };
    let heading = format!(".TH \"{name}\" \"1\" \"\" \"{PROGRAM} {}\" \"\"\n", env!("CARGO_PKG_VERSION"));
    let is_heading = |line: &&str| line.starts_with(".TH ");
    page.split_inclusive('\n').map(|line| if is_heading(&line) { heading.as_str() } else { line }).collect()
}

fn print(text: &[u8]) -> Result<u8, Failure> {
    match write_out(text) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{pages, visible_definition};

    #[test]
    fn every_command_has_a_page() {
        let mut root = visible_definition();
        root.build();
        let mut text = Vec::new();
        assert!(pages(&root, true, &mut text).is_ok());
        let text = String::from_utf8_lossy(&text).into_owned();
        for page in ["PACKAGIST-SELFHOSTED", "PACKAGIST-SELFHOSTED-PACKAGE-ADD", "PACKAGIST-SELFHOSTED-SERVE"] {
            assert!(text.contains(&format!(".TH \"{page}\" \"1\" \"\" ")), "{page}");
        }
        assert!(text.contains(".TH \"CREDENTIAL-ROTATE\" \"1\" "), "there is no room for more of it");
        assert!(!text.contains("run-request"));
    }
}
