//! Where a value was given, and what is wrong there: every finding about the configuration names its line or its variable.

use std::fmt;
use std::sync::Arc;

/// Where a value comes from. The order is that in which findings are shown: the file from top to bottom, then variables, then
/// the command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A position in the file, from 1; columns count characters.
    File {
        /// The file as the user named it.
        file: Arc<str>,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The file as a whole.
    WholeFile(Arc<str>),
    /// An environment variable, by name.
    Variable(String),
    /// An option of the command line, as `--listen`.
    Argument(&'static str),
    /// Nobody gave a value: the built-in default stands.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::WholeFile(file) => f.write_str(file),
            // Any bytes but `=` make a name, also those that steer a terminal.
            Self::Variable(name) => name.escape_debug().fmt(f),
            Self::Argument(option) => f.write_str(option),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it was given.
    pub place: Place,
}

/// One finding about the configuration, an error or a warning: `config.toml:12:5: unknown key …`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong and what to do, as a sentence without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong with the configuration, in file order; never empty.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
}

impl ConfigErrors {
    /// Sorted, and each said once.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { problems }
    }

    /// The single finding that made the rest impossible.
    pub(super) fn one(place: Place, message: String) -> Self {
        Self { problems: vec![Problem { place, message }] }
    }

    /// The findings, in file order.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigErrors {
    /// One line a finding, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
