//! A stand-in for Amazon SNS: a key of its own that signs messages, a server that shows its certificate and confirms
//! subscriptions, and an authority that vouches for the server's host.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packagist_selfhosted::clock::Timestamp;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SanType};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::certificates::Authority;

/// The topic of all messages.
pub const ARN: &str = "arn:aws:sns:us-east-2:111122223333:pushes";
const HOST: &str = "sns.us-east-2.amazonaws.com";
const TOKEN: &str = "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92";

/// How messages are signed.
#[derive(Clone, Copy, Debug)]
pub enum Version {
    /// With SHA-1.
    One,
    /// With SHA-256.
    Two,
}

/// What is wrong with how the certificate is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is said to be elsewhere.
    Redirect,
    /// There is no end of it.
    Endless,
    /// It never comes.
    Mute,
    /// It is there no more.
    Gone,
    /// A page comes instead.
    Page,
}

/// What an [`Amazon`] is made of.
pub struct Parts {
    /// What the certificate says that messages are signed with.
    pub signing: CertificateParams,
    /// The host whose certificate the server shows.
    pub host: &'static str,
    /// Whether its authority is trusted.
    pub is_trusted: bool,
    pub fault: Option<Fault>,
}

impl Default for Parts {
    fn default() -> Self {
        let mut signing = CertificateParams::new(vec!["sns.amazonaws.com".to_owned()]).expect("a name");
        signing.distinguished_name.push(DnType::CommonName, "sns.amazonaws.com");
        Self { signing, host: HOST, is_trusted: true, fault: None }
    }
}

/// The service.
pub struct Amazon {
    /// The certificate of its authority: what goes into `ca_bundle`.
    pub authority: String,
    key: KeyPair,
    certificate: String,
    tls: rustls::ServerConfig,
    fault: Option<Fault>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Amazon {
    pub fn new() -> Self {
        Self::of(Parts::default())
    }

    pub fn of(parts: Parts) -> Self {
        let host = parts.host.try_into().expect("a name");
        let authority = Authority::with(|leaf| leaf.subject_alt_names = vec![SanType::DnsName(host)]);
        let trusted = if parts.is_trusted { authority.pem } else { Authority::new().pem };
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        let certificate = parts.signing.self_signed(&key).expect("a certificate").pem();
        let (tls, fault) = (authority.server, parts.fault);
        Self { authority: trusted, key, certificate, tls, fault, log: Arc::default() }
    }

    /// Serves on a free port, which it gives, until the test ends.
    pub async fn serve(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let tls = TlsAcceptor::from(Arc::new(self.tls.clone()));
        let (certificate, log, fault) = (self.certificate.clone(), Arc::clone(&self.log), self.fault);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, certificate, log) = (tls.clone(), certificate.clone(), Arc::clone(&log));
                // Whoever hangs up ends it, which is no failure of the test.
                tokio::spawn(async move { answer(tls.accept(stream).await?, &certificate, fault, &log).await });
            }
        });
        port
    }

    /// The request lines since the last call.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().expect("no panic"))
    }

    pub fn notification(&self, version: Version, message: &str, sent: Timestamp) -> Value {
        self.signed(version, json!({ "Type": "Notification", "Subject": "UPDATE", "Message": message }), sent)
    }

    pub fn subscription(&self, version: Version, sent: Timestamp) -> Value {
        self.signed(version, confirmation("SubscriptionConfirmation"), sent)
    }

    pub fn unsubscription(&self, version: Version, sent: Timestamp) -> Value {
        self.signed(version, confirmation("UnsubscribeConfirmation"), sent)
    }

    fn signed(&self, version: Version, mut message: Value, sent: Timestamp) -> Value {
        let kind = message["Type"].as_str().expect("a type").to_owned();
        message["MessageId"] = "165545c9-2a5c-472c-8df2-7ff2be2b3b1b".into();
        message["TopicArn"] = ARN.into();
        message["Timestamp"] = sent.rfc3339().into();
        let keys: &[&str] = match kind.as_str() {
            "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
            _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
        };
        let text: String =
            keys.iter().map(|key| format!("{key}\n{}\n", message[*key].as_str().expect("a text"))).collect();
        let (number, signature) = match version {
            Version::One => ("1", self.sign_old(&text)),
            Version::Two => ("2", self.sign(&text)),
        };
        message["SignatureVersion"] = number.into();
        message["Signature"] = STANDARD.encode(signature).into();
        message["SigningCertURL"] = format!("https://{HOST}/SimpleNotificationService-0123456789abcdef.pem").into();
        message
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let key = RsaKeyPair::from_pkcs8(&self.key.serialize_der()).expect("an RSA key");
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("a signature");
        signature
    }

    /// With SHA-1, which no library here signs with any more.
    fn sign_old(&self, text: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let (key, file) = (folder.path().join("key.pem"), folder.path().join("text"));
        std::fs::write(&key, self.key.serialize_pem()).expect("a file");
        std::fs::write(&file, text).expect("a file");
        let output =
            Command::new("openssl").args(["dgst", "-sha1", "-sign"]).arg(&key).arg(&file).stdin(Stdio::null()).output();
        let output = output.expect("openssl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

fn confirmation(kind: &str) -> Value {
    let url = format!("https://{HOST}/?Action=ConfirmSubscription&TopicArn={ARN}&Token={TOKEN}");
    json!({ "Type": kind, "Message": "You have chosen to…", "Token": TOKEN, "SubscribeURL": url })
}

async fn answer(
    mut stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    certificate: &str,
    fault: Option<Fault>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    log.lock().expect("no panic").push(line.clone());
    let is_certificate = line.contains(".pem");
    let (status, body) = match fault.filter(|_| is_certificate) {
        Some(Fault::Redirect) => {
            ("302 Found\r\nLocation: https://sns.us-east-2.amazonaws.com.evil.example/x.pem", String::new())
        }
        Some(Fault::Endless) => ("200 OK", format!("{}{certificate}", "x".repeat(128 << 10))),
        Some(Fault::Mute) => std::future::pending().await,
        Some(Fault::Gone) => ("404 Not Found", String::new()),
        Some(Fault::Page) => ("200 OK", "<html>Sign in</html>".to_owned()),
        None if is_certificate => ("200 OK", certificate.to_owned()),
        None => ("200 OK", confirmed()),
    };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn confirmed() -> String {
    format!("<ConfirmSubscriptionResponse><SubscriptionArn>{ARN}:1</SubscriptionArn></ConfirmSubscriptionResponse>")
}
