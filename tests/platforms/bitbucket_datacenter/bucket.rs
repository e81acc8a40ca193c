//! How many requests everybody may send: a bucket for each, which fills by the second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::platforms::message::{Asked, Reply};

/// How many requests may be on their way already when one is turned away.
const ON_THE_WAY: usize = 3;

/// The buckets.
pub struct Buckets {
    /// How many requests fit in one.
    pub capacity: f64,
    /// How many more may come each second.
    pub refill: f64,
    /// After how many seconds one is told to come back, if that is told.
    pub tells: Option<u64>,
    /// Whether there is room for everything once somebody stayed away for as long as they were told.
    pub refills_after_a_pause: bool,
    /// How many requests were turned away.
    pub refused: usize,
    left: BTreeMap<String, (f64, Instant)>,
    /// Until when somebody was told to stay away, and how many of their requests came before that.
    away: BTreeMap<String, (Instant, usize)>,
}

impl Buckets {
    /// Full ones.
    pub fn new(capacity: f64, refill: f64, tells: Option<u64>) -> Self {
        Self {
            capacity,
            refill,
            tells,
            refills_after_a_pause: false,
            refused: 0,
            left: BTreeMap::new(),
            away: BTreeMap::new(),
        }
    }

    /// Whether somebody comes although they were told to stay away, and knew it.
    fn is_early(&mut self, who: &str) -> bool {
        let Some((until, early)) = self.away.get_mut(who).filter(|(until, _)| Instant::now() < *until) else {
            return false;
        };
        *early += usize::from(Instant::now() < *until);
        *early > ON_THE_WAY
    }

    /// Takes a request out of the bucket of whoever asks; the answer if it is empty.
    pub(super) fn refuse(&mut self, asked: &Asked) -> Option<Reply> {
        let who = asked.header("authorization")?.to_owned();
        if self.is_early(&who) {
            return Some(Reply::empty(429).blamed("it was told to stay away for longer"));
        }
        let now = Instant::now();
        if self.refills_after_a_pause && self.away.get(&who).is_some_and(|(until, _)| *until <= now) {
            return None;
        }
        let (left, at) = self.left.entry(who).or_insert((self.capacity, now));
        let filled = (*left + now.duration_since(*at).as_secs_f64() * self.refill).min(self.capacity);
        *at = now;
        if filled >= 1.0 {
            *left = filled - 1.0;
            return None;
        }
        *left = filled;
        self.refused += 1;
        let who = asked.header("authorization")?.to_owned();
        if let Some(seconds) = self.tells {
            let until = now + Duration::from_secs(seconds);
            let is_over = self.away.get(&who).is_none_or(|(until, _)| *until <= now);
            if is_over {
                self.away.insert(who, (until, 0));
            }
        }
        let kind = "com.atlassian.bitbucket.ratelimit.TooManyRequestsException";
        let said = "You have exceeded your allocated number of requests";
        let reply = Reply::json(429, &json!({"errors": [{"context": null, "message": said, "exceptionName": kind}]}));
        Some(match self.tells {
            Some(seconds) => reply.with("retry-after", &seconds.to_string()),
            None => reply,
        })
    }
}
