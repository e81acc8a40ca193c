//! Webhooks that we install: on the group where the licence has that, or on single projects.
//!
//! Address and secrets always go together: GitLab forgets the secrets of a hook whose address changes. All events are named,
//! for those that are left out are switched on by some releases.

use std::time::Duration;

use oauth2::http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Ask, part};
use super::{refusal, secrets};
use crate::outbound::Answer;
use crate::platform::hub::{HookPlace, HookState, HubError};
use crate::platform::rest::Lists;

/// How often GitLab is asked to call us where it has switched a hook off: it allows few such tests.
const TEST_EVERY: Duration = Duration::from_secs(60 * 60);

/// What every hook tells of.
const EVENTS: [&str; 2] = ["push_events", "tag_push_events"];
/// What a group's tells of beside that.
const OF_GROUP: [&str; 3] = ["subgroup_events", "member_events", "project_events"];
/// What none tells of.
const OTHERS: [&str; 15] = [
    "confidential_issues_events",
    "confidential_note_events",
    "deployment_events",
    "emoji_events",
    "feature_flag_events",
    "issues_events",
    "job_events",
    "merge_requests_events",
    "milestone_events",
    "note_events",
    "pipeline_events",
    "releases_events",
    "resource_access_token_events",
    "vulnerability_events",
    "wiki_page_events",
];

/// A hook as GitLab has it. What old releases do not know they do not tell.
#[derive(Deserialize)]
struct Hook {
    id: u64,
    #[serde(default)]
    url: String,
    push_events: Option<bool>,
    tag_push_events: Option<bool>,
    subgroup_events: Option<bool>,
    member_events: Option<bool>,
    project_events: Option<bool>,
    enable_ssl_verification: Option<bool>,
    push_events_branch_filter: Option<String>,
    branch_filter_strategy: Option<String>,
    alert_status: Option<String>,
    token_present: Option<bool>,
    signing_token_present: Option<bool>,
}

impl Hook {
    /// Whether it tells of some branches only.
    fn is_filtered(&self) -> bool {
        let filter = self.push_events_branch_filter.as_deref().unwrap_or_default();
        let strategy = self.branch_filter_strategy.as_deref().unwrap_or("all_branches");
        // With all branches wanted, what was written as a filter does not count; before there were strategies, it did.
        strategy != "all_branches" && !(strategy == "wildcard" && filter.is_empty())
            || (self.branch_filter_strategy.is_none() && !filter.is_empty())
    }

    /// Whether GitLab calls us, and has not given up after calls that failed.
    fn is_alive(&self) -> bool {
        self.alert_status.as_deref().is_none_or(|status| status == "executable")
    }
}

/// A place of hooks, with the way to it.
struct At<'a> {
    api: &'a Api<'a>,
    place: &'a HookPlace,
    base: String,
    /// In words.
    name: &'a str,
}

impl<'a> At<'a> {
    fn new(api: &'a Api<'a>, place: &'a HookPlace) -> Self {
        let (base, name) = match (&place.repository, &place.repository_id) {
            (Some(path), Some(id)) => (format!("/projects/{id}/hooks"), path.as_str()),
            (Some(path), None) => (format!("/projects/{}/hooks", part(path)), path.as_str()),
            (None, _) => (format!("/groups/{}/hooks", part(&place.organization)), place.organization.as_str()),
        };
        Self { api, place, base, name }
    }

    fn is_of_group(&self) -> bool {
        self.place.repository.is_none()
    }

    /// All that makes a hook ours; `checks_tls` is whoever administers the platform's to say.
    fn body(&self, checks_tls: bool) -> Value {
        let mut body = json!({
            "url": self.place.address.expose_secret(),
            "token": secrets::token_of(&self.place.secret).expose_secret(),
            "signing_token": secrets::signing_token_of(&self.place.secret).expose_secret(),
            "enable_ssl_verification": checks_tls,
            "push_events_branch_filter": "",
            "branch_filter_strategy": "all_branches",
        });
        for event in EVENTS {
            body[event] = json!(true);
        }
        for event in OTHERS {
            body[event] = json!(false);
        }
        if self.is_of_group() {
            for event in OF_GROUP {
                body[event] = json!(true);
            }
        }
        body
    }

