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
use crate::store::changes::{self, FileChange};

/// Microseconds in one unit of these instants.
const UNIT: i64 = 100;
/// How long changes are told one by one; the log is kept at least as long.
const TOLD: Duration = Duration::from_secs(24 * 60 * 60);
/// How many changes are told one by one.
const MOST: i64 = 100_000;
/// How long ago answers end. A change has the instant at which its transaction was begun to be put together, and is
/// queued within this time; the empty write below then waits until it is stored.
const SETTLED: Duration = Duration::from_secs(1);

/// Answers `?since=`.
pub(super) async fn answer(request: &HttpRequest, state: &State, opened: &Opened) -> Result<HttpResponse, Error> {
    let now = state.appliance.now();
    let until = (now - SETTLED).as_micros().div_euclid(UNIT);
    let Some(since) = since(request.query_string()) else {
        return Ok(without_since(until));
    };
    let from = Timestamp::from_micros(since.saturating_mul(UNIT));
    if now.since(from) > TOLD {
        return resync(request, now, until).await;
    }
    let org = opened.organization.id;
    let end = Timestamp::from_micros(until.saturating_mul(UNIT));
    let failed = |error: store::Error| Error::internal("the changes could not be read", &error);
    // Writes are done in order: once this one is, everything queued before it is stored and can be read.
    state.appliance.database.write(|_| Ok::<_, store::Error>(())).await.map_err(failed)?;
    let read = move |db: &rusqlite::Connection| changes::between(org, db, from, end, MOST + 1);
    let found = state.appliance.database.read(read).await.map_err(failed)?;
    if i64::try_from(found.len()).is_ok_and(|count| count > MOST) {
        return resync(request, now, until).await;
    }
    let opened = opened.clone();
    made(request, move || {
        let actions: Vec<Value> = found.iter().filter(|change| may_see(&opened, change)).map(action).collect();
        json!({ "actions": actions, "timestamp": until.max(since) })
    })
    .await
}

/// A removed package has no number any more; who sees everything is told of it all the same.
fn may_see(opened: &Opened, change: &FileChange) -> bool {
    opened.view.set == AccessSet::All || opened.organization.includes(change.package, &opened.view)
}

fn action(change: &FileChange) -> Value {
    json!({ "type": change.kind, "package": change.file, "time": change.at.as_seconds() })
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
