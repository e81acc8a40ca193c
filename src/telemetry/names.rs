//! Every metric by name, with what it counts: one list for `/metrics`, for the documentation and for whoever writes an alert.
//!
//! Names follow Prometheus: base units, `_total` for counters, labels with few values (never a package, a person or an
//! address).

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution in buckets, of seconds.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name on `/metrics`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// One sentence on what it tells.
    pub help: &'static str,
}

/// Declares one constant for each name, and the list of all.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $constant:ident = $name:literal, $kind:ident, [$($label:literal),*];)+) => {
        $($(#[doc = $help])+ pub const $constant: &str = $name;)+

        /// All metrics, in the order of the documentation.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: concat!($($help),+),
        }),+];
    };
}

metrics! {
    /// Always 1; the label tells the running version.
    BUILD_INFO = "packagist_build_info", Gauge, ["version"];
    /// Answered HTTP requests.
    HTTP_REQUESTS = "http_requests_total", Counter, ["route", "status"];
    /// Seconds from a request's arrival to its answer.
    HTTP_REQUEST_DURATION = "http_request_duration_seconds", Histogram, ["route"];
    /// Open connections.
    HTTP_CONNECTIONS = "http_connections", Gauge, [];
    /// Connections that may be open before others than webhooks and probes are refused.
    HTTP_CONNECTIONS_LIMIT = "http_connections_limit", Gauge, [];
    /// Connections that were cut: idle, stalled, room (for others), streams (too many), stopping.
    HTTP_CONNECTIONS_CUT = "http_connections_cut_total", Counter, ["reason"];
    /// Requests whose answer is not handed over yet.
    HTTP_IN_FLIGHT = "http_requests_in_flight", Gauge, [];
    /// Refused because there is too much of it: connections (closed unheard), crowded, downloads, builds, headers; or handshake.
    HTTP_REFUSALS = "http_refusals_total", Counter, ["reason"];
    /// Archives that are being sent.
    DOWNLOADS_IN_FLIGHT = "downloads_in_flight", Gauge, [];
    /// Requests refused for their credentials.
    AUTH_FAILURES = "auth_failures_total", Counter, ["reason"];
    /// Webhook deliveries by platform and outcome.
    WEBHOOKS = "webhooks_total", Counter, ["platform", "outcome"];
    /// Jobs that are ready or running.
    JOBS_QUEUED = "jobs_queued", Gauge, ["kind"];
    /// Jobs that are ready, by lane: hook (somebody pushed), prompt (somebody waits), sweep (nobody does).
    JOBS_READY = "jobs_ready", Gauge, ["lane"];
    /// Age in seconds of the oldest job that is ready.
    JOBS_OLDEST_AGE = "jobs_oldest_age_seconds", Gauge, [];
    /// Ended attempts of jobs by outcome: done, retry, failed.
    JOBS = "jobs_total", Counter, ["kind", "outcome"];
    /// Seconds that an attempt of a job took.
    JOB_DURATION = "job_duration_seconds", Histogram, ["kind"];
    /// Seconds from an accepted webhook to the new version being served.
    PUSH_TO_SERVED = "push_to_served_seconds", Histogram, [];
    /// Archives that are being built or wait for it, of versions (published) and of other commits.
    DIST_BUILDS_WAITING = "dist_builds_waiting", Gauge, ["lane"];
    /// Archives built, by outcome.
    DIST_BUILDS = "dist_builds_total", Counter, ["outcome"];
    /// Bytes of archives sent to clients.
    DIST_BYTES = "dist_bytes_total", Counter, [];
    /// Packages that are being served.
    CATALOG_PACKAGES = "catalog_packages", Gauge, [];
    /// Versions that are being served.
    CATALOG_VERSIONS = "catalog_versions", Gauge, [];
    /// Packages whose last update failed.
    PACKAGES_FAILING = "packages_failing", Gauge, [];
    /// Runs of synchronizations by outcome: ok, held, failed.
    SYNC_RUNS = "sync_runs_total", Counter, ["integration", "outcome"];
    /// Requests to platforms, upstreams and storages by purpose and status.
    OUTBOUND_REQUESTS = "outbound_requests_total", Counter, ["purpose", "status"];
    /// Seconds that a write transaction held the database.
    DATABASE_WRITE = "database_write_seconds", Histogram, [];
    /// Free bytes where the data directory lies.
    DISK_FREE = "disk_free_bytes", Gauge, [];
}

/// The list as a Markdown table, for the documentation.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| metric | kind | labels | what it tells |\n|---|---|---|---|\n");
    for metric in ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        table.push_str(&format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help.trim()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{ALL, Kind, markdown};
    use std::collections::HashSet;

    #[test]
    fn names_follow_prometheus() {
        let names: HashSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "names are unique");
        for metric in ALL {
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert!(metric.kind != Kind::Histogram || metric.name.ends_with("_seconds"), "{}", metric.name);
            assert!(metric.help.trim().ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn the_table_has_a_line_for_each() {
        assert_eq!(markdown().lines().count(), ALL.len() + 2);
        assert!(
            markdown().contains("| `http_requests_total` | counter | `route`, `status` | Answered HTTP requests. |")
        );
    }
}
