//! OAuth 1.0a, as application links have it: every signature is verified with the public key of the link.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packagist_selfhosted::secrets::random;

use super::Site;
use crate::platforms::consent::{self, Decision};
use crate::platforms::frame::now;
use crate::platforms::message::{Asked, Pairs, Reply, strict};

/// How long a request token is good, in seconds.
const TOKEN_LIFE: u64 = 600;
/// Largest difference of clocks, in seconds.
const SKEW: i64 = 300;

/// A request token on its way.
#[derive(Clone, Debug)]
pub struct RequestToken {
    callback: String,
    issued: u64,
    /// Who allowed it, and the proof for it.
    allowed: Option<(u64, String)>,
    used: bool,
}

/// What an `Authorization` header of OAuth 1 says.
struct Signed {
    given: BTreeMap<String, String>,
}

impl Site {
    /// `POST /plugins/servlet/oauth/request-token`.
    pub(super) fn request_token(&mut self, asked: &Asked) -> Reply {
        let signed = match self.signed(asked, &["oauth_callback"]) {
            Ok(signed) => signed,
            Err(refusal) => return refusal,
        };
        let token = random::hex::<16>();
        let issued = self.grants.now;
        let callback = signed.given["oauth_callback"].clone();
        self.request_tokens.insert(token.clone(), RequestToken { callback, issued, allowed: None, used: false });
        let mut fields = vec![("oauth_token", token), ("oauth_token_secret", random::hex::<16>())];
        if self.confirms_callbacks {
            fields.push(("oauth_callback_confirmed", "true".to_owned()));
        }
        text_form(&fields)
    }

    /// `GET /plugins/servlet/oauth/authorize`.
    pub(super) fn authorize1(&mut self, asked: &Asked) -> Reply {
        let given = match strict(&asked.query, &["oauth_token"], &[]) {
            Ok(given) => given,
            Err(why) => return Reply::html(400, why.clone()).blamed(why),
        };
        let token = given["oauth_token"];
        if self.request_tokens.get(token).is_none_or(|known| known.allowed.is_some()) {
            return Reply::html(400, "The request token is invalid");
        }
        let action = format!("{}/plugins/servlet/oauth/authorize", self.prefix);
        consent::page("Bitbucket", &self.consumer.name, &action, token, &self.names(), &[])
    }

    /// `POST /plugins/servlet/oauth/authorize`, of the page.
    pub(super) fn decide1(&mut self, asked: &Asked) -> Reply {
        let Some((token, decision)) = consent::decision(asked) else { return Reply::html(400, "Try again") };
        let id = match &decision {
            Decision::Allow(name) => self.id(name),
            Decision::Deny => None,
        };
        let Some(request) = self.request_tokens.get_mut(&token) else { return Reply::html(400, "Try again") };
        let to = request.callback.clone();
        let Some(id) = id else {
            self.request_tokens.remove(&token);
            return Reply::redirect_with(&to, &[("oauth_token", &token), ("oauth_verifier", "denied")]);
        };
        let verifier = random::hex::<3>();
        request.allowed = Some((id, verifier.clone()));
        Reply::redirect_with(&to, &[("oauth_token", &token), ("oauth_verifier", &verifier)])
    }

    /// `POST /plugins/servlet/oauth/access-token`.
    pub(super) fn access_token(&mut self, asked: &Asked) -> Reply {
        let signed = match self.signed(asked, &["oauth_token", "oauth_verifier"]) {
            Ok(signed) => signed,
            Err(refusal) => return refusal,
        };
        let (now, verifier) = (self.grants.now, &signed.given["oauth_verifier"]);
        let Some(request) = self.request_tokens.get_mut(&signed.given["oauth_token"]) else {
            return problem("token_rejected");
        };
        if now > request.issued + TOKEN_LIFE {
            return problem("token_expired");
        }
        if request.used {
            return problem("token_used");
        }
        let Some((user, _)) = request.allowed.as_ref().filter(|(_, right)| right == verifier) else {
            return problem("token_rejected");
        };
        let user = *user;
        request.used = true;
        let token = random::hex::<16>();
        self.access_tokens.insert(token.clone(), user);
        text_form(&[
            ("oauth_token", token),
            ("oauth_token_secret", random::hex::<16>()),
            ("oauth_expires_in", "157680000".to_owned()),
            ("oauth_session_handle", random::hex::<16>()),
            ("oauth_authorization_expires_in", "160272000".to_owned()),
        ])
    }

