//! Groups of GitLab that are followed: the executable on one side, a GitLab as strict as the real one on the other.
//! Whatever happens there, everybody installs here exactly what GitLab would let them read.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "gitlab_sync/access.rs"]
mod access;
#[path = "support/bare_repository.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod bare_repository;
#[path = "gitlab_sync/credentials.rs"]
mod credentials;
#[path = "gitlab_sync/crowd.rs"]
mod crowd;
#[path = "gitlab_sync/deliveries.rs"]
mod deliveries;
#[path = "gitlab_sync/faults.rs"]
mod faults;
#[path = "support/followed.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod followed;
#[path = "gitlab_sync/hooks.rs"]
mod hooks;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "support/instance.rs"]
mod instance;
#[path = "gitlab_sync/places.rs"]
mod places;
#[path = "platforms/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests that use more of it")]
mod platforms;
#[path = "gitlab_sync/rotation.rs"]
mod rotation;
#[path = "gitlab_sync/simulator.rs"]
mod simulator;
#[path = "gitlab_sync/system_hooks.rs"]
mod system_hooks;
#[path = "gitlab_sync/world.rs"]
mod world;
