//! The query of `search.json`: bounded, whatever it says.

use packagist_selfhosted::http::composer::search::Query;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let query = Query::parse(text);
    assert!(query.page >= 1 && (1..=100).contains(&query.per_page) && query.words.len() <= 10);
    assert!(query.words.iter().all(|word| !word.is_empty() && !word.contains(char::is_whitespace)), "{query:?}");
    assert!(query.kind.is_none_or(|kind| !kind.is_empty()));
}
