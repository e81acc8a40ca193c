//! Webhooks that we install: on the organization, or on single repositories.

use std::collections::BTreeSet;

use oauth2::http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, As, Ask, part, parts};
use super::refusal;
use crate::outbound::Answer;
use crate::platform::answer::{hide, printable};
use crate::platform::hub::{HookPlace, HookState, HubError};
use crate::platform::rest::Walk;

/// What an organization tells.
const OF_ORGANIZATION: [&str; 13] = [
    "push",
    "create",
    "delete",
    "release",
    "repository",
    "public",
    "team",
    "team_add",
    "membership",
    "organization",
    "member",
    "org_block",
    "meta",
];
/// What a repository tells.
const OF_REPOSITORY: [&str; 9] =
    ["push", "create", "delete", "release", "repository", "public", "team_add", "member", "meta"];
/// What a GitHub App is told of, beside what happens to its installations.
pub(super) const OF_APP: [&str; 12] = [
    "push",
    "create",
    "delete",
    "release",
    "repository",
    "public",
    "team",
    "team_add",
    "membership",
    "member",
    "organization",
    "meta",
];
/// How many of the last deliveries are looked at.
const LAST: usize = 5;

/// A hook as GitHub has it.
#[derive(Deserialize)]
struct Hook {
    id: u64,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    events: BTreeSet<String>,
    #[serde(default)]
    config: Config,
    /// Of repositories only.
    last_response: Option<LastResponse>,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    url: String,
    #[serde(default)]
    content_type: String,
    /// A number or a text.
    #[serde(default)]
    insecure_ssl: Value,
}

#[derive(Deserialize)]
struct LastResponse {
    code: Option<u16>,
    message: Option<String>,
}

/// One of the last deliveries.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    status: String,
    status_code: Option<u16>,
}

/// A place of hooks, with the way to it.
struct At<'a> {
    api: &'a Api<'a>,
    place: &'a HookPlace,
    base: String,
    /// In words.
    name: String,
    events: &'static [&'static str],
}

impl<'a> At<'a> {
    fn new(api: &'a Api<'a>, place: &'a HookPlace) -> Self {
        let (base, name, events): (_, _, &'static [&'static str]) = match &place.repository {
            Some(path) => (format!("/repos/{}/hooks", parts(path)), path.clone(), &OF_REPOSITORY),
            None => {
                (format!("/orgs/{}/hooks", part(&place.organization)), place.organization.clone(), &OF_ORGANIZATION)
            }
        };
        Self { api, place, base, name, events }
    }

    fn config(&self) -> Value {
        json!({
            "url": self.place.address.expose_secret(),
            "content_type": "json",
            "secret": self.place.secret.expose_secret(),
            "insecure_ssl": "0",
        })
    }

    fn is_right(&self, hook: &Hook) -> Option<&'static str> {
        let wanted: BTreeSet<String> = self.events.iter().map(|event| (*event).to_owned()).collect();
        let checks_tls = matches!(&hook.config.insecure_ssl, Value::Null)
            || hook.config.insecure_ssl.as_str() == Some("0")
            || hook.config.insecure_ssl.as_u64() == Some(0);
        if !hook.active {
            return Some("it was switched off");
        }
        if hook.config.url != self.place.address.expose_secret() {
            return Some("it called another address");
        }
        if hook.events != wanted {
            return Some("it did not tell of everything");
        }
        (hook.config.content_type != "json" || !checks_tls).then_some("its settings were changed")
    }

    /// What a refusal means.
    fn refused(&self, answer: &Answer, what: &str) -> HubError {
        let said = refusal::words(answer);
        let what = format!("{what} of {}", self.name);
        match answer.status {
            StatusCode::NOT_FOUND => HubError::NotFound(match self.place.repository {
                Some(_) => format!(
                    "{} lets the credential not {what}: its account must administer the repository, and a token needs the \
                     scope `admin:repo_hook`, or Repository → Webhooks: write.",
                    self.api.name()
                ),
                None => format!(
                    "{} lets the credential not {what}: its account must be an owner of the organization, and a token needs \
                     the scope `admin:org_hook`, or Organization → Webhooks: write.",
                    self.api.name()
                ),
            }),
            StatusCode::UNPROCESSABLE_ENTITY => HubError::Forbidden {
                text: format!("{} does not {what}: it says \"{said}\".", self.api.name()),
                missing: Vec::new(),
            },
            _ => refusal::of(self.api.hub.site(), self.api.key, As::Key, answer, &what),
        }
    }

    /// Asks, and takes out of the answer what was told of the hook.
    async fn ask(&self, ask: &Ask) -> Result<Answer, HubError> {
        let mut answer = self.api.ask(ask).await?;
        if !answer.status.is_success() {
            let address = self.place.address.expose_secret();
            for secret in [self.place.secret.expose_secret(), address, address.rsplit('/').next().unwrap_or_default()] {
                hide(&mut answer, secret);
            }
        }
        Ok(answer)
    }

    async fn asked(&self, ask: &Ask, what: &str) -> Result<Answer, HubError> {
        let answer = self.ask(ask).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refused(&answer, what)) }
    }

    /// The hook of that number; None: it is gone.
    async fn by_id(&self, id: &str) -> Result<Option<Hook>, HubError> {
        let answer = self.ask(&Ask::get(self.api.url(&format!("{}/{}", self.base, part(id))))).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => self.api.json(&answer).map(Some),
            _ => Err(self.refused(&answer, "look after the webhooks")),
        }
    }

    /// The hook that calls our address.
    async fn by_address(&self) -> Result<Option<Hook>, HubError> {
        let what = "look after the webhooks";
        let mut next = Some(self.api.url(&format!("{}?per_page=100", self.base)));
        let mut walk = Walk::default();
        while let Some(url) = next {
            walk.step(&url).map_err(|reason| self.api.malformed(&reason))?;
            let answer = self.asked(&Ask::get(url), what).await?;
            let hooks: Vec<Hook> = self.api.json(&answer)?;
            let own = |hook: &Hook| hook.config.url == self.place.address.expose_secret();
            if let Some(hook) = hooks.into_iter().find(own) {
                return Ok(Some(hook));
            }
            next = self.api.next(&answer)?;
        }
        Ok(None)
    }

    async fn create(&self) -> Result<Result<Hook, Answer>, HubError> {
        let body = json!({ "name": "web", "active": true, "events": self.events, "config": self.config() });
        let answer = self.ask(&Ask::change(Method::POST, self.api.url(&self.base), Some(body))).await?;
        match answer.status {
            status if status.is_success() => self.api.json(&answer).map(Ok),
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Err(answer)),
            _ => Err(self.refused(&answer, "install the webhook")),
        }
    }

    /// Makes a hook what it should be. The secret goes along always: GitHub removes one that is left out.
    async fn set(&self, hook: &Hook) -> Result<(), HubError> {
        let url = self.api.url(&format!("{}/{}", self.base, hook.id));
        let body = json!({ "active": true, "events": self.events, "config": self.config() });
        self.asked(&Ask::change(Method::PATCH, url, Some(body)), "mend the webhook").await.map(drop)
    }

    /// Whether GitHub reaches us.
    async fn trouble(&self, hook: &Hook) -> Result<Option<String>, HubError> {
        let last = match &hook.last_response {
            Some(last) => last.code.map(|code| (code, last.message.clone().unwrap_or_default())),
            None => {
                let path = format!("{}/{}/deliveries?per_page={LAST}", self.base, hook.id);
                let answer = self.ask(&Ask::get(self.api.url(&path))).await?;
                if !answer.status.is_success() {
                    return Ok(None);
                }
                let sent: Vec<Sent> = self.api.json(&answer)?;
                sent.first().and_then(|sent| Some((sent.status_code?, sent.status.clone())))
            }
        };
        let failed = last.filter(|(code, status)| !(200..400).contains(code) && (*code != 0 || is_failure(status)));
        Ok(failed.map(|(code, status)| {
            let status = printable(&status.replace(self.place.address.expose_secret(), "…"), 100);
            let answered =
                if code == 0 { "could not be delivered".to_owned() } else { format!("was answered with HTTP {code}") };
            format!("the last delivery {answered} ({status}): check that {} reaches this server", self.api.name())
        }))
    }
}

