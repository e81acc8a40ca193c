//! The p2 files: what is known of one package.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LAST_MODIFIED, VARY};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::not_modified;
use crate::catalog::{Document, Organization, View};
use crate::composer::name::PackageName;
use crate::http::Error;
use crate::http::cache::Cache;
use crate::http::error::{JSON, VARIES};

/// The date of every empty list. It must be one and the same, so that a hidden name cannot be told from an absent one;
/// and it must be one that no real document ever has, because a client that keeps the empty list would otherwise be
/// answered `304` for a document of that date: documents are dated by when they were published, so the past is safe.
const LONG_AGO: HeaderValue = HeaderValue::from_static("Sat, 01 Jan 2000 00:00:00 GMT");

/// What a p2 file is answered with.
pub(super) enum Found<'a> {
    /// What was published.
    Stored(&'a Document),
    /// An empty list for this name.
    Empty(PackageName),
}

/// Looks a name up.
///
/// A name under an owned vendor that the token may not see, or that does not exist, has an empty list, so that no
/// client goes on to a public repository for it; so has a visible package without the one or the other file.
pub(super) fn find<'a>(organization: &'a Organization, view: &View, name: &str, dev: bool) -> Result<Found<'a>, Error> {
    let entry = organization.find(name, view);
    let document = entry.and_then(|entry| if dev { entry.dev.as_ref() } else { entry.stable.as_ref() });
    if let Some(document) = document {
        return Ok(Found::Stored(document));
    }
    let name = PackageName::parse(name).map_err(|_| Error::NoDocument)?;
    if entry.is_some() || organization.owns(name.vendor()) { Ok(Found::Empty(name)) } else { Err(Error::NoDocument) }
}

/// The answer with an empty list.
pub(super) fn empty(request: &HttpRequest, name: PackageName) -> HttpResponse {
    if let Some(unchanged) = not_modified(request, &LONG_AGO) {
        return unchanged;
    }
    let body = json!({ "minified": "composer/2.0", "packages": { name.as_str(): [] } });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((LAST_MODIFIED, LONG_AGO))
        .insert_header((CACHE_CONTROL, Cache::Revalidate.header()))
        .insert_header((VARY, VARIES))
        .body(body.to_string())
}
