//! The use cases of administration: what commands do now, and what pages and the API will do.
//!
//! Each function checks what it was given, changes everything in one transaction together with its entry in the audit
//! log, and answers when the change is being served. Files that nobody needs any more go after the commit: a crash in
//! between leaves them behind for [`files::sweep`], never the other way round.

pub mod accounts;
mod actor;
pub mod audit;
pub mod credentials;
pub mod deliveries;
pub mod directories;
mod error;
pub mod files;
pub mod github_apps;
pub mod grants;
pub mod hook_calls;
pub mod hooks;
pub mod host_keys;
pub mod jobs;
pub mod logins;
pub mod made;
pub mod members;
mod name;
pub mod organization_settings;
pub mod organizations;
pub mod package_life;
pub mod packages;
pub mod people;
pub mod platform_hooks;
pub mod second_factor;
pub mod sessions;
pub mod setup;
pub mod status;
pub mod syncs;
pub mod system_hooks;
pub mod teams;
pub mod tokens;
pub mod users;
pub mod vendors;

pub use crate::store::audit::Via;
pub use actor::Actor;
pub use error::{Error, Refusal};
pub use name::Name;

/// What every use case answers.
pub type Result<T> = std::result::Result<T, Error>;
