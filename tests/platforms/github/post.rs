//! What a delivery of GitHub looks like on its way.

use aws_lc_rs::hmac;
use packagist_selfhosted::secrets::random;

pub use crate::platforms::post::{Parcel, Post, Sent};

impl Parcel {
    /// A delivery of an event to a hook's address, signed if there is a secret.
    pub(super) fn new(hook: u64, url: &str, form: bool, secret: Option<&str>, event: &str, payload: &str) -> Self {
        let (kind, body) = if form {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            ("application/x-www-form-urlencoded", form.append_pair("payload", payload).finish())
        } else {
            ("application/json", payload.to_owned())
        };
        let guid = random::hex::<16>();
        let guid = [&guid[..8], &guid[8..12], &guid[12..16], &guid[16..20], &guid[20..32]].join("-");
        let mut headers = vec![
            ("User-Agent".to_owned(), "GitHub-Hookshot/0123abc".to_owned()),
            ("Accept".to_owned(), "*/*".to_owned()),
            ("Content-Type".to_owned(), kind.to_owned()),
            ("X-GitHub-Event".to_owned(), event.to_owned()),
            ("X-GitHub-Delivery".to_owned(), guid.clone()),
            ("X-GitHub-Hook-ID".to_owned(), hook.to_string()),
        ];
        if let Some(secret) = secret {
            let sign = |algorithm| {
                let key = hmac::Key::new(algorithm, secret.as_bytes());
                let tag = hmac::sign(&key, body.as_bytes());
                tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            };
            let weak = sign(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY);
            headers.push(("X-Hub-Signature".to_owned(), format!("sha1={weak}")));
            headers.push(("X-Hub-Signature-256".to_owned(), format!("sha256={}", sign(hmac::HMAC_SHA256))));
        }
        let (url, event) = (url.to_owned(), event.to_owned());
        Self { hook, guid, event, action: None, repository: None, again: false, url, headers, body: body.into_bytes() }
    }
}
