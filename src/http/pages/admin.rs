//! Pages of the instance, for its administrators.

pub mod job;
pub mod jobs;
