//! Whether messages are SNS's own, and the confirming of subscriptions: the only part of webhooks that calls somebody.
//!
//! Whoever knows a hook's address can send messages that name a certificate. So certificates are only fetched from SNS's own
//! hosts, one at a time for each address, few in a minute, and are kept, also across a restart; and nobody who calls a hook
//! waits for long.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, Request, StatusCode};
use tokio::sync::OnceCell;
use url::Url;

use super::certificate::Certificate;
use super::drawer::Drawer;
use super::{Forged, Message};
use crate::clock::Timestamp;
use crate::outbound::{CallFailed, PlatformClient, Settings, SetupFailed};
use crate::platform::answer::printable;

/// How long a certificate is believed without being fetched again.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many are remembered.
const REMEMBERED: usize = 64;
/// How many are fetched within a minute.
const FETCHES: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// How long one call may take.
const LONGEST_CALL: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 64 << 10;

/// Who waits for a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Whoever calls a hook, and is answered in well under a second.
    Call,
    /// A job, which has the time.
    Job,
}

impl Urgency {
    /// How long a certificate is waited for.
    const fn patience(self) -> Duration {
        match self {
            Self::Call => Duration::from_millis(500),
            Self::Job => Duration::from_secs(15),
        }
    }

    /// How long it is remembered that a certificate could not be had. Anybody may call; jobs come again ever later.
    const fn missed(self) -> Duration {
        match self {
            Self::Call => Duration::from_secs(5 * 60),
            Self::Job => Duration::from_secs(20),
        }
    }
}

/// Why a message is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// It is not genuine.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// Nobody can say: the certificate could not be had. The reason, a sentence.
    #[error("{0}")]
    Unknown(String),
}

/// Why a subscription is not confirmed. Each text is a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// SNS says no: the link is too old, or was used.
    #[error(
        "SNS refused the confirmation ({0}). Ask it for a new one: request confirmation of the subscription again."
    )]
    Refused(String),
    /// SNS cannot be reached, or does not answer in its usual way.
    #[error("SNS could not be asked to confirm the subscription: {0}.")]
    Unreachable(String),
}

type Fetched = Result<Arc<Certificate>, String>;

/// One certificate that is being fetched, or was.
#[derive(Clone)]
struct Shelf {
    asked_at: Timestamp,
    cell: Arc<OnceCell<Fetched>>,
}

#[derive(Default)]
struct Shelves {
    by_address: HashMap<String, Shelf>,
    minute: Option<Timestamp>,
    fetches: u32,
}

/// Tells genuine messages, and confirms subscriptions. Cheap to clone: clones share what they know.
#[derive(Clone)]
pub struct Notary {
    settings: Arc<Settings>,
    drawer: Option<Arc<Drawer>>,
    /// Locked for a look-up, by those who check a message; fetching happens outside.
    shelves: Arc<Mutex<Shelves>>,
}