    fn wrong(&self, hook: &Hook) -> Option<&'static str> {
        let of_group = [hook.subgroup_events, hook.member_events, hook.project_events];
        let of_group = of_group.into_iter().filter(|_| self.is_of_group());
        let mut events = [hook.push_events, hook.tag_push_events].into_iter().chain(of_group);
        if hook.url != self.place.address.expose_secret() {
            return Some("it called another address");
        }
        if events.any(|event| event == Some(false)) || hook.is_filtered() {
            return Some("it did not tell of everything");
        }
        if hook.token_present == Some(false) || hook.signing_token_present == Some(false) {
            return Some("it had no secret");
        }
        self.place.reset.then_some("it signed with another secret")
    }

    /// What a refusal means; nothing that it quotes may hold the address, which is a secret.
    fn refused(&self, answer: &Answer, what: &str) -> HubError {
        let name = self.api.name();
        let said = refusal::words(answer).replace(self.place.address.expose_secret(), "…");
        let what = format!("{what} of {}", self.name);
        match answer.status {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST if is_about_address(&said) => {
                HubError::Unwanted(format!(
                    "{name} does not {what}, because it does not want to call this server: it says \"{said}\". Whoever \
                     administers it has to allow that under Admin → Settings → Network → Outbound requests (\"Allow requests \
                     to the local network from webhooks and integrations\", or this server on the list beside it). Until \
                     then changes are found at the interval."
                ))
            }
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => HubError::Forbidden {
                text: format!("{name} does not {what}: it says \"{said}\"."),
                missing: Vec::new(),
            },
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN if self.is_of_group() => HubError::Forbidden {
                text: format!(
                    "{name} lets the credential not {what}: webhooks of groups need a licence (Premium), and a token of an \
                     owner with the scope `api`."
                ),
                missing: Vec::new(),
            },
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => HubError::Forbidden {
                text: format!(
                    "{name} lets the credential not {what}: it has to be at least a maintainer there, with the scope `api`, \
                     and the project must not be archived (it says \"{said}\")."
                ),
                missing: Vec::new(),
            },
            _ => refusal::of(name, answer, &what),
        }
    }

    async fn asked(&self, ask: &Ask, what: &str) -> Result<Answer, HubError> {
        let answer = self.api.ask(ask).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refused(&answer, what)) }
    }

    fn one(&self, id: impl std::fmt::Display) -> String {
        format!("{}/{}", self.base, part(&id.to_string()))
    }

    /// The hook of that number; None: it is gone.
    async fn by_id(&self, id: &str) -> Result<Option<Hook>, HubError> {
        let answer = self.api.ask(&Ask::get(self.api.url(&self.one(id)))).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => self.api.line.json(&answer).map(Some),
            _ => Err(self.refused(&answer, "look after the webhooks")),
        }
    }

    /// The hooks that call our address.
    async fn by_address(&self) -> Result<Vec<Hook>, HubError> {
        let path = format!("{}?per_page=100", self.base);
        let all: Result<Vec<Hook>, HubError> = self.api.list(&path, "look after the webhooks").await;
        let all = match all {
            Err(HubError::NotFound(_) | HubError::Forbidden { .. }) => {
                let answer = self.api.ask(&Ask::get(self.api.url(&path))).await?;
                return Err(self.refused(&answer, "look after the webhooks"));
            }
            all => all?,
        };
        Ok(all.into_iter().filter(|hook| hook.url == self.place.address.expose_secret()).collect())
    }

    async fn create(&self) -> Result<Hook, HubError> {
        let url = self.api.url(&self.base);
        let answer = self.asked(&Ask::change(Method::POST, url, Some(self.body(true))), "install the webhook").await?;
        self.api.line.json(&answer)
    }

    /// Makes a hook what it should be.
    async fn set(&self, hook: &Hook) -> Result<Hook, HubError> {
        let body = self.body(hook.enable_ssl_verification.unwrap_or(true));
        let url = self.api.url(&self.one(hook.id));
        let answer = self.asked(&Ask::change(Method::PUT, url, Some(body)), "mend the webhook").await?;
        self.api.line.json(&answer)
    }

    async fn delete(&self, id: &str) -> Result<(), HubError> {
        let answer = self.api.ask(&Ask::change(Method::DELETE, self.api.url(&self.one(id)), None)).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.refused(&answer, "remove the webhook")),
        }
    }

    /// Has GitLab call us where it has given up, which makes it go on if that succeeds; whether it goes on, and what somebody
    /// should know.
    async fn revive(&self, hook: Hook) -> Result<(bool, Option<String>), HubError> {
        if hook.is_alive() {
            return Ok((false, None));
        }
        let place = format!("{}#{}", self.base, hook.id);
        if self.api.hub.is_due(&place, TEST_EVERY) {
            let url = self.api.url(&format!("{}/test/push_events", self.one(hook.id)));
            let answer = self.api.ask(&Ask::change(Method::POST, url, None)).await?;
            let is_alive = match self.by_id(&hook.id.to_string()).await? {
                Some(hook) => hook.is_alive(),
                None => false,
            };
            if answer.status.is_success() && is_alive {
                return Ok((true, None));
            }
        }
        let how = match hook.alert_status.as_deref() {
            Some("temporarily_disabled") => "for a while",
            _ => "for good",
        };
        Ok((
            false,
            Some(format!(
                "{} has switched the webhook off {how}, because its calls failed: check that it reaches this server. It is \
                 tried again once an hour, and changes are found at the interval until then",
                self.api.name()
            )),
        ))
    }

    async fn state(&self, hook: Hook, mended: Option<&str>) -> Result<HookState, HubError> {
        let remote_id = hook.id.to_string();
        let (is_revived, trouble) = self.revive(hook).await?;
        let revived = is_revived.then_some("it was switched off after calls that failed");
        Ok(HookState { remote_id, mended: mended.or(revived).map(str::to_owned), trouble })
    }
}

