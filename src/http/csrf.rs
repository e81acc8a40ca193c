//! Whether a form came from a page of ours: what the browser says of its origin, and a token that only our pages know.
//!
//! The token is derived from the cookie's value, which no other site can read, so nothing has to be remembered; the value
//! cannot be found from it.

use actix_web::http::header::{HeaderMap, HeaderName, ORIGIN, REFERER};
use subtle::ConstantTimeEq;
use url::Url;

use super::session::Value;
use crate::access::token::digest_of;
use crate::secrets::random::to_hex;

/// The field of a form that carries the token.
pub const FIELD: &str = "csrf";

/// What a browser says of where a request comes from (W3C, Fetch Metadata).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The token of forms on pages that a browser with this cookie sees.
#[must_use]
pub fn token(cookie: &Value) -> String {
    to_hex(&digest_of(format!("csrf\0{}", cookie.expose()).as_bytes()))
}

/// Whether `given` is that token, in a time that does not tell how much of it is right.
#[must_use]
pub fn is_token(cookie: &Value, given: &str) -> bool {
    token(cookie).as_bytes().ct_eq(given.as_bytes()).into()
}

/// The other site that a request says to come from; none if it comes from here, or says nothing: then the token decides.
#[must_use]
pub fn foreign(headers: &HeaderMap, public_url: &str) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?").to_owned());
    let here = Url::parse(public_url).ok().map(|url| url.origin());
    let is_here = |address: &str| Url::parse(address).ok().map(|url| url.origin()) == here;
    match text(ORIGIN) {
        // A page that keeps its address to itself has this one.
        Some(origin) if origin == "null" => {}
        Some(origin) => return (!is_here(&origin)).then_some(origin),
        None => {}
    }
    match text(SITE) {
        Some(site) => return (!matches!(site.as_str(), "same-origin" | "none")).then_some(format!("a {site} page")),
        None if headers.contains_key(ORIGIN) => return Some("a page without an address".to_owned()),
        None => {}
    }
    text(REFERER).filter(|referer| !is_here(referer))
}

#[cfg(test)]
mod tests {
    use super::{foreign, is_token, token};
    use crate::http::session::Value;
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_token_is_of_one_cookie() {
        let (mine, other) = (Value::random(), Value::random());
        assert!(is_token(&mine, &token(&mine)));
        for wrong in [token(&other), String::new(), token(&mine).to_uppercase(), mine.expose().to_owned()] {
            assert!(!is_token(&mine, &wrong), "{wrong}");
        }
    }

    #[test]
    fn only_our_pages_are_ours() {
        let url = "https://packages.example.com";
        for ours in [
            &[("origin", "https://packages.example.com")][..],
            &[("origin", "https://packages.example.com:443")],
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("referer", "https://packages.example.com/login")],
            &[],
        ] {
            assert_eq!(foreign(&headers(ours), url), None, "{ours:?}");
        }
        for theirs in [
            &[("origin", "https://packages.example.com.evil.example")][..],
            &[("origin", "http://packages.example.com")],
            &[("origin", "https://packages.example.com:8443")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("origin", "null")],
            &[("origin", "null"), ("referer", "https://packages.example.com/")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("referer", "https://evil.example/?https://packages.example.com/")],
            &[("referer", "nonsense")],
        ] {
            assert!(foreign(&headers(theirs), url).is_some(), "{theirs:?}");
        }
    }
}
