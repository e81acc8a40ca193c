//! A real Git server for tests: HTTPS with a certificate of a private authority in front of `git http-backend`, with
//! accounts, a log of every request, and faults to order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, HOST, LOCATION, WWW_AUTHENTICATE};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine;
use futures_util::stream::{self, StreamExt};
use tokio::io::AsyncWriteExt;

use super::certificates::Authority;

/// What the server asks for.
#[derive(Clone, Debug)]
pub enum Account {
    /// Everybody may read.
    Anonymous,
    /// HTTP Basic.
    Basic(&'static str, &'static str),
    /// A Bearer token.
    Bearer(&'static str),
}

/// What the server does instead of answering properly.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An empty `200` of the right content type.
    Empty,
    /// A sign-in page with `200`.
    Html,
    /// This status, with `Retry-After: 7` where that means something.
    Status(u16),
    /// A redirect of the listing to the same path below this base (`https://host:port`).
    Redirect(String),
    /// A redirect to a sign-in page.
    SignIn,
    /// Silence.
    Mute,
    /// The first bytes of a pack, then silence.
    StalledPack,
    /// The first bytes of a pack, then the end of the connection.
    CutPack,
    /// Exactly this.
    Answer(u16, Vec<(&'static str, String)>, &'static str),
    /// A listing of a few bytes at a time, without an end.
    Trickle,
    /// A pack without objects, whatever was asked for.
    EmptyPack,
    /// What Azure DevOps does: the first version of the protocol with fewer capabilities, and a sign-in page for whoever shows
    /// a wrong token.
    AzureDevOps,
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The host that was meant.
    pub host: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// What the protocol's commands in the body are (`ls-refs`, `fetch`).
    pub command: Option<&'static str>,
    /// The other end of the connection that it came over.
    pub client: Option<SocketAddr>,
}

struct State {
    root: PathBuf,
    account: Mutex<Account>,
    fault: Mutex<Option<Fault>>,
    log: Mutex<Vec<Seen>>,
}

/// A running server; it stops when dropped.
pub struct GitServer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// `https`, or `http` without TLS.
    scheme: &'static str,
    /// The certificate to trust, in PEM.
    pub ca: String,
    state: Arc<State>,
    handle: ServerHandle,
}

impl GitServer {
    /// Serves the bare repositories below `root`, to everybody.
    pub fn start(root: &Path) -> Self {
        Self::start_with(root, Some(Authority::new()))
    }

    /// The same with this certificate, or without TLS.
    pub fn start_with(root: &Path, authority: Option<Authority>) -> Self {
        let (ca, tls) = authority.map(|authority| (authority.pem, authority.server)).unzip();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::new(State {
            root: root.to_owned(),
            account: Mutex::new(Account::Anonymous),
            fault: Mutex::new(None),
            log: Mutex::new(Vec::new()),
        });
        let (sender, receiver) = std::sync::mpsc::channel();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    App::new()
                        .app_data(web::Data::from(Arc::clone(&shared)))
                        .app_data(web::PayloadConfig::new(64 << 20))
                        .default_service(web::to(answer))
                };
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = match tls {
                    Some(tls) => server.bind_rustls_0_23(("127.0.0.1", 0), tls),
                    None => server.bind(("127.0.0.1", 0)),
                };
                let server = server.expect("a free port");
                let port = server.addrs()[0].port();
                let server = server.run();
                sender.send((port, server.handle())).expect("the test waits for it");
                server.await
            })
        });
        let (port, handle) = receiver.recv().expect("the server starts");
        Self { port, scheme, ca: ca.unwrap_or_default(), state, handle }
    }

    /// The address of a repository, by the name `localhost`.
    pub fn url(&self, repository: &str) -> String {
        format!("{}://localhost:{}/{repository}", self.scheme, self.port)
    }

    /// Asks for this account from now on.
    pub fn require(&self, account: Account) {
        *self.state.account.lock().expect("no panic") = account;
    }

    /// Misbehaves from now on, or behaves again.
    pub fn fail(&self, fault: impl Into<Option<Fault>>) {
        *self.state.fault.lock().expect("no panic") = fault.into();
    }

    /// The requests since the last call.
    pub fn take_log(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.log.lock().expect("no panic"))
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        // The command is sent at once; nobody waits for the end.
        drop(self.handle.stop(false));
    }
}

