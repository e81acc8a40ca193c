//! What GitHub delivers. The signature is checked on the bytes as they came, for nothing that was read and written again is
//! what was signed; then only names are read: of what to look at again.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::platform::answer::printable;
use crate::platform::event::{Delivery, Headers, Installation, InstallationChange, Refused};
use crate::platform::generic;
use crate::platform::remote::Touch;

/// Longest text that is kept of a delivery.
const LONGEST: usize = 200;

/// The parts of a payload that are looked at. What an event does not have is missing, and what a new version of GitHub calls
/// otherwise is not looked for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    action: Option<String>,
    repository: Option<Thing>,
    organization: Option<Thing>,
    team: Option<Team>,
    member: Option<Thing>,
    membership: Option<Membership>,
    blocked_user: Option<Thing>,
    installation: Option<Number>,
    release: Option<Release>,
    repositories_added: Vec<Thing>,
    repositories_removed: Vec<Thing>,
}

/// A repository, organization or account.
#[derive(Default, Deserialize)]
struct Thing {
    id: u64,
    full_name: Option<String>,
    login: Option<String>,
}

/// A team; one that is gone has no slug.
#[derive(Deserialize)]
struct Team {
    id: u64,
    name: Option<String>,
    slug: Option<String>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
struct Membership {
    user: Option<Thing>,
}

#[derive(Deserialize)]
struct Number {
    id: i64,
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    draft: bool,
}

/// Reads a delivery.
///
/// # Errors
/// [`Refused`].
pub(super) fn read(headers: &Headers, body: &[u8], secret: &SecretString) -> Result<Delivery, Refused> {
    verify(headers, body, secret)?;
    let media = headers.get("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let payload: Payload = if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let mut fields = url::form_urlencoded::parse(body);
        let (_, json) = fields.find(|(name, _)| name == "payload").ok_or(Refused::Unreadable)?;
        serde_json::from_str(&json).map_err(|_| Refused::Unreadable)?
    } else {
        serde_json::from_slice(body).map_err(|_| Refused::Unreadable)?
    };
    let kind = headers.get("x-github-event").ok_or(Refused::Unreadable)?;
    let guid = headers.get("x-github-delivery").ok_or(Refused::Unreadable)?;
    let mut delivery = Delivery {
        guid: printable(guid, LONGEST),
        event: match &payload.action {
            Some(action) => printable(&format!("{kind}.{action}"), LONGEST),
            None => printable(kind, LONGEST),
        },
        subject: subject(&payload),
        is_ping: kind == "ping",
        signed: true,
        ..Delivery::default()
    };
    let change = if kind == "installation" { installation_change(payload.action.as_deref()) } else { None };
    delivery.installation = payload.installation.as_ref().map(|one| Installation { id: one.id, change });
    tell(kind, &payload, body, &mut delivery);
    Ok(delivery)
}

/// SHA-256 or nothing: the older signature, which GitHub sends beside it, is weaker and needed by nobody.
fn verify(headers: &Headers, body: &[u8], secret: &SecretString) -> Result<(), Refused> {
    let stated = headers.get("x-hub-signature-256").and_then(|value| value.strip_prefix("sha256="));
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

fn subject(payload: &Payload) -> String {
    let thing = |thing: &Thing| thing.full_name.clone().or_else(|| thing.login.clone());
    let team = || payload.team.as_ref().and_then(|team| team.slug.clone().or_else(|| team.name.clone()));
    let person = || {
        let member = payload.membership.as_ref().and_then(|membership| membership.user.as_ref());
        payload.member.as_ref().or(member).or(payload.blocked_user.as_ref()).and_then(thing)
    };
    let place = || payload.repository.as_ref().or(payload.organization.as_ref()).and_then(thing);
    let parts: Vec<String> = [team(), person(), place()].into_iter().flatten().take(2).collect();
    printable(&parts.join(", "), LONGEST)
}

fn installation_change(action: Option<&str>) -> Option<InstallationChange> {
    match action? {
        "deleted" => Some(InstallationChange::Deleted),
        "suspend" => Some(InstallationChange::Suspended),
        "unsuspend" => Some(InstallationChange::Unsuspended),
        _ => None,
    }
}

/// Names what an event is about. What is unknown, and what changes nothing of ours, names nothing.
fn tell(kind: &str, payload: &Payload, body: &[u8], delivery: &mut Delivery) {
    let action = payload.action.as_deref().unwrap_or_default();
    let repository = payload.repository.as_ref().map(|one| one.id.to_string());
    let touched = &mut delivery.touched;
    match (kind, repository) {
        ("push", Some(id)) => delivery.pushed.push((id, generic::announced_commits(body))),
        ("create" | "delete", Some(id)) => delivery.pushed.push((id, Vec::new())),
        ("release", Some(id)) if !payload.release.as_ref().is_some_and(|release| release.draft) => {
            delivery.pushed.push((id, Vec::new()));
        }
        ("repository", Some(id)) if action == "deleted" => touched.push(Touch::RepositoryGone(id)),
        ("repository" | "public", Some(id)) => touched.push(Touch::Repository(id)),
        ("member", Some(id)) => touched.push(match payload.member.as_ref().filter(|_| action == "removed") {
            Some(member) => Touch::ReaderGone(id, member.id.to_string()),
            None => Touch::Readers(id),
        }),
        ("team" | "team_add" | "membership", repository) => touched.extend(of_team(action, payload, repository)),
        ("organization", _) => touched.extend(of_organization(action, payload)),
        ("org_block", _) => touched.push(match payload.blocked_user.as_ref().filter(|_| action == "blocked") {
            Some(user) => Touch::MemberGone(user.id.to_string()),
            None => Touch::Members,
        }),
        ("installation_repositories", _) => {
            let ids = |list: &[Thing]| list.iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
            touched.extend(ids(&payload.repositories_added).into_iter().map(Touch::Repository));
            touched.extend(ids(&payload.repositories_removed).into_iter().map(Touch::RepositoryGone));
            // The choice between all and some names none.
            touched.push(Touch::Repositories);
        }
        ("installation" | "installation_target", _) => touched.push(Touch::Everything),
        // A person took back what they had allowed to our app. Nothing of theirs is kept beyond a login.
        ("github_app_authorization", _) => {}
        ("meta", _) => touched.push(Touch::Hooks),
        _ => {}
    }
}

fn of_team(action: &str, payload: &Payload, repository: Option<String>) -> Vec<Touch> {
    let Some(team) = &payload.team else { return vec![Touch::Teams] };
    let id = team.id.to_string();
    if team.deleted || (action == "deleted" && payload.member.is_none()) {
        return vec![Touch::TeamGone(id)];
    }
    match (action, &payload.member, repository) {
        ("removed", Some(member), _) => vec![Touch::TeamMemberGone(id, member.id.to_string())],
        ("removed_from_repository", _, Some(repository)) => vec![Touch::TeamRepositoryGone(id, repository)],
        _ => vec![Touch::Team(id)],
    }
}

fn of_organization(action: &str, payload: &Payload) -> Vec<Touch> {
    let user = payload.membership.as_ref().and_then(|membership| membership.user.as_ref());
    match (action, user) {
        ("member_removed", Some(user)) => vec![Touch::MemberGone(user.id.to_string())],
        ("member_added" | "member_removed", _) => vec![Touch::Members],
        // Somebody who was only asked is none yet.
        ("member_invited", _) => Vec::new(),
        _ => vec![Touch::Everything],
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
