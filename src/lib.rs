//! Packagist Self-Hosted: a private Composer repository for a company's own network, in one
//! executable.
//!
//! The map of the house. Arrows point down only (`tests/architecture.rs` holds them to it); rooms on
//! one line do not know each other unless the line says so.
//!
//! ```text
//! cli  config                                  commands, and what config.toml means
//! http → jobs                                  drivers: what calls us
//! admin → sync → publish                        use cases: what people and jobs do
//! appliance → catalog                          the opened instance, and what requests are answered from
//! store  vcs  platform  storage  outbound  secrets   adapters (vcs, platform, storage → outbound)
//! composer  access                             rules: pure
//! clock  telemetry
//! ```
//!
//! Say the URL, get the file: `http/composer/p2.rs`. Say the noun, get its queries:
//! `store/tokens.rs`. Say the verb, get the job: `jobs/update_package.rs`.

pub mod access;
pub mod admin;
pub mod appliance;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod composer;
pub mod config;
pub mod http;
pub mod jobs;
pub mod outbound;
pub mod platform;
pub mod publish;
pub mod secrets;
pub mod storage;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod vcs;
