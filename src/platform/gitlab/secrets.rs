//! What our hooks at GitLab show and sign with. Both come of the one secret that is kept of a hook, in ways that cannot be
//! turned back: whoever sees the token that older servers send cannot make the signatures of newer ones.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// How a signing token begins, before its base64 (Standard Webhooks).
const SIGNING_PREFIX: &str = "whsec_";

/// What GitLab sends back as `X-Gitlab-Token`.
pub(super) fn token_of(secret: &SecretString) -> SecretString {
    let derived = derived(secret, b"gitlab webhook token");
    SecretString::from(derived.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// What GitLab signs with from version 19 on, as its API takes it.
pub(super) fn signing_token_of(secret: &SecretString) -> SecretString {
    SecretString::from(format!("{SIGNING_PREFIX}{}", STANDARD.encode(signing_key_of(secret))))
}

/// The same, as the key that it stands for.
pub(super) fn signing_key_of(secret: &SecretString) -> hmac::Tag {
    derived(secret, b"gitlab webhook signing token")
}

fn derived(secret: &SecretString, label: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()), label)
}