/// GitHub writes no code where nothing was sent yet, and where nobody was reached.
fn is_failure(status: &str) -> bool {
    let status = status.to_ascii_lowercase();
    ["fail", "time", "refus", "resolve", "connect", "ssl", "invalid", "error"].iter().any(|word| status.contains(word))
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
    let state =
        |hook: &Hook, mended: Option<String>, trouble| HookState { remote_id: hook.id.to_string(), mended, trouble };
    if let Some(hook) = known {
        let wrong = at.is_right(&hook).or_else(|| place.reset.then_some("it signed with another secret"));
        if let Some(wrong) = wrong {
            at.set(&hook).await?;
            return Ok(state(&hook, Some(wrong.to_owned()), None));
        }
        let trouble = at.trouble(&hook).await?;
        return Ok(state(&hook, None, trouble));
    }
    let was_there = place.remote_id.is_some();
    if let Some(hook) = at.by_address().await? {
        at.set(&hook).await?;
        return Ok(state(&hook, Some("it was there already, and is ours now".to_owned()), None));
    }
    match at.create().await? {
        Ok(hook) => Ok(state(&hook, was_there.then(|| "it was removed".to_owned()), None)),
        // Somebody was faster, or it is full.
        Err(answer) => match at.by_address().await? {
            Some(hook) => {
                at.set(&hook).await?;
                Ok(state(&hook, Some("it was there already, and is ours now".to_owned()), None))
            }
            None => Err(at.refused(&answer, "install the webhook")),
        },
    }
}

/// Removes a hook.
///
/// # Errors
/// [`HubError`].
pub(super) async fn remove(api: &Api<'_>, place: &HookPlace) -> Result<(), HubError> {
    let at = At::new(api, place);
    let id = match &place.remote_id {
        Some(id) => Some(id.clone()),
        None => at.by_address().await?.map(|hook| hook.id.to_string()),
    };
    let Some(id) = id else { return Ok(()) };
    let url = api.url(&format!("{}/{}", at.base, part(&id)));
    let answer = at.ask(&Ask::change(Method::DELETE, url, None)).await?;
    match answer.status {
        StatusCode::NOT_FOUND => Ok(()),
        status if status.is_success() => Ok(()),
        _ => Err(at.refused(&answer, "remove the webhook")),
    }
}
