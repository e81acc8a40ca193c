//! Requests to GitHub's REST API with a credential: in turns, with the pauses that GitHub asks for, tried again where that
//! is safe, and never sent anywhere else. What an answer means is said in one place: `refusal`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::http::{Method, Request, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::identity::API_VERSION;
use super::installation::{self, Grant};
use super::{ACCEPT, hosts, refusal};
use crate::clock::Timestamp;
use crate::outbound::{Answer, CallFailed, Failed};
use crate::platform::answer::{pause, trouble};
use crate::platform::app::below;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::minted::Token;
use crate::platform::pace::{Budget, Lane};
use crate::platform::remote::Usage;

/// Requests of one credential at once on GitHub's own servers, whose documentation advises against more.
const AT_ONCE_CLOUD: usize = 2;
/// The same on an Enterprise Server.
const AT_ONCE_SERVER: usize = 4;
/// How long to wait before a request is tried again that got no answer.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// How long to wait for GitHub to know a token that it has just made.
const BIRTH: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Longest chain of redirects.
const MAX_REDIRECTS: usize = 5;
/// Longest pause that is believed, in seconds.
const LONGEST_PAUSE: u64 = 24 * 3600;
/// Most pages of a list.
const MAX_PAGES: usize = 1000;

/// The API, as one credential sees it.
pub(super) struct Api<'a> {
    pub(super) hub: &'a Hub,
    pub(super) key: &'a Key,
    root: Url,
    lane: Arc<Lane>,
    /// Whether a part of what is granted is left to others.
    spare: bool,
    /// Written by each answer, read at the end.
    seen: Mutex<Seen>,
}

/// What answers told beside what was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// What it cost.
    pub usage: Usage,
    /// The scopes of the token; none for tokens that have none.
    pub scopes: Option<String>,
    /// When the token ends.
    pub expires_at: Option<Timestamp>,
    /// Whether something was left out because the token may not see all organizations.
    pub partial: bool,
    /// The version of an Enterprise Server.
    pub version: Option<String>,
    /// Whether a 403 to a new token is believed at once.
    settled: bool,
    /// Whether a 404 to a new token is believed at once.
    absent: bool,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    /// Whoever the credential is.
    Key,
    /// The App itself, and not one of its installations.
    App,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub method: Method,
    pub url: Url,
    pub etag: Option<String>,
    pub body: Option<Value>,
    pub by: As,
    /// Whether redirects are followed.
    pub follow: bool,
}

impl Ask {
    /// Reads an address.
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, etag: None, body: None, by: As::Key, follow: true }
    }

    /// Changes something.
    pub(super) fn change(method: Method, url: Url, body: Option<Value>) -> Self {
        Self { method, url, etag: None, body, by: As::Key, follow: false }
    }
}

/// Why there is no answer, and whether there may be one in a moment.
struct Silent {
    error: HubError,
    for_now: bool,
}

impl From<HubError> for Silent {
    fn from(error: HubError) -> Self {
        Self { error, for_now: false }
    }
}

impl<'a> Api<'a> {
    /// The API for a credential.
    pub(super) fn new(hub: &'a Hub, key: &'a Key) -> Self {
        let web = &hub.site().url;
        let at_once = if hosts::is_cloud(web) { AT_ONCE_CLOUD } else { AT_ONCE_SERVER };
        Self {
            hub,
            key,
            root: hosts::api(web),
            lane: hub.pace().lane(key, at_once),
            spare: false,
            seen: Mutex::default(),
        }
    }

    /// The same, for work that nobody waits for.
    pub(super) fn sparing(self, spare: bool) -> Self {
        Self { spare, ..self }
    }

    /// An address of the API: `path` begins with a slash, and its parts are to be encoded by [`part`].
    pub(super) fn url(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = below(&self.root, path);
        url.set_query(query);
        url
    }

    /// What the platform is called.
    pub(super) fn name(&self) -> &str {
        &self.hub.site().name
    }

    /// What answers told beside what was asked.
    pub(super) fn seen(&self) -> Seen {
        self.notes().clone()
    }

    fn notes(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one thing. `what` says what for, after "may not": `read the organization acme`.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, HubError> {
        let answer = self.answered(&Ask::get(self.url(path)), what).await?;
        self.json(&answer)
    }

    /// An answer that says yes.
    ///
    /// # Errors
    /// [`HubError`] for every other.
    pub(super) async fn answered(&self, ask: &Ask, what: &str) -> Result<Answer, HubError> {
        let answer = self.ask(ask).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        Err(refusal::of(self.hub.site(), self.key, ask.by, &answer, what))
    }

    /// All of a list, without keeping it.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<Vec<T>, HubError> {
        let mut walk = Walk::default();
        let (mut all, mut next) = (Vec::new(), Some(self.url(path)));
        while let Some(url) = next {
            walk.step(&url).map_err(|reason| self.malformed(&reason))?;
            let answer = self.answered(&Ask::get(url), what).await?;
            all.extend(self.json::<Vec<T>>(&answer)?);
            next = self.next(&answer)?;
        }
        Ok(all)
    }

