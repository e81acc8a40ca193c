//! The `ssh` program: how it is run so that nothing but what we mean reaches it, and what its words mean.
//!
//! ```text
//! program ── starts ssh, with key and known hosts in memory ([`memory`]) and a connection that [`crate::outbound`]
//!   │         opened ([`passage`]): no file is left behind, and ssh resolves and reaches nothing itself
//!   └─ words ── what it says when it fails, as a typed error; `scan` asks a server for its host keys
//! key ── private keys that people paste, and new ones
//! ```

mod host_key;
mod key;
mod memory;
pub mod passage;
mod program;
mod scan;
mod target;
mod words;

pub use host_key::{HostKey, HostKeyPolicy, HostKeys};
pub use key::{KeyType, generate, normalize};

pub(super) use key::inspect;
pub(super) use memory::MemoryFile;
pub(super) use program::{Call, Ssh};
pub(super) use scan::{explain, scan};
pub(super) use target::Target;
