//! Tags become releases: the first half of `VcsRepository::initialize`.

use serde_json::Value;

use super::{Candidate, Comparable, PublishedVersion, RefSource, Run};
use crate::composer::manifest::Manifest;
use crate::composer::version::{self, NormalizedVersion};

impl<'a> Run<'a> {
    /// Reads one tag. Tags come in the order of their names, and the first of two that mean one version wins.
    pub(super) fn read_tag(&mut self, source: &'a RefSource) -> Result<PublishedVersion, String> {
        if source.name.contains(char::is_whitespace) {
            return Err("Composer does not see tags with blanks in their names".to_owned());
        }
        let tag = source.name.replace("release-", "");
        let of_tag = version::normalize(&tag).map_err(|error| error.to_string())?;
        let manifest = self.manifests.of(source)?;
        let (version, normalized) = tag_version(&tag, &of_tag, &manifest)?;
        // Composer looks for the conflict by parsing the version again, which lengthens dates, so that it would publish
        // 2024.01.02 twice for 2024-01-02 and v2024-01-02.
        let wanted = Comparable(version::normalize(normalized.as_str()).unwrap_or_else(|_| normalized.clone()));
        if let Some(earlier) = self.taken.get(&wanted).or_else(|| self.taken_texts.get(normalized.as_str())) {
            return Err(format!("it means the same version as tag {earlier}, {normalized}"));
        }
        let candidate = Candidate { version, normalized: normalized.clone(), default_branch: false };
        let published = self.publish(source, &manifest, candidate)?;
        self.taken_texts.insert(normalized.as_str().to_owned(), &source.name);
        self.taken.insert(Comparable(normalized), &source.name);
        Ok(published)
    }
}

/// The version of a tag: the manifest's `version` where there is one, which has to agree with the tag.
fn tag_version(
    tag: &str,
    of_tag: &NormalizedVersion,
    manifest: &Manifest,
) -> Result<(String, NormalizedVersion), String> {
    let (written, normalized) = match manifest.field("version") {
        None => (tag.to_owned(), of_tag.clone()),
        Some(field) => {
            let text = scalar(field).ok_or("\"version\" in composer.json must be a string")?;
            let normalized =
                version::normalize(&text).map_err(|error| format!("\"version\" in composer.json: {error}"))?;
            (text, normalized)
        }
    };
    let stripped = without_dev_suffix(normalized.as_str());
    let stripped = strip_prefix(&stripped, "dev-").to_owned();
    if stripped == of_tag.as_str() {
        return Ok((without_dev_suffix(&written), of_tag.clone()));
    }
    if of_tag.is_dev() {
        return Err("tags cannot be development versions".to_owned());
    }
    Err(format!(
        "the tag means version {of_tag}, but \"version\" in composer.json says {stripped}: remove \"version\", the tag is enough"
    ))
}

/// A value as PHP makes text of it, where Composer asks for text; none where it would stop.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(if *truth { "1" } else { "" }.to_owned()),
        Value::Number(number) => Some(match number.as_f64().filter(|_| number.is_f64()) {
            // PHP writes a whole float without its fraction.
            Some(float) => format!("{float}"),
            None => number.to_string(),
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> &'t str {
    match text.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &text[prefix.len()..],
        _ => text,
    }
}

/// Without `dev` at the end and one `.` or `-` before it; a line feed behind stays, as for PHP's `$`.
fn without_dev_suffix(text: &str) -> String {
    let (body, end) = match text.strip_suffix('\n') {
        Some(body) => (body, "\n"),
        None => (text, ""),
    };
    let Some(at) = body.len().checked_sub(3) else {
        return text.to_owned();
    };
    match body.get(at..) {
        Some(suffix) if suffix.eq_ignore_ascii_case("dev") => {
            let kept = &body[..at];
            format!("{}{end}", kept.strip_suffix(['.', '-']).unwrap_or(kept))
        }
        _ => text.to_owned(),
    }
}
