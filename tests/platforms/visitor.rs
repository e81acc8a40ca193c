//! A person in front of a browser, as far as simulators need one: it goes where it is sent, reads the page, chooses and
//! clicks.

use std::net::SocketAddr;

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use url::Url;

/// Where the browser ends up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Sent on to this address.
    Sent(Url),
    /// In front of a page with this status and text.
    Page(u16, String),
}

impl Arrival {
    /// The query that the browser brings back.
    pub fn query(&self) -> &str {
        match self {
            Self::Sent(url) => url.query().unwrap_or_default(),
            Self::Page(..) => panic!("the browser did not come back: {self:?}"),
        }
    }
}

/// Somebody whose browser finds every host of a simulator, and believes every certificate.
pub struct Visitor(reqwest::Client);

impl Visitor {
    /// Somebody who visits the simulator at this address by these names.
    pub fn new(address: SocketAddr, hosts: &[&str]) -> Self {
        let builder =
            reqwest::Client::builder().redirect(Policy::none()).no_proxy().tls_danger_accept_invalid_certs(true);
        let builder = hosts.iter().fold(builder, |builder, host| builder.resolve(host, address));
        Self(builder.build().expect("a client"))
    }

    /// Follows a link to the page of consent, and says yes as this user.
    pub async fn allow(&self, link: &Url, user: &str) -> Arrival {
        self.decide(link, &[("user", user), ("decision", "allow")]).await
    }

    /// Follows a link to the page of consent, and says no.
    pub async fn deny(&self, link: &Url) -> Arrival {
        self.decide(link, &[("decision", "deny")]).await
    }

    /// Sends a form to a page that asks, and says yes as this user.
    pub async fn send_and_allow(&self, to: &Url, fields: &[(&str, &str)], user: &str) -> Arrival {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let sent = self.0.post(to.clone()).header("content-type", "application/x-www-form-urlencoded").body(body);
        let page = arrival(sent.send().await.expect("the simulator answers")).await;
        self.choose(to, page, &[("user", user), ("decision", "allow")]).await
    }

    async fn decide(&self, link: &Url, choice: &[(&str, &str)]) -> Arrival {
        let page = arrival(self.0.get(link.clone()).send().await.expect("the simulator answers")).await;
        self.choose(link, page, choice).await
    }

    async fn choose(&self, link: &Url, page: Arrival, choice: &[(&str, &str)]) -> Arrival {
        let Arrival::Page(200, page) = page else { return page };
        let attribute = |before: &str| {
            let (_, after) = page.split_once(before).unwrap_or_else(|| panic!("no {before} in {page}"));
            after.split_once('"').expect("an attribute ends").0
        };
        let action = link.join(attribute("action=\"")).expect("an address");
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("request", attribute("name=\"request\" value=\"")).extend_pairs(choice);
        let sent = self.0.post(action).header("content-type", "application/x-www-form-urlencoded").body(body.finish());
        arrival(sent.send().await.expect("the simulator answers")).await
    }
}

async fn arrival(response: reqwest::Response) -> Arrival {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    if let Some(url) = location.and_then(|text| Url::parse(text).ok()) {
        return Arrival::Sent(url);
    }
    let status = response.status().as_u16();
    Arrival::Page(status, response.text().await.expect("a page is text"))
}
