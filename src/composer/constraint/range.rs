//! The constraints that stand for a range: `~1.2`, `^1.2`, `1.2.*` and `1.0 - 2.0`.

use super::{Comparison, InvalidConstraint, Node, Operator};
use crate::composer::version::modifier::{Modifier, digits, ends, is_space, modifier_at, strip_prefix_any_case};
use crate::composer::version::{InvalidVersion, excerpt, normalize};

/// A version inside a range: numbers, and what Composer asks about the rest.
#[derive(Debug, Clone, Copy)]
struct Shape<'a> {
    /// All of it, as written.
    text: &'a str,
    numbers: [Option<&'a str>; 4],
    /// `-beta` and the like.
    has_word: bool,
    /// `-dev`.
    has_dev: bool,
    /// `.x-dev`.
    is_branch: bool,
}

type Parsed = Result<Vec<Node>, InvalidConstraint>;

/// `~1.2`: from there to below the next number but one significance higher. `None` if it is none.
pub(super) fn tilde(text: &str) -> Option<Parsed> {
    let version = text.strip_prefix('~')?;
    let (shape, ()) = shape(version.strip_prefix('>').unwrap_or(version), at_end)?;
    if version.starts_with('>') {
        return Some(Err(InvalidConstraint::TildeGreater(excerpt(text))));
    }
    // In 2.x-dev the branch is the second number.
    let position = shape.count() + usize::from(shape.is_branch);
    Some(unsuffixed(&shape, version, text, (position - 1).max(1)))
}

/// `^1.2`: from there to below the next version that may be incompatible. `None` if it is none.
pub(super) fn caret(text: &str) -> Option<Parsed> {
    let version = text.strip_prefix('^')?;
    let (shape, ()) = shape(version, at_end)?;
    let position = match shape.numbers {
        [Some("0"), Some("0"), Some(_), _] => 3,
        [Some("0"), Some(_), ..] => 2,
        _ => 1,
    };
    Some(unsuffixed(&shape, version, text, position))
}

/// The bounds of tilde and caret. `version` may have a line feed behind the shape, which `-dev` then follows, as in Composer.
fn unsuffixed(shape: &Shape<'_>, version: &str, text: &str, position: usize) -> Parsed {
    let suffix = if shape.is_plain() { "-dev" } else { "" };
    let low = normalized(&format!("{version}{suffix}"), text)?;
    Ok(vec![comparison(Operator::GreaterOrEqual, low), comparison(Operator::Less, bumped(shape.numbers, position))])
}

/// `1.2.*`: all versions with these numbers. `None` if it is none.
pub(super) fn wildcard(text: &str) -> Option<Vec<Node>> {
    let (mut numbers, mut rest) = numbers(text.strip_prefix('v').unwrap_or(text), 3)?;
    if ends(rest) {
        return None;
    }
    while !ends(rest) {
        rest = rest.strip_prefix('.')?.strip_prefix(['x', 'X', '*'])?;
    }
    let position = numbers.iter().flatten().count();
    let high = comparison(Operator::Less, bumped(numbers, position));
    numbers.iter_mut().for_each(|number| *number = number.or(Some("0")));
    let low = format!("{}-dev", numbers.map(Option::unwrap_or_default).join("."));
    if low == "0.0.0.0-dev" {
        return Some(vec![high]);
    }
    Some(vec![comparison(Operator::GreaterOrEqual, low), high])
}

/// `1.0 - 2.0`: both ends included, and of an incomplete upper end everything that begins with it. `None` if it is none.
pub(super) fn hyphen(text: &str) -> Option<Parsed> {
    let (from, to) = shape(text, |rest| {
        let rest = after_spaces(after_spaces(rest)?.strip_prefix('-')?)?;
        shape(rest, at_end).map(|(to, ())| to)
    })?;
    Some(between(&from, &to, text))
}

fn between(from: &Shape<'_>, to: &Shape<'_>, text: &str) -> Parsed {
    let suffix = if from.is_plain() { "-dev" } else { "" };
    let low = normalized(from.text, text)?;
    let high = normalized(to.text, text)?;
    let upper = if to.count() >= 3 || !to.is_plain() {
        comparison(Operator::LessOrEqual, high)
    } else {
        comparison(Operator::Less, bumped(to.numbers, to.count()))
    };
    Ok(vec![comparison(Operator::GreaterOrEqual, low + suffix), upper])
}

