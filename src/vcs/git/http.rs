//! The HTTP that Git speaks ("smart HTTP", gitprotocol-http(5)), as gix's transport asks for it.
//!
//! gix brings a client of its own, but it follows redirects by its own rules, asks for a password only after a refusal,
//! knows no Bearer tokens and turns what went wrong into text. Here the credential goes to its own host and nowhere else,
//! and the first failure is remembered as what it is.

mod exchange;

use std::cell::RefCell;
use std::io::{self, BufReader};
use std::rc::Rc;

use base64::Engine;
use gix::protocol::transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};

use crate::outbound::{self, Guard, Refused, ResolveFailed, blocking_client};
use crate::vcs::error::VcsError;
use crate::vcs::request::WireCredential;
use crate::vcs::url::SourceUrl;
use exchange::{Body, Exchange, Head, Limited, Upload};

/// How many redirects the first request may follow.
const MAX_REDIRECTS: usize = 5;
/// Where the listing of a repository is, and where its objects are asked for.
const LISTING: &str = "/info/refs?service=git-upload-pack";
const UPLOAD_PACK: &str = "/git-upload-pack";

/// The first failure of a session; later ones follow from it.
#[derive(Clone, Default)]
pub(super) struct Failure(Rc<RefCell<Option<VcsError>>>);

impl Failure {
    /// Remembers an error and gives gix something to stop at.
    fn set(&self, error: VcsError) -> io::Error {
        let text = error.to_string();
        self.0.borrow_mut().get_or_insert(error);
        io::Error::other(text)
    }

    /// What happened first.
    pub(super) fn take(&self) -> Option<VcsError> {
        self.0.borrow_mut().take()
    }
}

/// A client for one repository.
pub(super) struct Git {
    shared: Rc<Shared>,
    /// The repository's address, after redirects; without a slash at its end. gix decodes and encodes addresses in its own
    /// way, so that only ours is used.
    base: String,
}

struct Shared {
    client: Client,
    guard: Guard,
    proxied: bool,
    /// The header, and the `host:port` that it is for.
    authorization: Option<(String, HeaderValue)>,
    failure: Failure,
    /// Bytes that one answer may have.
    limit: u64,
    /// Seconds that the server may stay silent.
    timeout: u64,
}

impl Git {
    /// A client that presents `credential` to the host and port it belongs to, and nowhere else.
    pub(super) fn new(
        url: &SourceUrl,
        credential: Option<&WireCredential>,
        settings: &outbound::Settings,
        limit: u64,
        failure: Failure,
    ) -> Result<Self, VcsError> {
        let shared = Shared {
            client: blocking_client(settings).map_err(|error| policy(&error))?,
            guard: settings.guard.clone(),
            proxied: settings.proxy.is_some(),
            authorization: credential.map(authorization).transpose()?,
            failure,
            limit,
            timeout: settings.timeout.as_secs(),
        };
        Ok(Self { shared: Rc::new(shared), base: url.as_str().trim_end_matches('/').to_owned() })
    }

    fn address(&self, tail: &str) -> io::Result<Url> {
        Url::parse(&format!("{}{tail}", self.base)).map_err(io::Error::other)
    }

    /// Asks for the listing, following redirects as long as they keep the protocol's tail and lead to no unencrypted
    /// address.
    fn listing(&mut self, headers: &HeaderMap) -> io::Result<Response> {
        let mut url = self.address(LISTING)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.shared.send(Method::GET, &url, headers, Vec::new())?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let target = url.join(location).ok().filter(|target| follows(&url, target));
            let Some(target) = target else {
                let reason = format!("it redirects to {}", whereto(&url, location));
                return Err(self.shared.failure.set(VcsError::NotAGitEndpoint { url: endpoint(&url), reason }));
            };
            self.base = target.as_str().trim_end_matches(LISTING).to_owned();
            url = target;
        }
        let reason = "it redirects too often".to_owned();
        Err(self.shared.failure.set(VcsError::NotAGitEndpoint { url: endpoint(&url), reason }))
    }
}

/// Whether a redirect is one of the repository, and not of a sign-in page, and as well encrypted as before.
fn follows(from: &Url, to: &Url) -> bool {
    let encrypted = to.scheme() == "https" || (to.scheme() == "http" && from.scheme() == "http");
    encrypted && to.username().is_empty() && to.password().is_none() && to.as_str().ends_with(LISTING)
}

impl Http for Git {
    type Headers = Head;
    type ResponseBody = Body;
    type PostBody = Upload;

