//! From the text of a constraint to its nodes: `VersionParser::parseConstraints` and `parseConstraint`.

use super::split::{alternatives, requirements};
use super::{Comparison, InvalidConstraint, Node, Operator, range};
use crate::composer::stability::{self, Stability};
use crate::composer::version::modifier::{
    ends, is_space, modifier_at, strip_prefix_any_case, strip_suffix_any_case, trim,
};
use crate::composer::version::{NormalizedVersion, excerpt, normalize, without_alias};

/// Parses a whole constraint.
pub(super) fn constraint(text: &str) -> Result<Node, InvalidConstraint> {
    let groups = alternatives(trim(text)).into_iter().map(group).collect::<Result<Vec<_>, _>>()?;
    Ok(one_or(merged(groups), Node::Disjunction))
}

/// Requirements that must hold together.
fn group(text: &str) -> Result<Node, InvalidConstraint> {
    let mut nodes = Vec::new();
    for requirement in requirements(text) {
        nodes.extend(single(requirement)?);
    }
    Ok(one_or(nodes, Node::Conjunction))
}

fn one_or(mut nodes: Vec<Node>, several: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(node) if nodes.is_empty() => node,
        Some(node) => {
            nodes.push(node);
            several(nodes)
        }
        // Splitting gives one piece at least, and parsing one node; matching everything is what Composer makes of none.
        None => Node::All,
    }
}

/// Joins ranges that touch (`MultiConstraint::optimizeConstraints`): `^1.0 || ^2.0` is `[>= 1.0.0.0-dev < 3.0.0.0-dev]`.
fn merged(groups: Vec<Node>) -> Vec<Node> {
    let mut result: Vec<Node> = Vec::with_capacity(groups.len());
    for right in groups {
        match result.last_mut() {
            Some(left) if touch(left, &right) => extend(left, right),
            _ => result.push(right),
        }
    }
    result
}

fn touch(left: &Node, right: &Node) -> bool {
    let (Some((low, left_high)), Some((right_low, high))) = (interval(left), interval(right)) else {
        return false;
    };
    low.operator == Operator::GreaterOrEqual
        && left_high.operator == Operator::Less
        && right_low.operator == Operator::GreaterOrEqual
        && matches!(high.operator, Operator::Less | Operator::LessOrEqual)
        && left_high.version == right_low.version
}

fn interval(node: &Node) -> Option<(&Comparison, &Comparison)> {
    let Node::Conjunction(nodes) = node else {
        return None;
    };
    match nodes.as_slice() {
        [Node::Comparison(low), Node::Comparison(high)] => Some((low, high)),
        _ => None,
    }
}

fn extend(left: &mut Node, right: Node) {
    if let (Node::Conjunction(left), Node::Conjunction(mut right)) = (left, right) {
        left.truncate(1);
        left.extend(right.pop());
    }
}

/// One requirement, which gives one node or, for ranges, two.
fn single(text: &str) -> Result<Vec<Node>, InvalidConstraint> {
    let (text, stability) = without_stability(without_alias(text));
    let text = without_reference(text);
    if let Some(is_plain) = wildcards(text) {
        return Ok(vec![if is_plain { Node::All } else { at_least_zero() }]);
    }
    range::tilde(text)
        .or_else(|| range::caret(text))
        .or_else(|| range::wildcard(text).map(Ok))
        .or_else(|| range::hyphen(text))
        .unwrap_or_else(|| basic(text, stability).map(|comparison| vec![Node::Comparison(comparison)]))
}

/// Splits off `@dev` and the like; `@stable` says nothing.
fn without_stability(text: &str) -> (&str, Option<&str>) {
    let body = text.strip_suffix('\n').unwrap_or(text);
    match body.rsplit_once('@') {
        Some((version, flag)) if Stability::parse(flag).is_some() && !has_break(version) => {
            (if version.is_empty() { "*" } else { version }, Some(flag).filter(|flag| *flag != "stable"))
        }
        _ => (text, None),
    }
}

fn has_break(text: &str) -> bool {
    text.bytes().any(|byte| byte == b',' || is_space(byte))
}

