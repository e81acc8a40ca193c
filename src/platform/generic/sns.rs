//! Amazon's Simple Notification Service, by which AWS CodeCommit tells of pushes: what its messages are, and which of them
//! are signed by it.
//!
//! A message names the certificate that it is signed with, and one of a new subscription the address that confirms it. Both
//! lead out of here, so that both are pinned to the very host that the message's topic is at; nothing is asked for otherwise.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

mod certificate;
mod drawer;
mod notary;
mod topic;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::Url;

use crate::clock::Timestamp;

pub use certificate::Certificate;
pub use notary::{Doubt, Notary, Unconfirmed, Urgency};
pub use topic::Topic;

/// How old a message may be when it comes: SNS tries for an hour, by its longest delivery policy.
const OLDEST: Duration = Duration::from_secs(60 * 60);
/// How far its clock may be before ours.
const AHEAD: Duration = Duration::from_secs(15 * 60);
/// Longest body that is read as a message: SNS sends 256 KiB of text, which JSON can write at up to six bytes each.
const LONGEST: usize = 2 << 20;
/// Longest signature, in base64: of the largest RSA key that is verified.
const LONGEST_SIGNATURE: usize = 1400;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something happened.
    Notification,
    /// Somebody subscribed this address to a topic, which has to be confirmed.
    Subscription,
    /// The address is subscribed no more.
    Unsubscription,
}

/// Why a message is none of SNS's. Each text is a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// There is no such topic.
    #[error("It names no topic of SNS.")]
    Topic,
    /// Its certificate would have to be fetched from elsewhere.
    #[error("It says that its certificate is at another host than its topic's.")]
    CertificateHost,
    /// Its confirmation would call another address.
    #[error("What it asks to be confirmed is at another host than its topic's, or is another topic.")]
    SubscribeHost,
    /// It is signed in a way that SNS has not.
    #[error("It is signed in a way that SNS does not know.")]
    Version,
    /// The signature is not the certificate's.
    #[error("Its signature is wrong.")]
    Signature,
    /// It was sent too long ago, or is dated too far ahead.
    #[error("It is older than an hour, or dated ahead: somebody may have sent it again.")]
    Time,
}

/// How it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// RSA with SHA-1: what topics have unless told otherwise.
    One,
    /// RSA with SHA-256.
    Two,
}

/// A message, as it came: whether it is genuine, a [`Notary`] says.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it is for.
    pub kind: Kind,
    /// What names it, also when it is sent again.
    pub id: String,
    /// The topic that it came by.
    pub topic: Topic,
    certificate: Url,
    subscribe: Option<Url>,
    sent_at: Option<Timestamp>,
    version: Version,
    signature: Vec<u8>,
    signed: String,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "MessageId")]
    id: String,
    #[serde(rename = "TopicArn")]
    topic: String,
    #[serde(rename = "Subject")]
    subject: Option<String>,
    #[serde(rename = "Message")]
    message: String,
    #[serde(rename = "Timestamp")]
    timestamp: String,
    #[serde(rename = "SignatureVersion")]
    version: String,
    #[serde(rename = "Signature")]
    signature: String,
    #[serde(rename = "SigningCertURL")]
    certificate: String,
    #[serde(rename = "Token")]
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe: Option<String>,
}

