//! `list.json`: all names that the token sees (Packagist's `packages/list.json`).

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::made;
use crate::catalog::Entry;
use crate::composer::name::PackageName;
use crate::http::Error;
use crate::http::guard::Opened;

/// Longest pattern that is matched, in bytes.
const LONGEST_FILTER: usize = 512;

/// Which names are asked for.
#[derive(Default)]
struct Query {
    filter: Option<String>,
    vendor: Option<String>,
    kind: Option<String>,
}

impl Query {
    fn parse(text: &str) -> Result<Self, Error> {
        let mut query = Self::default();
        for (key, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let value = Some(value.to_ascii_lowercase()).filter(|value| !value.is_empty());
            match &*key {
                "filter" => query.filter = value,
                "vendor" => query.vendor = value,
                "type" => query.kind = value,
                _ => {}
            }
        }
        if query.filter.as_ref().is_some_and(|filter| filter.len() > LONGEST_FILTER) {
            return Err(Error::BadRequest(format!("The filter is longer than {LONGEST_FILTER} characters.")));
        }
        Ok(query)
    }

    fn wants(&self, name: &PackageName, entry: &Entry) -> bool {
        let kind = entry.kind.as_deref().unwrap_or("library");
        self.vendor.as_deref().is_none_or(|vendor| name.vendor() == vendor)
            && self.filter.as_deref().is_none_or(|filter| matches(filter, name.as_str()))
            && self.kind.as_deref().is_none_or(|wanted| kind.eq_ignore_ascii_case(wanted))
    }
}

/// Answers `?filter=` (with `*`), `?vendor=` and `?type=`, or everything.
pub(super) async fn answer(request: &HttpRequest, opened: Opened) -> Result<HttpResponse, Error> {
    let query = Query::parse(request.query_string())?;
    made(request, move || {
        let visible = opened.organization.visible(&opened.view);
        let mut names: Vec<&str> =
            visible.filter(|(name, entry)| query.wants(name, entry)).map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        json!({ "packageNames": names })
    })
    .await
}

/// Whether the whole name fits the pattern, in which `*` stands for anything, also with slashes. Linear in both but for
/// one step back to the last `*`, so no pattern makes it slow beyond the product of the lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut last_star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star, from)) = last_star else { return false };
                last_star = Some((star, from + 1));
                p = star + 1;
                n = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        for pattern in ["*", "acme/*", "acme/lib", "*lib", "a*/l*b", "**acme**lib**", "*/*"] {
            assert!(matches(pattern, "acme/lib"), "{pattern}");
        }
        for pattern in ["", "acme", "lib*", "acme/lib?", "*x*", "acme/*x", "a.me/lib", "acme/lib/*"] {
            assert!(!matches(pattern, "acme/lib"), "{pattern}");
        }
    }
}
