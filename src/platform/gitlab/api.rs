//! Requests to GitLab's REST API with a credential: in turns, with the pauses that GitLab asks for, tried again where that is
//! safe, and never sent anywhere else: servers behind a proxy give links to hosts that they believe to be.

use std::time::Duration;

use oauth2::http::{Method, Request, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::{refusal, wire};
use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::answer::pause;
use crate::platform::app::below;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::rest::{Line, Lists, Silent, Walk, Wish, encoded, next_link};

/// Where the API is, below the platform's address.
const ROOT: &str = "/api/v4";
/// Requests of one credential at once.
const AT_ONCE: usize = 4;
/// How long to wait before a request is tried again that got no answer.
const AGAIN_AFTER: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// The statuses after which there may be an answer in a moment: GitLab's own, and those of what stands in front of it.
const AGAIN: [u16; 8] = [502, 503, 504, 520, 521, 522, 523, 524];
/// The first pause where GitLab, or what limits requests in front of it, does not say for how long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause that is waited for in the middle of something; limits are those of a minute.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a request is begun anew after a pause.
const PAUSES: usize = 8;
/// For how long GitLab shuts out an address that it takes for an attacker's.
const BAN: u64 = 15 * 60;
/// Longest chain of redirects.
const MAX_REDIRECTS: usize = 5;
/// Things on a page, the most that GitLab lists.
const PER_PAGE: usize = 100;

/// The API, as one credential sees it.
pub(super) struct Api<'a> {
    pub(super) hub: &'a Hub,
    pub(super) key: &'a Key,
    pub(super) line: Line<'a>,
    root: Url,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub method: Method,
    pub url: Url,
    pub etag: Option<String>,
    pub body: Option<Value>,
}

impl Ask {
    /// Reads an address.
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, etag: None, body: None }
    }

    /// Changes something.
    pub(super) fn change(method: Method, url: Url, body: Option<Value>) -> Self {
        Self { method, url, etag: None, body }
    }

    /// Whether asking twice harms nobody.
    fn is_safe(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

impl<'a> Api<'a> {
    /// The API for a credential.
    pub(super) fn new(hub: &'a Hub, key: &'a Key) -> Self {
        Self { hub, key, line: Line::new(hub, key, AT_ONCE), root: below(&hub.site().url, ROOT) }
    }

    /// What the platform is called.
    pub(super) fn name(&self) -> &str {
        self.line.name()
    }

    /// Reads one thing. `what` says what for, after "may not": `read the group acme`.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, HubError> {
        self.line.json(&self.answered(&Ask::get(self.url(path)), what).await?)
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
        Err(refusal::of(self.name(), &answer, what))
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
            let page: Vec<T> = self.line.json(&answer)?;
            next = self.next(&url, &answer, page.len())?;
            all.extend(page);
        }
        Ok(all)
    }

    /// Asks. What comes back is an answer of GitLab's, be it that it says no.
    ///
    /// # Errors
    /// `RateLimited` and `Unavailable`.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, HubError> {
        let mut ask = ask.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.persistently(&ask).await?;
            let status = answer.status;
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            if !ask.is_safe() {
                return Err(self.line.malformed("it redirects what should change something"));
            }
            let to = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            let to = to.and_then(|to| ask.url.join(to).ok()).and_then(|to| self.own(&to));
            ask.url = to.ok_or_else(|| {
                self.line.malformed(
                    "its API redirects to somewhere else, as for signing in: check `url` of this integration in config.toml",
                )
            })?;
        }
        Err(self.line.malformed("it redirects in a circle"))
    }

    /// Asks, and asks again where GitLab was only not there, or wanted a short pause.
    async fn persistently(&self, ask: &Ask) -> Result<Answer, HubError> {
        let (mut silences, mut pauses) = (0, 0);
        loop {
            let silent = match self.once(ask).await {
                Ok(answer) => return Ok(answer),
                Err(silent) => silent,
            };
            if let Some(length) = self.short_pause(&silent.error).filter(|_| pauses < PAUSES) {
                pauses += 1;
                tokio::time::sleep(length).await;
                continue;
            }
            let after = AGAIN_AFTER.get(silences).filter(|_| silent.for_now && ask.is_safe());
            let Some(after) = after else { return Err(silent.error) };
            silences += 1;
            tokio::time::sleep(jittered(*after)).await;
        }
    }

    fn short_pause(&self, error: &HubError) -> Option<Duration> {
        let HubError::RateLimited { until, .. } = error else { return None };
        let length = until.since(self.hub.now());
        (length <= PATIENCE).then(|| jittered(length))
    }

    /// Asks once. The answer is no request to come back later, and no page.
    async fn once(&self, ask: &Ask) -> Result<Answer, Silent> {
        let _turn = self.line.turn().await?;
        let token = self.key.secret.token().await?;
        let mut answer = self.line.send(self.request(ask, &token)?).await?;
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(other) = self.key.secret.after(&token).await?
        {
            // It was renewed meanwhile, or is now.
            answer = self.line.send(self.request(ask, &other)?).await?;
        }
        self.note(&answer);
        self.line.heed(&answer, wish(&answer))?;
        if answer.status.is_redirection() {
            return Ok(answer);
        }
        self.line.genuine(answer, &AGAIN)
    }

    fn request(&self, ask: &Ask, token: &SecretString) -> Result<reqwest::Request, HubError> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(ask.url.as_str())
            .header(header::ACCEPT, "application/json");
        request = match self.key.kind.as_str() {
            "gitlab-oauth" => request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret())),
            _ => request.header("private-token", token.expose_secret()),
        };
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

    /// Remembers what an answer tells of limits. Not all of GitLab's limits tell.
    fn note(&self, answer: &Answer) {
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(remaining) = header("ratelimit-remaining").and_then(|text| text.trim().parse().ok()) {
            let reset = header("ratelimit-reset").and_then(|text| text.trim().parse().ok());
            self.line.granted(remaining, reset.map(Timestamp::from_seconds));
        }
    }

    /// An address that GitLab gave, at the host and below the path that were configured: our token goes nowhere else.
    fn own(&self, given: &Url) -> Option<Url> {
        let (_, path) = given.path().split_once(&format!("{ROOT}/"))?;
        let mut own = self.root.clone();
        own.set_path(&format!("{}/{path}", self.root.path()));
        own.set_query(given.query());
        Some(own)
    }
}

