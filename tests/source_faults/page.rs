//! Somebody who reads the pages.

use reqwest::blocking::{Client, Response};
use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};

use super::installation::Installation;

const PASSWORD: &str = "a password for the pages";

/// An administrator who is signed in.
pub struct Visitor {
    client: Client,
    base: String,
    cookies: String,
}

impl Visitor {
    /// Signs in as a new administrator.
    pub fn to(installation: &Installation) -> Self {
        installation.command_with("user add root --admin --password-stdin", PASSWORD).done();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let mut visitor = Self { client, base: installation.url(""), cookies: String::new() };
        let form = visitor.client.get(installation.url("/login")).send().unwrap();
        visitor.cookies = cookies(&form);
        let html = form.text().unwrap();
        let (_, token) = html.split_once("name=\"csrf\" value=\"").unwrap();
        let fields = [("csrf", token.split('"').next().unwrap()), ("name", "root"), ("password", PASSWORD)];
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
        let posted = visitor.client.post(installation.url("/login")).header(ORIGIN, visitor.base.as_str());
        let posted = posted.header(COOKIE, visitor.cookies.as_str());
        let posted = posted.header("Content-Type", "application/x-www-form-urlencoded").body(body.join("&"));
        let signed_in = posted.send().unwrap();
        assert_eq!(signed_in.status(), 303, "{:?}", signed_in.headers().get(LOCATION));
        visitor.cookies = cookies(&signed_in);
        visitor
    }

    /// What people read on the page at a path.
    pub fn text(&self, path: &str) -> String {
        let page = self.client.get(format!("{}{path}", self.base)).header(COOKIE, self.cookies.as_str()).send();
        let page = page.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        let html = page.text().unwrap();
        let mut text = String::new();
        for part in html.split('<') {
            text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
        }
        [("&quot;", "\""), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&")]
            .iter()
            .fold(text, |text, (escaped, plain)| text.replace(escaped, plain))
    }
}

fn cookies(response: &Response) -> String {
    let set = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|value| value.split(';').next()).collect::<Vec<_>>().join("; ")
}
