//! Whether a call comes from somebody who knows the hook's secret. Each platform shows it in its own way: most sign the bytes
//! as they came (HMAC-SHA256), some can only send the secret itself, as a token or password.
//!
//! What is wrong in one place is not made good by another, and a hook that was once called with a signature takes the secret
//! itself never again (contract, section 3): whoever overheard it could then say anything.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::super::event::{Headers, Refused};
use crate::clock::Timestamp;

/// Headers that hold an HMAC of the body in hexadecimal, and what stands before it. GitHub, Bitbucket (which calls its like
/// GitHub's old one), Forgejo, Gitea, Gogs.
const SIGNATURES: [(&str, &str); 5] = [
    ("x-hub-signature-256", "sha256="),
    ("x-forgejo-signature", ""),
    ("x-gitea-signature", ""),
    ("x-gogs-signature", ""),
    ("x-hub-signature", "sha256="),
];
/// Headers that hold the secret itself. GitLab before version 19; and a name of our own, for whoever writes a request by hand
/// and for Azure DevOps, where headers can be added.
const TOKENS: [&str; 2] = ["x-gitlab-token", "x-webhook-token"];
/// How far the time of a signature may be from ours, in seconds, either way (Standard Webhooks).
const WINDOW: u64 = 300;
/// What a secret of Standard Webhooks begins with; the rest is its key in base64.
const STANDARD_SECRET: &str = "whsec_";
/// Most signatures of one call that are looked at: there is one a key.
const MOST_SIGNATURES: usize = 8;

/// Whether the call is signed (true), or only shows the secret. `was_signed`: whether the hook was ever called with a
/// signature.
///
/// # Errors
/// [`Refused::Signature`] where neither is right.
pub fn verify(
    headers: &Headers,
    body: &[u8],
    secret: &SecretString,
    was_signed: bool,
    now: Timestamp,
) -> Result<bool, Refused> {
    if headers.has("webhook-signature") {
        return by_standard(headers, body, secret, now).map(|()| true);
    }
    if let Some((name, prefix)) = SIGNATURES.iter().find(|(name, _)| headers.has(name)) {
        let stated = headers.get(name).and_then(|value| value.strip_prefix(*prefix));
        let mac = stated.and_then(from_hex).ok_or(Refused::Signature)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        // Takes the same time for all wrong ones.
        return hmac::verify(&key, body, &mac).map(|()| true).map_err(|_| Refused::Signature);
    }
    let shown = TOKENS.iter().find_map(|name| headers.get(name)).map(str::to_owned).or_else(|| password(headers));
    let shown = shown.filter(|_| !was_signed).ok_or(Refused::Signature)?;
    let is_right: bool = shown.as_bytes().ct_eq(secret.expose_secret().as_bytes()).into();
    if is_right { Ok(false) } else { Err(Refused::Signature) }
}

/// By Standard Webhooks, as GitLab from version 19 on: over name, time and body.
fn by_standard(headers: &Headers, body: &[u8], secret: &SecretString, now: Timestamp) -> Result<(), Refused> {
    let stated = |name| headers.get(name).ok_or(Refused::Signature);
    let (id, time, signatures) = (stated("webhook-id")?, stated("webhook-timestamp")?, stated("webhook-signature")?);
    let seconds: i64 = time.parse().map_err(|_| Refused::Signature)?;
    if now.as_seconds().abs_diff(seconds) > WINDOW {
        return Err(Refused::Signature);
    }
    let mut text = Vec::with_capacity(id.len() + time.len() + body.len() + 2);
    text.extend_from_slice(format!("{id}.{time}.").as_bytes());
    text.extend_from_slice(body);
    let key = standard_key(secret.expose_secret());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let is_right = |signature: &str| {
        let mac = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
        mac.is_some_and(|mac| hmac::verify(&key, &text, &mac).is_ok())
    };
    let any = signatures.split(' ').take(MOST_SIGNATURES).any(is_right);
    if any { Ok(()) } else { Err(Refused::Signature) }
}

fn standard_key(secret: &str) -> Vec<u8> {
    let coded = secret.strip_prefix(STANDARD_SECRET).and_then(|text| STANDARD.decode(text).ok());
    coded.unwrap_or_else(|| secret.as_bytes().to_vec())
}

