//! Requests to Bitbucket Cloud's REST API with a credential: in turns, with the pauses that it asks for, tried again where that
//! is safe, and never sent anywhere else. What an answer means is said in one place: `refusal`.

use std::time::Duration;

use oauth2::http::{Method, Request, StatusCode, header};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::{api_of, credential, refusal, wire};
use crate::clock::Timestamp;
use crate::outbound::Answer;
use crate::platform::answer::pause;
use crate::platform::app::below;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::pace::Budget;
use crate::platform::rest::{Line, Lists, Silent, Walk, Wish, encoded};

/// Requests of one credential at once: what it grants in an hour is little, and none of it is won by haste.
const AT_ONCE: usize = 4;
/// How long to wait before a request is tried again that got no answer.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// The statuses after which there may be an answer in a moment; 555 is Bitbucket's own for what took it too long.
const AGAIN: [u16; 4] = [502, 503, 504, 555];
/// Longest chain of redirects.
const MAX_REDIRECTS: usize = 5;
/// The first pause where it says that it is asked too often and not for how long.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// How long work that nobody waits for leaves alone what is left, where it is little and Bitbucket does not say for how long. Its
/// hour is a rolling one, so that a part of what is granted comes back before it is over.
const NEAR_LIMIT: Duration = Duration::from_secs(15 * 60);
/// Where the API's old version begins, of which groups are left.
const OLD: &str = "/1.0/";

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
    /// Whether redirects are followed.
    pub follow: bool,
}

impl Ask {
    /// Reads an address.
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, etag: None, body: None, follow: true }
    }

    /// Changes something.
    pub(super) fn change(method: Method, url: Url, body: Option<Value>) -> Self {
        Self { method, url, etag: None, body, follow: false }
    }
}

impl<'a> Api<'a> {
    /// The API for a credential.
    pub(super) fn new(hub: &'a Hub, key: &'a Key) -> Self {
        Self { hub, key, line: Line::new(hub, key, AT_ONCE), root: api_of(&hub.site().url) }
    }

    /// The same, for work that nobody waits for.
    pub(super) fn sparing(self, spare: bool) -> Self {
        Self { line: self.line.sparing(spare), ..self }
    }

    /// What the platform is called.
    pub(super) fn name(&self) -> &'a str {
        self.line.name()
    }

    /// Reads one thing. `what` says what for, after "may not": `read the workspace acme`.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, HubError> {
        self.line.json(&self.answered(&Ask::get(self.url(path)), what).await?)
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
            let page: wire::Page<T> = self.line.json(&answer)?;
            next = self.next(&url, &answer, page.values.len())?;
            all.extend(page.values);
        }
        Ok(all)
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
        Err(refusal::of(self.name(), self.key, &answer, what))
    }

    /// Asks. What comes back is an answer of Bitbucket's, be it that it says no; a redirect only where none is followed.
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
            ask.url = self.own(to.ok_or_else(|| self.line.malformed("it redirects to nowhere"))?)?;
        }
        Err(self.line.malformed("it redirects in a circle"))
    }

    /// Asks, and asks again where Bitbucket was only not there.
    async fn persistently(&self, ask: &Ask) -> Result<Answer, HubError> {
        let mut silences = 0;
        loop {
            let silent = match self.once(ask).await {
                Ok(answer) => return Ok(answer),
                Err(silent) => silent,
            };
            let after = AGAIN_AFTER.get(silences).filter(|_| silent.for_now && ask.method == Method::GET);
            let Some(after) = after else { return Err(silent.error) };
            silences += 1;
            tokio::time::sleep(*after).await;
        }
    }

    /// Asks once. The answer is no request to come back later, and no page.
    async fn once(&self, ask: &Ask) -> Result<Answer, Silent> {
        let _turn = self.line.turn().await?;
        let token = self.key.secret.token().await?;
        let mut answer = self.line.send(self.request(ask, &token)?).await?;
        // The old version does not know all tokens, whether or not they are good.
        if answer.status == StatusCode::UNAUTHORIZED
            && !ask.url.path().contains(OLD)
            && let Some(other) = self.key.secret.after(&token).await?
        {
            // It was renewed meanwhile, or is now.
            answer = self.line.send(self.request(ask, &other)?).await?;
        }
        self.count(&answer);
        self.line.heed(&answer, wish(&answer))?;
        // What is said of a wrong secret, and of what was removed from the API, may be plain text; a page is somebody else's.
        let is_plain = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::GONE) && !is_page(&answer);
        if is_plain || answer.status.is_redirection() {
            return Ok(answer);
        }
        self.line.genuine(answer, &AGAIN)
    }

    /// Notes what is left of what is granted, where Bitbucket tells: only of limits that grow with the workspace. Mostly that
    /// is not a number, but that it is not much any more.
    fn count(&self, answer: &Answer) {
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let number = |name: &str| header(name).and_then(|text| text.parse::<u32>().ok());
        let Some(limit) = number("x-ratelimit-limit") else { return };
        let remaining = number("x-ratelimit-remaining");
        let reset = header("x-ratelimit-reset").and_then(|text| text.parse().ok()).map(Timestamp::from_seconds);
        if let Some(remaining) = remaining {
            self.line.granted(remaining, reset);
        }
        let is_near = header("x-ratelimit-nearlimit").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let left = remaining.unwrap_or(if is_near { 0 } else { limit });
        let resets_at = reset.unwrap_or_else(|| self.hub.now() + NEAR_LIMIT);
        self.line.told(Budget { remaining: left, limit, resets_at });
    }

    fn request(&self, ask: &Ask, token: &SecretString) -> Result<reqwest::Request, HubError> {
        let authorization = credential::Shown::of(self.name(), self.key, token)?.header();
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(ask.url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, authorization);
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

    /// An address that Bitbucket gave, at the host that was configured: our token goes nowhere else.
    fn own(&self, url: Url) -> Result<Url, HubError> {
        let root = self.root.path().trim_end_matches('/');
        let is_below = url.path().strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        if url.origin() == self.root.origin() && is_below {
            return Ok(url);
        }
        Err(self.line.malformed("it leads to an address that is not its own API's"))
    }
}

