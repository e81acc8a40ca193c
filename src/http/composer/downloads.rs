//! `downloads`: what Composer says it installed (`notify-batch`; `InstallationManager::notifyInstalls`).
//!
//! Composer ignores the answer, and a project's lock file keeps this address for years: so everything is tolerated, and
//! nothing is written before the answer.

use std::collections::HashSet;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::composer::name::PackageName;
use crate::composer::version;
use crate::http::books::Install;
use crate::http::cache::Cache;
use crate::http::error::JSON;
use crate::http::guard::Opened;
use crate::http::{Error, State};

/// Largest body that is read, in bytes.
const LARGEST: usize = 2 << 20;
/// How many entries of a request count.
const ENTRIES: usize = 5000;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Seconds in a day.
const DAY: i64 = 86_400;

/// Counts what the token may see.
pub(super) async fn answer(payload: web::Payload, state: &State, opened: &Opened) -> Result<HttpResponse, Error> {
    let Some(body) = timeout(PATIENCE, read(payload)).await.ok().flatten() else {
        return Ok(said(StatusCode::OK, "error", Some("The body is larger than 2 MiB, too slow, or broke off.")));
    };
    let Some(entries) = entries(&body) else {
        return Ok(said(StatusCode::OK, "error", Some("The body is not JSON with a list of `downloads`.")));
    };
    let day = state.appliance.now().as_seconds().div_euclid(DAY);
    let mut is_whole = entries.len() <= ENTRIES;
    let mut seen = HashSet::new();
    for entry in entries.iter().take(ENTRIES) {
        match install(opened, entry, day) {
            Some(install) => {
                seen.insert(install);
            }
            None => is_whole = false,
        }
    }
    state.installs.note(seen);
    Ok(if is_whole {
        said(StatusCode::CREATED, "success", None)
    } else {
        said(StatusCode::OK, "partial", Some("Some packages or versions are not known here and were not counted."))
    })
}

async fn read(mut payload: web::Payload) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.ok()?;
        if body.len() + chunk.len() > LARGEST {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}

fn entries(body: &[u8]) -> Option<Vec<Value>> {
    match serde_json::from_slice::<Value>(body).ok()?.get_mut("downloads")?.take() {
        Value::Array(entries) => Some(entries),
        _ => None,
    }
}

/// One entry: the name as the package writes it, the version normalized.
fn install(opened: &Opened, entry: &Value, day: i64) -> Option<Install> {
    let name = PackageName::parse_lenient(entry.get("name")?.as_str()?).ok()?;
    let found = opened.organization.find(name.as_str(), &opened.view)?;
    let version = version::normalize(entry.get("version")?.as_str()?).ok()?;
    Some(Install { org: opened.organization.id, package: found.package, version: version.as_str().to_owned(), day })
}

/// The answers that Packagist gives.
fn said(status: StatusCode, word: &str, message: Option<&str>) -> HttpResponse {
    let mut body = json!({ "status": word });
    if let Some(message) = message {
        body["message"] = message.into();
    }
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .body(body.to_string())
}
