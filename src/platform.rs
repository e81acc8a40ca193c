//! What the platforms that host source repositories have in common with us: how people log in with them, how they call,
//! and what they say.
//!
//! Whoever needs a platform makes a [`Connection`] of an [`App`]; what differs between platforms hides behind it, in one
//! directory each. As a place of code and people, for synchronizations, credentials and webhooks, it is a [`Hub`].

mod answer;
mod app;
mod bitbucket_cloud;
mod bitbucket_datacenter;
mod code_flow;
mod connected;
mod diagnosis;
pub mod event;
pub mod generic;
mod github;
mod gitlab;
mod hook;
mod hub;
mod kind;
mod known;
mod lifetime;
mod login;
mod minted;
mod pace;
mod registration;
pub mod remote;
mod rest;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod scripted;
mod secret;

pub use app::{App, Connection, LoginApp};
pub use bitbucket_datacenter::oauth1::{ConsumerKey, InvalidKey};
pub use connected::{Granted, Reach};
pub use github::{InvalidAppKey, check_app_key, manifest as github_app};
pub use hub::{AppKey, Diagnosis, Fate, GitLogin, HookPlace, HookSecret, HookState, Hosting, Hub, HubError, Key, Site};
pub use kind::PlatformKind;
pub use lifetime::{Life, Successor};
pub use login::{Departure, Email, Finding, Identity, Level, Login, LoginError, Returned, Who};
pub use registration::{Registration, registration};
pub use secret::{Grant, Secret};
