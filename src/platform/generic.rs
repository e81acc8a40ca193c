//! Webhooks without an API of their own: who calls, and which commits are announced.
//!
//! Everything here is a pure reading of hostile input. What it cannot read it leaves out, because a call is news enough.
//! Bodies are read by sniffing, not by their content type: SNS says `text/plain`, and forms say anything.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// How many announced commits are kept: a push of more is one of its last.
const COMMITS: usize = 20;
/// Longest part of a body that is looked into, in bytes; the whole body is only skipped through.
const LONGEST_PART: usize = 1 << 20;
/// Longest event name that is kept.
const LONGEST_EVENT: usize = 60;

/// What the headers of a call tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who calls: `github`, `gitlab`, …, or `generic`.
    pub provider: &'static str,
    /// What the caller names the event.
    pub event: Option<String>,
    /// Whether it is only a test of the address.
    pub is_ping: bool,
}

/// Header by which each provider is known. Gitea and its kin send GitHub's headers too, so they come first.
const PROVIDERS: [(&str, &str); 8] = [
    ("x-forgejo-event", "forgejo"),
    ("x-gitea-event", "gitea"),
    ("x-gogs-event", "gogs"),
    ("x-github-event", "github"),
    ("x-gitlab-event", "gitlab"),
    ("x-event-key", "bitbucket"),
    ("x-amz-sns-message-type", "sns"),
    ("x-vss-activityid", "azure"),
];

/// Reads who calls, by the headers that `header` gives.
pub fn recognise<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Delivery {
    let found = PROVIDERS.iter().find_map(|(name, provider)| header(name).map(|event| (*provider, event)));
    let Some((provider, event)) = found else {
        return Delivery { provider: "generic", event: None, is_ping: false };
    };
    Delivery {
        provider,
        event: (provider != "azure").then(|| word(event)),
        // Bitbucket Data Center's test of a connection is `diagnostics:ping`.
        is_ping: event.eq_ignore_ascii_case("ping") || event == "diagnostics:ping",
    }
}

/// An event's name as it may be stored and shown.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(LONGEST_EVENT).collect()
}

/// The commits that a body says are now at the tip of something, at most twenty. Tags are left out where the body names the
/// tag's own object rather than its commit.
#[must_use]
pub fn announced_commits(body: &[u8]) -> Vec<String> {
    let mut commits = Vec::new();
    let body = body.trim_ascii();
    if body.first() == Some(&b'{') {
        of_json(std::str::from_utf8(body).unwrap_or_default(), &mut commits, true);
    } else if let Some((_, payload)) = form(body).find(|(key, _)| key == "payload") {
        of_json(&payload, &mut commits, true);
    }
    commits
}

fn form(body: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(body)
}

/// The parts of a body that say something. All are optional, and kept unread until they are looked at, so that one of an
/// unexpected kind does not spoil the others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload<'a> {
    /// GitHub, Gitea: the commit, also of an annotated tag, whose own object is `after`.
    #[serde(borrow)]
    head_commit: Option<&'a RawValue>,
    /// GitLab: the commit, likewise.
    #[serde(borrow)]
    checkout_sha: Option<&'a RawValue>,
    #[serde(borrow)]
    after: Option<&'a RawValue>,
    /// Bitbucket Cloud.
    #[serde(borrow)]
    push: Option<&'a RawValue>,
    /// Bitbucket Data Center.
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
    /// Azure DevOps.
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    /// SNS: JSON in a string.
    #[serde(borrow, rename = "Message")]
    message: Option<&'a RawValue>,
    /// CodeCommit, within SNS or raw.
    #[serde(borrow, rename = "Records")]
    records: Option<&'a RawValue>,
}

fn of_json(text: &str, commits: &mut Vec<String>, may_nest: bool) {
    let Ok(payload) = serde_json::from_str::<Payload<'_>>(text) else { return };
    let head: Option<Id> = read(payload.head_commit);
    match head.and_then(|head| head.id).or_else(|| read(payload.checkout_sha)) {
        Some(commit) => add(commits, &commit),
        None => add_some(commits, read::<String>(payload.after)),
    }
    if let Some(push) = read::<Push>(payload.push) {
        for change in push.changes {
            add_some(commits, change.new.and_then(|new| new.target).and_then(|target| target.hash));
        }
    }
    for change in read::<Vec<Change>>(payload.changes).unwrap_or_default() {
        if change.reference.is_none_or(|reference| reference.kind.as_deref() != Some("TAG")) {
            add_some(commits, change.to_hash);
        }
    }
    if let Some(resource) = read::<Resource>(payload.resource) {
        for update in resource.ref_updates {
            if !update.name.is_some_and(|name| name.starts_with("refs/tags/")) {
                add_some(commits, update.new_object_id);
            }
        }
    }
    for record in read::<Vec<Record>>(payload.records).unwrap_or_default() {
        for reference in record.codecommit.references {
            add_some(commits, reference.commit);
        }
    }
    if may_nest && let Some(message) = read::<String>(payload.message) {
        of_json(&message, commits, false);
    }
}

#[derive(Deserialize)]
struct Id {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    changes: Vec<PushChange>,
}

#[derive(Deserialize)]
struct PushChange {
    new: Option<PushNew>,
}

#[derive(Deserialize)]
struct PushNew {
    target: Option<PushTarget>,
}

#[derive(Deserialize)]
struct PushTarget {
    hash: Option<String>,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "ref")]
    reference: Option<ChangeRef>,
    #[serde(rename = "toHash")]
    to_hash: Option<String>,
}

#[derive(Deserialize)]
struct ChangeRef {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default, rename = "refUpdates")]
    ref_updates: Vec<RefUpdate>,
}

#[derive(Deserialize)]
struct RefUpdate {
    name: Option<String>,
    #[serde(rename = "newObjectId")]
    new_object_id: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    codecommit: CodeCommit,
}

#[derive(Deserialize)]
struct CodeCommit {
    #[serde(default)]
    references: Vec<CodeCommitRef>,
}

#[derive(Deserialize)]
struct CodeCommitRef {
    commit: Option<String>,
}

/// A part of the body, if it is there and is what it should be. serde_json stops at 128 levels by itself.
fn read<'a, T: Deserialize<'a>>(part: Option<&'a RawValue>) -> Option<T> {
    let text = part?.get();
    if text.len() > LONGEST_PART {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn add_some(commits: &mut Vec<String>, commit: Option<String>) {
    if let Some(commit) = commit {
        add(commits, &commit);
    }
}

/// Keeps what is a commit; all zeros say that something was deleted.
fn add(commits: &mut Vec<String>, commit: &str) {
    let is_commit = commit.len() == 40
        && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && commit.bytes().any(|byte| byte != b'0');
    if is_commit && commits.len() < COMMITS && !commits.iter().any(|known| known == commit) {
        commits.push(commit.to_owned());
    }
}

#[cfg(test)]
mod tests;
