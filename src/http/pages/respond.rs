//! Pages as answers: the headers that every one of them has.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::Markup;
use url::Url;

use super::components::Flash;
use crate::http::cache::Cache;
use crate::http::error::REQUEST_ID;
use crate::telemetry::RequestId;

/// Everything from here, nothing inline, in nobody's frame. A form's answer may not lead elsewhere either, so that
/// whatever leads to a platform is a link and not a form, with the one exception of [`leading_to`].
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);
/// A page that another one opened, or opens, does not get hold of it.
const OPENER: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
/// Nothing elsewhere embeds what is here.
const RESOURCE: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));

/// The same page with a form that leads to a platform, and nowhere else: some things platforms take only from forms.
#[must_use]
pub fn leading_to(mut page: HttpResponse, platform: &Url) -> HttpResponse {
    let origin = platform.origin().ascii_serialization();
    let policy = format!(
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self' {origin}; frame-ancestors 'none'"
    );
    // The origin of an address has none of the characters that a header cannot have.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    page
}

/// The cookie that carries a [`Flash`] over one redirect.
pub const FLASH: &str = "flash";
/// How long it waits to be shown.
const FLASH_AGE: CookieAge = CookieAge::seconds(60);
/// Longest text of a flash, in bytes, so that the cookie is kept by every browser.
const LONGEST_FLASH: usize = 1500;

/// A page. `flashed`: it shows the flash, which is gone with it.
#[must_use]
pub fn html(status: StatusCode, content: Markup, flashed: bool) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .insert_header((VARY, HeaderValue::from_static("Accept, Cookie")))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((X_FRAME_OPTIONS, HeaderValue::from_static("DENY")))
        .insert_header((REFERRER_POLICY, HeaderValue::from_static("same-origin")))
        .insert_header(OPENER)
        .insert_header(RESOURCE);
    if flashed {
        let mut gone = Cookie::build(FLASH, "").path("/").finish();
        gone.make_removal();
        response.cookie(gone);
    }
    response.body(content.into_string())
}

/// The page of something that was not done, with the id under which the log has the request.
#[must_use]
pub fn failure(status: StatusCode, id: RequestId, content: &Markup) -> HttpResponse {
    let mut response = html(status, content.clone(), false);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// After a form: the address to look at next, by `303`, so that going back or reloading sends nothing twice. `to` is a
/// path of ours, never text from a request.
#[must_use]
pub fn see_other(to: &str, flash: Option<&Flash>) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response
        .insert_header((LOCATION, HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"))))
        .insert_header((CACHE_CONTROL, Cache::Never.header()));
    if let Some(flash) = flash {
        response.cookie(
            Cookie::build(FLASH, flash_text(flash))
                .path("/")
                .max_age(FLASH_AGE)
                .http_only(true)
                .same_site(SameSite::Lax)
                .finish(),
        );
    }
    response.finish()
}

fn flash_text(flash: &Flash) -> String {
    let end = flash.text.floor_char_boundary(LONGEST_FLASH);
    let mark = if flash.good { '+' } else { '-' };
    URL_SAFE_NO_PAD.encode(format!("{mark}{}", &flash.text[..end]))
}

/// The flash in a cookie's value; none in one that we did not write.
#[must_use]
pub fn read_flash(cookie: &str) -> Option<Flash> {
    let bytes = URL_SAFE_NO_PAD.decode(cookie.get(..cookie.len().min(LONGEST_FLASH * 2))?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (good, text) = match text.split_at_checked(1)? {
        ("+", text) => (true, text),
        ("-", text) => (false, text),
        _ => return None,
    };
    Some(Flash { good, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{flash_text, html, read_flash, see_other};
    use crate::http::pages::components::Flash;
    use actix_web::http::StatusCode;

    #[test]
    fn a_flash_survives_its_cookie_and_nothing_else_is_read() {
        let flash = Flash { good: true, text: "Token “CI; \r\n=ü” revoked.".to_owned() };
        let cookie = flash_text(&flash);
        assert!(cookie.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(read_flash(&cookie), Some(flash));
        for foreign in ["", "x", "üü", "PGI-", "////"] {
            assert_eq!(read_flash(foreign), None, "{foreign}");
        }
        let long = Flash { good: false, text: "ü".repeat(3000) };
        assert!(read_flash(&flash_text(&long)).is_some_and(|read| long.text.starts_with(&read.text)));
    }

    #[test]
    fn pages_are_in_nobodys_frame_and_redirects_split_nothing() {
        let page = html(StatusCode::OK, maud::html! {}, false);
        assert_eq!(
            page.headers().get("x-frame-options").map(actix_web::http::header::HeaderValue::as_bytes),
            Some(b"DENY".as_slice())
        );
        let redirect = see_other("/a\r\nSet-Cookie: x=y", None);
        assert_eq!(
            redirect.headers().get("location").map(actix_web::http::header::HeaderValue::as_bytes),
            Some(b"/".as_slice())
        );
    }
}