/// Whether GitLab speaks of the address that it is to call.
fn is_about_address(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["invalid url", "local network", "blocked", "is not allowed", "localhost"].iter().any(|words| said.contains(words))
}

/// Installs a hook, or makes it what it should be.
///
/// # Errors
/// [`HubError`].
pub(super) async fn ensure(api: &Api<'_>, place: &HookPlace) -> Result<HookState, HubError> {
    let at = At::new(api, place);
    let known = match &place.remote_id {
        Some(id) => at.by_id(id).await?,
        None => None,
    };
    if let Some(hook) = known {
        return match at.wrong(&hook) {
            Some(wrong) => {
                let hook = at.set(&hook).await?;
                at.state(hook, Some(wrong)).await
            }
            None => at.state(hook, None).await,
        };
    }
    let mut own = at.by_address().await?.into_iter();
    let Some(hook) = own.next() else {
        let hook = at.create().await?;
        return at.state(hook, place.remote_id.as_ref().map(|_| "it was removed")).await;
    };
    for twin in own {
        at.delete(&twin.id.to_string()).await?;
    }
    let hook = at.set(&hook).await?;
    at.state(hook, Some("it was there already, and is ours now")).await
}

/// Removes a hook.
///
/// # Errors
/// [`HubError`].
pub(super) async fn remove(api: &Api<'_>, place: &HookPlace) -> Result<(), HubError> {
    let at = At::new(api, place);
    match &place.remote_id {
        Some(id) => at.delete(id).await,
        None => {
            for hook in at.by_address().await? {
                at.delete(&hook.id.to_string()).await?;
            }
            Ok(())
        }
    }
}