    fn get(
        &mut self,
        _url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Head, Body>> {
        const TYPE: &str = "application/x-git-upload-pack-advertisement";
        let answer = self.listing(&header_map(headers)).and_then(|response| self.shared.accept(response, TYPE));
        let response = answer.map_err(gix::Error::from_error)?;
        Ok(GetResponse { headers: Head::ready(TYPE), body: Body::Ready(Box::new(self.shared.body(response))) })
    }

    /// Nothing is sent yet: gix writes the body first, and then reads the head of the answer.
    fn post(
        &mut self,
        _url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Head, Body, Upload>> {
        let url = self.address(UPLOAD_PACK).map_err(gix::Error::from_error)?;
        let exchange = Rc::new(RefCell::new(Exchange::new(Rc::clone(&self.shared), url, header_map(headers))));
        Ok(PostResponse {
            post_body: Upload(Rc::clone(&exchange)),
            headers: Head::Pending(Rc::clone(&exchange)),
            body: Body::Pending(exchange),
        })
    }

    fn configure(&mut self, _config: &dyn std::any::Any) -> gix::Result {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        None
    }
}

impl Shared {
    /// Sends one request, not following redirects.
    fn send(&self, method: Method, url: &Url, headers: &HeaderMap, body: Vec<u8>) -> io::Result<Response> {
        let host = url.host_str().unwrap_or_default();
        self.guard.check_host(host).map_err(|refused| self.failure.set(policy(&refused)))?;
        let mut request = self.client.request(method, url.clone()).headers(headers.clone()).body(body);
        if let Some((own, value)) = &self.authorization
            && *own == origin(url)
        {
            request = request.header(AUTHORIZATION, value.clone());
        }
        request.send().map_err(|error| self.failure.set(self.classify(url, &error)))
    }

    /// Whether the credential goes to this address.
    fn authorizes(&self, url: &Url) -> bool {
        self.authorization.as_ref().is_some_and(|(own, _)| *own == origin(url))
    }

    /// Checks status and content type.
    fn accept(&self, response: Response, expected: &str) -> io::Result<Response> {
        if let Some(error) = self.refused(&response) {
            return Err(self.failure.set(error));
        }
        let found =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type");
        let essence = found.split(';').next().unwrap_or_default().trim();
        if essence != expected {
            let reason = format!("it sent {}", printable(essence));
            return Err(self.failure.set(VcsError::NotAGitEndpoint { url: endpoint(response.url()), reason }));
        }
        Ok(response)
    }

    fn refused(&self, response: &Response) -> Option<VcsError> {
        let url = response.url();
        let host = shown(url);
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Some(match response.status() {
            StatusCode::OK => return None,
            StatusCode::UNAUTHORIZED if self.authorizes(url) => VcsError::AuthFailed { host },
            StatusCode::UNAUTHORIZED => VcsError::AuthRequired { host },
            StatusCode::FORBIDDEN => VcsError::Forbidden { host },
            StatusCode::NOT_FOUND | StatusCode::GONE => VcsError::NotFoundOrNoAccess { url: endpoint(url) },
            StatusCode::TOO_MANY_REQUESTS => VcsError::RateLimited { host, retry_after },
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => VcsError::Policy {
                reason:
                    "The proxy asks for a user and password: put them into `proxy` under [outbound] in config.toml."
                        .to_owned(),
            },
            status if status.is_server_error() => VcsError::Unavailable { host, status: status.as_u16(), retry_after },
            status => VcsError::NotAGitEndpoint {
                url: endpoint(url),
                reason: format!("it answered with HTTP {}", status.as_u16()),
            },
        })
    }

    /// What a failed request means, from the errors it was caused by.
    fn classify(&self, url: &Url, error: &reqwest::Error) -> VcsError {
        let host = shown(url);
        let mut current: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut last = error.to_string();
        while let Some(cause) = current {
            if let Some(refused) = cause.downcast_ref::<Refused>() {
                return policy(refused);
            }
            if let Some(failed) = cause.downcast_ref::<ResolveFailed>() {
                return VcsError::Dns { host: failed.host.clone() };
            }
            if cause.is::<rustls::Error>() {
                return VcsError::Tls { host, reason: printable(&cause.to_string()) };
            }
            last = cause.to_string();
            current = wrapped(cause).or_else(|| cause.source());
        }
        if error.is_timeout() {
            return VcsError::Timeout { what: format!("Waiting for {host}"), seconds: self.timeout };
        }
        let through = if self.proxied && error.is_connect() { " (through the configured `proxy`)" } else { "" };
        VcsError::Unreachable { host, reason: format!("{}{through}", printable(&last)) }
    }

    fn body(self: &Rc<Self>, response: Response) -> BufReader<Limited> {
        BufReader::with_capacity(64 << 10, Limited::new(Rc::clone(self), response))
    }
}

/// The header, and the origin that it is for.
fn authorization(credential: &WireCredential) -> Result<(String, HeaderValue), VcsError> {
    let text = match &credential.username {
        Some(username) => {
            let pair = format!("{username}:{}", credential.secret);
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        None => format!("Bearer {}", credential.secret),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| VcsError::Policy {
        reason: "The credential's token has characters that HTTP cannot carry.".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok((format!("{}:{}", credential.host.to_ascii_lowercase(), credential.port), value))
}

/// A URL's `host:port`.
fn origin(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// A host for people: without the port that goes without saying.
fn shown(url: &Url) -> String {
    match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    }
}

/// What an I/O error was made of: its `source` would skip that.
fn wrapped<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a (dyn std::error::Error + 'static)> {
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(inner)
}

fn policy(refused: &dyn std::fmt::Display) -> VcsError {
    VcsError::Policy { reason: refused.to_string() }
}

/// Text from elsewhere, fit for a message.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Where a redirect leads, for a message: without the secrets that addresses can carry.
fn whereto(from: &Url, location: &str) -> String {
    let Ok(mut target) = from.join(location) else {
        return "an address that cannot be read".to_owned();
    };
    // Neither can fail for an address that has a host; one without has no secret to hide.
    let _ = target.set_username("");
    let _ = target.set_password(None);
    target.set_query(None);
    target.set_fragment(None);
    printable(target.as_str())
}

/// The repository's address without what the protocol adds.
fn endpoint(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let text = String::from(url);
    printable(text.strip_suffix("/info/refs").or_else(|| text.strip_suffix("/git-upload-pack")).unwrap_or(&text))
}

/// Header lines `name: value` as a map; what HTTP cannot carry is left out.
fn header_map(lines: impl IntoIterator<Item = impl AsRef<str>>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines {
        let pair = line.as_ref().split_once(':').and_then(|(name, value)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
        });
        if let Some((name, value)) = pair {
            map.append(name, value);
        }
    }
    map
}