    /// Asks. What comes back is an answer of GitHub's, be it that it says no.
    ///
    /// # Errors
    /// `RateLimited`, `Unavailable`, and what goes wrong on the way to a token.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, HubError> {
        let mut ask = ask.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.persistently(&ask).await?;
            let status = answer.status;
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED || !ask.follow {
                return Ok(answer);
            }
            let to = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            let to = to.and_then(|to| ask.url.join(to).ok());
            ask.url = self.own(to.ok_or_else(|| self.malformed("it redirects to nowhere"))?)?;
        }
        Err(self.malformed("it redirects in a circle"))
    }

    /// Asks with another token than the credential's.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) async fn ask_with(&self, ask: &Ask, token: &SecretString) -> Result<Answer, HubError> {
        self.once(ask, token).await.map_err(|silent| silent.error)
    }

    /// Asks, and asks again where GitHub was only not there or does not know our token yet.
    async fn persistently(&self, ask: &Ask) -> Result<Answer, HubError> {
        let (mut silences, mut births, mut renewed) = (0, 0, false);
        let is_app = installation::is_app(self.key) && ask.by == As::Key;
        loop {
            let token = self.token(ask.by).await?;
            let answer = match self.once(ask, &token.secret).await {
                Ok(answer) => answer,
                Err(silent) => {
                    let after = AGAIN_AFTER.get(silences).filter(|_| silent.for_now && ask.method == Method::GET);
                    let Some(after) = after else { return Err(silent.error) };
                    silences += 1;
                    tokio::time::sleep(*after).await;
                    continue;
                }
            };
            let is_new = token.is_young() && !token.was_accepted();
            let refused = match answer.status {
                StatusCode::UNAUTHORIZED => is_app,
                StatusCode::FORBIDDEN => is_app && births < 2 && !self.notes().settled,
                StatusCode::NOT_FOUND => is_app && births < 2 && is_new && !self.notes().absent,
                _ => false,
            };
            if answer.status.is_success() || answer.status == StatusCode::NOT_MODIFIED {
                token.accept();
            }
            if !refused {
                return Ok(answer);
            }
            let is_dead = answer.status == StatusCode::UNAUTHORIZED && (!is_new || births == BIRTH.len());
            if is_dead && !renewed {
                (renewed, births) = (true, 0);
                self.hub.minted().forget(&Grant::Everything.purpose(self.key));
            } else if let Some(after) = BIRTH.get(births).filter(|_| token.is_young()) {
                births += 1;
                tokio::time::sleep(*after).await;
            } else {
                self.notes().settled = true;
                return Ok(answer);
            }
            if births == 2 && answer.status != StatusCode::UNAUTHORIZED {
                // It was no matter of age: the next ones are believed at once.
                self.notes().settled |= answer.status == StatusCode::FORBIDDEN;
                self.notes().absent |= answer.status == StatusCode::NOT_FOUND;
            }
        }
    }

    async fn token(&self, by: As) -> Result<Token, HubError> {
        if by == As::Key && installation::is_app(self.key) {
            return installation::token(self.hub, self.key, &Grant::Everything).await;
        }
        let secret = match by {
            As::Key => self.key.secret.token().await?,
            As::App => installation::app_token(self.hub, self.key)?,
        };
        Ok(Token::new(secret, Timestamp::MAX))
    }

    /// Asks once, with any token. The answer is no request to come back later, and no page.
    async fn once(&self, ask: &Ask, token: &SecretString) -> Result<Answer, Silent> {
        if let Some(until) = self.lane.paused(self.hub.now()) {
            return Err(self.paused(until).into());
        }
        if ask.method != Method::GET {
            self.lane.turn_to_change().await;
        }
        let _turn = self.lane.turn().await;
        if let Some(until) = self.lane.reserved(self.hub.now()).filter(|_| self.spare) {
            return Err(self.reserved(until).into());
        }
        if let Some(until) = self.lane.paused(self.hub.now()) {
            return Err(self.paused(until).into());
        }
        let request = self.request(ask, token)?;
        self.notes().usage.requests += 1;
        let sent = self.hub.client().send(request).await;
        let answer = sent.map_err(|failed| Silent {
            for_now: is_for_now(&failed),
            error: HubError::Unavailable(format!("{} cannot be used: {failed}.", self.name())),
        })?;
        self.note(&answer);
        self.limits(&answer)?;
        if answer.status.is_redirection() {
            return Ok(answer);
        }
        match trouble(&answer) {
            None => Ok(answer),
            Some(trouble) => Err(Silent {
                for_now: matches!(answer.status.as_u16(), 502..=504),
                error: HubError::Unavailable(format!("{} cannot be used: {}.", self.name(), trouble.reason())),
            }),
        }
    }

    fn request(&self, ask: &Ask, token: &SecretString) -> Result<reqwest::Request, HubError> {
        let (version, value) = API_VERSION;
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(ask.url.as_str())
            .header(header::ACCEPT, ACCEPT)
            .header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        if hosts::is_cloud(&self.hub.site().url) {
            request = request.header(version, value);
        }
        if let Some(etag) = &ask.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let body = match &ask.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                body.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        let request = request.body(body).ok().and_then(|request| request.try_into().ok());
        request.ok_or_else(|| {
            HubError::Unauthorized(format!(
                "The credential holds characters that no token of {} has: give it a new secret with `credential rotate`.",
                self.name()
            ))
        })
    }

    /// Remembers what an answer tells beside what was asked.
    fn note(&self, answer: &Answer) {
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let number = |name: &str| header(name).and_then(|text| text.trim().parse::<u32>().ok());
        let mut seen = self.notes();
        if answer.status == StatusCode::NOT_MODIFIED {
            seen.usage.unmodified += 1;
        }
        if let Some(remaining) = number("x-ratelimit-remaining") {
            seen.usage.remaining = Some(remaining);
            let reset = header("x-ratelimit-reset").and_then(|text| text.trim().parse().ok());
            seen.usage.resets_at = reset.map(Timestamp::from_seconds);
            let is_usual = header("x-ratelimit-resource").is_none_or(|resource| resource == "core");
            if let Some((limit, resets_at)) = number("x-ratelimit-limit").zip(seen.usage.resets_at).filter(|_| is_usual)
            {
                let latest = self.hub.now() + Duration::from_secs(LONGEST_PAUSE);
                self.lane.told(Budget { remaining, limit, resets_at: resets_at.min(latest) });
            }
        }
        if let Some(scopes) = header("x-oauth-scopes") {
            seen.scopes = Some(scopes.to_owned());
        }
        if let Some(end) = header("github-authentication-token-expiration") {
            seen.expires_at = expiration(end).or(seen.expires_at);
        }
        if let Some(version) = header("x-github-enterprise-version") {
            seen.version = Some(version.trim_start_matches("enterprise-server@").to_owned());
        }
        seen.partial |= is_partial(answer);
    }

    /// Whether the answer is the wish to be left alone, or the last before it.
    fn limits(&self, answer: &Answer) -> Result<(), HubError> {
        let status = answer.status;
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let is_spent = header("x-ratelimit-remaining") == Some("0");
        let now = self.hub.now();
        let until = |seconds: u64| now + Duration::from_secs(seconds.clamp(1, LONGEST_PAUSE));
        if status != StatusCode::FORBIDDEN && status != StatusCode::TOO_MANY_REQUESTS {
            if is_spent && let Some(seconds) = pause(answer) {
                self.lane.pause_until(until(seconds));
            }
            if status.is_success() {
                self.lane.well();
            }
            return Ok(());
        }
        let told = header("retry-after").is_some() || is_spent;
        let end = match pause(answer).filter(|_| told) {
            Some(seconds) => until(seconds),
            None if told || status == StatusCode::TOO_MANY_REQUESTS || refusal::is_limit(answer) => {
                now + self.lane.strike()
            }
            None => return Ok(()),
        };
        self.lane.pause_until(end);
        Err(self.paused(end))
    }

    fn paused(&self, until: Timestamp) -> HubError {
        HubError::RateLimited {
            text: format!(
                "{} answers no more requests of this credential until {}, because there were too many. Work goes on by \
                 itself then.",
                self.name(),
                until.floor_to_second()
            ),
            until,
        }
    }

    fn reserved(&self, until: Timestamp) -> HubError {
        HubError::RateLimited {
            text: format!(
                "{} grants this credential few more requests until {}, which are left for webhooks and for whoever asks. \
                 Work goes on by itself then.",
                self.name(),
                until.floor_to_second()
            ),
            until,
        }
    }

    /// Reads an answer's JSON.
    ///
    /// # Errors
    /// `Malformed`.
    pub(super) fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, HubError> {
        // serde's text would quote from the answer.
        serde_json::from_slice(&answer.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.malformed(&format!(
                "its answer (HTTP {}) is not what it should be at {line}:{column}",
                answer.status.as_u16()
            ))
        })
    }

    /// For what makes no sense.
    pub(super) fn malformed(&self, reason: &str) -> HubError {
        HubError::Malformed(format!("What {} says was not understood: {reason}.", self.name()))
    }

    /// Where a list goes on.
    ///
    /// # Errors
    /// `Malformed` where that is somebody else's.
    pub(super) fn next(&self, answer: &Answer) -> Result<Option<Url>, HubError> {
        let links = answer.headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
        let Some(next) = links.flat_map(|link| link.split(',')).find_map(next_of) else { return Ok(None) };
        let url = Url::parse(next).map_err(|_| self.malformed("the next page of a list has no address"))?;
        self.own(url).map(Some)
    }

    /// An address that GitHub gave, at the host that was configured: a server behind a proxy may think of itself under
    /// another name. Our token goes nowhere else.
    fn own(&self, mut url: Url) -> Result<Url, HubError> {
        let foreign = || self.malformed("it leads to an address that is not its own");
        if url.origin() == self.root.origin() {
            return Ok(url);
        }
        let root = self.root.path().trim_end_matches('/');
        let is_below = url.path().strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        if hosts::is_cloud(&self.hub.site().url) || root.is_empty() || !is_below {
            return Err(foreign());
        }
        tracing::debug!(platform = self.name(), "Addresses that the platform gives are those of another host.");
        let mut own = self.root.clone();
        own.set_path(url.path());
        own.set_query(url.query());
        url = own;
        Ok(url)
    }
}

