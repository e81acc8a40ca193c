//! Pages of the instance, for its administrators.

pub mod configuration;
pub mod job;
pub mod jobs;
pub mod organizations;
pub mod reach;
pub mod status;
pub mod user;
pub mod users;
