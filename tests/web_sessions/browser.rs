//! A browser as far as this takes one: it keeps cookies, says where forms come from, and follows nothing by itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use crate::client::{Request, Response};
use crate::world::PUBLIC;

/// A browser. Its cookies can be read and planted.
pub struct Browser {
    address: SocketAddr,
    pub cookies: Mutex<BTreeMap<String, String>>,
    /// Where the server is told that requests come from.
    from: String,
}

impl Browser {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookies: Mutex::default(), from: "192.0.2.1".to_owned() }
    }

    /// The same browser elsewhere.
    pub fn at(self, from: &str) -> Self {
        Self { from: from.to_owned(), ..self }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(self.request("GET", path)).await
    }

    /// Sends a form from one of our pages, with its token taken from `page`.
    pub async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.token(page).await;
        self.post(action, &token, fields).await
    }

    /// Sends a form from one of our pages with this token.
    pub async fn post(&self, action: &str, token: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.request("POST", action).header("Origin", PUBLIC);
        self.send(form(request, token, fields)).await
    }

    /// The token of the forms on a page.
    pub async fn token(&self, page: &str) -> String {
        let html = self.get(page).await.text();
        let (_, after) = html.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form in {html}"));
        after.split('"').next().unwrap().to_owned()
    }

    pub async fn log_in(&self, name: &str, password: &str) -> Response {
        self.submit("/login", "/login", &[("name", name), ("password", password)]).await
    }

    /// Whether somebody is signed in.
    pub async fn is_signed_in(&self) -> bool {
        let answer = self.get("/profile").await;
        assert!(answer.status == 200 || answer.header("location").unwrap().starts_with("/login"), "{}", answer.status);
        answer.status == 200
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn plant(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// A request with this browser's cookies.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let cookies = self.cookies.lock().unwrap();
        let all: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::new(self.address, method, path)
            .header("Accept", "text/html")
            .header("User-Agent", "Firefox")
            .header("X-Forwarded-For", &self.from);
        if all.is_empty() { request } else { request.header("Cookie", &all.join("; ")) }
    }

    /// Sends it, and keeps the cookies that come back.
    pub async fn send(&self, request: Request) -> Response {
        let response = request.send().await;
        let mut cookies = self.cookies.lock().unwrap();
        for (_, set) in response.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        drop(cookies);
        response
    }
}

/// A form's body.
pub fn form(request: Request, token: &str, fields: &[(&str, &str)]) -> Request {
    let body =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("csrf", token).extend_pairs(fields).finish();
    request.header("Content-Type", "application/x-www-form-urlencoded").body(body.as_bytes())
}
