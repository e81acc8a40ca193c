//! One credential's way to a platform's API: in turns, and not while the platform wants to be left alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::http::{HeaderValue, StatusCode};
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::outbound::{Answer, CallFailed, Failed};
use crate::platform::answer::{hide, trouble};
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::pace::{Budget, Lane, Turn};
use crate::platform::remote::Usage;

/// Longest pause that is believed, in seconds.
const LONGEST_PAUSE: u64 = 24 * 3600;

/// The headers in which we show who we are.
const SHOWN: [&str; 2] = ["authorization", "private-token"];

/// The way of one credential.
pub(crate) struct Line<'a> {
    pub hub: &'a Hub,
    pub key: &'a Key,
    lane: Arc<Lane>,
    /// Whether a part of what is granted is left to others.
    spare: bool,
    /// Written with each request, read at the end.
    usage: Mutex<Usage>,
}

/// Why there is no answer, and whether there may be one in a moment.
pub(crate) struct Silent {
    pub error: HubError,
    pub for_now: bool,
}

impl From<HubError> for Silent {
    fn from(error: HubError) -> Self {
        Self { error, for_now: false }
    }
}

/// What an answer says about being asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing.
    GoOn,
    /// This was the last one for so many seconds.
    Last(u64),
    /// It is none: the platform wants to be left alone for so many seconds.
    Leave(u64),
    /// The same, and the platform does not say for how long: so long at first, and longer each time.
    LeaveFrom(Duration),
}

impl<'a> Line<'a> {
    /// The way of a credential, on which so many requests are under way at once.
    pub(crate) fn new(hub: &'a Hub, key: &'a Key, at_once: usize) -> Self {
        Self { hub, key, lane: hub.pace().lane(key, at_once), spare: false, usage: Mutex::default() }
    }

    /// The same, for work that nobody waits for.
    pub(crate) fn sparing(self, spare: bool) -> Self {
        Self { spare, ..self }
    }

