//! Signing in and what comes with it, as browsers see it, honest ones and others.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "http_support/client.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod client;
#[path = "support/instance.rs"]
mod instance;
#[path = "platforms/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests that use more of it")]
mod platforms;

#[path = "web_sessions/browser.rs"]
mod browser;
#[path = "web_sessions/connected.rs"]
mod connected;
#[path = "web_sessions/forms.rs"]
mod forms;
#[path = "web_sessions/local.rs"]
mod local;
#[path = "web_sessions/platform.rs"]
mod platform;
#[path = "web_sessions/profile.rs"]
mod profile;
#[path = "web_sessions/setup.rs"]
mod setup;
#[path = "web_sessions/suspended.rs"]
mod suspended;
#[path = "web_sessions/world.rs"]
mod world;
