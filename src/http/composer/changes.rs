//! `metadata/changes.json`: what changed, for mirrors (Packagist's `metadata/changes.json`).
//!
//! Its instants count ten-thousandths of a second. An answer covers `[since, timestamp)`; whoever asks again from
//! `timestamp` on misses nothing and sees nothing twice.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::made;
use crate::access::set::AccessSet;
use crate::clock::Timestamp;
use crate::http::cache::Cache;
use crate::http::error::JSON;
use crate::http::guard::Opened;
use crate::http::{Error, State};
use crate::store;
use crate::store::changes::{self, FileChange, UNIT};

/// How long changes are told one by one; the log is kept at least as long.
const TOLD: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than any transaction is on its way.
const UNDER_WAY: Duration = Duration::from_secs(60 * 60);
/// How many changes are told one by one.
const MOST: i64 = 100_000;

/// Answers `?since=`.
///
/// An answer ends where the log ends, not now: changes are dated in the order of their commits, so nothing can appear
/// before that instant any more, however long a transaction took.
pub(super) async fn answer(request: &HttpRequest, state: &State, opened: &Opened) -> Result<HttpResponse, Error> {
    let now = state.appliance.now();
    let since = since(request.query_string());
    let from = Timestamp::from_micros(since.unwrap_or(0).saturating_mul(UNIT));
    let org = opened.organization.id;
    let read = move |db: &rusqlite::Connection| {
        let end = changes::end(org, db)?;
        let found = match end {
            Some(end) if from < end => changes::between(org, db, from, end, MOST + 1)?,
            _ => Vec::new(),
        };
        Ok((end, found))
    };
    let failed = |error: store::Error| Error::internal("the changes could not be read", &error);
    let (end, found) = state.appliance.database.read(read).await.map_err(failed)?;
    // Where nothing was ever recorded, what is being stored now may be dated a little ago.
    let end = end.unwrap_or(now - UNDER_WAY);
    let timestamp = end.as_micros().div_euclid(UNIT);
    let Some(since) = since else {
        return Ok(without_since(timestamp));
    };
    let is_complete = i64::try_from(found.len()).is_ok_and(|count| count <= MOST);
    let is_told = from >= end || now.since(from) <= TOLD;
    // Beyond both the log and the clock: an instant of a database that was restored to an earlier state.
    let is_ours = from <= end.max(now);
    if !(is_complete && is_told && is_ours) {
        return resync(request, now, timestamp).await;
    }
    let opened = opened.clone();
    made(request, move || {
        let actions: Vec<Value> = found.iter().filter(|change| may_see(&opened, change)).map(action).collect();
        json!({ "actions": actions, "timestamp": timestamp.max(since) })
    })
    .await
}

/// A removed package has no number any more; who sees everything is told of it all the same.
fn may_see(opened: &Opened, change: &FileChange) -> bool {
    opened.view.set == AccessSet::All || opened.organization.includes(change.package, &opened.view)
}

fn action(change: &FileChange) -> Value {
    json!({ "type": change.kind, "package": change.file, "time": change.time.as_seconds() })
}

/// The instant asked from; none where it is missing, or too small to be one of these instants (Packagist asks for at
/// least fourteen digits, which catches seconds and milliseconds).
fn since(query: &str) -> Option<i64> {
    let (_, value) = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "since")?;
    let is_number = value.len() <= 18 && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|since| is_number && *since >= 10_000_000_000_000)
}

fn without_since(timestamp: i64) -> HttpResponse {
    let body = json!({
        "error": "The query parameter `since` is missing or too small: keep the `timestamp` of each answer and send it with the next request.",
        "timestamp": timestamp,
    });
    HttpResponse::BadRequest()
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, Cache::Never.header()))
        .body(body.to_string())
}

/// Tells a mirror to load everything anew.
async fn resync(request: &HttpRequest, now: Timestamp, timestamp: i64) -> Result<HttpResponse, Error> {
    let action = json!({ "type": "resync", "package": "*", "time": now.as_seconds() });
    made(request, move || json!({ "actions": [action], "timestamp": timestamp })).await
}

#[cfg(test)]
mod tests {
    use super::since;

    #[test]
    fn only_these_instants_are_instants() {
        assert_eq!(since("since=17953488000000"), Some(17_953_488_000_000));
        for query in [
            "",
            "since=",
            "since=1795348800",
            "since=1795348800000",
            "since=-17953488000000",
            "since=x",
            "since=+17953488000000",
            "since=99999999999999999999",
        ] {
            assert_eq!(since(query), None, "{query}");
        }
    }
}
