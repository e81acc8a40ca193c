//! From a source repository to what clients are served.
//!
//! [`update::update`] reads the repository and derives its versions; [`render`] makes documents of
//! them; one transaction stores both, and the catalog has them when it ends. [`request`] is how
//! everybody else asks for it, and [`log`]
//! what it says meanwhile. [`probe`] only looks whether a repository opens.

pub mod archive;
pub mod artifact;
pub mod definition;
pub mod log;
pub mod probe;
pub mod render;
pub mod request;
pub mod update;
pub mod withdraw;

mod directories;
mod fetch;
mod host_keys;
mod import;
mod made;
mod names;
mod source;
