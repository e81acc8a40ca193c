//! What Bitbucket delivers. The signature is checked on the bytes as they came; then only names are read: of what to look at
//! again. Times and whatever else differs between versions is left unread.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::platform::answer::printable;
use crate::platform::event::{Delivery, Headers, Refused};
use crate::platform::remote::Touch;

/// The headers that name a delivery.
pub(super) const NAMES: [&str; 1] = ["x-request-id"];
/// Longest text that is kept of a delivery.
const LONGEST: usize = 200;
/// Most commits that are waited for.
const MOST_COMMITS: usize = 64;

/// The parts of a payload that are looked at.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    repository: Option<Thing>,
    changes: Vec<Change>,
    old: Option<Thing>,
    new: Option<Thing>,
    project: Option<Thing>,
}

/// A repository or project.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Thing {
    id: Option<i64>,
    slug: Option<String>,
    key: Option<String>,
    project: Option<Box<Thing>>,
}

impl Thing {
    fn path(&self) -> Option<String> {
        let key = self.project.as_ref().and_then(|project| project.key.clone());
        match (key, &self.slug) {
            (Some(key), Some(slug)) => Some(format!("{key}/{slug}")),
            (None, Some(slug)) => Some(slug.clone()),
            _ => self.key.clone(),
        }
    }
}

/// A ref that changed. Bodies of old versions call it otherwise, and have the rest in common.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Change {
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    to_hash: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
}

impl Change {
    /// The commit that is to be seen now. Of an annotated tag the hash is the tag's own, which is no commit and which
    /// nobody would find among commits: tags are looked for by the listing of all refs.
    fn commit(&self) -> Option<&str> {
        let reference = self.reference.as_ref();
        let is_tag = reference.is_some_and(|one| {
            one.kind.as_deref() == Some("TAG") || one.id.as_deref().is_some_and(|id| id.starts_with("refs/tags/"))
        });
        let hash = self.to_hash.as_deref().filter(|_| !is_tag && self.kind.as_deref() != Some("DELETE"))?;
        let is_hash = matches!(hash.len(), 40 | 64) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hash && hash.bytes().any(|byte| byte != b'0')).then_some(hash)
    }
}

/// Reads a delivery.
///
/// # Errors
/// [`Refused`].
pub(super) fn read(headers: &Headers, body: &[u8], secret: &SecretString) -> Result<Delivery, Refused> {
    let kind = headers.get("x-event-key").map(|kind| printable(kind, LONGEST)).unwrap_or_default();
    let guid = headers.get(NAMES[0]).map(|guid| printable(guid, LONGEST)).filter(|guid| !guid.is_empty());
    if kind == "diagnostics:ping" {
        // Never signed, and nothing comes of it.
        let guid = guid.unwrap_or_else(|| "ping".to_owned());
        return Ok(Delivery { guid, event: kind, is_ping: true, ..Delivery::default() });
    }
    verify(headers, body, secret)?;
    let payload: Payload = serde_json::from_slice(body).map_err(|_| Refused::Unreadable)?;
    let guid = guid.ok_or(Refused::Unreadable)?;
    let about = payload.repository.as_ref().or(payload.new.as_ref()).or(payload.project.as_ref());
    let subject = about.and_then(Thing::path).map(|path| printable(&path, LONGEST)).unwrap_or_default();
    let mut delivery = Delivery { guid, event: kind, subject, signed: true, ..Delivery::default() };
    tell(&payload, &mut delivery);
    Ok(delivery)
}

fn verify(headers: &Headers, body: &[u8], secret: &SecretString) -> Result<(), Refused> {
    let stated = headers.get("x-hub-signature").and_then(|value| value.strip_prefix("sha256="));
    let signature = stated.and_then(from_hex).ok_or(Refused::Signature)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    // Takes the same time for all wrong ones.
    hmac::verify(&key, body, &signature).map_err(|_| Refused::Signature)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Names what an event is about. Nothing tells of repositories that come and go, nor of people: those are found by reading
/// again at the interval.
fn tell(payload: &Payload, delivery: &mut Delivery) {
    let id = |thing: &Option<Thing>| thing.as_ref().and_then(|one| one.id).map(|id| id.to_string());
    match delivery.event.as_str() {
        "repo:refs_changed" | "mirror:repo_synchronized" => {
            let Some(id) = id(&payload.repository) else { return };
            let commits = payload.changes.iter().filter_map(Change::commit).take(MOST_COMMITS);
            let commits = commits.map(str::to_owned).collect();
            delivery.pushed.push((id, commits));
        }
        "repo:modified" => {
            let ids = [id(&payload.new), id(&payload.old), id(&payload.repository)];
            match ids.into_iter().flatten().next() {
                Some(id) => delivery.touched.push(Touch::Repository(id)),
                None => delivery.touched.push(Touch::Repositories),
            }
        }
        // The key is part of every address in it.
        "project:modified" | "proj:modified" => delivery.touched.push(Touch::Everything),
        _ => {}
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
