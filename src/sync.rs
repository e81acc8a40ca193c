//! From an organization of a platform to packages, teams and people here.
//!
//! The platform's room reads the whole organization into a value; what has to change is a pure difference between that value
//! and what is here, and it is applied as one change. [`request`] is how everybody else asks for a run; [`hooks`] looks
//! after the webhooks that tell of changes.

mod addresses;
mod apply;
pub mod change;
pub mod hooks;
pub mod local;
pub mod plan;
mod read;
pub mod request;
pub mod run;
