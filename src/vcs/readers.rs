//! The readers of this room that meet bytes of other processes and of damaged disks, for the tests that feed them anything
//! (`tests/fuzz`). Nothing else uses this.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::git::refs;
use super::pipe;
use super::request::{Request, Said};

/// What a mirror's `packed-refs` is read as, written again, and whether it was damaged.
#[must_use]
pub fn packed_refs(bytes: &[u8]) -> (String, bool) {
    let stored = refs::parse(bytes);
    (stored.refs.text(), stored.damaged)
}

/// The frames that a pipe's bytes hold, up to the first that is not whole or has more than `limit` bytes.
#[must_use]
pub fn frames(mut bytes: &[u8], limit: u32) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| pipe::read(&mut bytes, limit).ok()).collect()
}

/// What a worker's request says, written again.
#[must_use]
pub fn worker_request(frame: &[u8]) -> Option<Vec<u8>> {
    again::<Request>(frame)
}

/// What a worker says, written again.
#[must_use]
pub fn worker_response(frame: &[u8]) -> Option<Vec<u8>> {
    again::<Said>(frame)
}

fn again<T: Serialize + DeserializeOwned>(frame: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec(&serde_json::from_slice::<T>(frame).ok()?).ok()
}
