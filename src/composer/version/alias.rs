//! Branch aliases: the numeric version that clients also give to a branch. Metadata carries them verbatim in `extra`; we
//! work them out only to order versions as people expect.

use std::sync::Arc;

use super::modifier::{digits, strip_prefix_any_case, strip_suffix_any_case};
use super::{NormalizedVersion, normalize_branch};

/// The version that a default branch without a number also has for clients (`VersionParser::DEFAULT_BRANCH_ALIAS`).
pub const DEFAULT_BRANCH_ALIAS: &str = "9999999-dev";

/// The alias that a client gives to a version: its own entry in `extra.branch-alias`, or, for a default branch without
/// a number, [`DEFAULT_BRANCH_ALIAS`] (`ArrayLoader::getBranchAlias` of Composer 2.10). `version` is the version as
/// published, not normalized; `aliases` are the entries of `extra.branch-alias`, in order.
#[must_use]
pub fn branch_alias<'a>(
    version: &str,
    aliases: impl IntoIterator<Item = (&'a str, &'a str)>,
    default_branch: bool,
) -> Option<NormalizedVersion> {
    if !is_branch(version) {
        return None;
    }
    own_branch_alias(version, aliases).or_else(|| {
        let has_number = numeric_alias_prefix(version.strip_prefix('v').unwrap_or(version)).is_some();
        (default_branch && !has_number).then(|| NormalizedVersion(Arc::from(DEFAULT_BRANCH_ALIAS)))
    })
}

/// The same without the rule for default branches: only what `extra.branch-alias` says about this version.
#[must_use]
pub fn own_branch_alias<'a>(
    version: &str,
    aliases: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<NormalizedVersion> {
    if !is_branch(version) {
        return None;
    }
    aliases.into_iter().find_map(|(source, target)| {
        let alias = target_version(target)?;
        (version.eq_ignore_ascii_case(source) && is_within(source, target)).then_some(alias)
    })
}

fn is_branch(version: &str) -> bool {
    version.starts_with("dev-") || version.ends_with("-dev")
}

fn target_version(target: &str) -> Option<NormalizedVersion> {
    if target == DEFAULT_BRANCH_ALIAS {
        return Some(NormalizedVersion(Arc::from(DEFAULT_BRANCH_ALIAS)));
    }
    let alias = normalize_branch(target.strip_suffix("-dev")?);
    alias.as_str().ends_with("-dev").then_some(alias)
}

/// A numeric branch may only be an alias of something inside it: `1.x-dev` of `1.5.x-dev`, not of `2.0.x-dev`.
fn is_within(source: &str, target: &str) -> bool {
    match (numeric_alias_prefix(source), numeric_alias_prefix(target)) {
        (Some(source), Some(target)) => target.starts_with(&source),
        _ => true,
    }
}

/// The numbers of a numeric branch with a dot behind them, `1.0.` for `1.0.x-dev`; `None` for other branches
/// (`VersionParser::parseNumericAliasPrefix`).
#[must_use]
pub fn numeric_alias_prefix(branch: &str) -> Option<String> {
    let version = strip_suffix_any_case(branch.strip_suffix('\n').unwrap_or(branch), "-dev")?;
    let (major, mut rest) = digits(version);
    if major.is_empty() {
        return None;
    }
    loop {
        let (number, after) = rest.strip_prefix('.').map(digits).unwrap_or_default();
        if number.is_empty() {
            break;
        }
        rest = after;
    }
    let ends = rest.is_empty() || strip_prefix_any_case(rest, ".x") == Some("");
    ends.then(|| format!("{}.", &version[..version.len() - rest.len()]))
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_BRANCH_ALIAS, branch_alias, numeric_alias_prefix};

    #[test]
    fn aliases_of_the_client() {
        let one = "1.9999999.9999999.9999999-dev";
        type Row = (&'static str, &'static [(&'static str, &'static str)], bool, Option<&'static str>);
        let table: [Row; 20] = [
            ("dev-main", &[("dev-main", "1.0.x-dev")], false, Some("1.0.9999999.9999999-dev")),
            ("dev-main", &[("dev-main", "1.0-dev")], true, Some("1.0.9999999.9999999-dev")),
            ("dev-main", &[("dev-main", "1-dev")], false, Some(one)),
            ("dev-main", &[("dev-main", "v1.x-dev")], false, Some(one)),
            ("dev-main", &[("dev-main", "1.*-dev")], false, Some(one)),
            ("dev-main", &[("dev-main", "1.0.0-dev")], false, Some("1.0.0.9999999-dev")),
            ("dev-main", &[("dev-main", "2.x")], true, Some(DEFAULT_BRANCH_ALIAS)),
            ("dev-main", &[("dev-main", "dev-other")], true, Some(DEFAULT_BRANCH_ALIAS)),
            ("dev-main", &[("dev-MAIN", "2.x-dev")], false, Some("2.9999999.9999999.9999999-dev")),
            (
                "dev-main",
                &[("dev-x", "1.x-dev"), ("dev-main", "2"), ("dev-main", "3.x-dev")],
                false,
                Some("3.9999999.9999999.9999999-dev"),
            ),
            ("1.x-dev", &[("1.x-dev", "1.5.x-dev")], false, Some("1.5.9999999.9999999-dev")),
            ("1.x-dev", &[("1.x-dev", "2.0.x-dev")], false, None),
            ("1.x-dev", &[("1.x-dev", "10.x-dev")], false, None),
            ("v1.x-dev", &[("v1.x-dev", "2.0.x-dev")], false, Some("2.0.9999999.9999999-dev")),
            ("v1.x-dev", &[("1.x-dev", "1.5.x-dev")], false, None),
            ("2.x-dev", &[], true, None),
            ("v2.x-dev", &[], true, None),
            ("dev-main", &[], true, Some(DEFAULT_BRANCH_ALIAS)),
            ("dev-main", &[], false, None),
            ("1.0.0", &[("1.0.0", "1.x-dev")], true, None),
        ];
        for (version, aliases, default_branch, expected) in table {
            let alias = branch_alias(version, aliases.iter().copied(), default_branch);
            assert_eq!(alias.as_ref().map(AsRef::as_ref), expected, "{version} {aliases:?} {default_branch}");
        }
    }

    #[test]
    fn numeric_prefixes() {
        let table = [
            ("1.0.x-dev", Some("1.0.")),
            ("1.x-dev", Some("1.")),
            ("1-dev", Some("1.")),
            ("1.2.3-DEV", Some("1.2.3.")),
            ("1.0.X-dev", Some("1.0.")),
            ("v1.x-dev", None),
            ("1.*-dev", None),
            ("dev-main", None),
            ("1.x.x-dev", None),
            ("1.-dev", None),
            ("-dev", None),
            ("1.0.x", None),
            ("", None),
        ];
        for (branch, expected) in table {
            assert_eq!(numeric_alias_prefix(branch).as_deref(), expected, "{branch}");
        }
    }
}