impl Shape<'_> {
    fn count(&self) -> usize {
        self.numbers.iter().flatten().count()
    }

    fn is_plain(&self) -> bool {
        !self.has_word && !self.has_dev && !self.is_branch
    }
}

/// Reads a version (`$versionRegex`) whose rest `then` accepts. Of its two endings, a modifier and `.x-dev`, the first
/// that leaves an acceptable rest is taken, as the pattern's backtracking does.
fn shape<'a, T>(text: &'a str, then: impl Fn(&'a str) -> Option<T>) -> Option<(Shape<'a>, T)> {
    let (numbers, rest) = numbers(text.strip_prefix(['v', 'V']).unwrap_or(text), 4)?;
    let built = |rest: &'a str, (has_word, has_dev, is_branch): (bool, bool, bool)| {
        let rest = after_build(rest);
        let text = &text[..text.len() - rest.len()];
        then(rest).map(|found| (Shape { text, numbers, has_word, has_dev, is_branch }, found))
    };
    let (Modifier { name, dev, .. }, after) = modifier_at(rest);
    built(after, (!name.is_empty(), dev, false)).or_else(|| built(after_branch(rest)?, (false, false, true)))
}

/// One to `most` numbers with dots between them.
fn numbers(text: &str, most: usize) -> Option<([Option<&str>; 4], &str)> {
    let (major, mut rest) = digits(text);
    let mut numbers = [None; 4];
    numbers[0] = Some(major).filter(|major| !major.is_empty());
    numbers[0]?;
    for number in &mut numbers[1..most] {
        let (found, after) = rest.strip_prefix('.').map(digits).unwrap_or_default();
        if found.is_empty() {
            break;
        }
        (*number, rest) = (Some(found), after);
    }
    Some((numbers, rest))
}

fn after_branch(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix('.')?.strip_prefix(['x', 'X', '*'])?;
    strip_prefix_any_case(rest.strip_prefix(['.', '-']).unwrap_or(rest), "dev")
}

fn after_build(rest: &str) -> &str {
    let Some(build) = rest.strip_prefix('+') else {
        return rest;
    };
    let end = build.bytes().position(is_space).unwrap_or(build.len());
    if end == 0 { rest } else { &build[end..] }
}

fn after_spaces(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(' ');
    (rest.len() < text.len()).then_some(rest)
}

fn at_end(rest: &str) -> Option<()> {
    ends(rest).then_some(())
}

fn normalized(version: &str, constraint: &str) -> Result<String, InvalidConstraint> {
    let unknown = |_: InvalidVersion| InvalidConstraint::Unknown(excerpt(constraint));
    normalize(version).map_err(unknown).map(|version| version.as_str().to_owned())
}

fn comparison(operator: Operator, version: String) -> Node {
    Node::Comparison(Comparison { operator, version })
}

/// The lowest version above all that share the first `position` numbers: `manipulateVersionString(…, 1) . '-dev'`.
fn bumped(numbers: [Option<&str>; 4], position: usize) -> String {
    let part = |at: usize, number: Option<&str>| match (at + 1).cmp(&position) {
        std::cmp::Ordering::Less => number.unwrap_or_default().to_owned(),
        std::cmp::Ordering::Equal => incremented(number.unwrap_or_default()),
        std::cmp::Ordering::Greater => "0".to_owned(),
    };
    let parts: Vec<String> = numbers.into_iter().enumerate().map(|(at, number)| part(at, number)).collect();
    format!("{}-dev", parts.join("."))
}

/// PHP's `+ 1` on digits: beyond 64 bits they become a float, and are written as one.
fn incremented(digits: &str) -> String {
    if let Some(sum) = digits.parse::<i64>().ok().and_then(|number| number.checked_add(1)) {
        return sum.to_string();
    }
    let number = digits.parse::<f64>().unwrap_or(f64::INFINITY) + 1.0;
    if number.is_infinite() {
        return "INF".to_owned();
    }
    // 14 significant digits, which is PHP's default for `precision`.
    let text = format!("{number:.13e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.trim_end_matches('0');
    let zero = if mantissa.ends_with('.') { "0" } else { "" };
    format!("{mantissa}{zero}E+{exponent}")
}
