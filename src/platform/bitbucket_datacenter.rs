//! Bitbucket Data Center, and Bitbucket Server before it: what old and new ones have in common, and where they differ.

pub mod oauth1;
