//! The cookies by which a browser is known again.
//!
//! Two values of 32 random bytes: one of the session, whose SHA-256 is all that is stored, and one that a browser has before
//! anybody signed in, so that also the first form can prove where it came from. Signing in always makes a new one: a value
//! that somebody planted beforehand opens nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};

use crate::access::token::digest_of;
use crate::admin::sessions::ABSOLUTE;
use crate::clock::Timestamp;
use crate::secrets::random;
use crate::store::ids::SessionId;
use crate::store::sessions::Session;
use crate::store::{self, Database, sessions};

/// A use within this time of the one that is stored is not noted.
const GRAIN: Duration = Duration::from_secs(60);
/// How many rows one write takes.
const ROWS: usize = 1000;
/// Characters of a value.
const LENGTH: usize = 64;

/// What a cookie is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody signed in.
    Session,
    /// Nobody has, so far.
    Visit,
    /// Somebody's password was right, and the second factor is asked for.
    SecondFactor,
}

/// How cookies are set: behind HTTPS with the prefix that lets nobody but this very host set them (RFC 6265bis, section 4.1.3).
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    secure: bool,
}

impl Cookies {
    /// For a server that is reached at this address.
    #[must_use]
    pub fn of(public_url: &str) -> Self {
        Self { secure: public_url.starts_with("https://") }
    }

    /// A cookie's name.
    #[must_use]
    pub const fn name(self, kind: Kind) -> &'static str {
        match (kind, self.secure) {
            (Kind::Session, true) => "__Host-session",
            (Kind::Session, false) => "session",
            (Kind::Visit, true) => "__Host-visit",
            (Kind::Visit, false) => "visit",
            (Kind::SecondFactor, true) => "__Host-second-factor",
            (Kind::SecondFactor, false) => "second-factor",
        }
    }

    /// What the names of cookies begin with that go with a browser on its way to a platform and back; each way has its own.
    #[must_use]
    pub const fn departure(self) -> &'static str {
        if self.secure { "__Host-departure-" } else { "departure-" }
    }

    /// A cookie that the browser keeps for `age`, or until it is closed.
    #[must_use]
    pub fn set(self, kind: Kind, value: String, age: Option<Duration>) -> Cookie<'static> {
        self.named(self.name(kind).to_owned(), value, age)
    }

    /// The same under a name of its own.
    #[must_use]
    pub fn named(self, name: String, value: String, age: Option<Duration>) -> Cookie<'static> {
        let mut cookie =
            Cookie::build(name, value).path("/").http_only(true).same_site(SameSite::Lax).secure(self.secure).finish();
        if let Some(age) = age {
            cookie.set_max_age(CookieAge::seconds(i64::try_from(age.as_secs()).unwrap_or(i64::MAX)));
        }
        cookie
    }

    /// What takes a cookie away.
    #[must_use]
    pub fn remove(self, kind: Kind) -> Cookie<'static> {
        self.remove_named(self.name(kind).to_owned())
    }

    /// The same for a name of its own.
    #[must_use]
    pub fn remove_named(self, name: String) -> Cookie<'static> {
        let mut cookie = self.named(name, String::new(), None);
        cookie.make_removal();
        cookie
    }

    /// The session's cookie.
    #[must_use]
    pub fn session(self, value: &Value) -> Cookie<'static> {
        self.set(Kind::Session, value.0.clone(), Some(ABSOLUTE))
    }

    /// The value of a request's cookie, if it has the form of one of ours.
    #[must_use]
    pub fn value(self, request: &HttpRequest, kind: Kind) -> Option<Value> {
        let cookie = request.cookie(self.name(kind))?;
        let text = cookie.value();
        let has_form = text.len() == LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        has_form.then(|| Value(text.to_owned()))
    }
}

/// What such a cookie holds. It is a secret: it has neither `Debug` nor `Display`.
#[derive(Clone)]
pub struct Value(String);

impl Value {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(random::hex::<32>())
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest_of(self.0.as_bytes())
    }

    /// The text itself, for the cookie.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// When sessions were last used, kept in memory until it is written, so that no request waits for the disk. The lock is held
/// for one insertion.
#[derive(Default)]
pub(super) struct Seen {
    waiting: Mutex<HashMap<SessionId, Timestamp>>,
}

impl Seen {
    /// Notes a use.
    pub(super) fn note(&self, session: &Session, now: Timestamp) {
        if now.since(session.seen_at) >= GRAIN {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(session.id, now);
        }
    }

    /// Writes the uses since the last time.
    pub(super) async fn flush(&self, database: &Database) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let all: Vec<_> = waiting.into_iter().collect();
        for some in all.chunks(ROWS) {
            let rows = some.to_vec();
            let result: store::Result<()> = database.write(move |tx| sessions::set_seen(tx, &rows)).await;
            if let Err(error) = result {
                tracing::warn!(error = %error, "When sessions were last used could not be saved.");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cookies, Kind, Value};

    #[test]
    fn cookies_are_for_this_host_and_no_script() {
        let value = Value::random();
        let secure = Cookies::of("https://packages.example.com").session(&value).to_string();
        assert_eq!(
            secure,
            format!("__Host-session={}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=7776000", value.expose())
        );
        let plain = Cookies::of("http://127.0.0.1:8080").session(&value).to_string();
        assert_eq!(plain, format!("session={}; HttpOnly; SameSite=Lax; Path=/; Max-Age=7776000", value.expose()));
        let gone = Cookies::of("https://x.example").remove(Kind::Visit).to_string();
        assert!(gone.starts_with("__Host-visit=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"), "{gone}");
    }
}