impl Notary {
    /// One that reaches SNS as these settings say.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), drawer: None, shelves: Arc::default() }
    }

    /// The same, which keeps certificates in a folder.
    #[must_use]
    pub fn keeping(self, folder: PathBuf) -> Self {
        Self { drawer: Some(Arc::new(Drawer::new(folder))), ..self }
    }

    /// Checks a message's signature, waiting for its certificate no longer than whoever asks can; the fetching goes on after
    /// that, for the next message.
    ///
    /// # Errors
    /// [`Doubt`].
    pub async fn check(&self, message: &Message, urgency: Urgency, now: Timestamp) -> Result<(), Doubt> {
        let cell = self.shelf(message.certificate.as_str(), urgency, now)?;
        let (notary, address, fetching) = (self.clone(), message.certificate.clone(), Arc::clone(&cell));
        let fetched = match cell.get() {
            Some(fetched) => fetched.clone(),
            None => {
                let task = tokio::spawn(async move {
                    fetching.get_or_init(|| async { notary.get(&address, now).await }).await.clone()
                });
                let late = || Err("its certificate did not come in time".to_owned());
                tokio::time::timeout(urgency.patience(), task).await.ok().and_then(Result::ok).unwrap_or_else(late)
            }
        };
        let certificate =
            fetched.map_err(|reason| Doubt::Unknown(format!("Its signature was not checked: {reason}.")))?;
        if !certificate.holds(now) {
            return Err(Doubt::Unknown("Its signature was not checked: its certificate has expired.".to_owned()));
        }
        if !certificate.is_for(&message.topic) {
            return Err(Doubt::Unknown("Its signature was not checked: its certificate is not SNS's.".to_owned()));
        }
        Ok(message.verify(&certificate)?)
    }

    /// The shelf of a certificate, whether it is filled or not.
    fn shelf(&self, address: &str, urgency: Urgency, now: Timestamp) -> Result<Arc<OnceCell<Fetched>>, Doubt> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = shelves.by_address.get(address).filter(|shelf| shelf.is_fresh(urgency, now)) {
            return Ok(Arc::clone(&shelf.cell));
        }
        if shelves.minute.is_none_or(|since| now.since(since) >= MINUTE || since > now) {
            (shelves.minute, shelves.fetches) = (Some(now), 0);
        }
        if shelves.fetches >= FETCHES {
            let reason = "Its signature was not checked: too many certificates were asked for.";
            return Err(Doubt::Unknown(reason.to_owned()));
        }
        shelves.fetches += 1;
        if shelves.by_address.len() >= REMEMBERED {
            // Whoever asks for what is not there pushes out no certificate that is.
            let worth = |shelf: &Shelf| (shelf.is_filled(), shelf.asked_at.as_micros());
            let oldest = shelves.by_address.iter().min_by_key(|(_, shelf)| worth(shelf));
            let oldest = oldest.map(|(address, _)| address.clone()).unwrap_or_default();
            shelves.by_address.remove(&oldest);
        }
        let shelf = Shelf { asked_at: now, cell: Arc::default() };
        shelves.by_address.insert(address.to_owned(), shelf.clone());
        Ok(shelf.cell)
    }

    /// The certificate of an address, from the drawer or from there.
    async fn get(&self, address: &Url, now: Timestamp) -> Fetched {
        if let Some(kept) = self.kept(address, now).await {
            return Ok(Arc::new(kept));
        }
        let (certificate, pem) = self.fetch(address).await?;
        if let Some(drawer) = self.drawer.clone() {
            let address = address.clone();
            let kept = tokio::task::spawn_blocking(move || drawer.keep(&address, &pem, now)).await;
            if let Ok(Err(error)) = kept {
                tracing::debug!(%error, "A certificate of Amazon SNS could not be kept; it is fetched again when it is needed.");
            }
        }
        Ok(Arc::new(certificate))
    }

    /// What the drawer has, if it was fetched within a day and holds.
    async fn kept(&self, address: &Url, now: Timestamp) -> Option<Certificate> {
        let (drawer, address) = (self.drawer.clone()?, address.clone());
        let found = tokio::task::spawn_blocking(move || drawer.find(&address)).await.ok()?;
        let (at, certificate) = found?;
        (at <= now && now.since(at) < KEPT && certificate.holds(now)).then_some(certificate)
    }

    async fn fetch(&self, address: &Url) -> Result<(Certificate, Vec<u8>), String> {
        let asked = self.call(address).await;
        let (status, body) =
            asked.map_err(|error| format!("{} could not be asked for its certificate: {error}", host(address)))?;
        if status != StatusCode::OK {
            return Err(format!("{} answered with HTTP {} instead of its certificate", host(address), status.as_u16()));
        }
        let certificate = Certificate::parse(&body);
        let certificate = certificate.ok_or_else(|| format!("{} sent no certificate", host(address)))?;
        Ok((certificate, body))
    }

    /// Confirms a subscription whose message was checked; the subscription's name.
    ///
    /// # Errors
    /// [`Unconfirmed`].
    pub async fn confirm(&self, message: &Message) -> Result<String, Unconfirmed> {
        let unasked = || Unconfirmed::Refused("the message asks for none".to_owned());
        let address = message.subscribe_url().ok_or_else(unasked)?;
        let asked = self.call(address).await;
        let (status, body) = asked.map_err(|error| Unconfirmed::Unreachable(error.to_string()))?;
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return Err(Unconfirmed::Refused(format!("HTTP {}", status.as_u16())));
        }
        let text = String::from_utf8_lossy(&body);
        let arn = text.split_once("<SubscriptionArn>").and_then(|(_, rest)| rest.split_once("</SubscriptionArn>"));
        match (status, arn) {
            (StatusCode::OK, Some((arn, _))) => Ok(printable(arn, 300)),
            _ => Err(Unconfirmed::Unreachable(format!("it answered with HTTP {}", status.as_u16()))),
        }
    }

    async fn call(&self, address: &Url) -> Result<(StatusCode, Vec<u8>), Failure> {
        let client = PlatformClient::for_stranger(&self.settings, address, LONGEST_CALL)?.reading(LONGEST_ANSWER);
        let answer = client.send(Request::new(Method::GET, address.clone())).await?;
        Ok((answer.status, answer.body))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Setup(#[from] SetupFailed),
    #[error(transparent)]
    Call(#[from] CallFailed),
}

impl Shelf {
    /// Whether there is a certificate on it.
    fn is_filled(&self) -> bool {
        matches!(self.cell.get(), Some(Ok(_)))
    }

    /// Whether it is not to be filled anew: what is being fetched, too.
    fn is_fresh(&self, urgency: Urgency, now: Timestamp) -> bool {
        let kept = match self.cell.get() {
            Some(Ok(_)) => KEPT,
            Some(Err(_)) | None => urgency.missed(),
        };
        self.asked_at <= now && now.since(self.asked_at) < kept
    }
}

fn host(address: &Url) -> &str {
    address.host_str().unwrap_or_default()
}