async fn answer(request: HttpRequest, body: web::Bytes, state: web::Data<State>) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let authorization = header(AUTHORIZATION);
    let fetches = contains(&body, b"command=fetch");
    state.log.lock().expect("no panic").push(Seen {
        method: request.method().to_string(),
        target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        host: header(HOST).or_else(|| request.uri().authority().map(ToString::to_string)).unwrap_or_default(),
        authorization: authorization.clone(),
        command: if fetches { Some("fetch") } else { contains(&body, b"command=ls-refs").then_some("ls-refs") },
        client: request.peer_addr(),
    });
    let fault = state.fault.lock().expect("no panic").clone();
    if let Some(response) = misbehave(fault.as_ref(), &request).await {
        return response;
    }
    let is_azure = matches!(fault, Some(Fault::AzureDevOps));
    if !may_read(&state.account.lock().expect("no panic"), authorization.as_deref()) {
        if is_azure && authorization.is_some() {
            let page = "<html><body>Azure DevOps Services | Sign In</body></html>";
            return HttpResponse::NonAuthoritativeInformation().content_type("text/html; charset=utf-8").body(page);
        }
        return HttpResponse::Unauthorized().insert_header((WWW_AUTHENTICATE, "Basic realm=\"git\"")).finish();
    }
    let response = backend(&request, &body, &state.root, !is_azure).await;
    match fault {
        Some(Fault::AzureDevOps) => as_azure(response),
        Some(Fault::StalledPack) if fetches => stall(response),
        Some(Fault::CutPack) if fetches => cut(response),
        Some(Fault::EmptyPack) if fetches => empty_pack(response),
        _ => response.into_http(),
    }
}

async fn misbehave(fault: Option<&Fault>, request: &HttpRequest) -> Option<HttpResponse> {
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    Some(match fault? {
        Fault::Empty => HttpResponse::Ok().content_type("application/x-git-upload-pack-advertisement").body(""),
        Fault::Html => HttpResponse::Ok().content_type("text/html").body("<html><body>Sign in</body></html>"),
        Fault::Status(status) => {
            let status = StatusCode::from_u16(*status).expect("a status");
            HttpResponse::build(status).insert_header(("Retry-After", "7")).finish()
        }
        Fault::Redirect(base) => HttpResponse::Found().insert_header((LOCATION, format!("{base}{target}"))).finish(),
        Fault::SignIn => HttpResponse::Found().insert_header((LOCATION, "/users/sign_in")).finish(),
        Fault::Mute => std::future::pending().await,
        Fault::Answer(status, headers, body) => {
            let mut builder = HttpResponse::build(StatusCode::from_u16(*status).expect("a status"));
            for (name, value) in headers {
                builder.insert_header((*name, value.as_str()));
            }
            builder.body(*body)
        }
        Fault::Trickle => {
            let pieces = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Ok::<_, actix_web::Error>(web::Bytes::from_static(b"aaaaa")), ()))
            });
            let listing = "application/x-git-upload-pack-advertisement";
            let first =
                stream::iter([Ok(web::Bytes::from_static(b"001e# service=git-upload-pack\n0000000eversion 2\nfff0"))]);
            HttpResponse::Ok().content_type(listing).streaming(first.chain(pieces))
        }
        Fault::StalledPack | Fault::CutPack | Fault::EmptyPack | Fault::AzureDevOps => return None,
    })
}

fn may_read(account: &Account, authorization: Option<&str>) -> bool {
    match account {
        Account::Anonymous => true,
        Account::Basic(user, password) => {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            authorization == Some(format!("Basic {pair}").as_str())
        }
        Account::Bearer(token) => authorization == Some(format!("Bearer {token}").as_str()),
    }
}

