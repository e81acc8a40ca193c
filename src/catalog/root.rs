//! `packages.json`: what one view of an organization begins with.
//!
//! Its content depends on who asks, and Composer knows only its date. So each content has a date of
//! its own, given out by the store; it is rendered by the first who asks after a change and kept
//! with the view.

use std::io::Write;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::view::View;
use super::world::Organization;
use crate::clock::Timestamp;
use crate::composer::name::PackageName;

/// A rendered `packages.json`.
#[derive(Clone)]
pub struct Root {
    /// The JSON, gzipped.
    pub body: Bytes,
    /// Its `Last-Modified`; none if no date could be stored, and then nobody may keep it.
    pub last_modified: Option<Bytes>,
    generation: u64,
}

/// The last rendering. Any request may write it: all would write the same. `rendering` lets one
/// do the work while the others wait; it is held across an await, so it is an async mutex.
#[derive(Default)]
pub(super) struct RootMemo {
    current: ArcSwapOption<Root>,
    rendering: tokio::sync::Mutex<()>,
}

impl View {
    /// The rendering of `organization`'s `packages.json`, if it is still right.
    pub fn root(&self, organization: &Organization) -> Option<Arc<Root>> {
        self.root.current.load_full().filter(|root| root.generation == organization.generation)
    }

    /// Renders `packages.json` with addresses below `base` (`https://host/repo/slug`).
    ///
    /// `date_of` gives the date of a content by its SHA-256, in seconds since the epoch, or none if
    /// it cannot be stored.
    pub async fn render_root<F>(&self, organization: &Organization, base: &str, date_of: F) -> Arc<Root>
    where
        F: AsyncFnOnce([u8; 32]) -> Option<i64>,
    {
        let _one_at_a_time = self.root.rendering.lock().await;
        if let Some(root) = self.root(organization) {
            return root;
        }
        let content = content(organization, self, base);
        let date = date_of(Sha256::digest(&content).into()).await;
        let root = Arc::new(Root {
            body: gzip(&content),
            last_modified: date.map(|date| Bytes::from(Timestamp::from_seconds(date).http_date())),
            generation: organization.generation,
        });
        // Without a date the next request tries again: the disk may have room by then.
        if root.last_modified.is_some() {
            self.root.current.store(Some(Arc::clone(&root)));
        }
        root
    }
}

fn content(organization: &Organization, view: &View, base: &str) -> Vec<u8> {
    let visible = organization.visible(view).map(|(name, _)| name);
    // Clients ask only for what stands here, and for the others they go elsewhere.
    let mut names: Vec<&str> = visible.chain(organization.blocked()).map(PackageName::as_str).collect();
    names.sort_unstable();
    if names.is_empty() {
        // Composer takes an empty list for an absent one and would ask for every package.
        names.push("none/none");
    }
    let patterns: Vec<String> = organization.vendors().map(|vendor| format!("{vendor}/*")).collect();
    let mut root = json!({
        "packages": [],
        "metadata-url": format!("{base}/p2/%package%.json"),
        "available-packages": names,
        "list": format!("{base}/list.json"),
        "search": format!("{base}/search.json?q=%query%&type=%type%"),
        "notify-batch": format!("{base}/downloads"),
        "metadata-changes-url": format!("{base}/metadata/changes.json"),
        "warning": "This repository needs Composer 2: the older protocol is not served.",
        "warning-versions": "<1.999",
    });
    if !patterns.is_empty() {
        root["available-package-patterns"] = patterns.into();
    }
    root.to_string().into_bytes()
}

/// Compresses what is sent many times.
pub(super) fn gzip(content: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("writing into memory does not fail").into()
}
