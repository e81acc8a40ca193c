//! Version constraints, as they stand in `require` and in security advisories.
//!
//! A constraint that Composer cannot parse aborts the whole run of every client that reads it, so none may be published;
//! and constraints of advisories are matched against versions here. Follows `VersionParser::parseConstraints` and
//! `Composer\Semver\Constraint` of semver 3.4, and is held to them by `tests/versions_differential.rs`.

mod parse;
mod range;
mod split;

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

use super::version::{NormalizedVersion, compare};

/// Longest constraint that is parsed, in bytes. Composer has no bound; the longest ones that are published, lists of
/// vulnerable versions, have a few thousand.
pub const MAX_CONSTRAINT_BYTES: usize = 64 * 1024;

/// Why a text is not a constraint. The messages are for the author of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidConstraint {
    /// Longer than [`MAX_CONSTRAINT_BYTES`].
    #[error("the version constraint is {0} bytes long; at most {MAX_CONSTRAINT_BYTES} are accepted")]
    TooLong(usize),
    /// Ruby's operator.
    #[error("{0:?} is not a version constraint: Composer has no operator \"~>\", write \"~\"")]
    TildeGreater(String),
    /// Not a form that Composer knows.
    #[error(
        "{0:?} is not a version constraint for Composer: use forms such as ^1.2, ~1.2, 1.2.*, >=1.0 <2.0, or dev-main"
    )]
    Unknown(String),
}

/// A parsed constraint. Its text form is Composer's: `[>= 1.0.0.0-dev < 2.0.0.0-dev]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint(Node);

/// The three kinds of `ConstraintInterface` that parsing yields.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    All,
    Comparison(Comparison),
    /// At least two; all must match.
    Conjunction(Vec<Node>),
    /// At least two; one must match.
    Disjunction(Vec<Node>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    /// Mostly a normalized version; the parser puts `-dev` or a stability behind some.
    version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Constraint {
    /// Parses a constraint (`VersionParser::parseConstraints`).
    ///
    /// # Errors
    /// For what Composer would refuse, and for more than [`MAX_CONSTRAINT_BYTES`].
    pub fn parse(text: &str) -> Result<Self, InvalidConstraint> {
        if text.len() > MAX_CONSTRAINT_BYTES {
            return Err(InvalidConstraint::TooLong(text.len()));
        }
        parse::constraint(text).map(Self)
    }

    /// Whether a version satisfies the constraint, as Composer decides it for an installed or candidate version
    /// (`ConstraintInterface::matches` with `== version`).
    #[must_use]
    pub fn matches(&self, version: &NormalizedVersion) -> bool {
        self.0.matches(version.as_str())
    }
}

impl Node {
    fn matches(&self, version: &str) -> bool {
        match self {
            Self::All => true,
            Self::Comparison(comparison) => comparison.matches(version),
            Self::Conjunction(nodes) => nodes.iter().all(|node| node.matches(version)),
            Self::Disjunction(nodes) => nodes.iter().any(|node| node.matches(version)),
        }
    }
}

impl Comparison {
    /// `Constraint::matchSpecific`: branches are only equal or unequal, and no range contains them.
    fn matches(&self, version: &str) -> bool {
        if version.starts_with("dev-") || self.version.starts_with("dev-") {
            return match self.operator {
                Operator::Equal => version == self.version,
                Operator::NotEqual => version != self.version,
                _ => false,
            };
        }
        let order = compare(version, &self.version);
        match self.operator {
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => order != Ordering::Equal,
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Greater => order == Ordering::Greater,
            Operator::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

impl Operator {
    fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Comparison(Comparison { operator, version }) => {
                write!(f, "{} {version}", operator.as_str())
            }
            Self::Conjunction(nodes) => joined(f, nodes, " "),
            Self::Disjunction(nodes) => joined(f, nodes, " || "),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, nodes: &[Node], separator: &str) -> fmt::Result {
    f.write_str("[")?;
    for (at, node) in nodes.iter().enumerate() {
        if at > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{node}")?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests;
