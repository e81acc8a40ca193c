//! The server as its clients see it: every status, header and body that the contract promises.

#[path = "http_support/client.rs"]
mod client;
#[path = "http_support/http2.rs"]
mod http2;
#[path = "support/instance.rs"]
mod instance;
#[path = "http_support/world.rs"]
mod world;

#[path = "http_support/access.rs"]
mod access;
#[path = "http_support/archives.rs"]
mod archives;
#[path = "http_support/crowds.rs"]
mod crowds;
#[path = "http_support/documents.rs"]
mod documents;
#[path = "http_support/matrix.rs"]
mod matrix;
#[path = "http_support/pages.rs"]
mod pages;
#[path = "http_support/people.rs"]
mod people;
#[path = "http_support/people_pages.rs"]
mod people_pages;
#[path = "http_support/protocol.rs"]
mod protocol;
#[path = "http_support/serving.rs"]
mod serving;
#[path = "http_support/sync_pages.rs"]
mod sync_pages;
#[path = "http_support/webhooks.rs"]
mod webhooks;
