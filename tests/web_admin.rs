//! The pages of the instance, as administrators and others see them.

#[path = "http_support/client.rs"]
#[expect(dead_code, reason = "the tests of the Composer protocol use more of it")]
mod client;
#[path = "support/instance.rs"]
mod instance;
#[path = "http_support/person.rs"]
mod person;
#[path = "http_support/world.rs"]
#[expect(dead_code, reason = "the tests of the Composer protocol use more of it")]
mod world;

#[path = "web_admin/jobs.rs"]
mod jobs;
#[path = "web_admin/people.rs"]
mod people;
#[path = "web_admin/status.rs"]
mod status;
