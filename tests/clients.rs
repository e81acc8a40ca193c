//! Many clients at once, and bad ones among them: real Composers, raw sockets, HTTP/1.1 and HTTP/2, against the real
//! executable.
//!
//! What runs by default is small. `tests/load` runs the same at full size, and prints what it measured.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

#[path = "support/installation.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod installation;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod project;
#[path = "support/work_tree.rs"]
mod work_tree;

#[path = "clients/bad.rs"]
mod bad;
#[path = "clients/composers.rs"]
mod composers;
#[path = "clients/crowd.rs"]
mod crowd;
#[path = "clients/hooks.rs"]
mod hooks;
#[path = "clients/world.rs"]
mod world;

/// How much of everything.
pub struct Size {
    /// Composers.
    pub composers: usize,
    /// How many of them run at once.
    pub wave: usize,
    /// Packages that each of them installs.
    pub packages: usize,
    /// Good clients at once.
    pub clients: usize,
    /// How often each of them asks.
    pub rounds: usize,
    /// Bad clients of each kind.
    pub bad: usize,
    /// Webhooks.
    pub hooks: usize,
}

const SMALL: Size = Size { composers: 12, wave: 4, packages: 5, clients: 200, rounds: 5, bad: 20, hooks: 500 };

/// Full size, as the environment says.
fn full() -> Size {
    let number = |name: &str, otherwise| {
        std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    Size {
        composers: number("LOAD_COMPOSERS", 200),
        wave: number("LOAD_WAVE", 16),
        packages: number("LOAD_PACKAGES", 20),
        clients: number("LOAD_CLIENTS", 400),
        rounds: number("LOAD_ROUNDS", 50),
        bad: number("LOAD_BAD", 500),
        hooks: number("LOAD_HOOKS", 10_000),
    }
}

#[test]
fn a_dozen_composers_install_at_once_over_http2() {
    composers::install(&SMALL);
}

#[test]
#[ignore = "at full size: tests/load"]
fn composers_at_full_size() {
    composers::install(&full());
}

#[test]
fn a_composer_is_told_that_the_server_is_away_and_goes_on_when_it_is_back() {
    composers::restart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_clients_cost_the_good_ones_nothing() {
    crowd::among_bad_ones(&SMALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "at full size: tests/load"]
async fn bad_clients_at_full_size() {
    crowd::among_bad_ones(&full()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_webhooks_is_accepted_while_the_repository_is_flooded() {
    hooks::burst(&SMALL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "at full size: tests/load"]
async fn webhooks_at_full_size() {
    hooks::burst(&full()).await;
}
