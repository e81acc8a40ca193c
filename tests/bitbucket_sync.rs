//! Workspaces and projects of Bitbucket that are followed: the executable on one side, a Bitbucket as strict as the real one on
//! the other. Whatever happens there, everybody installs here exactly what Bitbucket would let them read.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/bare_repository.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod bare_repository;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "bitbucket_sync/cloud.rs"]
mod cloud;
#[path = "bitbucket_sync/cloud_accounts.rs"]
mod cloud_accounts;
#[path = "bitbucket_sync/cloud_cases.rs"]
mod cloud_cases;
#[path = "bitbucket_sync/cloud_credentials.rs"]
mod cloud_credentials;
#[path = "bitbucket_sync/cloud_crowd.rs"]
mod cloud_crowd;
#[path = "bitbucket_sync/cloud_faults.rs"]
mod cloud_faults;
#[path = "bitbucket_sync/cloud_hooks.rs"]
mod cloud_hooks;
#[path = "bitbucket_sync/cloud_projects.rs"]
mod cloud_projects;
#[path = "bitbucket_sync/cloud_world.rs"]
mod cloud_world;
#[path = "bitbucket_sync/datacenter.rs"]
mod datacenter;
#[path = "bitbucket_sync/datacenter_credentials.rs"]
mod datacenter_credentials;
#[path = "bitbucket_sync/datacenter_crowd.rs"]
mod datacenter_crowd;
#[path = "bitbucket_sync/datacenter_faults.rs"]
mod datacenter_faults;
#[path = "bitbucket_sync/datacenter_hooks.rs"]
mod datacenter_hooks;
#[path = "bitbucket_sync/datacenter_world.rs"]
mod datacenter_world;
#[path = "support/followed.rs"]
mod followed;
#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "platforms/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests that use more of it")]
mod platforms;
#[path = "support/sshd.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod sshd;
