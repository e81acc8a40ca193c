//! The three kinds of GitHub, told apart by their address, and where each has its API.

use url::Url;

use crate::platform::app::below;

/// Whether it is github.com or a tenant of GHE.com, and not an Enterprise Server.
pub(super) fn is_cloud(web: &Url) -> bool {
    web.host_str().is_some_and(|host| host == "github.com" || host.ends_with(".ghe.com"))
}

/// The root of the REST API.
pub(super) fn api(web: &Url) -> Url {
    if !is_cloud(web) {
        return below(web, "/api/v3");
    }
    let mut api = web.clone();
    let host = format!("api.{}", web.host_str().unwrap_or_default());
    // A host name with one more label is a host name.
    let _ = api.set_host(Some(&host));
    api
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::api;

    #[test]
    fn each_kind_has_its_api_elsewhere() {
        for (web, root) in [
            ("https://github.com", "https://api.github.com/"),
            ("https://acme.ghe.com", "https://api.acme.ghe.com/"),
            ("https://ghe.example.com", "https://ghe.example.com/api/v3"),
            ("http://ghe.example.com:8080/", "http://ghe.example.com:8080/api/v3"),
            ("https://notgithub.com", "https://notgithub.com/api/v3"),
        ] {
            assert_eq!(api(&web.parse().unwrap()).as_str(), root);
        }
    }
}
