//! The style sheet, the script and the icon, built into the executable. Their addresses name their content, so they may be kept for good.

use std::borrow::Cow;
use std::sync::LazyLock;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use rust_embed::RustEmbed;

use super::cache::Cache;
use super::{encoding, pages};
use crate::secrets::random::to_hex;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets"]
struct Embedded;

/// A file that pages refer to.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    /// The beginning of the content's SHA-256.
    hash: String,
    plain: Bytes,
    gzip: Option<Bytes>,
}

/// All of them; read once, compressed once.
static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("style.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ]
    .into_iter()
    .filter_map(|(name, content_type)| load(name, content_type))
    .collect()
});

fn load(name: &'static str, content_type: &'static str) -> Option<Asset> {
    let file = Embedded::get(name)?;
    let plain = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let hash = to_hex(&file.metadata.sha256_hash()[..8]);
    Some(Asset { name, content_type, hash, gzip: encoding::gzip(&plain), plain })
}

/// The address of an asset, as pages write it.
///
/// # Panics
/// For a name that is not among the assets: a mistake in a page, which its test finds.
#[must_use]
pub fn address(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name).expect("pages name assets that there are");
    format!("/assets/{}/{}", asset.hash, asset.name)
}

/// Answers `/assets/{hash}/{file}`.
pub async fn asset(request: HttpRequest) -> HttpResponse {
    let path = request.match_info();
    let found = ASSETS.iter().find(|asset| asset.name == path.query("file") && asset.hash == path.query("hash"));
    let Some(asset) = found else {
        return pages::not_found(request).await;
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, HeaderValue::from_static(asset.content_type)))
        .insert_header((CACHE_CONTROL, Cache::Public.header()))
        .insert_header((VARY, HeaderValue::from_static("Accept-Encoding")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
    match &asset.gzip {
        Some(gzip) if encoding::takes_gzip(request.headers()) => {
            response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip"))).body(gzip.clone())
        }
        _ => response.body(asset.plain.clone()),
    }
}