impl Message {
    /// Reads a body, whatever type it says it has; none if it is no message of SNS, such as one of raw delivery.
    ///
    /// # Errors
    /// [`Forged`], where what it names can be no thing of SNS.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Result<Self, Forged>> {
        let body = body.trim_ascii();
        if body.first() != Some(&b'{') || body.len() > LONGEST {
            return None;
        }
        let wire: Wire = serde_json::from_slice(body).ok()?;
        let kind = match wire.kind.as_str() {
            "Notification" => Kind::Notification,
            "SubscriptionConfirmation" => Kind::Subscription,
            "UnsubscribeConfirmation" => Kind::Unsubscription,
            _ => return None,
        };
        Some(Self::of(kind, &wire))
    }

    fn of(kind: Kind, wire: &Wire) -> Result<Self, Forged> {
        let topic = Topic::parse(&wire.topic).ok_or(Forged::Topic)?;
        let version = match wire.version.as_str() {
            "1" => Version::One,
            "2" => Version::Two,
            _ => return Err(Forged::Version),
        };
        let subscribe = match kind {
            Kind::Subscription => Some(subscribe_url(wire, &topic).ok_or(Forged::SubscribeHost)?),
            Kind::Notification | Kind::Unsubscription => None,
        };
        let signature = Some(&wire.signature).filter(|text| text.len() <= LONGEST_SIGNATURE);
        Ok(Self {
            kind,
            id: wire.id.chars().filter(char::is_ascii_graphic).take(100).collect(),
            certificate: certificate_url(&wire.certificate, &topic).ok_or(Forged::CertificateHost)?,
            topic,
            subscribe,
            sent_at: Timestamp::parse_rfc3339(&wire.timestamp).ok(),
            version,
            signature: signature.and_then(|text| STANDARD.decode(text).ok()).ok_or(Forged::Signature)?,
            signed: signed_text(kind, wire),
        })
    }

    /// Where the subscription is confirmed, of a message that asks for it.
    #[must_use]
    pub fn subscribe_url(&self) -> Option<&Url> {
        self.subscribe.as_ref()
    }

    /// Refuses what was sent too long ago, which a genuine message is only if somebody kept it.
    ///
    /// # Errors
    /// [`Forged::Time`].
    pub fn require_fresh(&self, now: Timestamp) -> Result<(), Forged> {
        let sent_at = self.sent_at.ok_or(Forged::Time)?;
        if now.since(sent_at) > OLDEST || sent_at.since(now) > AHEAD { Err(Forged::Time) } else { Ok(()) }
    }

    fn verify(&self, certificate: &Certificate) -> Result<(), Forged> {
        let is_right = certificate.verifies(self.version == Version::One, self.signed.as_bytes(), &self.signature);
        if is_right { Ok(()) } else { Err(Forged::Signature) }
    }
}

/// What is signed: these keys in the order of their names, each on a line before its value.
fn signed_text(kind: Kind, wire: &Wire) -> String {
    let mut pairs = vec![("Message", wire.message.as_str()), ("MessageId", wire.id.as_str())];
    match kind {
        Kind::Notification => pairs.extend(wire.subject.as_deref().map(|subject| ("Subject", subject))),
        Kind::Subscription | Kind::Unsubscription => {
            pairs.push(("SubscribeURL", wire.subscribe.as_deref().unwrap_or_default()));
        }
    }
    pairs.push(("Timestamp", &wire.timestamp));
    if kind != Kind::Notification {
        pairs.push(("Token", wire.token.as_deref().unwrap_or_default()));
    }
    pairs.extend([("TopicArn", wire.topic.as_str()), ("Type", wire.kind.as_str())]);
    pairs.into_iter().fold(String::new(), |text, (key, value)| text + key + "\n" + value + "\n")
}

/// An address of the topic's own host, by HTTPS at its usual port; none if it is written in any other way, such as one that
/// a lenient reader takes for another.
fn own_address(text: &str, topic: &Topic) -> Option<Url> {
    let start = format!("https://{}/", topic.host());
    if text.len() > 2048 || !text.starts_with(&start) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let same = url.host_str() == Some(topic.host().as_str()) && url.port().is_none() && url.fragment().is_none();
    (same && url.username().is_empty() && url.password().is_none()).then_some(url)
}

fn certificate_url(text: &str, topic: &Topic) -> Option<Url> {
    let url = own_address(text, topic)?;
    let name = url.path().strip_prefix("/SimpleNotificationService-")?.strip_suffix(".pem")?;
    let plain = !name.is_empty() && name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && url.query().is_none()).then_some(url)
}

fn subscribe_url(wire: &Wire, topic: &Topic) -> Option<Url> {
    let url = own_address(wire.subscribe.as_deref()?, topic)?;
    let asked = |name: &str| {
        let mut values = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        values.next().filter(|_| values.next().is_none())
    };
    let confirms = asked("Action").as_deref() == Some("ConfirmSubscription")
        && asked("TopicArn").as_deref() == Some(wire.topic.as_str())
        && asked("Token").is_some_and(|token| Some(token) == wire.token);
    (url.path() == "/" && confirms).then_some(url)
}

#[cfg(test)]
#[path = "sns/sns_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests;
