//! What GitLab delivers. From version 19 on it signs (Standard Webhooks: name, time and the bytes as they came), before it
//! shows a token; a hook that once signed takes the token alone never again. Then only numbers are read: of what to look at
//! again. System hooks, which administrators of an instance make, speak of the same things in other words.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::secrets;
use crate::clock::Timestamp;
use crate::platform::answer::printable;
use crate::platform::event::{About, Delivery, Headers, Refused};
use crate::platform::generic;
use crate::platform::hub::HookSecret;
use crate::platform::remote::Touch;

/// Longest text that is kept of a delivery.
const LONGEST: usize = 200;
/// How far the time of a signature may be from ours, in seconds, either way.
const WINDOW: i64 = 300;
/// Most signatures of one delivery that are looked at; there is one a key, and a key beside it while keys change.
const MOST_SIGNATURES: usize = 8;
/// The headers that name a delivery, which are the same when it is sent again; the oldest servers send none.
pub(super) const NAMES: [&str; 3] = ["webhook-id", "idempotency-key", "x-gitlab-event-uuid"];

/// The parts of a payload that are looked at. Templates may leave out any of them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    object_kind: Option<String>,
    event_name: Option<String>,
    project_id: Option<u64>,
    project: Option<Project>,
    path_with_namespace: Option<String>,
    old_path_with_namespace: Option<String>,
    project_path_with_namespace: Option<String>,
    group_id: Option<u64>,
    group_path: Option<String>,
    full_path: Option<String>,
    old_full_path: Option<String>,
    user_id: Option<u64>,
    user_username: Option<String>,
    username: Option<String>,
    /// Of a user.
    state: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    id: Option<u64>,
    path_with_namespace: Option<String>,
}

impl Payload {
    fn project(&self) -> Option<String> {
        let inner = || self.project.as_ref().and_then(|project| project.id);
        self.project_id.or_else(inner).map(|id| id.to_string())
    }
}

/// Reads a delivery.
///
/// # Errors
/// [`Refused`].
pub(super) fn read(headers: &Headers, body: &[u8], secret: &HookSecret, now: Timestamp) -> Result<Delivery, Refused> {
    let signed = verify(headers, body, secret, now)?;
    let payload: Payload = serde_json::from_slice(body).map_err(|_| Refused::Unreadable)?;
    let header = headers.get("x-gitlab-event").unwrap_or_default();
    let kind = payload.object_kind.as_deref().or(payload.event_name.as_deref()).unwrap_or_default();
    let mut delivery = Delivery {
        guid: guid(headers, body, &secret.secret),
        event: printable(if kind.is_empty() { header } else { kind }, LONGEST),
        subject: subject(&payload),
        signed,
        about: about(kind, &payload),
        ..Delivery::default()
    };
    tell(kind, &payload, body, &mut delivery);
    Ok(delivery)
}

/// Whether it is signed, or only shows the token; neither is refused.
fn verify(headers: &Headers, body: &[u8], secret: &HookSecret, now: Timestamp) -> Result<bool, Refused> {
    // A wrong signature is not made good by a right token, nor are two of them.
    if headers.has("webhook-signature") {
        return verify_signature(headers, body, secrets::signing_key_of(&secret.secret).as_ref(), now).map(|()| true);
    }
    let shown = headers.get("x-gitlab-token").filter(|_| !secret.was_signed).ok_or(Refused::Signature)?;
    let token = secrets::token_of(&secret.secret);
    let is_right: bool = shown.as_bytes().ct_eq(token.expose_secret().as_bytes()).into();
    if is_right { Ok(false) } else { Err(Refused::Signature) }
}

