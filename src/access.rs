//! Who may see what, as pure rules: the text of tokens and sets of packages.
//!
//! Nothing here knows a database, a clock or a request: instants and random bytes are arguments.

pub mod role;
pub mod set;
pub mod token;
