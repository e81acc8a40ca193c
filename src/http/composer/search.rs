//! `search.json`: packages by words (`composer search`; Packagist's `search.json`).

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::made;
use crate::catalog::Entry;
use crate::composer::name::PackageName;
use crate::http::Error;
use crate::http::guard::Opened;

/// How many results a page has at most, as with Packagist.
const LARGEST_PAGE: usize = 100;
/// How many a page has when nobody says, as with Packagist. Composer asks for one page.
const PAGE: usize = 15;
/// How many words are looked for; more would not find less.
const WORDS: usize = 10;

/// What is looked for.
#[derive(Debug)]
pub struct Query {
    /// In lower case; a result has all of them.
    pub words: Vec<String>,
    /// The type of package.
    pub kind: Option<String>,
    /// From 1.
    pub page: usize,
    /// From 1 to 100.
    pub per_page: usize,
}

impl Query {
    /// Reads what follows the `?`. What cannot be read counts as not given.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut query = Self { words: Vec::new(), kind: None, page: 1, per_page: PAGE };
        for (key, value) in url::form_urlencoded::parse(text.as_bytes()) {
            match &*key {
                "q" => query.words = value.split_whitespace().take(WORDS).map(str::to_lowercase).collect(),
                "type" if !value.is_empty() => query.kind = Some(value.into_owned()),
                "page" => query.page = value.parse().unwrap_or(1).max(1),
                "per_page" => query.per_page = value.parse().unwrap_or(PAGE).clamp(1, LARGEST_PAGE),
                _ => {}
            }
        }
        query
    }

    /// How well an entry fits: lower is better; none if it does not. Every word must be in the name or the
    /// description, and the worst-placed word decides.
    fn rank(&self, name: &PackageName, entry: &Entry) -> Option<u8> {
        if self.kind.as_deref().is_some_and(|kind| entry.kind.as_deref().unwrap_or("library") != kind) {
            return None;
        }
        let description = entry.description.as_deref().unwrap_or_default().to_lowercase();
        let ranks = self.words.iter().map(|word| match word {
            word if name.as_str() == word => Some(0),
            word if name.project() == word => Some(1),
            word if name.as_str().starts_with(word.as_str()) || name.project().starts_with(word.as_str()) => Some(2),
            word if name.as_str().contains(word.as_str()) => Some(3),
            word if description.contains(word.as_str()) => Some(4),
            _ => None,
        });
        ranks.collect::<Option<Vec<_>>>().map(|ranks| ranks.into_iter().max().unwrap_or(0))
    }
}

/// Answers `?q=words&type=type`, with `page` and `per_page`.
pub(super) async fn answer(request: &HttpRequest, opened: Opened) -> Result<HttpResponse, Error> {
    let query = Query::parse(request.query_string());
    made(request, move || results(&query, &opened)).await
}

fn results(query: &Query, opened: &Opened) -> Value {
    let mut found: Vec<_> = opened
        .organization
        .visible(&opened.view)
        .filter(|(_, entry)| entry.current)
        .filter_map(|(name, entry)| {
            let rank = query.rank(name, entry)?;
            // What is given up comes after what is not.
            Some(((is_abandoned(entry), rank, name.as_str()), entry))
        })
        .collect();
    found.sort_unstable_by_key(|(order, _)| *order);
    let first = (query.page - 1).saturating_mul(query.per_page);
    let page = found.iter().skip(first).take(query.per_page);
    let results: Vec<Value> = page.map(|((_, _, name), entry)| result(name, entry)).collect();
    json!({ "results": results, "total": found.len() })
}

fn is_abandoned(entry: &Entry) -> bool {
    !matches!(entry.abandoned, None | Some(Value::Null | Value::Bool(false)))
}

fn result(name: &str, entry: &Entry) -> Value {
    let mut result = json!({
        "name": name,
        "description": entry.description.as_deref().unwrap_or_default(),
        "type": entry.kind.as_deref().unwrap_or("library"),
    });
    if is_abandoned(entry) {
        result["abandoned"] = entry.abandoned.clone().into();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn queries_are_read_and_bounded() {
        let query = Query::parse("q=HTTP+Client&type=&page=0&per_page=1000");
        assert_eq!(query.words, ["http", "client"]);
        assert_eq!((query.kind, query.page, query.per_page), (None, 1, 100));
        assert_eq!(Query::parse(&format!("q={}", "a+".repeat(100))).words.len(), 10);
    }
}
