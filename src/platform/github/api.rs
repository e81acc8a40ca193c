//! Requests to GitHub's REST API with a credential: in turns, with the pauses that GitHub asks for, tried again where that
//! is safe, and never sent anywhere else. What an answer means is said in one place: `refusal`.

use std::sync::{Mutex, MutexGuard, PoisonError};
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
use crate::outbound::Answer;
use crate::platform::answer::pause;
use crate::platform::app::below;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::minted::Token;
use crate::platform::pace::Budget;
use crate::platform::rest::{Line, Lists, Silent, Walk, Wish, encoded, next_link};

/// Requests of one credential at once on GitHub's own servers, whose documentation advises against more.
const AT_ONCE_CLOUD: usize = 2;
/// The same on an Enterprise Server.
const AT_ONCE_SERVER: usize = 4;
/// How long to wait before a request is tried again that got no answer.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// The statuses after which there may be an answer in a moment.
const AGAIN: [u16; 3] = [502, 503, 504];
/// How long to wait for GitHub to know a token that it has just made.
const BIRTH: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Longest chain of redirects.
const MAX_REDIRECTS: usize = 5;
/// The first pause where GitHub says that it is asked too fast and not for how long.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// The API, as one credential sees it.
pub(super) struct Api<'a> {
    pub(super) hub: &'a Hub,
    pub(super) key: &'a Key,
    pub(super) line: Line<'a>,
    root: Url,
    /// Written by each answer, read at the end.
    seen: Mutex<Seen>,
}

/// What answers told beside what was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
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

impl<'a> Api<'a> {
    /// The API for a credential.
    pub(super) fn new(hub: &'a Hub, key: &'a Key) -> Self {
        let web = &hub.site().url;
        let at_once = if hosts::is_cloud(web) { AT_ONCE_CLOUD } else { AT_ONCE_SERVER };
        Self { hub, key, line: Line::new(hub, key, at_once), root: hosts::api(web), seen: Mutex::default() }
    }

    /// The same, for work that nobody waits for.
    pub(super) fn sparing(self, spare: bool) -> Self {
        Self { line: self.line.sparing(spare), ..self }
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
        self.line.name()
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
            // Before it is used: meanwhile others may see it accepted where this request does not.
            let is_new = token.is_young() && !token.was_accepted();
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
                self.hub.minted().forget_token(&Grant::Everything.purpose(self.key), &token);
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
        if ask.method != Method::GET {
            self.line.turn_to_change().await?;
        }
        let _turn = self.line.turn().await?;
        let answer = self.line.send(self.request(ask, token)?).await?;
        self.note(&answer);
        self.line.heed(&answer, wish(&answer))?;
        if answer.status.is_redirection() {
            return Ok(answer);
        }
        self.line.genuine(answer, &AGAIN)
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
        request.ok_or_else(|| self.line.unwritable())
    }

    /// Remembers what an answer tells beside what was asked.
    fn note(&self, answer: &Answer) {
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let number = |name: &str| header(name).and_then(|text| text.trim().parse::<u32>().ok());
        if let Some(remaining) = number("x-ratelimit-remaining") {
            let reset = header("x-ratelimit-reset").and_then(|text| text.trim().parse().ok());
            let resets_at = reset.map(Timestamp::from_seconds);
            self.line.granted(remaining, resets_at);
            let is_usual = header("x-ratelimit-resource").is_none_or(|resource| resource == "core");
            if let Some((limit, resets_at)) = number("x-ratelimit-limit").zip(resets_at).filter(|_| is_usual) {
                self.line.told(Budget { remaining, limit, resets_at });
            }
        }
        let mut seen = self.notes();
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

    /// Reads an answer's JSON.
    ///
    /// # Errors
    /// `Malformed`.
    pub(super) fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, HubError> {
        self.line.json(answer)
    }

    /// For what makes no sense.
    pub(super) fn malformed(&self, reason: &str) -> HubError {
        self.line.malformed(reason)
    }

    /// Where a list goes on.
    ///
    /// # Errors
    /// `Malformed` where that is somebody else's.
    pub(super) fn next(&self, answer: &Answer) -> Result<Option<Url>, HubError> {
        let Some(next) = next_link(answer) else { return Ok(None) };
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

impl Lists for Api<'_> {
    const FORM: u32 = super::wire::FORM;

    fn line(&self) -> &Line<'_> {
        &self.line
    }

    fn url(&self, path: &str) -> Url {
        self.url(path)
    }

    async fn fetch(&self, url: Url, etag: Option<String>, what: &str) -> Result<Answer, HubError> {
        self.answered(&Ask { etag, ..Ask::get(url) }, what).await
    }

    fn next(&self, _url: &Url, answer: &Answer, _items: usize) -> Result<Option<Url>, HubError> {
        self.next(answer)
    }

    fn is_whole(&self, answer: &Answer) -> bool {
        !is_partial(answer)
    }
}

/// What an answer says about being asked again: it may be the wish to be left alone, or the last before it.
fn wish(answer: &Answer) -> Wish {
    let status = answer.status;
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let is_spent = header("x-ratelimit-remaining") == Some("0");
    let is_no = status == StatusCode::FORBIDDEN || status == StatusCode::TOO_MANY_REQUESTS;
    if !is_no {
        return pause(answer).filter(|_| is_spent).map_or(Wish::GoOn, Wish::Last);
    }
    let told = header("retry-after").is_some() || is_spent;
    match pause(answer).filter(|_| told) {
        Some(seconds) => Wish::Leave(seconds),
        None if told || status == StatusCode::TOO_MANY_REQUESTS || refusal::is_limit(answer) => {
            Wish::LeaveFrom(FIRST_PAUSE)
        }
        None => Wish::GoOn,
    }
}

/// A part of a path as it stands there.
pub(super) fn part(text: &str) -> String {
    encoded(text).replace("%2E", ".")
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

#[cfg(test)]
mod tests {
    use super::{expiration, part};

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
