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
    /// When tokens end that do.
    pub ends: BTreeMap<String, u64>,
    /// Refresh tokens, with the tokens that end with them.
    pub refreshes: BTreeMap<String, String>,
    /// How often tokens were renewed.
    pub renewals: usize,
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

    /// The same, for so many seconds, with a refresh token for afterwards.
    pub fn issue_for(&mut self, prefix: &str, token: Token, seconds: u64) -> (String, String) {
        let access = self.issue(prefix, token);
        let refresh = format!("{prefix}r{}", random::hex::<20>());
        self.ends.insert(access.clone(), self.now + seconds);
        self.refreshes.insert(refresh.clone(), access.clone());
        (access, refresh)
    }

    /// Another pair in place of this refresh token's, which ends: at once, or after so many seconds of `grace`.
    pub fn renew(&mut self, prefix: &str, refresh: &str, (seconds, grace): (u64, u64)) -> Option<(String, String)> {
        let access = self.refreshes.get(refresh).filter(|_| !self.is_over(refresh))?.clone();
        let token = self.tokens.get(&access)?.clone();
        self.tokens.remove(&access);
        self.renewals += 1;
        let pair = self.issue_for(prefix, token, seconds);
        // Whoever lost the answer may ask once more.
        self.refreshes.insert(refresh.to_owned(), pair.0.clone());
        self.ends.entry(refresh.to_owned()).or_insert(self.now + grace);
        Some(pair)
    }

    fn is_over(&self, token: &str) -> bool {
        self.ends.get(token).is_some_and(|end| *end <= self.now)
    }

    /// Ends all of an account's.
    pub fn end_all(&mut self, user: u64) {
        self.tokens.retain(|_, token| token.user != user);
    }

    /// The token, if it has not ended.
    pub fn living(&self, token: &str) -> Option<&Token> {
        self.tokens.get(token).filter(|_| !self.is_over(token))
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