/// The addresses of a list that were seen: one that comes again would go on for ever.
#[derive(Default)]
pub(super) struct Walk(HashSet<String>);

impl Walk {
    /// Goes on to an address.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn step(&mut self, url: &Url) -> Result<(), String> {
        if !self.0.insert(url.as_str().to_owned()) {
            return Err("a list goes in a circle".to_owned());
        }
        if self.0.len() > MAX_PAGES {
            return Err(format!("a list has more than {MAX_PAGES} pages"));
        }
        Ok(())
    }
}

/// A part of a path as it stands there.
pub(super) fn part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
        .replace("%5F", "_")
        .replace("%2E", ".")
}

/// A repository's path, as it stands in addresses.
pub(super) fn parts(path: &str) -> String {
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Whether the answer leaves out what belongs to organizations that want a single sign-on first.
pub(super) fn is_partial(answer: &Answer) -> bool {
    let sso = answer.headers.get("x-github-sso").and_then(|value| value.to_str().ok());
    sso.is_some_and(|sso| sso.starts_with("partial-results"))
}

/// `<address>; rel="next"`.
fn next_of(link: &str) -> Option<&str> {
    let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
    parameters.split(';').any(is_next).then_some(address)
}

/// `2026-12-01 00:00:00 UTC`, or with an offset in its place.
fn expiration(text: &str) -> Option<Timestamp> {
    let mut words = text.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next().unwrap_or("UTC"));
    let offset = match zone {
        "UTC" => "Z".to_owned(),
        zone if zone.len() == 5 => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        _ => return None,
    };
    Timestamp::parse_rfc3339(&format!("{date}T{time}{offset}")).ok()
}

