//! Tokens that we make ourselves out of an app's key, and that live for an hour: made once for everybody who needs the same,
//! and used until shortly before their end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::hub::Key;
use crate::clock::Timestamp;

/// How long before its end a token is no longer used: work that begins with it wants to end with it.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// How long a platform may take until all of it knows a new token.
const YOUTH: Duration = Duration::from_secs(10);
/// Most tokens that are kept.
const MOST: usize = 4096;

/// A token that was made.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// It.
    pub secret: SecretString,
    /// When it ends.
    pub until: Timestamp,
    /// When it was made, by a clock that nobody sets.
    made: Instant,
    /// Whether the platform ever accepted it. Written and read by the requests that use it; only a hint, so no order matters.
    accepted: Arc<AtomicBool>,
}

impl Token {
    /// A token that is made now, and ends at `until`.
    pub(super) fn new(secret: SecretString, until: Timestamp) -> Self {
        Self { secret, until, made: Instant::now(), accepted: Arc::default() }
    }

    /// The platform accepted it.
    pub(super) fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    /// Whether the platform ever accepted it: what it does not accept any more has ended.
    pub(super) fn was_accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Whether parts of the platform may not know it yet.
    pub(super) fn is_young(&self) -> bool {
        self.made.elapsed() < YOUTH
    }
}

/// What a token is for: whose, of which generation, and what it opens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Purpose {
    credential: i64,
    generation: i64,
    opens: String,
}

impl Purpose {
    /// A key's, for what `opens` names.
    pub(super) fn of(key: &Key, opens: impl Into<String>) -> Self {
        Self { credential: key.credential, generation: key.generation, opens: opens.into() }
    }
}

/// Held while the token is made, so that it is made once: an async mutex.
type Place = Arc<tokio::sync::Mutex<Option<Token>>>;

/// All of them. A lock, because look-ups are short.
#[derive(Debug, Default)]
pub(super) struct Minted(Mutex<HashMap<Purpose, Place>>);

impl Minted {
    /// The token for a purpose: that of before, if it is good for a while, or what `make` makes.
    pub(super) async fn get<E>(
        &self,
        purpose: &Purpose,
        now: Timestamp,
        make: impl Future<Output = Result<Token, E>> + Send,
    ) -> Result<Token, E> {
        let place = self.place(purpose);
        let mut held = place.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.until > now + MARGIN) {
            return Ok(token.clone());
        }
        let token = make.await?;
        *held = Some(token.clone());
        Ok(token)
    }

    /// Forgets a token that is not accepted, unless another took its place: of many requests that it failed, one makes the next.
    pub(super) fn forget_token(&self, purpose: &Purpose, token: &Token) {
        let place = self.place(purpose);
        // Whoever holds it makes another one at this moment.
        if let Ok(mut held) = place.try_lock()
            && held.as_ref().is_some_and(|one| Arc::ptr_eq(&one.accepted, &token.accepted))
        {
            *held = None;
        }
    }

    /// Forgets whatever token there is for a purpose.
    pub(super) fn forget(&self, purpose: &Purpose) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(purpose);
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether there is a token for a purpose that parts of the platform may not know yet.
    pub(super) fn has_young(&self, purpose: &Purpose) -> bool {
        // Whoever holds it makes one at this moment.
        self.place(purpose).try_lock().map_or(true, |held| held.as_ref().is_some_and(Token::is_young))
    }

    fn place(&self, purpose: &Purpose) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MOST && !places.contains_key(purpose) {
            // Nobody needs so many within an hour; making them again is cheap.
            places.clear();
        }
        Arc::clone(places.entry(purpose.clone()).or_default())
    }
}
