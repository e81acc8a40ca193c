//! Why a command ends with another exit code than 0.

/// The exit code of a command that could not do what it was asked.
pub const FAILED: u8 = 1;
/// The exit code of wrong usage.
pub const USAGE: u8 = 2;

/// Why a command was not done.
#[derive(Debug)]
pub enum Failure {
    /// The command line does not say what is meant.
    Usage(String),
    /// It could not be done.
    Failed(anyhow::Error),
    /// It could not be done wholly; everything worth saying was said.
    Told,
}

impl Failure {
    /// A failure in words.
    pub fn new(text: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(text.into()))
    }

    /// The contract's exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Failed(_) | Self::Told => FAILED,
        }
    }

    /// What failed and why, as standard error shows it; empty if that was said already.
    pub fn message(&self) -> String {
        match self {
            Self::Usage(text) => format!("error: {text}"),
            Self::Failed(error) => format!("error: {}", chain(error)),
            Self::Told => String::new(),
        }
    }
}

/// The error with its causes. Many errors name their cause themselves; those are not said twice.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

impl<E> From<E> for Failure
where
    E: std::error::Error + Send + Sync + 'static,
{
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;
    use anyhow::Context;

    #[test]
    fn causes_are_said_once() {
        let disk = || std::io::Error::other("the disk is full");
        let error = Err::<(), _>(disk()).context("saving failed").map_err(Failure::Failed);
        let message = error.err().map(|failure| failure.message());
        assert_eq!(message.as_deref(), Some("error: saving failed: the disk is full"));
        let error = Err::<(), _>(disk()).context("saving failed: the disk is full").map_err(Failure::Failed);
        let message = error.err().map(|failure| failure.message());
        assert_eq!(message.as_deref(), Some("error: saving failed: the disk is full"));
    }
}
