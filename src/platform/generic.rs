//! Webhooks without an API of their own: who calls, what was pushed, and whether it is signed.
//!
//! Everything here but [`sns`]'s notary is a pure reading of hostile input. What it cannot read it leaves out, because a
//! call is news enough. Bodies are read by sniffing, not by their content type: SNS says `text/plain`, and forms say
//! anything.

mod content;
mod signature;
pub mod sns;

pub use content::{Content, Fate, RefChange, Shape, Told};
pub use signature::verify;

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

/// The events that tell of branches, tags, or that a repository changed its name, by provider. What a provider calls
/// otherwise has nothing to do with them; a provider that is not listed does not name its events.
const TELLING: [(&str, &[&str]); 8] = [
    ("forgejo", GITEA),
    ("gitea", GITEA),
    ("gogs", GITEA),
    ("github", &["push", "create", "delete", "release", "repository", "public"]),
    ("gitlab", &["push hook", "tag push hook", "release hook", "system hook"]),
    (
        "bitbucket",
        &[
            "repo:push",
            "repo:refs_changed",
            "repo:modified",
            "repo:updated",
            "mirror:repo_synchronized",
            "repo:imported",
        ],
    ),
    ("azure", &["git.push"]),
    (
        "gitlab-system",
        &["push", "tag_push", "repository_update", "project_rename", "project_transfer", "project_update"],
    ),
];

const GITEA: &[&str] = &["push", "create", "delete", "release", "repository"];

/// Whether an event can have to do with branches and tags: that somebody commented has not. GitLab's system hooks name theirs
/// in the body.
#[must_use]
pub fn tells_of_refs(provider: &str, event: Option<&str>, content: &Content) -> bool {
    let Some(event) = event else { return true };
    if provider == "codecommit" {
        return !is_talk(event);
    }
    let (provider, event) = match (provider, content.event.as_deref()) {
        ("gitlab", Some(inner)) if event.eq_ignore_ascii_case("system hook") => ("gitlab-system", inner),
        _ => (provider, event),
    };
    let telling = TELLING.iter().find(|(name, _)| *name == provider);
    telling.is_none_or(|(_, events)| events.contains(&event.to_ascii_lowercase().as_str()))
}

/// Whether an event of AWS CodeCommit is about what people say of pull requests and commits, and not about branches and tags.
/// <https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html>
fn is_talk(event: &str) -> bool {
    let starts = ["comment", "approval", "pullRequest"].iter().any(|start| event.starts_with(start));
    starts && event != "pullRequestMergeStatusUpdated"
}

/// The commits that a body says are now at the tip of something, at most twenty. Tags are left out where the body names the
/// tag's own object rather than its commit.
#[must_use]
pub fn announced_commits(body: &[u8]) -> Vec<String> {
    Content::read(body, None).commits
}

#[cfg(test)]
mod tests;
