//! Composer's own rules, as pure functions: names, versions, constraints, `composer.json`, metadata documents, archives.
//!
//! The map of the room:
//! - [`name`]: the names of packages and vendors;
//! - [`version`], [`stability`], [`constraint`]: how versions are normalized, compared, listed and asked for;
//! - [`manifest`]: `composer.json`, and the metadata of one version from it;
//! - [`derive`]: the refs of a repository → the versions of a package, with a reason for every ref that is none;
//! - [`document`]: versions → the bytes of the p2 files, and back; [`minify`] is the compression inside;
//! - [`directories`]: which directories of a repository are packages of their own;
//! - [`archive`]: which files of a commit belong into its archive.
//!
//! Nothing here knows time, files, network or a database. What is public follows Composer's classes, which each module names, and is
//! held to the real Composer by the tests `versions_differential`, `metadata_differential` and `archive_differential`.

pub mod archive;
pub mod constraint;
pub mod derive;
pub mod directories;
pub mod document;
pub mod manifest;
pub mod minify;
pub mod name;
pub mod reference;
pub mod stability;
pub mod version;
