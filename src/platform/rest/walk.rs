//! Lists of many pages: where they go on, and that they end.

use std::collections::HashSet;

use oauth2::http::header;
use url::Url;

use crate::outbound::Answer;

/// Most pages of a list.
const MAX_PAGES: usize = 1000;

/// The addresses of a list that were seen: one that comes again would go on for ever.
#[derive(Default)]
pub(crate) struct Walk(HashSet<String>);

impl Walk {
    /// Goes on to an address.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn step(&mut self, url: &Url) -> Result<(), String> {
        if !self.0.insert(url.as_str().to_owned()) {
            return Err("a list goes in a circle".to_owned());
        }
        if self.0.len() > MAX_PAGES {
            return Err(format!("a list has more than {MAX_PAGES} pages"));
        }
        Ok(())
    }
}

/// The address of the next page, as the answer's links have it.
pub(crate) fn next_link(answer: &Answer) -> Option<&str> {
    let links = answer.headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|link| link.split(',')).find_map(next_of)
}

/// `<address>; rel="next"`.
fn next_of(link: &str) -> Option<&str> {
    let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
    parameters.split(';').any(is_next).then_some(address)
}

/// A part of a path as it stands there: whatever is no letter, digit, `-` or `_` is encoded.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
        .replace("%5F", "_")
}

#[cfg(test)]
mod tests {
    use super::{encoded, next_of};

    #[test]
    fn links_are_read() {
        assert_eq!(next_of(r#" <https://a/b?page=2&x=%2C>; rel="next""#), Some("https://a/b?page=2&x=%2C"));
        assert_eq!(next_of(r#"<https://a/b?page=9>; rel="last""#), None);
        assert_eq!(next_of("rubbish"), None);
    }

    #[test]
    fn parts_of_paths_stay_parts() {
        assert_eq!(encoded("back-end_2"), "back-end_2");
        assert_eq!(encoded("../a?b#c"), "%2E%2E%2Fa%3Fb%23c");
    }
}