    /// Whose token signed a call of the API; None where nobody's did.
    pub(super) fn signer(&self, asked: &Asked) -> Result<Option<u64>, Reply> {
        if asked.header("authorization").is_none() {
            return Ok(None);
        }
        let signed = self.signed(asked, &["oauth_token"])?;
        Ok(self.access_tokens.get(&signed.given["oauth_token"]).copied())
    }

    /// Reads and verifies a signature whose header has these parameters beside the usual ones, and no others.
    fn signed(&self, asked: &Asked, own: &[&str]) -> Result<Signed, Reply> {
        let header = asked.header("authorization").and_then(|header| header.strip_prefix("OAuth "));
        let Some(header) = header else { return Err(problem("parameter_absent").blamed("nothing is signed")) };
        let Some(pairs) = read(header) else { return Err(problem("parameter_rejected").blamed("no header of OAuth")) };
        let usual = [
            "oauth_consumer_key",
            "oauth_nonce",
            "oauth_signature",
            "oauth_signature_method",
            "oauth_timestamp",
            "oauth_version",
        ];
        let required: Vec<_> = usual.iter().chain(own).copied().collect();
        let given = match strict(&pairs, &required, &[]) {
            Ok(given) => given,
            Err(why) => return Err(problem("parameter_rejected").blamed(why)),
        };
        let given: BTreeMap<_, _> =
            given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if given["oauth_version"] != "1.0" || given["oauth_signature_method"] != "RSA-SHA1" {
            return Err(problem("signature_method_rejected").blamed("another method or version"));
        }
        if given["oauth_consumer_key"] != self.consumer.key {
            return Err(problem("consumer_key_unknown"));
        }
        self.is_timely(&given)?;
        let parameters = pairs.iter().filter(|(name, _)| name != "oauth_signature").chain(&asked.query);
        let address = format!("{}{}", self.origin(), asked.path);
        let base = base_string(&asked.method, &address, parameters);
        let signature = STANDARD.decode(&given["oauth_signature"]).unwrap_or_default();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, &self.consumer.public_key);
        match key.verify(base.as_bytes(), &signature) {
            Ok(()) => Ok(Signed { given }),
            Err(_) => Err(problem("signature_invalid")),
        }
    }

    /// The rules on time and nonce.
    fn is_timely(&self, given: &BTreeMap<String, String>) -> Result<(), Reply> {
        let (now, theirs) = (now() + self.clock, given["oauth_timestamp"].parse::<i64>());
        if theirs.is_err() || theirs.is_ok_and(|theirs| (theirs - now).abs() > SKEW) {
            let acceptable = format!("{}-{}", now - SKEW, now + SKEW);
            return Err(problem_with("timestamp_refused", &[("oauth_acceptable_timestamps", acceptable)]));
        }
        let nonce = &given["oauth_nonce"];
        if nonce.len() < 16 {
            return Err(problem("nonce_used").blamed("a nonce that comes again by chance"));
        }
        let is_new = self.nonces.lock().expect("no panic").insert((given["oauth_timestamp"].clone(), nonce.clone()));
        if !is_new {
            return Err(problem("nonce_used").blamed("the same nonce twice"));
        }
        Ok(())
    }
}

/// Reads `name="value", name="value"`.
fn read(header: &str) -> Option<Pairs> {
    let pairs = header.split(',').map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        Some((decoded(name)?, decoded(value.strip_prefix('"')?.strip_suffix('"')?)?))
    });
    pairs.collect()
}

/// Undoes the percent-encoding, which must be as strict as RFC 5849 section 3.6 has it.
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    let plain = String::from_utf8(bytes).ok()?;
    (encoded(&plain) == text).then_some(plain)
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// RFC 5849 section 3.4.1, once more and apart from ours.
fn base_string<'p>(method: &str, address: &str, parameters: impl Iterator<Item = &'p (String, String)>) -> String {
    let mut pairs: Vec<_> = parameters.map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort();
    let joined: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [method.to_owned(), encoded(address), encoded(&joined.join("&"))].join("&")
}

/// A form, which real servers call plain text.
fn text_form(fields: &[(&str, String)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Reply::text(200, &body)
}

fn problem(name: &str) -> Reply {
    problem_with(name, &[])
}

fn problem_with(name: &str, more: &[(&str, String)]) -> Reply {
    let fields: Vec<_> = std::iter::once(("oauth_problem", name.to_owned())).chain(more.iter().cloned()).collect();
    let header: Vec<_> = fields.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let reply = Reply { status: 401, ..text_form(&fields) };
    reply.with("www-authenticate", &format!("OAuth realm=\"http%3A%2F%2Flocalhost\", {}", header.join(", ")))
}