    /// What the platform is called.
    pub(crate) fn name(&self) -> &'a str {
        &self.hub.site().name
    }

    /// What it cost so far.
    pub(crate) fn usage(&self) -> Usage {
        *self.noted()
    }

    fn noted(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one's turn; it lasts as long as the permit.
    ///
    /// # Errors
    /// `RateLimited` while the platform wants to be left alone.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, HubError> {
        self.require_unpaused()?;
        let turn = self.lane.turn().await;
        if let Some(until) = self.lane.reserved(self.hub.now()).filter(|_| self.spare) {
            return Err(self.reserved(until));
        }
        // Whoever was before may have heard that it was too often.
        self.require_unpaused()?;
        Ok(turn)
    }

    /// Waits until something may be changed, where a platform wants that not to be too often; before [`Self::turn`].
    ///
    /// # Errors
    /// As [`Self::turn`].
    pub(crate) async fn turn_to_change(&self) -> Result<(), HubError> {
        self.require_unpaused()?;
        self.lane.turn_to_change().await;
        Ok(())
    }

    fn require_unpaused(&self) -> Result<(), HubError> {
        if let Some(refused) = self.lane.refused() {
            return Err(refused);
        }
        self.lane.paused(self.hub.now()).map_or(Ok(()), |until| Err(self.paused(until)))
    }

    /// The secret was refused, and is not shown again by whoever asks until it is changed or [`Self::forgive`]n.
    pub(crate) fn refuse(&self, error: &HubError) {
        self.lane.refuse(error.clone());
    }

    /// Somebody wants the secret to be tried again.
    pub(crate) fn forgive(&self) {
        self.lane.forgive();
    }

    /// Sends a request. What comes back may be anything.
    ///
    /// # Errors
    /// [`Silent`] where nothing came back.
    pub(crate) async fn send(&self, request: reqwest::Request) -> Result<Answer, Silent> {
        self.noted().requests += 1;
        let shown: Vec<HeaderValue> = SHOWN.iter().filter_map(|name| request.headers().get(*name).cloned()).collect();
        let sent = self.hub.client().send(request).await;
        let mut answer = sent.map_err(|failed| Silent {
            for_now: is_for_now(&failed),
            error: HubError::Unavailable(format!("{} cannot be used: {failed}.", self.name())),
        })?;
        let says_no = !answer.status.is_success();
        for value in shown.iter().filter(|_| says_no).filter_map(|value| value.to_str().ok()) {
            hide(&mut answer, value.split_once(' ').map_or(value, |(_, secret)| secret));
        }
        if answer.status == StatusCode::NOT_MODIFIED {
            self.noted().unmodified += 1;
        }
        Ok(answer)
    }

    /// How many requests the platform grants until when.
    pub(crate) fn granted(&self, remaining: u32, resets_at: Option<Timestamp>) {
        let mut usage = self.noted();
        usage.remaining = Some(remaining);
        usage.resets_at = resets_at;
    }

    /// The platform says what it grants altogether.
    pub(crate) fn told(&self, budget: Budget) {
        let latest = self.hub.now() + Duration::from_secs(LONGEST_PAUSE);
        self.lane.told(Budget { resets_at: budget.resets_at.min(latest), ..budget });
    }

    /// Follows what an answer wishes.
    ///
    /// # Errors
    /// `RateLimited` where the answer is nothing but the wish.
    pub(crate) fn heed(&self, answer: &Answer, wish: Wish) -> Result<(), HubError> {
        let now = self.hub.now();
        let until = |seconds: u64| now + Duration::from_secs(seconds.clamp(1, LONGEST_PAUSE));
        let end = match wish {
            Wish::GoOn | Wish::Last(_) => {
                if let Wish::Last(seconds) = wish {
                    self.lane.pause_until(until(seconds));
                }
                if answer.status.is_success() {
                    self.lane.well();
                }
                return Ok(());
            }
            Wish::Leave(seconds) => until(seconds),
            // Of requests that were under way together, the first one's pause is that of all.
            Wish::LeaveFrom(first) => self.lane.paused(now).unwrap_or_else(|| now + self.lane.strike(first)),
        };
        self.lane.pause_until(end);
        Err(self.paused(end))
    }

    fn paused(&self, until: Timestamp) -> HubError {
        HubError::RateLimited {
            text: format!(
                "{} answers no more requests of this credential until {}, because there were too many. Work goes on by \
                 itself then.",
                self.name(),
                until.floor_to_second()
            ),
            until,
        }
    }

    fn reserved(&self, until: Timestamp) -> HubError {
        HubError::RateLimited {
            text: format!(
                "{} grants this credential few more requests until {}, which are left for webhooks and for whoever asks. \
                 Work goes on by itself then.",
                self.name(),
                until.floor_to_second()
            ),
            until,
        }
    }

    /// Lets an answer pass that is the platform's API's; `for_now`: the statuses after which there may be one in a moment.
    ///
    /// # Errors
    /// [`Silent`] for a page, or what somebody else says in the platform's place.
    pub(crate) fn genuine(&self, answer: Answer, for_now: &[u16]) -> Result<Answer, Silent> {
        match trouble(&answer) {
            None => Ok(answer),
            Some(trouble) => Err(Silent {
                for_now: for_now.contains(&answer.status.as_u16()),
                error: HubError::Unavailable(format!("{} cannot be used: {}.", self.name(), trouble.reason())),
            }),
        }
    }

    /// For a token that does not fit into a header.
    pub(crate) fn unwritable(&self) -> HubError {
        HubError::Unauthorized(format!(
            "The credential holds characters that no token of {} has: give it a new secret with `credential rotate`.",
            self.name()
        ))
    }

    /// Reads an answer's JSON.
    ///
    /// # Errors
    /// `Malformed`.
    pub(crate) fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, HubError> {
        // serde's text would quote from the answer.
        serde_json::from_slice(&answer.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.malformed(&format!(
                "its answer (HTTP {}) is not what it should be at {line}:{column}",
                answer.status.as_u16()
            ))
        })
    }

    /// For what makes no sense.
    pub(crate) fn malformed(&self, reason: &str) -> HubError {
        HubError::Malformed(format!("What {} says was not understood: {reason}.", self.name()))
    }
}

fn is_for_now(failed: &CallFailed) -> bool {
    matches!(failed, CallFailed::Failed(Failed::ConnectTimeout { .. } | Failed::Silent | Failed::Unreachable(_)))
}
