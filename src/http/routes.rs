//! THE list of addresses. What is not in it does not exist: it is registered from here, counted by these patterns,
//! and a test walks all of it with every kind of credentials. Those for people are in [`pages`].

pub mod pages;

use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::guard::fn_guard;
use actix_web::{HttpRequest, HttpResponse, Route as Handler, web};

use super::composer::address::Address;
use super::{Error, assets, composer, hooks, probes};
use crate::telemetry::metrics::RouteMetrics;
use pages::PAGES;

/// An address for programs by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// Style sheet and icon.
    Asset,
    /// Whether the process lives.
    Liveness,
    /// Whether it can answer.
    Readiness,
    /// Prometheus' text.
    Metrics,
    /// A webhook.
    Hook,
    /// The webhook of a GitHub App.
    AppHook,
    /// `packages.json`.
    Root,
    /// The releases of a package.
    Document,
    /// The branches of a package.
    DevelopmentDocument,
    /// An archive.
    Dist,
    /// All names.
    List,
    /// Search by words.
    Search,
    /// What changed, for mirrors.
    Changes,
    /// What was installed, from Composer.
    Downloads,
    /// Any other address below `/repo/`.
    NoRepository,
    /// Any other address.
    Nothing,
}

/// How a request gets to what answers it.
enum Way {
    /// By its pattern.
    Pattern(fn() -> Handler),
    /// Below `/repo/`: the credentials are looked at before the rest of the address is, by [`composer::repository`].
    Repository,
    /// When nothing else fits.
    Rest,
}

/// One address for programs.
pub struct Route {
    /// What it is for.
    pub name: Name,
    /// Its pattern, which is also its name in metrics.
    pub pattern: &'static str,
    /// The methods it has, as `Allow` says them; empty for what is no address.
    pub methods: &'static str,
    way: Way,
}

const READ: &str = "GET, HEAD";

/// All addresses for programs, in the order of [`Name`].
pub static ROUTES: [Route; 16] = [
    Route {
        name: Name::Asset,
        pattern: "/assets/{hash}/{file}",
        methods: READ,
        way: Way::Pattern(|| web::to(assets::asset)),
    },
    Route { name: Name::Liveness, pattern: "/healthz", methods: READ, way: Way::Pattern(|| web::to(probes::alive)) },
    Route { name: Name::Readiness, pattern: "/readyz", methods: READ, way: Way::Pattern(|| web::to(probes::ready)) },
    Route { name: Name::Metrics, pattern: "/metrics", methods: READ, way: Way::Pattern(|| web::to(probes::metrics)) },
    Route {
        name: Name::Hook,
        pattern: "/hooks/{hook}",
        methods: "POST, PUT, OPTIONS",
        way: Way::Pattern(|| web::to(hooks::receive)),
    },
    Route {
        name: Name::AppHook,
        pattern: "/hooks/app/{integration}",
        methods: "POST",
        way: Way::Pattern(|| web::to(hooks::app)),
    },
    repository(Name::Root, "/repo/{org}/packages.json", READ),
    repository(Name::Document, "/repo/{org}/p2/{vendor}/{name}.json", READ),
    repository(Name::DevelopmentDocument, "/repo/{org}/p2/{vendor}/{name}~dev.json", READ),
    repository(Name::Dist, "/repo/{org}/dists/{vendor}/{name}/{reference}.zip", READ),
    repository(Name::List, "/repo/{org}/list.json", READ),
    repository(Name::Search, "/repo/{org}/search.json", READ),
    repository(Name::Changes, "/repo/{org}/metadata/changes.json", READ),
    repository(Name::Downloads, "/repo/{org}/downloads", "POST"),
    repository(Name::NoRepository, "/repo/{*}", ""),
    Route { name: Name::Nothing, pattern: "{*}", methods: "", way: Way::Rest },
];

const fn repository(name: Name, pattern: &'static str, methods: &'static str) -> Route {
    Route { name, pattern, methods, way: Way::Repository }
}