/// What `git http-backend` said.
struct Said {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Said {
    fn builder(&self) -> actix_web::HttpResponseBuilder {
        let mut builder = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            builder.insert_header((name.as_str(), value.as_str()));
        }
        builder
    }

    fn into_http(self) -> HttpResponse {
        self.builder().body(self.body)
    }
}

fn stall(said: Said) -> HttpResponse {
    let beginning = web::Bytes::copy_from_slice(&said.body[..said.body.len().min(100)]);
    let body = stream::iter([Ok::<_, actix_web::Error>(beginning)]).chain(stream::pending());
    said.builder().streaming(body)
}

fn cut(said: Said) -> HttpResponse {
    let beginning = web::Bytes::copy_from_slice(&said.body[..said.body.len().min(100)]);
    let end = actix_web::error::ErrorInternalServerError("the connection is cut");
    said.builder().streaming(stream::iter([Ok(beginning), Err(end)]))
}

/// A pack of version 2 with no objects, and its SHA-1, on the band of packs (gitformat-pack(5), gitprotocol-pack(5)).
fn empty_pack(said: Said) -> HttpResponse {
    const PACK: &[u8] =
        b"PACK\0\0\0\x02\0\0\0\0\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e";
    let mut body = b"000dpackfile\n".to_vec();
    body.extend(format!("{:04x}\x01", PACK.len() + 5).into_bytes());
    body.extend(PACK);
    body.extend(b"0000");
    said.builder().body(body)
}

/// A listing that offers what Azure DevOps offers; what else Git can do, it does not say.
fn as_azure(said: Said) -> HttpResponse {
    const CAPABILITIES: &str = "multi_ack thin-pack side-band side-band-64k no-progress multi_ack_detailed no-done shallow allow-tip-sha1-in-want filter";
    let Some(zero) = said.body.iter().position(|byte| *byte == 0).filter(|_| said.body.starts_with(b"001e# service"))
    else {
        return said.into_http();
    };
    let start = said.body[..zero].iter().rposition(|byte| *byte == b' ').expect("a ref's name") - 44;
    let end = zero + said.body[zero..].iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let offered = String::from_utf8_lossy(&said.body[zero + 1..end - 1]).into_owned();
    let head = offered.split(' ').find(|word| word.starts_with("symref=")).unwrap_or_default();
    let line = [&said.body[start + 4..zero], format!("\0{CAPABILITIES} {head}\n").as_bytes()].concat();
    let length = format!("{:04x}", line.len() + 4).into_bytes();
    let body = [&said.body[..start], &length, &line, &said.body[end..]].concat();
    said.builder().body(body)
}

/// Runs `git http-backend` as a CGI program (RFC 3875, git-http-backend(1)).
async fn backend(request: &HttpRequest, body: &[u8], root: &Path, is_current: bool) -> Said {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut child = tokio::process::Command::new("git")
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("REQUEST_METHOD", request.method().as_str())
        .env("PATH_INFO", decoded(request.path()))
        .env("QUERY_STRING", request.query_string())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_ACCEPT", header(ACCEPT.as_str()))
        .env("GIT_PROTOCOL", if is_current { header("git-protocol") } else { String::new() })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("git is installed");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(body).await.expect("git reads its input");
    drop(stdin);
    let output = child.wait_with_output().await.expect("git ends");
    let end = output.stdout.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
    let mut said = Said { status: StatusCode::OK, headers: Vec::new(), body: output.stdout[end + 4..].to_vec() };
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        match name {
            "Status" => said.status = value[..3].parse().expect("a status"),
            _ => said.headers.push((name.to_owned(), value.to_owned())),
        }
    }
    said
}

/// A path without percent-encoding, as CGI has it.
fn decoded(path: &str) -> String {
    let form = format!("path={}", path.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(form.as_bytes());
    pairs.next().expect("one pair").1.into_owned()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
