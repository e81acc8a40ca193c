//! How many requests everybody may send: a bucket for each, which fills by the second.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use crate::platforms::message::{Asked, Reply};

/// The buckets.
pub struct Buckets {
    /// How many requests fit in one.
    pub capacity: f64,
    /// How many more may come each second.
    pub refill: f64,
    /// Whether it is told when to come back.
    pub tells: bool,
    /// How many requests were turned away.
    pub refused: usize,
    left: BTreeMap<String, (f64, Instant)>,
}

impl Buckets {
    /// Full ones.
    pub fn new(capacity: f64, refill: f64, tells: bool) -> Self {
        Self { capacity, refill, tells, refused: 0, left: BTreeMap::new() }
    }

    /// Takes a request out of the bucket of whoever asks; the answer if it is empty.
    pub(super) fn refuse(&mut self, asked: &Asked) -> Option<Reply> {
        let who = asked.header("authorization")?.to_owned();
        let now = Instant::now();
        let (left, at) = self.left.entry(who).or_insert((self.capacity, now));
        let filled = (*left + now.duration_since(*at).as_secs_f64() * self.refill).min(self.capacity);
        *at = now;
        if filled >= 1.0 {
            *left = filled - 1.0;
            return None;
        }
        *left = filled;
        self.refused += 1;
        let kind = "com.atlassian.bitbucket.ratelimit.TooManyRequestsException";
        let said = "You have exceeded your allocated number of requests";
        let reply = Reply::json(429, &json!({"errors": [{"context": null, "message": said, "exceptionName": kind}]}));
        Some(if self.tells { reply.with("retry-after", "1") } else { reply })
    }
}