/// What stands in `Authorization`: a password with any user name (Azure DevOps, SNS, Beanstalk, curl), or a token.
fn password(headers: &Headers) -> Option<String> {
    let (scheme, rest) = headers.get("authorization")?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use aws_lc_rs::hmac;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use secrecy::SecretString;

    use super::{Headers, Refused, verify};
    use crate::clock::Timestamp;

    const SECRET: &str = "it is hot in here";
    const BODY: &[u8] = b"{\"ref\":\"refs/heads/main\"}";
    const NOW: Timestamp = Timestamp::from_seconds(1_795_348_800);

    fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
    }

    fn hex(secret: &str) -> String {
        mac(secret.as_bytes(), BODY).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        Headers::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn check(pairs: &[(&str, &str)], was_signed: bool) -> Result<bool, Refused> {
        verify(&headers(pairs), BODY, &SecretString::from(SECRET), was_signed, NOW)
    }

    #[test]
    fn each_platform_signs_in_its_own_header() {
        let (right, wrong) = (hex(SECRET), hex("another"));
        for (name, prefix) in super::SIGNATURES {
            assert_eq!(check(&[(name, &format!("{prefix}{right}"))], true), Ok(true), "{name}");
            for bad in [format!("{prefix}{wrong}"), format!("x{right}"), prefix.to_owned(), format!("{prefix}+{right}")]
            {
                assert_eq!(check(&[(name, &bad), ("x-gitlab-token", SECRET)], false), Err(Refused::Signature), "{bad}");
            }
            let twice = [(name, format!("{prefix}{right}")), (name, format!("{prefix}{right}"))];
            let twice = twice.each_ref().map(|(name, value)| (*name, value.as_str()));
            assert_eq!(check(&twice, false), Err(Refused::Signature), "two are ambiguous");
        }
        assert_eq!(check(&[("x-hub-signature", &format!("sha1={right}"))], false), Err(Refused::Signature));
    }

    #[test]
    fn the_secret_itself_is_enough_until_somebody_signs() {
        let basic = format!("Basic {}", STANDARD.encode(format!("any:{SECRET}")));
        let bearer = format!("bearer {SECRET}");
        for shown in [
            [("x-gitlab-token", SECRET)],
            [("x-webhook-token", SECRET)],
            [("authorization", basic.as_str())],
            [("authorization", bearer.as_str())],
        ] {
            assert_eq!(check(&shown, false), Ok(false), "{shown:?}");
            assert_eq!(check(&shown, true), Err(Refused::Signature), "{shown:?}");
        }
        let wrong = format!("Basic {}", STANDARD.encode("it is hot in here:"));
        for shown in ["", "Basic", "Basic !", "Digest x", wrong.as_str()] {
            assert_eq!(check(&[("authorization", shown)], false), Err(Refused::Signature), "{shown}");
        }
        assert_eq!(check(&[], false), Err(Refused::Signature));
        assert_eq!(check(&[("x-gitlab-token", "it is hot")], false), Err(Refused::Signature));
    }

    #[test]
    fn standard_webhooks_are_signed_with_their_time() {
        let key = b"a key of thirty-two bytes, or so";
        let secret = format!("whsec_{}", STANDARD.encode(key));
        let signed = |time: i64| {
            let text = [format!("id.{time}.").as_bytes(), BODY].concat();
            let signature = format!("v1,AAAA v1,{}", STANDARD.encode(mac(key, &text)));
            let time = time.to_string();
            let pairs = [("webhook-id", "id"), ("webhook-timestamp", &time), ("webhook-signature", &signature)];
            verify(&headers(&pairs), BODY, &SecretString::from(secret.clone()), false, NOW)
        };
        assert_eq!(signed(NOW.as_seconds()), Ok(true));
        assert_eq!(signed(NOW.as_seconds() - 299), Ok(true));
        for late in [-301, 301, i64::MIN / 2] {
            assert_eq!(signed(NOW.as_seconds().saturating_add(late)), Err(Refused::Signature), "{late}");
        }
        verify(&headers(&[("webhook-signature", "v1,")]), BODY, &SecretString::from(secret), false, NOW).unwrap_err();
    }
}
