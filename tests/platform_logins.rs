//! Logging in with each platform, by simulators as strict as the platforms: through the same interface as the server, and
//! what is said when it does not go well.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/bare_repository.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod bare_repository;
#[path = "platform_logins/bitbucket_cloud.rs"]
mod bitbucket_cloud;
#[path = "platform_logins/bitbucket_datacenter.rs"]
mod bitbucket_datacenter;
#[path = "platform_logins/bitbucket_oauth1.rs"]
mod bitbucket_oauth1;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/forward_proxy.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod forward_proxy;
#[path = "platform_logins/github.rs"]
mod github;
#[path = "platform_logins/github_apps.rs"]
mod github_apps;
#[path = "platform_logins/github_cloud.rs"]
mod github_cloud;
#[path = "platform_logins/github_description.rs"]
mod github_description;
#[path = "platform_logins/github_directory.rs"]
mod github_directory;
#[path = "platform_logins/github_hooks.rs"]
mod github_hooks;
#[path = "platform_logins/github_reading.rs"]
mod github_reading;
#[path = "platform_logins/github_world.rs"]
mod github_world;
#[path = "platform_logins/gitlab.rs"]
mod gitlab;
#[path = "platforms/mod.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod platforms;
#[path = "platform_logins/strictness.rs"]
mod strictness;
#[path = "platform_logins/world.rs"]
mod world;
