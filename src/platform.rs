//! What the platforms that host source repositories have in common with us: how they call, and what they say.

pub mod bitbucket_datacenter;
pub mod generic;
