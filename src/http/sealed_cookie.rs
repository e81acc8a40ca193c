//! What a browser carries for us over a few minutes and can neither read nor change: sealed with the key ring, as secrets are.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secrets::keyring::KeyRing;
use crate::secrets::sealed::{self, Context};

/// Longest value that is looked at, in bytes: browsers keep no more.
const LONGEST: usize = 4096;

/// What is inside, with the time at which it is worth nothing any more.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    until: i64,
    content: T,
}

/// Seals `content` for `purpose`, which keeps one kind of cookie from being taken for another.
///
/// # Panics
/// Never: what we seal is plain data, which JSON always takes.
#[must_use]
pub fn seal<T: Serialize>(
    keys: &KeyRing,
    purpose: &'static str,
    content: &T,
    now: Timestamp,
    lasts: Duration,
) -> String {
    let envelope = Envelope { until: (now + lasts).as_micros(), content };
    let json = serde_json::to_string(&envelope).expect("plain data is JSON");
    URL_SAFE_NO_PAD.encode(sealed::seal(keys, context(purpose), &SecretString::from(json)))
}

/// Opens what [`seal`] made for the same purpose; none if it is anything else, or too old.
#[must_use]
pub fn open<T: DeserializeOwned>(keys: &KeyRing, purpose: &'static str, value: &str, now: Timestamp) -> Option<T> {
    if value.len() > LONGEST {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
    let json = sealed::open(keys, context(purpose), &bytes).ok()?;
    let envelope: Envelope<T> = serde_json::from_str(json.expose_secret()).ok()?;
    (now < Timestamp::from_micros(envelope.until)).then_some(envelope.content)
}

const fn context(purpose: &'static str) -> Context {
    Context { table: "cookie", column: purpose, row_id: 0 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{open, seal};
    use crate::clock::Timestamp;
    use crate::secrets::keyring::KeyRing;

    #[test]
    fn it_opens_here_for_its_purpose_and_in_time() {
        let (keys, other) = (KeyRing::generate(), KeyRing::generate());
        let now = Timestamp::from_seconds(1_800_000_000);
        let value = seal(&keys, "departure", &("state", 7), now, Duration::from_secs(600));
        let opened = |keys, purpose, value: &str, seconds| {
            open::<(String, i32)>(keys, purpose, value, now + Duration::from_secs(seconds))
        };
        assert_eq!(opened(&keys, "departure", &value, 599), Some(("state".to_owned(), 7)));
        assert_eq!(opened(&keys, "departure", &value, 600), None, "it is too old");
        assert_eq!(opened(&keys, "second-factor", &value, 0), None);
        assert_eq!(opened(&other, "departure", &value, 0), None);
        for damaged in ["", "x", &value[1..], &format!("{value}A"), &"A".repeat(5000)] {
            assert_eq!(opened(&keys, "departure", damaged, 0), None);
        }
        assert!(!value.contains("state"));
    }
}
