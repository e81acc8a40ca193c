//! What a platform tells everybody alike and seldom changes, such as the events that it has webhooks for: asked for once, and not
//! again for each of a thousand repositories.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as Queue;

use super::hub::HubError;
use crate::clock::Timestamp;

/// How long it counts.
const LASTS: Duration = Duration::from_secs(6 * 60 * 60);

/// What was told, by whoever asked first while the others waited, and when.
type Place = Arc<Queue<Option<(Timestamp, Arc<[String]>)>>>;

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Known(
    /// Written by whoever asks for something first; a lock, because look-ups are rare.
    Mutex<HashMap<&'static str, Place>>,
);

impl Known {
    /// What is known of something, or what is told of it now.
    ///
    /// # Errors
    /// Those of asking; then nothing is known still.
    pub(super) async fn or_ask(
        &self,
        what: &'static str,
        now: Timestamp,
        ask: impl Future<Output = Result<Vec<String>, HubError>>,
    ) -> Result<Arc<[String]>, HubError> {
        let place = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default());
        let mut place = place.lock().await;
        if let Some((_, known)) = place.as_ref().filter(|(at, _)| *at <= now && now.since(*at) < LASTS) {
            return Ok(Arc::clone(known));
        }
        let told: Arc<[String]> = ask.await?.into();
        *place = Some((now, Arc::clone(&told)));
        Ok(told)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{HubError, Known, LASTS};
    use crate::clock::Timestamp;

    #[tokio::test]
    async fn it_is_asked_for_once_until_it_is_old() {
        let (known, now) = (Known::default(), Timestamp::from_seconds(1000));
        let told = async |text: &str, at| known.or_ask("x", at, async { Ok(vec![text.to_owned()]) }).await.unwrap();
        let silent = known.or_ask("x", now, async { Err(HubError::NotFound(String::new())) });
        assert!(silent.await.is_err());
        assert_eq!(*told("one", now).await, ["one"]);
        assert_eq!(*told("two", now).await, ["one"], "what failed was not kept, what was told is");
        assert_eq!(*told("two", now + LASTS).await, ["two"]);
    }
}
