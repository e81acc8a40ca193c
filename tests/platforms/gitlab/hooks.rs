//! Webhooks of projects, groups and the whole instance: what they are, and the deliveries that they send.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packagist_selfhosted::secrets::random;
use serde_json::Value;

use super::Site;
use crate::platforms::post::{Parcel, Post, Sent};

/// So many failures one after another switch a hook off for a while.
const FAILURES: usize = 4;
/// So many do it for good.
const MANY_FAILURES: usize = 40;

/// What a hook belongs to, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A project.
    Project(u64),
    /// A group, with all that is below.
    Group(u64),
    /// The instance.
    System,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its number.
    pub id: u64,
    /// What it belongs to.
    pub place: Place,
    /// Where it calls.
    pub url: String,
    /// What somebody calls it.
    pub name: Option<String>,
    /// What it shows as `X-Gitlab-Token`.
    pub token: Option<String>,
    /// What it signs with, from version 19 on.
    pub signing_token: Option<String>,
    /// What it tells of.
    pub events: BTreeMap<&'static str, bool>,
    /// Whether it checks certificates.
    pub verifies: bool,
    /// Which branches' pushes it tells of; empty: all.
    pub branches: String,
    /// Its name in headers.
    pub uuid: String,
    /// How many of its deliveries count no more: what failed before it was switched on again.
    pub forgiven: usize,
}

/// All webhooks, and the post.
#[derive(Default)]
pub struct Hooks {
    /// By their numbers.
    pub all: BTreeMap<u64, Hook>,
    /// What sends.
    pub post: Post,
    /// Whether nothing is told to anybody.
    pub silent: bool,
    /// The last number.
    pub(super) last: u64,
}

impl Hook {
    /// Whether it tells of this.
    pub fn tells(&self, flag: &str) -> bool {
        self.events.get(flag) == Some(&true)
    }
}

/// A name as GitLab makes it.
pub(super) fn uuid() -> String {
    let hex = random::hex::<16>();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
}

/// What Standard Webhooks calls a signature of a delivery.
pub fn signature(signing_token: &str, id: &str, timestamp: i64, body: &[u8]) -> String {
    let key =
        signing_token.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok()).expect("a signing token");
    let mut text = format!("{id}.{timestamp}.").into_bytes();
    text.extend_from_slice(body);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &text);
    format!("v1,{}", STANDARD.encode(mac.as_ref()))
}

impl Site {
    /// Tells a hook of something, unless it is switched off for its failures.
    pub(super) fn deliver(&self, hook: &Hook, event: &str, about: &str, payload: &Value, project: Option<u64>) {
        if self.alert_status(hook) == "executable" {
            self.hooks.post.send(self.parcel(hook, event, about, payload, project));
        }
    }

    /// A delivery. `about` names what happened, for all hooks that hear of it.
    pub(super) fn parcel(
        &self,
        hook: &Hook,
        event: &str,
        about: &str,
        payload: &Value,
        project: Option<u64>,
    ) -> Parcel {
        let body = payload.to_string().into_bytes();
        let guid = uuid();
        let version = self.ways.version;
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("User-Agent".to_owned(), format!("GitLab/{version}")),
            ("X-Gitlab-Event".to_owned(), event.to_owned()),
            ("X-Gitlab-Instance".to_owned(), self.external_url.clone()),
        ];
        let mut header = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        if self.is_at_least(16, 2) {
            header("X-Gitlab-Webhook-UUID", &hook.uuid);
        }
        if self.is_at_least(14, 8) {
            header("X-Gitlab-Event-UUID", about);
        }
        if self.is_at_least(17, 4) {
            header("Idempotency-Key", &guid);
        }
        if let Some(token) = &hook.token {
            header("X-Gitlab-Token", token);
        }
        if let Some(signing_token) = hook.signing_token.as_ref().filter(|_| self.is_at_least(19, 0)) {
            let now = self.clock();
            header("webhook-id", &guid);
            header("webhook-timestamp", &now.to_string());
            header("webhook-signature", &signature(signing_token, &guid, now, &body));
        }
        let (url, event) = (hook.url.clone(), event.to_owned());
        Parcel { hook: hook.id, guid, event, action: None, repository: project, again: false, url, headers, body }
    }

    /// What a hook's deliveries came to since it was last switched on.
    fn answered(&self, hook: &Hook) -> Vec<Sent> {
        let all = self.hooks.post.sent().into_iter().filter(|sent| sent.parcel.hook == hook.id);
        all.skip(hook.forgiven).collect()
    }

    /// Whether a hook is switched on.
    pub(super) fn alert_status(&self, hook: &Hook) -> &'static str {
        if !self.ways.auto_disable {
            return "executable";
        }
        let failed = self.answered(hook).iter().rev().take_while(|sent| !is_taken(sent.status)).count();
        match failed {
            0..FAILURES => "executable",
            FAILURES..MANY_FAILURES => "temporarily_disabled",
            _ => "disabled",
        }
    }

    /// Switches a hook on again.
    pub(super) fn forgive(&mut self, id: u64) {
        let count = self.hooks.post.sent().iter().filter(|sent| sent.parcel.hook == id).count();
        self.hooks.all.get_mut(&id).expect("a hook").forgiven = count;
    }
}

/// Whether an answer says that a delivery arrived.
pub(super) fn is_taken(status: Option<u16>) -> bool {
    status.is_some_and(|status| (200..300).contains(&status))
}
