//! A GitHub App's private key, and what it signs: a JSON Web Token that says for some minutes that we are the App (RFC 7519,
//! with RS256 of RFC 7518).

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::clock::Timestamp;

/// How much earlier than now a token begins, in seconds, for GitHub's clock may be behind ours.
const EARLIER: i64 = 60;
/// How long a token is good from now on, in seconds; GitHub takes at most ten minutes.
const LIFE: i64 = 9 * 60;
/// Longest file that is looked at, in bytes.
const LONGEST_FILE: usize = 64 * 1024;

/// Why a text is no key of a GitHub App.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAppKey {
    /// It is no PEM.
    #[error(
        "it holds no `BEGIN RSA PRIVATE KEY` or `BEGIN PRIVATE KEY`: give the .pem file that GitHub made for the App"
    )]
    NotPem,
    /// It is locked.
    #[error("it is protected by a passphrase: write it without one (`openssl rsa -in KEY -out NEW`)")]
    Encrypted,
    /// It is damaged.
    #[error("it is no RSA key, or cut off: give the .pem file that GitHub made for the App as it is")]
    Damaged,
}

/// Refuses a text that is no private key of a GitHub App.
///
/// # Errors
/// [`InvalidAppKey`].
pub fn check_app_key(pem: &SecretString) -> Result<(), InvalidAppKey> {
    AppKey::from_pem(pem.expose_secret()).map(drop)
}

/// A GitHub App's private key.
pub(super) struct AppKey(KeyPair);

/// The key is never printed.
impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey")
    }
}

impl AppKey {
    /// Reads a key in PEM, PKCS#1 or PKCS#8, also where its line ends were lost to `\n`, to a form, or to Windows.
    ///
    /// # Errors
    /// [`InvalidAppKey`].
    pub(super) fn from_pem(text: &str) -> Result<Self, InvalidAppKey> {
        if text.len() > LONGEST_FILE {
            return Err(InvalidAppKey::NotPem);
        }
        let text = Zeroizing::new(text.replace("\\r", "").replace("\\n", "\n"));
        for label in ["RSA PRIVATE KEY", "PRIVATE KEY"] {
            let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
            let Some((_, rest)) = text.split_once(&begin) else { continue };
            let (body, _) = rest.split_once(&end).ok_or(InvalidAppKey::Damaged)?;
            if body.contains("ENCRYPTED") {
                return Err(InvalidAppKey::Encrypted);
            }
            let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|char| !char.is_whitespace()).collect());
            let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| InvalidAppKey::Damaged)?);
            let pair = if label == "PRIVATE KEY" { KeyPair::from_pkcs8(&der) } else { KeyPair::from_der(&der) };
            return pair.map(Self).map_err(|_| InvalidAppKey::Damaged);
        }
        Err(if text.contains("ENCRYPTED PRIVATE KEY") { InvalidAppKey::Encrypted } else { InvalidAppKey::NotPem })
    }

    /// A token that says that we are the App of this number; None when this machine cannot sign.
    pub(super) fn token(&self, app: u64, now: Timestamp) -> Option<SecretString> {
        let now = now.as_seconds();
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "RS256", "typ": "JWT" }).to_string());
        // An old Enterprise Server wants the App's number, as a number, where newer ones take its client id too.
        let claims = json!({ "iat": now - EARLIER, "exp": now + LIFE, "iss": app });
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(SecretString::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use secrecy::ExposeSecret;

    use super::{AppKey, InvalidAppKey};
    use crate::clock::Timestamp;

    #[test]
    fn keys_are_read_however_they_were_pasted() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let body = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        let public = pair.public_key().as_ref().to_vec();
        for text in [
            pem.clone(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\\n"),
            pem.replace('\n', " "),
            format!("  \n{pem}  "),
        ] {
            let key = AppKey::from_pem(&text).unwrap();
            let token = key.token(4711, Timestamp::from_seconds(1_000_000)).unwrap();
            let token = token.expose_secret();
            let (signed, signature) = token.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public).verify(signed.as_bytes(), &signature).unwrap();
            let (_, claims) = signed.split_once('.').unwrap();
            let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
            assert_eq!(claims, serde_json::json!({ "iat": 999_940, "exp": 1_000_540, "iss": 4711 }));
        }
        let refused = |text: &str| AppKey::from_pem(text).unwrap_err();
        assert_eq!(refused("ghp_123"), InvalidAppKey::NotPem);
        assert_eq!(refused(&pem[..pem.len() / 2]), InvalidAppKey::Damaged);
        assert_eq!(refused(&pem.replace(lines[3], "")), InvalidAppKey::Damaged);
        let locked = pem.replace("PRIVATE", "ENCRYPTED PRIVATE");
        assert_eq!(refused(&locked), InvalidAppKey::Encrypted);
    }
}