impl Lists for Api<'_> {
    const FORM: u32 = wire::FORM;

    fn line(&self) -> &Line<'_> {
        &self.line
    }

    fn url(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = if path.starts_with(OLD) {
            let mut root = self.root.clone();
            let before = root.path().trim_end_matches('/').trim_end_matches("/2.0").to_owned();
            root.set_path(&before);
            below(&root, path)
        } else {
            below(&self.root, path)
        };
        url.set_query(query);
        url
    }

    async fn fetch(&self, url: Url, etag: Option<String>, what: &str) -> Result<Answer, HubError> {
        self.answered(&Ask { etag, ..Ask::get(url) }, what).await
    }

    /// A page has the whole address of the next one; the last one has none, or an empty one.
    fn next(&self, _url: &Url, answer: &Answer, _items: usize) -> Result<Option<Url>, HubError> {
        #[derive(Deserialize)]
        struct Next {
            next: Option<String>,
        }
        // What is no object is a list without pages, as the old version of the API has them.
        let Ok(Next { next }) = serde_json::from_slice(&answer.body) else { return Ok(None) };
        let Some(next) = next.filter(|next| !next.is_empty()) else { return Ok(None) };
        let url = Url::parse(&next).map_err(|_| self.line.malformed("the next page of a list has no address"))?;
        self.own(url).map(Some)
    }

    fn is_whole(&self, _answer: &Answer) -> bool {
        true
    }
}

fn is_page(answer: &Answer) -> bool {
    let stated = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    stated.is_some_and(|stated| stated.contains("html")) || answer.body.trim_ascii_start().starts_with(b"<")
}

/// What an answer says about being asked again.
fn wish(answer: &Answer) -> Wish {
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => pause(answer).map_or(Wish::LeaveFrom(FIRST_PAUSE), Wish::Leave),
        _ => Wish::GoOn,
    }
}

/// A part of a path as it stands there: a name, or a `uuid` with its braces.
pub(super) fn part(text: &str) -> String {
    encoded(text).replace("%2E", ".")
}

/// A repository's path, as it stands in addresses.
pub(super) fn parts(path: &str) -> String {
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::{part, parts};

    #[test]
    fn parts_of_paths_stay_parts() {
        assert_eq!(part("{a1b2}"), "%7Ba1b2%7D");
        assert_eq!(parts("acme/my.lib"), "acme/my.lib");
        assert_eq!(part("feature/a#b"), "feature%2Fa%23b");
    }
}
