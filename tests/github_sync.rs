//! Organizations of GitHub that are followed: the executable on one side, a GitHub as strict as the real one on the other.
//! Whatever happens there, everybody installs here exactly what GitHub would let them read.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "github_sync/access.rs"]
mod access;
#[path = "github_sync/apps.rs"]
mod apps;
#[path = "support/bare_repository.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod bare_repository;
#[path = "github_sync/choices.rs"]
mod choices;
#[path = "github_sync/crowd.rs"]
mod crowd;
#[path = "github_sync/deliveries.rs"]
mod deliveries;
#[path = "github_sync/faults.rs"]
mod faults;
#[path = "support/followed.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod followed;
#[path = "github_sync/hooks.rs"]
mod hooks;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "github_sync/manifest.rs"]
mod manifest;
#[path = "github_sync/pauses.rs"]
mod pauses;
#[path = "platforms/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests that use more of it")]
mod platforms;
#[path = "github_sync/primary.rs"]
mod primary;
#[path = "github_sync/rights.rs"]
mod rights;
#[path = "github_sync/secrets.rs"]
mod secrets;
#[path = "github_sync/world.rs"]
mod world;
