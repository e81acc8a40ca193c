//! Who says by a signed token that it is an App (RFC 7519, RS256 of RFC 7518), checked as GitHub checks it.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::Site;
use super::answers::message;
use crate::platforms::message::{Asked, Reply};

/// How long such a token may be good, in seconds.
const LONGEST: i64 = 600;
/// Where the PKCS#1 key of 2048 bits begins in one of PKCS#8.
const HEAD: usize = 26;

/// A new key: the private one as GitHub gives it out, and the public one.
pub(super) fn new_key() -> (String, Vec<u8>) {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("a key");
    let text = STANDARD.encode(&der.as_ref()[HEAD..]);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("letters")).collect();
    let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"));
    (pem, pair.public_key().as_ref().to_vec())
}

impl Site {
    /// Which App asks.
    pub(super) fn app_asking(&self, asked: &Asked) -> Result<u64, Reply> {
        let undecoded = || message(401, "A JSON web token could not be decoded");
        let Some(token) = asked.bearer() else {
            return Err(undecoded().blamed("Apps say who they are by Bearer"));
        };
        let parts: Vec<&str> = token.split('.').collect();
        let [head, claims, signature] = parts.as_slice() else { return Err(undecoded()) };
        let json = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
        let (Some(head_read), Some(read)) = (json(head), json(claims)) else { return Err(undecoded()) };
        if head_read["alg"] != "RS256" {
            return Err(undecoded().blamed("the token is not signed with RS256"));
        }
        let id = self.issuer(&read["iss"])?;
        let app = id.and_then(|id| self.integrations.get(&id)).ok_or_else(|| message(404, "Integration not found"))?;
        let signed = format!("{head}.{claims}");
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| undecoded())?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key);
        key.verify(signed.as_bytes(), &signature).map_err(|_| undecoded())?;
        let (Some(issued), Some(ends)) = (read["iat"].as_i64(), read["exp"].as_i64()) else {
            return Err(message(401, "'Issued at' claim ('iat') must be an Integer").blamed("without iat or exp"));
        };
        let now = self.clock();
        if issued > now {
            let text =
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued.";
            return Err(message(401, text));
        }
        if ends <= now {
            let text = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
                        assertion expires.";
            return Err(message(401, text));
        }
        if ends > now + LONGEST {
            return Err(message(401, "'Expiration time' claim ('exp') is too far in the future"));
        }
        Ok(app.id)
    }

    /// An Enterprise Server wants the App's number, as a number.
    fn issuer(&self, claim: &Value) -> Result<Option<u64>, Reply> {
        match (claim, self.is_cloud()) {
            (Value::Number(number), _) => Ok(number.as_u64()),
            (Value::String(text), true) => {
                let by_client = self.integrations.values().find(|app| app.client_id == *text).map(|app| app.id);
                Ok(text.parse().ok().or(by_client))
            }
            _ => Err(message(401, "'Issuer' claim ('iss') must be an Integer").blamed("iss is no number")),
        }
    }
}
