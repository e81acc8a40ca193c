//! Groups of GitLab that are followed: the executable on one side, a GitLab as strict as the real one on the other.
//! Whatever happens there, everybody installs here exactly what GitLab would let them read.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "platforms/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests that use more of it")]
mod platforms;
#[path = "gitlab_sync/simulator.rs"]
mod simulator;
