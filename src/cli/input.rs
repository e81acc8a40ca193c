//! Secrets that commands read: from standard input or a file, never from the command line, where others see them.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::failure::Failure;

/// Most bytes of a secret.
const LONGEST: u64 = 64 * 1024;

/// Where a command's secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// On standard input.
    Stdin,
    /// In a file.
    File(PathBuf),
}

/// The options that say where a credential's secret is.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct SecretArguments {
    /// Read the secret from standard input
    #[arg(long)]
    pub secret_stdin: bool,
    /// Read the secret from a file
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Make a private key here, and print its public half (ssh-key)
    #[arg(long)]
    pub generate: bool,
}

impl SecretArguments {
    /// Where the secret is read; nowhere if it is made, or not given.
    pub fn source(&self) -> Option<Source> {
        match &self.secret_file {
            Some(file) => Some(Source::File(file.clone())),
            None => self.secret_stdin.then_some(Source::Stdin),
        }
    }

    /// Whether it is said where the secret is.
    pub fn is_given(&self) -> bool {
        self.generate || self.secret_stdin || self.secret_file.is_some()
    }
}

impl Source {
    /// Reads the secret, without the line break at its end.
    pub fn read(&self) -> Result<SecretString, Failure> {
        match self {
            Self::Stdin if io::stdin().is_terminal() => Err(Failure::new(
                "the secret is read from standard input, and a terminal would show it: pipe it in, as in `packagist-selfhosted … < FILE`",
            )),
            Self::Stdin => text(io::stdin().lock(), "standard input"),
            Self::File(path) => {
                let name = path.display().to_string();
                let file = File::open(path)
                    .map_err(|error| Failure::new(format!("the secret's file {name} cannot be read: {error}")))?;
                text(file, &name)
            }
        }
    }
}

fn text(from: impl Read, name: &str) -> Result<SecretString, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(format!("the secret cannot be read from {name}: {error}")))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::new(format!("{name} holds more than 64 KiB: is it the right secret?")));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::new(format!("{name} does not hold text in UTF-8: is it the right secret?")))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::new(format!("{name} is empty, and the secret was expected there")));
    }
    Ok(SecretString::from(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::text;
    use secrecy::ExposeSecret;

    #[test]
    fn one_line_break_at_the_end_is_not_the_secret_s() {
        let read = |bytes: &[u8]| text(bytes, "x").map(|secret| secret.expose_secret().to_owned()).ok();
        for bytes in [&b"s3cret"[..], b"s3cret\n", b"s3cret\r\n"] {
            assert_eq!(read(bytes).as_deref(), Some("s3cret"));
        }
        assert_eq!(read(b" a \n\n").as_deref(), Some(" a \n"));
        assert_eq!(read(b""), None);
        assert_eq!(read(b"\n"), None);
        assert_eq!(read(b"\xff"), None);
        assert_eq!(read(&vec![b'a'; 70_000]), None);
    }
}