/// Without the `#reference` of a branch: `{^(dev-[^,\s@]+?|[^,\s@]+?\.x-dev)#.+$}i`.
fn without_reference(text: &str) -> &str {
    let body = text.strip_suffix('\n').unwrap_or(text);
    if body.contains('\n') {
        return text;
    }
    let name_end = body.bytes().position(|byte| matches!(byte, b'@' | b',') || is_space(byte));
    let marks = &body[..name_end.unwrap_or(body.len())];
    let cut = |is_branch: fn(&str) -> bool| {
        let mut names = marks.match_indices('#').map(|(at, _)| &body[..at]);
        names.find(|name| is_branch(name) && name.len() + 1 < body.len())
    };
    let is_dev = |name: &str| strip_prefix_any_case(name, "dev-").is_some_and(|name| !name.is_empty());
    let is_numeric = |name: &str| strip_suffix_any_case(name, ".x-dev").is_some_and(|name| !name.is_empty());
    cut(is_dev).or_else(|| cut(is_numeric)).unwrap_or(text)
}

/// `*`, `x.x`, `v*`: whether it is a single one without `v`; `None` if it is something else.
fn wildcards(text: &str) -> Option<bool> {
    let body = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let mut rest = body.strip_prefix(['x', 'X', '*'])?;
    let is_plain = body.len() == text.len() && ends(rest);
    while !ends(rest) {
        rest = rest.strip_prefix('.')?.strip_prefix(['x', 'X', '*'])?;
    }
    Some(is_plain)
}

fn at_least_zero() -> Node {
    Node::Comparison(Comparison { operator: Operator::GreaterOrEqual, version: "0.0.0.0-dev".to_owned() })
}

/// An operator, or none, and a version.
fn basic(text: &str, stability: Option<&str>) -> Result<Comparison, InvalidConstraint> {
    let (operator, rest) = operator(text);
    let rest = rest.trim_start_matches(|character| u8::try_from(character).is_ok_and(is_space));
    let given = rest.split('\n').next().unwrap_or_default();
    let unknown = || InvalidConstraint::Unknown(excerpt(text));
    let mut version = normalized(given).ok_or_else(unknown)?.as_str().to_owned();
    let is_exact = operator == Operator::Equal;
    match stability {
        Some(flag) if !is_exact && stability::of_version(&version) == Stability::Stable => {
            version = format!("{version}-{flag}");
        }
        _ if matches!(operator, Operator::Less | Operator::GreaterOrEqual) && needs_dev(given) => {
            version.push_str("-dev")
        }
        _ => {}
    }
    Ok(Comparison { operator, version })
}

fn operator(text: &str) -> (Operator, &str) {
    const OPERATORS: [(&str, Operator); 8] = [
        ("<>", Operator::NotEqual),
        ("!=", Operator::NotEqual),
        (">=", Operator::GreaterOrEqual),
        (">", Operator::Greater),
        ("<=", Operator::LessOrEqual),
        ("<", Operator::Less),
        ("==", Operator::Equal),
        ("=", Operator::Equal),
    ];
    let found = OPERATORS.iter().find_map(|(mark, operator)| Some((*operator, text.strip_prefix(mark)?)));
    found.unwrap_or((Operator::Equal, text))
}

/// The version, where `foobar-dev` is taken for `dev-foobar`.
fn normalized(given: &str) -> Option<NormalizedVersion> {
    normalize(given).ok().or_else(|| {
        let name = given.strip_suffix("-dev")?;
        let is_simple = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./".contains(&byte));
        if is_simple { normalize(&format!("dev-{name}")).ok() } else { None }
    })
}

/// Whether a bound without a stability of its own must let pre-releases count: `<2` excludes `2.0-beta`, `>=2` includes it.
fn needs_dev(given: &str) -> bool {
    let has_modifier = given.match_indices('-').any(|(at, _)| {
        let (modifier, rest) = modifier_at(&given[at + 1..]);
        // Composer's pattern meets the text in lower case here, and so never sees "RC".
        ends(rest) && !modifier.name.eq_ignore_ascii_case("rc")
    });
    !has_modifier && !given.starts_with("dev-")
}