/// By Standard Webhooks: `v1,` and the base64 of an HMAC over name, time and body, one for each key that holds at the moment.
fn verify_signature(headers: &Headers, body: &[u8], key: &[u8], now: Timestamp) -> Result<(), Refused> {
    let stated = |name| headers.get(name).ok_or(Refused::Signature);
    let (id, time, signatures) = (stated("webhook-id")?, stated("webhook-timestamp")?, stated("webhook-signature")?);
    let seconds: i64 = time.parse().map_err(|_| Refused::Signature)?;
    if now.as_seconds().abs_diff(seconds) > WINDOW.unsigned_abs() {
        return Err(Refused::Signature);
    }
    let mut text = Vec::with_capacity(id.len() + time.len() + body.len() + 2);
    text.extend_from_slice(format!("{id}.{time}.").as_bytes());
    text.extend_from_slice(body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let is_right = |signature: &str| {
        let mac = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
        mac.is_some_and(|mac| hmac::verify(&key, &text, &mac).is_ok())
    };
    let any = signatures.split(' ').take(MOST_SIGNATURES).any(is_right);
    if any { Ok(()) } else { Err(Refused::Signature) }
}

/// What names a delivery. The name of an event alone is shared by all hooks that hear of it, and by what they cause.
fn guid(headers: &Headers, body: &[u8], secret: &SecretString) -> String {
    let [signed, retried, event] = NAMES;
    if let Some(name) = headers.get(signed).or_else(|| headers.get(retried)) {
        return printable(name, LONGEST);
    }
    match headers.get(event) {
        Some(name) => {
            let digest = Sha256::new().chain_update(secret.expose_secret()).chain_update(body).finalize();
            let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("{}-{digest}", printable(name, 40))
        }
        None => String::new(),
    }
}

fn subject(payload: &Payload) -> String {
    let inner = payload.project.as_ref().and_then(|project| project.path_with_namespace.as_ref());
    let project = inner.or(payload.path_with_namespace.as_ref()).or(payload.project_path_with_namespace.as_ref());
    let place = project.or(payload.full_path.as_ref()).or(payload.group_path.as_ref());
    // A push has somebody too, who is not what it is about.
    let person = payload.user_username.as_ref().or(payload.username.as_ref()).filter(|_| inner.is_none());
    let parts: Vec<&str> = [person, place].into_iter().flatten().map(String::as_str).collect();
    printable(&parts.join(", "), LONGEST)
}

/// By what is found whom an event of the whole instance concerns. Who is in a group matters wherever that was let in.
fn about(kind: &str, payload: &Payload) -> About {
    let inner = payload.project.as_ref().and_then(|project| project.path_with_namespace.as_ref());
    let projects = [inner, payload.path_with_namespace.as_ref(), payload.project_path_with_namespace.as_ref()];
    let before = [payload.old_path_with_namespace.as_ref(), payload.old_full_path.as_ref()];
    let paths = projects.into_iter().chain(before).chain([payload.full_path.as_ref()]).flatten();
    let group = payload.group_id.map(|id| id.to_string());
    // Nobody knows the number of what is new; old releases do not tell where it is.
    let team = group.filter(|_| !kind.ends_with("group_create"));
    // Who pushed is not what a push is about, and who came somewhere was not known there.
    let is_of_account = match kind {
        "user_destroy" | "user_rename" | "user_failed_login" => true,
        // The group may be one that was let in, and that the credential does not see.
        "user_remove_from_group" | "user_update_for_group" => true,
        _ => false,
    };
    About {
        paths: paths.cloned().collect(),
        repository: payload.project(),
        page: team.as_ref().map(|id| format!("/groups/{id}/members")),
        team,
        account: payload.user_id.filter(|_| is_of_account).map(|id| id.to_string()),
    }
}

/// Names what an event is about. What is unknown, and what changes nothing of ours, names nothing.
fn tell(kind: &str, payload: &Payload, body: &[u8], delivery: &mut Delivery) {
    match kind {
        "push" | "tag_push" => match payload.project() {
            Some(id) => delivery.pushed.push((id, generic::announced_commits(body))),
            None => delivery.touched.push(Touch::Everything),
        },
        "repository_update" | "release" => match payload.project() {
            Some(id) => delivery.pushed.push((id, Vec::new())),
            None => delivery.touched.push(Touch::Everything),
        },
        _ => delivery.touched.extend(of_change(kind, payload)),
    }
}

fn of_change(kind: &str, payload: &Payload) -> Vec<Touch> {
    let project = payload.project();
    let group = payload.group_id.map(|id| id.to_string());
    let user = payload.user_id.map(|id| id.to_string());
    match (kind, project, group, user) {
        ("project_create" | "project_rename" | "project_transfer" | "project_update", Some(project), ..) => {
            vec![Touch::Repository(project)]
        }
        ("project_destroy", Some(project), ..) => vec![Touch::RepositoryGone(project)],
        ("user_add_to_team" | "user_update_for_team", Some(project), ..) => vec![Touch::Readers(project)],
        ("user_remove_from_team", Some(project), _, Some(user)) => vec![Touch::ReaderGone(project, user)],
        ("user_add_to_group" | "user_update_for_group", _, Some(group), _) => vec![Touch::Members, Touch::Team(group)],
        ("user_remove_from_group", _, Some(group), Some(user)) => {
            vec![Touch::MemberGone(user.clone()), Touch::TeamMemberGone(group, user)]
        }
        ("subgroup_create" | "group_create", ..) => vec![Touch::Teams],
        // With it goes all that is below.
        ("subgroup_destroy" | "group_destroy", _, Some(group), _) => vec![Touch::TeamGone(group), Touch::Repositories],
        ("group_rename", ..) => vec![Touch::Everything],
        ("user_destroy", _, _, Some(user)) => vec![Touch::MemberGone(user)],
        // That somebody was blocked, GitLab tells only when they try to log in.
        ("user_failed_login", _, _, Some(user)) if payload.state.as_deref().is_some_and(|state| state != "active") => {
            vec![Touch::MemberGone(user)]
        }
        ("user_rename", ..) => vec![Touch::Members],
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
