//! The recorder behind `/metrics`, and handles that make recording on the request path a few atomic additions.
//!
//! There is no listener: the server renders the text where an authorized request asks for it. The recorder belongs to the
//! process, because the facade that libraries record through is global; [`install`] may be called any number of times.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::telemetry::names::{self, Kind};

/// Upper bounds in seconds of every histogram: requests live at the left end, first imports at the right one.
const BUCKETS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0];

/// The process's metrics. Clones are the same metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// The process's metrics, made at the first call.
pub fn install() -> Metrics {
    // Written once by whoever comes first; tests start several appliances in one process.
    static INSTALLED: OnceLock<Metrics> = OnceLock::new();
    INSTALLED.get_or_init(make).clone()
}

fn make() -> Metrics {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .expect("the list of buckets is not empty")
        .build_recorder();
    let handle = recorder.handle();
    // Only an embedding program could have installed another recorder; ours then stays empty and nothing breaks.
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed in this process: /metrics stays empty");
    }
    describe_all();
    gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Metrics(handle)
}

fn describe_all() {
    for metric in names::ALL {
        let help = metric.help.trim();
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, help),
            Kind::Gauge => describe_gauge!(metric.name, help),
            Kind::Histogram => describe_histogram!(metric.name, Unit::Seconds, help),
        }
    }
}

impl Metrics {
    /// The text of `/metrics`, in Prometheus' exposition format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what histograms recorded into their buckets. Must run every few seconds, else memory grows with the requests
    /// until somebody asks for `/metrics`.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Statuses that have a counter of their own in [`RouteMetrics`]; any other is looked up in the registry.
const STATUSES: [(u16, &str); 20] = [
    (200, "200"),
    (202, "202"),
    (204, "204"),
    (301, "301"),
    (302, "302"),
    (303, "303"),
    (304, "304"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (409, "409"),
    (410, "410"),
    (413, "413"),
    (422, "422"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
];

/// Counters and durations of one route, looked up once. Make it after [`install`]; keep one for each route.
pub struct RouteMetrics {
    route: &'static str,
    /// Filled at the first answer of each status, so that `/metrics` has no lines for what never happened.
    counters: [OnceLock<Counter>; STATUSES.len()],
    duration: Histogram,
}

impl RouteMetrics {
    /// For a route by its pattern (`/repo/{org}/packages.json`), never by an address that a client chose.
    #[must_use]
    pub fn new(route: &'static str) -> Self {
        let duration = histogram!(names::HTTP_REQUEST_DURATION, "route" => route);
        Self { route, counters: [const { OnceLock::new() }; STATUSES.len()], duration }
    }

    /// Records one answer.
    pub fn record(&self, status: u16, took: Duration) {
        super::rate::count();
        self.duration.record(took.as_secs_f64());
        let slot = STATUSES.binary_search_by_key(&status, |known| known.0).ok();
        match slot.and_then(|at| self.counters.get(at).zip(STATUSES.get(at))) {
            Some((counter, (_, text))) => counter.get_or_init(|| self.counter((*text).into())).increment(1),
            None => self.counter(status.to_string().into()).increment(1),
        }
    }

    fn counter(&self, status: metrics::SharedString) -> Counter {
        counter!(names::HTTP_REQUESTS, "route" => self.route, "status" => status)
    }
}

#[cfg(test)]
mod tests {
    use super::{RouteMetrics, STATUSES, install};
    use std::time::Duration;

    #[test]
    fn a_recorded_answer_is_rendered() {
        let metrics = install();
        let route = RouteMetrics::new("/test/{metrics}");
        route.record(200, Duration::from_millis(2));
        route.record(200, Duration::from_millis(2));
        route.record(418, Duration::from_millis(2));
        metrics.upkeep();
        let text = install().render();
        assert!(text.contains("# HELP http_requests_total Answered HTTP requests."), "{text}");
        assert!(text.contains(r#"http_requests_total{route="/test/{metrics}",status="200"} 2"#), "{text}");
        assert!(text.contains(r#"status="418"} 1"#), "{text}");
        assert!(
            text.contains(r#"http_request_duration_seconds_bucket{route="/test/{metrics}",le="0.0025"} 3"#),
            "{text}"
        );
        assert!(text.contains(r#"packagist_build_info{version=""#), "{text}");
    }

    #[test]
    fn the_statuses_are_sorted_and_spelt() {
        assert!(STATUSES.is_sorted());
        assert!(STATUSES.iter().all(|(status, text)| status.to_string() == *text));
    }
}
