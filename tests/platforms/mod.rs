//! Simulators of the platforms, written from their documentation: real servers on loopback that hold state, are as strict as
//! the platforms are, and fail to order. Each is a plain [`frame::Simulator`] on a [`frame::Stage`], which speaks HTTP for
//! it, keeps a log, and fails the test in the end if a request was not as the platform documents it.
//!
//! A browser, or a [`visitor::Visitor`] in its place, is shown a page on which it chooses a user and says yes or no.

pub mod bitbucket_cloud;
pub mod bitbucket_datacenter;
pub mod consent;
pub mod frame;
pub mod git_backend;
pub mod github;
pub mod gitlab;
pub mod grants;
pub mod message;
pub mod post;
pub mod pushed;
pub mod visitor;
