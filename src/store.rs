//! What the instance remembers, in SQLite.
//!
//! [`database`] owns the connections: one writer thread whose waiting closures share a commit, and a
//! few readers. Each other file is a noun: one function for each question, named after the
//! question, its SQL a literal next to it. A function about an organization's things takes
//! [`ids::OrgId`] first (a test reads the signatures); what spans organizations lives in
//! [`instance`] or says so in its comment.

pub mod abandonment;
pub mod accounts;
pub mod archive_failures;
pub mod artifacts;
pub mod audit;
pub mod audit_log;
pub mod changes;
pub mod connected_accounts;
pub mod credentials;
pub mod database;
pub mod directories;
pub mod dists;
pub mod documents;
pub mod entries;
pub mod figures;
pub mod github_apps;
pub mod grants;
pub mod hook_topics;
pub mod hooks;
pub mod host_keys;
pub mod ids;
pub mod installations;
pub mod installs;
pub mod instance;
pub mod job_lines;
pub mod job_lists;
pub mod jobs;
pub mod listings;
pub mod members;
pub mod name_claims;
pub mod organizations;
pub mod package_lists;
pub mod packages;
pub mod platform_deliveries;
pub mod platform_hooks;
pub mod policies;
pub mod readmes;
pub mod recovery_codes;
pub mod refs;
pub mod releases;
pub mod repositories;
pub mod requirements;
pub mod root_dates;
pub mod runs;
pub mod self_rotations;
pub mod sessions;
pub mod sync_hints;
pub mod sync_lists;
pub mod sync_pages;
pub mod sync_people;
pub mod sync_runs;
pub mod syncs;
pub mod system_hooks;
pub mod team_members;
pub mod teams;
pub mod tokens;
pub mod user_lists;
pub mod users;
pub mod vendors;
pub mod version_events;
pub mod version_lists;
pub mod versions;

mod connection;
mod migrate;
mod place;
mod row;
mod trouble;
mod warm;

pub use database::{Database, Error, Tx};
pub use row::Result;
