//! The pages in a real browser: Chromium without a window, driven by its own driver over WebDriver.
//!
//! With the variable `SCREENSHOTS` set, every page that is examined is written to `target/screenshots/` as well.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "browser/axe.rs"]
mod axe;
#[path = "support/certificates.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod certificates;
#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/first_run.rs"]
mod first_run;
#[path = "browser/following.rs"]
mod following;
#[path = "browser/forges.rs"]
mod forges;
#[path = "support/forward_proxy.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod forward_proxy;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "browser/logins.rs"]
mod logins;
#[path = "browser/made.rs"]
mod made;
#[path = "browser/pages.rs"]
mod pages;
#[path = "platforms/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests that use more of it")]
mod platforms;
#[path = "support/work_tree.rs"]
mod work_tree;
