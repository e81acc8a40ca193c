//! Requests to Bitbucket's REST API with a credential: in turns, at the pace that Bitbucket asks for, tried again where that
//! is safe, and never sent anywhere else. What an answer means is said in one place: `refusal`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::http::{Method, Request, StatusCode, header};
use percent_encoding::percent_decode;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::refusal::{self, Cause};
use super::wire::{Page, Turn};
use crate::outbound::Answer;
use crate::platform::answer::pause;
use crate::platform::app::below;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::rest::{Line, Lists, Silent, Walk, Wish, encoded};

/// Header of every answer that says who asked.
pub(super) const CALLER: &str = "x-ausername";
/// Where the API is. Every version has this one.
const API: &str = "/rest/api/1.0";
/// Requests of one credential at once.
const AT_ONCE: usize = 4;
/// The same of a password: whether it is taken is known before it is shown again, for some refusals lock the account.
const PASSWORDS_AT_ONCE: usize = 1;
/// How long to wait before a request is tried again that got no answer.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// The statuses after which there may be an answer in a moment.
const AGAIN: [u16; 3] = [502, 503, 504];
/// The first pause where Bitbucket says that it is asked too fast and not for how long: its bucket fills by the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause that is waited for, instead of giving the work up and beginning anew later.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often one request waits for that.
const MOST_WAITS: usize = 10;
/// Longest chain of redirects: from the name that a repository had to the one that it has.
const MAX_REDIRECTS: usize = 3;

/// The API, as one credential sees it.
pub(super) struct Api<'a> {
    pub(super) hub: &'a Hub,
    pub(super) key: &'a Key,
    pub(super) line: Line<'a>,
    root: Url,
    /// Who asks, as the answers say. Written by each, read at the end.
    caller: Mutex<Option<String>>,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub method: Method,
    pub url: Url,
    pub body: Option<Value>,
}

impl Ask {
    /// Reads an address.
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, body: None }
    }

    /// Changes something.
    pub(super) fn change(method: Method, url: Url, body: Option<Value>) -> Self {
        Self { method, url, body }
    }
}

/// Whether a key is shown as user name and password. Tokens of people may be too; what belongs to an account that somebody
/// connected never is.
pub(super) fn is_basic(key: &Key) -> bool {
    key.kind == "bitbucket-datacenter-token" && key.username.is_some()
}

impl<'a> Api<'a> {
    /// The API for a credential.
    pub(super) fn new(hub: &'a Hub, key: &'a Key) -> Self {
        let root = below(&hub.site().url, API);
        let at_once = if is_basic(key) { PASSWORDS_AT_ONCE } else { AT_ONCE };
        Self { hub, key, line: Line::new(hub, key, at_once), root, caller: Mutex::default() }
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

    /// The name of whoever asks, as the answers say; none for nobody, and where a proxy removes it.
    pub(super) fn caller(&self) -> Option<String> {
        self.noted().clone()
    }

    fn noted(&self) -> MutexGuard<'_, Option<String>> {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one thing. `what` says what for, after "may not": `read the project ACME`.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, HubError> {
        let answer = self.answered(&Ask::get(self.url(path)), what).await?;
        self.line.json(&answer)
    }