impl Name {
    /// The entry in the list.
    #[must_use]
    pub fn route(self) -> &'static Route {
        &ROUTES[self as usize]
    }
}

impl Route {
    /// Whether the address has this method.
    #[must_use]
    pub fn has(&self, method: &str) -> bool {
        self.methods.split(", ").any(|known| known == method)
    }
}

/// Registers every address.
pub fn configure(config: &mut web::ServiceConfig) {
    // First, because it is asked for a thousand times more often; without patterns, so that finding it costs one comparison.
    config.service(web::scope("/repo").default_service(web::to(composer::repository)));
    for route in &ROUTES {
        let Way::Pattern(handler) = &route.way else { continue };
        let method = fn_guard(move |context| route.has(context.head().method.as_str()));
        config.service(
            web::resource(route.pattern)
                .name(route.pattern)
                .route(handler().guard(method))
                .default_service(web::to(move || wrong_method(route.methods))),
        );
    }
    for page in PAGES {
        page.configure(config);
    }
    config.default_service(web::to(super::pages::not_found));
}

async fn wrong_method(allowed: &'static str) -> HttpResponse {
    Error::Method(allowed).response()
}

/// The place of the address that a request went to, in the list of all: those for programs, then pages.
fn place_of(request: &HttpRequest) -> usize {
    if let Some(rest) = below_repo(request.path()) {
        return Address::parse(&composer::address::decoded(rest)).1.name() as usize;
    }
    let pattern = request.match_pattern();
    let patterns = ROUTES.iter().map(|route| route.pattern).chain(PAGES.iter().map(|page| page.pattern));
    let found = pattern.and_then(|wanted| patterns.into_iter().position(|pattern| pattern == wanted));
    found.unwrap_or(Name::Nothing as usize)
}

/// What follows `/repo/` in a path.
#[must_use]
pub fn below_repo(path: &str) -> Option<&str> {
    match path.strip_prefix("/repo") {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('/'),
        None => None,
    }
}

/// A counter and a histogram for each address, looked up once.
pub(super) struct RouteTable(Vec<RouteMetrics>);

impl RouteTable {
    pub(super) fn new() -> Self {
        let patterns = ROUTES.iter().map(|route| route.pattern).chain(PAGES.iter().map(|page| page.pattern));
        Self(patterns.map(RouteMetrics::new).collect())
    }

    pub(super) fn record(&self, request: &HttpRequest, status: u16, took: Duration) {
        if let Some(metrics) = self.0.get(place_of(request)) {
            metrics.record(status, took);
        }
    }
}

/// Whether an address is asked for so often that its successes are no news.
pub(super) fn is_busy(request: &ServiceRequest) -> bool {
    let path = request.path();
    below_repo(path).is_some() || matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// Whether an address is answered also when too many clients are connected: a webhook that is refused is news that
/// nobody hears, and probes that fail make somebody restart what only has much to do.
pub(super) fn has_reserve(request: &ServiceRequest) -> bool {
    let path = request.path();
    path.starts_with("/hooks/") || matches!(path, "/healthz" | "/readyz" | "/metrics")
}

#[cfg(test)]
mod tests {
    use super::{ROUTES, below_repo};

    #[test]
    fn the_list_is_in_the_order_of_the_names() {
        for (index, route) in ROUTES.iter().enumerate() {
            assert_eq!(route.name as usize, index, "{:?}", route.name);
            assert_eq!(route.name.route().pattern, route.pattern);
        }
    }

    #[test]
    fn patterns_are_unique() {
        for route in &ROUTES {
            assert_eq!(ROUTES.iter().filter(|other| other.pattern == route.pattern).count(), 1);
        }
    }

    #[test]
    fn repo_is_a_whole_segment() {
        assert_eq!(below_repo("/repo/a/b"), Some("a/b"));
        assert_eq!(below_repo("/repo"), Some(""));
        assert_eq!(below_repo("/repository"), None);
        assert_eq!(below_repo("/"), None);
    }
}
