//! Who may see what, as pure rules: the text of tokens, sets of packages, roles, and what follows from what is known of
//! a person.
//!
//! Nothing here knows a database, a clock or a request: instants and random bytes are arguments.

pub mod effective;
pub mod explain;
pub mod facts;
pub mod login;
pub mod role;
pub mod set;
pub mod teams;
pub mod token;

#[cfg(test)]
mod tests;
