//! The one thing that becomes an answer other than success.
//!
//! For Composer a body is JSON with exactly `Content-Type: application/json`, else it shows nothing of it
//! (`HttpDownloader::outputWarnings`). Causes inside are logged with the request's id and never sent.

use std::fmt::Display;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use serde_json::json;

use super::cache::Cache;
use super::guard::Refusal;
use crate::telemetry::RequestId;

/// The header that carries the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// JSON as Composer recognises it: without parameters.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What answers to Composer depend on beside the address.
pub const VARIES: HeaderValue = HeaderValue::from_static("Authorization, Accept-Encoding");

/// Why a request gets no success.
#[derive(Debug)]
pub enum Error {
    /// No valid credentials for the Composer repository; the host is for the explanation.
    Unauthorized(Refusal, std::sync::Arc<str>),
    /// A metadata document that is absent, or hidden: the two are one.
    NoDocument,
    /// An archive that is absent, or hidden: the two are one.
    NoArchive,
    /// An archive that cannot be made of what the commit holds. Not a failure of the server's: asking again is no use.
    Unarchivable,
    /// An archive that was purged for good.
    Forgotten,
    /// An address with nothing behind it; the text says what would be right.
    NotFound(&'static str),
    /// A method that the address does not have; these it has.
    Method(&'static str),
    /// The request itself is wrong; the text says how.
    BadRequest(String),
    /// The request has more, or longer, headers than any client of ours sends.
    HeadersTooLarge,
    /// Something is busy: again after this many seconds. The text says what.
    Busy(u64, &'static str),
    /// What was asked for failed in a way that the asker may know.
    Failed(&'static str, RequestId),
    /// Something inside failed; it is in the log under this id.
    Internal(RequestId),
}

impl Error {
    /// Logs what failed inside, and gives the error that says no more than the id of that line.
    #[must_use]
    pub fn internal(what: &'static str, cause: &dyn Display) -> Self {
        let id = RequestId::random();
        tracing::error!(request.id = %id, error = %cause, "A request failed: {what}.");
        Self::Internal(id)
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized(..) => StatusCode::UNAUTHORIZED,
            Self::NoDocument | Self::NoArchive | Self::Unarchivable | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Forgotten => StatusCode::GONE,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Busy(..) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(..) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer.
    #[must_use]
    pub fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        response
            .insert_header((CONTENT_TYPE, JSON))
            .insert_header((CACHE_CONTROL, Cache::Never.header()))
            .insert_header((VARY, VARIES));
        match self {
            Self::Unauthorized(..) => {
                response
                    .append_header((
                        WWW_AUTHENTICATE,
                        HeaderValue::from_static(r#"Basic realm="packagist-selfhosted", charset="UTF-8""#),
                    ))
                    .append_header((
                        WWW_AUTHENTICATE,
                        HeaderValue::from_static(r#"Bearer realm="packagist-selfhosted""#),
                    ));
            }
            Self::Method(allowed) => {
                response.insert_header((ALLOW, HeaderValue::from_static(allowed)));
            }
            Self::Busy(seconds, _) => {
                response.insert_header((RETRY_AFTER, HeaderValue::from(*seconds)));
            }
            Self::Failed(_, id) | Self::Internal(id) => {
                response.insert_header((REQUEST_ID, id.to_string()));
            }
            _ => {}
        }
        response.body(self.body())
    }

    /// `warning` is what Composer shows; a p2 404 has none, because Composer would show it for every package that
    /// another repository has.
    fn body(&self) -> String {
        let (message, warning) = match self {
            Self::NoDocument => return "{}".to_owned(),
            Self::Unauthorized(refusal, host) => {
                let warning = refusal.explanation(host);
                let message = match refusal {
                    Refusal::Missing => "Authentication is required.",
                    _ => "The credentials are not valid.",
                };
                (message.to_owned(), Some(warning))
            }
            Self::NoArchive => (
                "There is no such archive.".to_owned(),
                Some("This archive does not exist, or the token may not read its package. If the package is new to the token, run `composer update`; else ask an administrator.".to_owned()),
            ),
            Self::Unarchivable => (
                "This commit cannot be made an archive of.".to_owned(),
                Some("What this version's commit holds cannot be made an archive of: it is too large, or its tree is malformed. The server's log says what; install it from source with --prefer-source, or use another version.".to_owned()),
            ),
            Self::Forgotten => (
                "This archive was removed for good.".to_owned(),
                Some("This archive was removed for good by an administrator, for instance because it held a secret. Run `composer update` to get another version.".to_owned()),
            ),
            Self::NotFound(text) => ((*text).to_owned(), None),
            Self::Method(allowed) => (format!("This address answers {allowed} only."), None),
            Self::BadRequest(text) => (text.clone(), None),
            Self::HeadersTooLarge => ("The request has too many headers, or too long ones.".to_owned(), None),
            Self::Busy(seconds, text) => {
                ((*text).to_owned(), Some(format!("{text} Try again in {seconds} seconds.")))
            }
            Self::Failed(text, id) => {
                ((*text).to_owned(), Some(format!("{text} An administrator finds the reason in the log under {id}.")))
            }
            Self::Internal(id) => {
                let text = format!("The server met an error that it did not expect. An administrator finds it in the log under {id}.");
                (text.clone(), Some(text))
            }
        };
        match warning {
            Some(warning) => json!({ "status": "error", "message": message, "warning": warning }),
            None => json!({ "status": "error", "message": message }),
        }
        .to_string()
    }
}
