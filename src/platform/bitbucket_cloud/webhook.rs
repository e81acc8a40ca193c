//! What Bitbucket Cloud delivers. The signature is checked on the bytes as they came; then only names are read: of what to look
//! at again. Of members, groups and permissions it tells nothing, and bodies beyond 256 KB it drops.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::identity::subject;
use crate::platform::answer::printable;
use crate::platform::event::{Delivery, Headers, Refused};
use crate::platform::remote::Touch;

/// What names a delivery.
pub(super) const NAMES: [&str; 1] = ["x-request-uuid"];
/// Longest text that is kept of a delivery.
const LONGEST: usize = 200;
/// Longest name of a commit.
const LONGEST_COMMIT: usize = 64;

/// The parts of a payload that are looked at.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    repository: Option<Repository>,
    push: Option<Push>,
}

#[derive(Deserialize)]
struct Repository {
    uuid: String,
    full_name: Option<String>,
}

#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    changes: Vec<Change>,
}

/// Of one branch or tag.
#[derive(Deserialize)]
struct Change {
    /// None where it was removed.
    new: Option<Ref>,
}

#[derive(Deserialize)]
struct Ref {
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    hash: String,
}

/// Reads a delivery.
///
/// # Errors
/// [`Refused`].
pub(super) fn read(headers: &Headers, body: &[u8], secret: &SecretString) -> Result<Delivery, Refused> {
    verify(headers, body, secret)?;
    let payload: Payload = serde_json::from_slice(body).map_err(|_| Refused::Unreadable)?;
    let event = headers.get("x-event-key").ok_or(Refused::Unreadable)?;
    let guid = headers.get(NAMES[0]).ok_or(Refused::Unreadable)?;
    let mut delivery = Delivery {
        guid: printable(guid, LONGEST),
        event: printable(event, LONGEST),
        signed: true,
        ..Delivery::default()
    };
    let Some(repository) = payload.repository else { return Ok(delivery) };
    delivery.subject = printable(repository.full_name.as_deref().unwrap_or_default(), LONGEST);
    let id = subject(&repository.uuid).ok_or(Refused::Unreadable)?;
    match event {
        "repo:push" => delivery.pushed.push((id, commits(payload.push))),
        "repo:created" | "repo:imported" | "repo:updated" => delivery.touched.push(Touch::Repository(id)),
        "repo:deleted" => delivery.touched.push(Touch::RepositoryGone(id)),
        // One that came here and one that went away are told of alike; what is listed here has not gone.
        "repo:transfer" => delivery.touched.push(match delivery.subject.clone() {
            unnamed if unnamed.is_empty() => Touch::RepositoryGone(id),
            to => Touch::RepositoryMoved(id, to),
        }),
        _ => {}
    }
    Ok(delivery)
}

/// The commits that are to be seen now. An empty list stands for anything.
fn commits(push: Option<Push>) -> Vec<String> {
    let changes = push.map(|push| push.changes).unwrap_or_default();
    let hashes = changes.into_iter().filter_map(|change| Some(change.new?.target?.hash));
    hashes.filter(|hash| is_hash(hash)).collect()
}

fn is_hash(text: &str) -> bool {
    (40..=LONGEST_COMMIT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn verify(headers: &Headers, body: &[u8], secret: &SecretString) -> Result<(), Refused> {
    let stated = headers.get("x-hub-signature").and_then(|value| value.strip_prefix("sha256="));
    let signature = stated.and_then(from_hex).ok_or(Refused::Signature)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    // Takes the same time for all wrong ones.
    hmac::verify(&key, body, &signature).map_err(|_| Refused::Signature)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
