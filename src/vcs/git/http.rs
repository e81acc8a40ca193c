//! The HTTP that Git speaks ("smart HTTP", gitprotocol-http(5)), as gix's transport asks for it.
//!
//! gix brings a client of its own, but it follows redirects by its own rules, asks for a password only after a refusal,
//! knows no Bearer tokens and turns what went wrong into text. Here the credential goes to its own host and nowhere else,
//! and the first failure is remembered as what it is.

mod answer;
mod exchange;

use std::cell::RefCell;
use std::io::{self, BufReader};
use std::rc::Rc;

use base64::Engine;
use gix::protocol::transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Url};

use crate::outbound::{self, ProxyAddress, blocking_client};
use crate::vcs::error::VcsError;
use crate::vcs::request::{Limits, Pace, WireCredential, WireKind};
use crate::vcs::url::SourceUrl;
use exchange::{Body, Exchange, Head, Limited, Upload};

/// How many redirects the first request may follow.
const MAX_REDIRECTS: usize = 5;
/// What the protocol adds to a pack or listing of the largest size: its lines' lengths, and the server's progress.
pub(super) const FRAMING: u64 = 16 << 20;
/// Where the listing of a repository is, and where its objects are asked for.
const LISTING: &str = "/info/refs?service=git-upload-pack";
const UPLOAD_PACK: &str = "/git-upload-pack";

/// The first failure of a session; later ones follow from it.
#[derive(Clone, Default)]
pub(super) struct Failure(Rc<RefCell<Option<VcsError>>>);

impl Failure {
    /// Remembers an error and gives gix something to stop at.
    pub(super) fn set(&self, error: VcsError) -> io::Error {
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
    settings: outbound::Settings,
    shared: Rc<Shared>,
    /// The repository's address, after redirects; without a slash at its end. gix decodes and encodes addresses in its own
    /// way, so that only ours is used.
    base: String,
}

/// What the requests to one host and port share.
struct Shared {
    client: Client,
    /// The proxy that they go through.
    proxy: Option<ProxyAddress>,
    credential: Option<Rc<Own>>,
    failure: Failure,
    /// Bytes that one answer may have.
    limit: u64,
    /// How fast they must come.
    pace: Pace,
    /// Seconds that the server may stay silent.
    timeout: u64,
}

/// A credential's header, and the `host:port` that it is for.
struct Own {
    origin: String,
    header: HeaderValue,
    /// The host that it was sent to, from which a redirect led elsewhere.
    left: RefCell<Option<String>>,
}

impl Git {
    /// A client that presents `credential` to the host and port it belongs to, and nowhere else.
    pub(super) fn new(
        url: &SourceUrl,
        credential: Option<&WireCredential>,
        settings: &outbound::Settings,
        limits: &Limits,
        failure: Failure,
    ) -> Result<Self, VcsError> {
        let base = url.as_str().trim_end_matches('/').to_owned();
        let address = Url::parse(&base).map_err(|error| policy(&error))?;
        let credential = credential.map(own).transpose()?.map(Rc::new);
        let shared = Rc::new(Shared::new(
            &address,
            settings,
            credential,
            failure,
            (limits.transfer.saturating_add(FRAMING), limits.pace),
        )?);
        Ok(Self { settings: settings.clone(), shared, base })
    }

    fn address(&self, tail: &str) -> io::Result<Url> {
        Url::parse(&format!("{}{tail}", self.base)).map_err(io::Error::other)
    }

    /// Asks for the listing, following redirects as long as they keep the protocol's tail, lead to no unencrypted address,
    /// and not to another host where the credential would be missing.
    fn listing(&mut self, headers: &HeaderMap) -> io::Result<Response> {
        let mut url = self.address(LISTING)?;
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let response = self.shared.send(Method::GET, &url, headers, Vec::new())?;
            let Some(location) = location(&response) else { return Ok(response) };
            let target = match redirect(&url, &location) {
                Ok(target) => target,
                Err(error) => {
                    let signed_out = is_sign_in_at(&url, &location);
                    let known = self.shared.signed_out(&url, "it redirects to its sign-in page").filter(|_| signed_out);
                    return Err(self.shared.failure.set(known.unwrap_or(error)));
                }
            };
            self.follow(&url, &target)?;
            self.base = target.as_str().trim_end_matches(LISTING).to_owned();
            url = target;
        }
        let reason = "it redirects too often".to_owned();
        Err(self.shared.failure.set(VcsError::NotAGitEndpoint { url: endpoint(&url), reason }))
    }

    fn check(&self, url: &Url) -> io::Result<()> {
        self.settings.check_url(url).map_err(|refused| self.shared.failure.set(policy(&refused)))
    }

    /// Turns to where a redirect leads. The credential stays behind unless host and port are the same, so that it is
    /// better to stop than to be told by the other host that there is none; from http to https of the same host, we go on.
    fn follow(&mut self, from: &Url, to: &Url) -> io::Result<()> {
        if origin(from) == origin(to) {
            return Ok(());
        }
        if let Some(own) = self.shared.credential.as_ref().filter(|own| own.origin == origin(from)) {
            own.left.replace(Some(shown(from)));
            if from.host_str() != to.host_str() || from.scheme() == to.scheme() {
                let error = VcsError::Redirected { from: shown(from), to: endpoint(to) };
                return Err(self.shared.failure.set(error));
            }
        }
        let (credential, failure) = (self.shared.credential.clone(), self.shared.failure.clone());
        let shared = Shared::new(to, &self.settings, credential, failure, (self.shared.limit, self.shared.pace));
        self.shared = Rc::new(shared.map_err(|error| self.shared.failure.set(error))?);
        Ok(())
    }
}