impl Lists for Api<'_> {
    const FORM: u32 = wire::FORM;

    fn line(&self) -> &Line<'_> {
        &self.line
    }

    fn url(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = below(&self.root, path);
        url.set_query(query);
        url
    }

    async fn fetch(&self, url: Url, etag: Option<String>, what: &str) -> Result<Answer, HubError> {
        self.answered(&Ask { etag, ..Ask::get(url) }, what).await
    }

    /// Links first, of which only the query counts; where something in between removes them, the number of the next page; and
    /// where it removes that too, a full page is followed by another.
    fn next(&self, url: &Url, answer: &Answer, items: usize) -> Result<Option<Url>, HubError> {
        if answer.headers.contains_key(header::LINK) {
            let Some(link) = next_link(answer) else { return Ok(None) };
            let link = url.join(link).map_err(|_| self.line.malformed("the next page of a list has no address"))?;
            let mut next = url.clone();
            next.set_query(link.query());
            return Ok(Some(next));
        }
        let told = answer.headers.get("x-next-page").and_then(|value| value.to_str().ok()).map(str::trim);
        let number = match told {
            Some("") => return Ok(None),
            Some(number) => number.parse().map_err(|_| self.line.malformed("the next page of a list has no number"))?,
            None if items < PER_PAGE => return Ok(None),
            None => page_of(url) + 1,
        };
        Ok(Some(with_page(url, number)))
    }

    /// The name of an answer's state is that of what it lists, and not of what comes after it.
    fn next_unmodified(
        &self,
        url: &Url,
        answer: &Answer,
        items: usize,
        then: Option<Url>,
    ) -> Result<Option<Url>, HubError> {
        let tells = answer.headers.contains_key(header::LINK) || answer.headers.contains_key("x-next-page");
        if tells || (items >= PER_PAGE && then.is_none()) { self.next(url, answer, items) } else { Ok(then) }
    }

    fn is_whole(&self, _answer: &Answer) -> bool {
        true
    }
}

fn page_of(url: &Url) -> u64 {
    let page = url.query_pairs().find(|(name, _)| name == "page");
    page.and_then(|(_, number)| number.parse().ok()).unwrap_or(1)
}

fn with_page(url: &Url, number: u64) -> Url {
    let others: Vec<(String, String)> =
        url.query_pairs().filter(|(name, _)| name != "page").map(|(name, value)| (name.into(), value.into())).collect();
    let mut next = url.clone();
    next.query_pairs_mut().clear().extend_pairs(others).append_pair("page", &number.to_string());
    next
}

/// What an answer says about being asked again.
fn wish(answer: &Answer) -> Wish {
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => pause(answer).map_or(Wish::LeaveFrom(FIRST_PAUSE), Wish::Leave),
        // What refuses in words comes before GitLab's own API: it shuts out the address.
        StatusCode::FORBIDDEN if !refusal::is_of_api(answer) => Wish::Leave(pause(answer).unwrap_or(BAN)),
        _ => Wish::GoOn,
    }
}

/// Up to a tenth longer, so that those who wait together do not come back together.
fn jittered(length: Duration) -> Duration {
    length.mul_f64(rand::random_range(1.0..=1.1))
}

/// A path of a group, project or file as one part of an address. Dots too: what ends in one of the words that GitLab knows
/// would be taken for a format.
pub(super) fn part(path: &str) -> String {
    encoded(path)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{page_of, part, with_page};

    #[test]
    fn pages_are_counted_on() {
        let url = "https://h/gitlab/api/v4/groups/1/projects?per_page=100".parse().unwrap();
        let second = with_page(&url, page_of(&url) + 1);
        assert_eq!(second.as_str(), "https://h/gitlab/api/v4/groups/1/projects?per_page=100&page=2");
        assert_eq!(with_page(&second, page_of(&second) + 1).query(), Some("per_page=100&page=3"));
    }

    #[test]
    fn paths_are_one_part() {
        assert_eq!(part("acme/my.sub"), "acme%2Fmy%2Esub");
        assert_eq!(part("composer.json"), "composer%2Ejson");
    }
}
