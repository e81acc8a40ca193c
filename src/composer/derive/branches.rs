//! Branches become development versions: the second half of `VcsRepository::initialize`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{Candidate, PublishedVersion, RefKind, RefSource, Run};
use crate::composer::constraint::Constraint;
use crate::composer::manifest::Manifest;
use crate::composer::version::{self, DEFAULT_BRANCH_ALIAS, NormalizedVersion};

impl<'a> Run<'a> {
    /// The branches in Composer's order: the default branch first if it has a manifest, then by their names.
    pub(super) fn branches(&self) -> Vec<&'a RefSource> {
        let mut branches = self.sorted(RefKind::Branch);
        if self.has_root {
            branches.sort_by_key(|branch| !self.is_default(branch));
        }
        branches
    }

    fn is_default(&self, branch: &RefSource) -> bool {
        self.repository.default_branch == Some(branch.name.as_str())
    }

    /// Reads one branch. Of two that mean one version the first wins.
    pub(super) fn read_branch(&mut self, source: &'a RefSource) -> Result<PublishedVersion, String> {
        check_name(&source.name)?;
        let (version, normalized) = branch_version(&source.name)?;
        let manifest = self.manifests.of(source)?;
        check_aliases(&version, &manifest)?;
        if let Some(earlier) = self.taken_texts.get(normalized.as_str()) {
            return Err(format!("it means the same version as branch {earlier}, {normalized}"));
        }
        let candidate = Candidate { version, normalized: normalized.clone(), default_branch: self.is_default(source) };
        let published = self.publish(source, &manifest, candidate)?;
        self.taken_texts.insert(normalized.as_str().to_owned(), &source.name);
        Ok(published)
    }
}

/// Branches that Composer never sees, because it reads them from the output of `git branch`.
fn check_name(branch: &str) -> Result<(), String> {
    if branch.starts_with('-') {
        return Err("Composer does not accept branches whose names begin with \"-\"".to_owned());
    }
    if branch.contains(char::is_whitespace) {
        return Err("Composer does not accept blanks in the names of branches".to_owned());
    }
    if branch.strip_suffix("/HEAD").is_some_and(|remote| !remote.contains('/')) {
        return Err("Composer takes a branch of this name for a remote's HEAD".to_owned());
    }
    Ok(())
}

/// The version of a branch, for people and normalized.
fn branch_version(branch: &str) -> Result<(String, NormalizedVersion), String> {
    static WILDCARDS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?:\.9{7})+").expect("the pattern is a constant"));
    let normalized = version::normalize_branch(branch);
    Constraint::parse(normalized.as_str())
        .map_err(|error| format!("no constraint could name this branch, since Composer could not parse it: {error}"))?;
    if normalized.as_str().starts_with("dev-") || normalized.as_str() == DEFAULT_BRANCH_ALIAS {
        // `#` would begin a reference in a constraint (Composer 2.7.8 and later).
        let usable = normalized.as_str().replace('#', "+");
        let version = format!("dev-{}", branch.replace('#', "+"));
        return Ok((version, NormalizedVersion::from_stored(usable)));
    }
    let prefix = if branch.starts_with('v') { "v" } else { "" };
    let short = WILDCARDS.replace_all(normalized.as_str(), ".x");
    Ok((format!("{prefix}{short}"), normalized))
}

/// `ArrayLoader::getBranchAlias` dies of a type error at an alias that is no string, in every client that loads the version, unless
/// an earlier one has already been taken.
fn check_aliases(version: &str, manifest: &Manifest) -> Result<(), String> {
    let aliases = manifest.branch_aliases();
    let end = aliases.iter().position(|(_, target)| !target.is_string());
    let Some(end) = end else {
        return Ok(());
    };
    let before =
        aliases.iter().take(end).filter_map(|(source, target)| Some((source.as_ref(), Value::as_str(target)?)));
    if version::own_branch_alias(version, before).is_some() {
        return Ok(());
    }
    Err("\"extra.branch-alias\" in composer.json must contain strings only, such as \"dev-main\": \"2.x-dev\""
        .to_owned())
}