    /// All of a list, without keeping it.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<Vec<T>, HubError> {
        let mut walk = Walk::default();
        let (mut all, mut next) = (Vec::new(), Some(self.url(path)));
        while let Some(url) = next {
            walk.step(&url).map_err(|reason| self.line.malformed(&reason))?;
            let answer = self.answered(&Ask::get(url.clone()), what).await?;
            all.extend(self.line.json::<Page<T>>(&answer)?.values);
            next = self.next_page(&url, &answer)?;
        }
        Ok(all)
    }

    /// An answer that says yes.
    ///
    /// # Errors
    /// [`HubError`] for every other.
    pub(super) async fn answered(&self, ask: &Ask, what: &str) -> Result<Answer, HubError> {
        let answer = self.ask(ask).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refused(&answer, what)) }
    }

    /// What an answer that says no means.
    pub(super) fn refused(&self, answer: &Answer, what: &str) -> HubError {
        refusal::of(self.hub.site(), self.key, answer, what)
    }

    /// Asks. What comes back is an answer of Bitbucket's, be it that it says no.
    ///
    /// # Errors
    /// `RateLimited`, `Unavailable`, `Unauthorized` for a credential that must not be shown any more.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, HubError> {
        let mut ask = ask.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.persistently(&ask).await?;
            match self.moved(&ask, &answer) {
                Some(url) => ask.url = url,
                None => return Ok(answer),
            }
        }
        Err(self.line.malformed("it redirects in a circle"))
    }

    /// Where an answer says that something is now, if that is in the API. Whatever else it redirects to is no answer.
    fn moved(&self, ask: &Ask, answer: &Answer) -> Option<Url> {
        if !answer.status.is_redirection() || ask.method != Method::GET {
            return None;
        }
        let to = answer.headers.get(header::LOCATION)?.to_str().ok()?;
        let to = ask.url.join(to).ok()?;
        // A server behind a proxy may think of itself under another name. Our token goes nowhere else.
        let mut own = self.root.clone();
        let is_api = to.path().strip_prefix(own.path()).is_some_and(|rest| rest.starts_with('/'));
        own.set_path(to.path());
        own.set_query(to.query());
        is_api.then_some(own)
    }

    /// Asks, and asks again where Bitbucket was only not there, wanted to be left alone for some seconds, or wants a new token.
    async fn persistently(&self, ask: &Ask) -> Result<Answer, HubError> {
        let (mut silences, mut waits, mut renewed) = (0, 0, false);
        loop {
            let (answer, token) = match self.once(ask).await {
                Ok(answered) => answered,
                Err(Silent { error: HubError::RateLimited { text, until }, .. }) => {
                    let wait = until.since(self.hub.now());
                    if waits >= MOST_WAITS || wait > LONGEST_WAIT {
                        return Err(HubError::RateLimited { text, until });
                    }
                    waits += 1;
                    tokio::time::sleep(wait + Duration::from_millis(10)).await;
                    continue;
                }
                Err(silent) => {
                    let after = AGAIN_AFTER.get(silences).filter(|_| silent.for_now && ask.method == Method::GET);
                    let Some(after) = after else { return Err(silent.error) };
                    silences += 1;
                    tokio::time::sleep(*after).await;
                    continue;
                }
            };
            match refusal::cause(&answer) {
                Some(Cause::Secret) if !renewed && self.key.secret.after(&token).await?.is_some() => renewed = true,
                _ => return Ok(answer),
            }
        }
    }

    /// Asks once; with the token that was shown. The answer is no request to come back later, and no page.
    async fn once(&self, ask: &Ask) -> Result<(Answer, SecretString), Silent> {
        let _turn = self.line.turn().await?;
        let token = self.key.secret.token().await?;
        let answer = self.line.send(self.request(ask, &token)?).await?;
        self.note(&answer);
        // Each further try may lock the account, for its people as for us: nobody has the next turn before that is known.
        match refusal::cause(&answer) {
            Some(Cause::Captcha) => self.line.refuse(&self.refused(&answer, "be used")),
            Some(Cause::Secret) if is_basic(self.key) => self.line.refuse(&self.refused(&answer, "be used")),
            _ => {}
        }
        self.line.heed(&answer, wish(&answer))?;
        if self.moved(ask, &answer).is_some() {
            return Ok((answer, token));
        }
        Ok((self.line.genuine(answer, &AGAIN)?, token))
    }

    fn request(&self, ask: &Ask, token: &SecretString) -> Result<reqwest::Request, HubError> {
        let secret = token.expose_secret();
        let proof = match self.key.username.as_deref().filter(|_| is_basic(self.key)) {
            Some(name) => format!("Basic {}", STANDARD.encode(format!("{name}:{secret}"))),
            None => format!("Bearer {secret}"),
        };
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(ask.url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, proof);
        if ask.method != Method::GET {
            // Without it, Bitbucket takes a change for one that a foreign page causes in somebody's browser.
            request = request.header("x-atlassian-token", "no-check");
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

    /// Remembers who asked.
    fn note(&self, answer: &Answer) {
        let Some(value) = answer.headers.get(CALLER) else { return };
        let name = percent_decode(value.as_bytes()).decode_utf8().ok().filter(|name| !name.is_empty());
        if let Some(name) = name {
            *self.noted() = Some(name.into_owned());
        }
    }

    /// Where a list goes on: never by adding up, for pages may be shorter than they could be, and starts may skip.
    fn next_page(&self, url: &Url, answer: &Answer) -> Result<Option<Url>, HubError> {
        let turn: Turn = self.line.json(answer)?;
        if turn.is_last_page {
            return Ok(None);
        }
        let start = url.query_pairs().find(|(name, _)| name == "start").and_then(|(_, start)| start.parse().ok());
        let Some(next) = turn.next_page_start.filter(|next| *next > start.unwrap_or(0)) else {
            return Err(self.line.malformed("a list is said to go on, and not where"));
        };
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != "start")
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let mut url = url.clone();
        url.query_pairs_mut().clear().extend_pairs(kept).append_pair("start", &next.to_string());
        Ok(Some(url))
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

    /// Bitbucket has no names for the states of its lists: each is read as a whole.
    async fn fetch(&self, url: Url, _etag: Option<String>, what: &str) -> Result<Answer, HubError> {
        self.answered(&Ask::get(url), what).await
    }

    fn next(&self, url: &Url, answer: &Answer, _items: usize) -> Result<Option<Url>, HubError> {
        self.next_page(url, answer)
    }

    fn is_whole(&self, _answer: &Answer) -> bool {
        true
    }
}

/// What an answer says about being asked again.
fn wish(answer: &Answer) -> Wish {
    if answer.status != StatusCode::TOO_MANY_REQUESTS {
        return Wish::GoOn;
    }
    pause(answer).map_or(Wish::LeaveFrom(FIRST_PAUSE), Wish::Leave)
}

/// A part of a path, or of a query, as it stands there.
pub(super) fn part(text: &str) -> String {
    // A personal project's key begins with a tilde, which addresses there have as it is.
    encoded(text).replace("%2E", ".").replace("%7E", "~")
}

/// The address of a repository, given as `KEY/slug`.
pub(super) fn of_repository(path: &str) -> String {
    let (key, slug) = path.split_once('/').unwrap_or((path, ""));
    format!("/projects/{}/repos/{}", part(key), part(slug))
}

#[cfg(test)]
mod tests {
    use super::{of_repository, part};

    #[test]
    fn parts_of_paths_stay_parts() {
        assert_eq!(part("back-end_2.x"), "back-end_2.x");
        assert_eq!(part("a/b c@d&e"), "a%2Fb%20c%40d%26e");
        assert_eq!(of_repository("~jdoe/lib"), "/projects/~jdoe/repos/lib");
    }
}