fn is_for_now(failed: &CallFailed) -> bool {
    matches!(failed, CallFailed::Failed(Failed::ConnectTimeout { .. } | Failed::Silent | Failed::Unreachable(_)))
}

#[cfg(test)]
mod tests {
    use super::{expiration, next_of, part};

    #[test]
    fn links_are_read() {
        assert_eq!(next_of(r#" <https://a/b?page=2&x=%2C>; rel="next""#), Some("https://a/b?page=2&x=%2C"));
        assert_eq!(next_of(r#"<https://a/b?page=9>; rel="last""#), None);
        assert_eq!(next_of("rubbish"), None);
    }

    #[test]
    fn ends_of_tokens_are_read() {
        for text in ["2026-12-01 00:00:00 UTC", "2026-12-01 01:00:00 +0100", "2026-12-01 00:00:00"] {
            assert_eq!(expiration(text).map(|end| end.rfc3339()).as_deref(), Some("2026-12-01T00:00:00Z"), "{text}");
        }
        assert_eq!(expiration("never"), None);
    }

    #[test]
    fn parts_of_paths_stay_parts() {
        assert_eq!(part("back-end_2.x"), "back-end_2.x");
        assert_eq!(part("../a?b#c"), "..%2Fa%3Fb%23c");
    }
}