/// Where a response redirects to, as it says it.
fn location(response: &Response) -> Option<String> {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    response.status().is_redirection().then(|| location.to_owned())
}

/// Where a redirect leads, if that is a repository, and not a sign-in page, and as well encrypted as before.
fn redirect(from: &Url, location: &str) -> Result<Url, VcsError> {
    let refused = |reason: String| VcsError::NotAGitEndpoint { url: endpoint(from), reason };
    if location.is_empty() {
        return Err(refused("it redirects without saying where".to_owned()));
    }
    let Ok(target) = from.join(location) else {
        return Err(refused("it redirects to an address that cannot be read".to_owned()));
    };
    let whereto = whereto(&target);
    if !matches!(target.scheme(), "http" | "https") {
        return Err(refused(format!("it redirects to {whereto}")));
    }
    if is_sign_in(&target) {
        return Err(refused(format!("it redirects to a sign-in page at {} ({whereto})", shown(&target))));
    }
    if target.scheme() == "http" && from.scheme() == "https" {
        return Err(refused(format!("it redirects to an unencrypted address, {whereto}, which is not followed")));
    }
    let plain = target.username().is_empty() && target.password().is_none();
    if plain && target.as_str().ends_with(LISTING) {
        return Ok(target);
    }
    Err(refused(format!("it redirects to {whereto}, which is no repository")))
}

/// Whether a redirect leads to where people say who they are.
fn is_sign_in_at(from: &Url, location: &str) -> bool {
    from.join(location).is_ok_and(|target| is_sign_in(&target))
}

/// Whether an address looks like the place where people say who they are.
fn is_sign_in(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    let host = url.host_str().unwrap_or_default();
    !path.ends_with("/info/refs")
        && (["sign_in", "signin", "login", "/sso", "/saml", "/oauth", "/adfs", "/auth"]
            .iter()
            .any(|word| path.contains(word))
            || ["login.", "sso.", "auth.", "idp.", "accounts."].iter().any(|start| host.starts_with(start)))
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
    fn new(
        url: &Url,
        settings: &outbound::Settings,
        credential: Option<Rc<Own>>,
        failure: Failure,
        (limit, pace): (u64, Pace),
    ) -> Result<Self, VcsError> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(Self {
            client: blocking_client(settings, host, port).map_err(|error| policy(&error))?,
            proxy: settings.proxy_for(host),
            credential,
            failure,
            limit,
            pace,
            timeout: settings.timeout.as_secs(),
        })
    }

    /// Sends one request, not following redirects.
    fn send(&self, method: Method, url: &Url, headers: &HeaderMap, body: Vec<u8>) -> io::Result<Response> {
        let mut request = self.client.request(method, url.clone()).headers(headers.clone()).body(body);
        if let Some(own) = self.credential.as_ref().filter(|own| own.origin == origin(url)) {
            request = request.header(AUTHORIZATION, own.header.clone());
        }
        request.send().map_err(|error| self.failure.set(self.classify(url, &error)))
    }

    fn body(self: &Rc<Self>, response: Response) -> BufReader<Limited> {
        BufReader::with_capacity(64 << 10, Limited::new(Rc::clone(self), response))
    }
}

/// Sees whether a web server answers there. See [`crate::vcs::Vcs::knock`].
pub(super) fn knock(host: &str, port: u16, settings: &outbound::Settings) -> Result<(), VcsError> {
    const HTTP: u16 = 80;
    let scheme = if port == HTTP { "http" } else { "https" };
    let url = Url::parse(&format!("{scheme}://{host}:{port}/")).map_err(|error| policy(&error))?;
    settings.check_url(&url).map_err(|refused| policy(&refused))?;
    let shared = Shared::new(&url, settings, None, Failure::default(), (0, Limits::default().pace))?;
    match shared.send(Method::GET, &url, &HeaderMap::new(), Vec::new()) {
        Ok(_) => Ok(()),
        Err(error) => Err(shared.failure.take().unwrap_or_else(|| VcsError::io("Sending a request", &error))),
    }
}

fn own(credential: &WireCredential) -> Result<Own, VcsError> {
    let text = match credential.kind {
        WireKind::Basic => {
            let pair = format!("{}:{}", credential.username.as_deref().unwrap_or_default(), credential.secret);
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        WireKind::Bearer => format!("Bearer {}", credential.secret),
        WireKind::SshKey => {
            return Err(VcsError::Policy {
                reason: "The package's credential is an SSH key, which opens ssh addresses only.".to_owned(),
            });
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| VcsError::Policy {
        reason: "The credential's token has characters that HTTP cannot carry.".to_owned(),
    })?;
    value.set_sensitive(true);
    let origin = format!("{}:{}", credential.host.to_ascii_lowercase(), credential.port);
    Ok(Own { origin, header: value, left: RefCell::new(None) })
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

fn policy(refused: &dyn std::fmt::Display) -> VcsError {
    VcsError::Policy { reason: refused.to_string() }
}

/// Text from elsewhere, fit for a message.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Where a redirect leads, for a message: without the secrets that addresses can carry.
fn whereto(target: &Url) -> String {
    let mut target = target.clone();
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
