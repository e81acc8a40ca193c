//! What OAuth 2 servers remember: requests for consent, codes and tokens. The rules on them are each platform's own.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use packagist_selfhosted::secrets::random;
use sha2::{Digest, Sha256};

/// What a person is asked to allow.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub client_id: String,
    /// Where the browser goes afterwards.
    pub redirect_uri: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What the browser brings back.
    pub state: String,
    /// PKCE's challenge, of the method S256.
    pub challenge: Option<String>,
}

/// A code, and what it is good for.
#[derive(Clone, Debug)]
pub struct Code {
    /// What was allowed.
    pub request: Request,
    /// By whom.
    pub user: u64,
    /// When, on the simulator's clock.
    pub issued: u64,
    /// Whether it was redeemed.
    pub used: bool,
}

/// An access token, and what it is good for.
#[derive(Clone, Debug)]
pub struct Token {
    /// To whom it was given.
    pub client_id: String,
    /// Whose it is.
    pub user: u64,
    /// What it allows.
    pub scopes: Vec<String>,
}

/// All of them, by their names, and the simulator's clock in seconds.
#[derive(Debug, Default)]
pub struct Grants {
    /// Open requests.
    pub requests: BTreeMap<String, Request>,
    /// Codes, used ones too.
    pub codes: BTreeMap<String, Code>,
    /// Living tokens.
    pub tokens: BTreeMap<String, Token>,
    /// Seconds since the start, moved by hand.
    pub now: u64,
}

impl Grants {
    /// Remembers a request until the person has decided.
    pub fn ask(&mut self, request: Request) -> String {
        let id = random::hex::<16>();
        self.requests.insert(id.clone(), request);
        id
    }

    /// A code for what this user allowed.
    pub fn allow(&mut self, request: Request, user: u64) -> String {
        let code = random::hex::<10>();
        let granted = Code { request, user, issued: self.now, used: false };
        self.codes.insert(code.clone(), granted);
        code
    }

    /// A token that begins with `prefix`.
    pub fn issue(&mut self, prefix: &str, token: Token) -> String {
        let text = format!("{prefix}{}", random::hex::<20>());
        self.tokens.insert(text.clone(), token);
        text
    }
}

/// Whether a verifier is the one of a challenge.
pub fn verifies(challenge: &str, verifier: &str) -> bool {
    let is_verifier = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    is_verifier && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}

/// Whether a text can be a challenge of the method S256.
pub fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}
