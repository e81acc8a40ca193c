//! A person with a browser: a session put into the store, its cookie, and the token of its forms.

use packagist_selfhosted::http::csrf;
use packagist_selfhosted::http::session::Value;
use packagist_selfhosted::store::sessions::{self, New};
use packagist_selfhosted::store::users;
use url::form_urlencoded;

use crate::client::{Request, Response};
use crate::world::World;

/// Somebody who is signed in.
pub struct Person {
    cookie: Value,
}

impl Person {
    /// Signs in under a name, which is added if there is no such account yet.
    pub async fn signed_in(world: &World, name: &str, admin: bool) -> Self {
        let cookie = Value::random();
        let (digest, wanted, now) = (cookie.digest(), name.to_owned(), world.clock.now());
        world
            .write(move |tx| {
                let user = match users::by_name(tx, &wanted)? {
                    Some(user) => user.id,
                    None => users::insert(tx, &wanted, None, admin, None, now)?,
                };
                sessions::insert(tx, &New { digest, user, account: None, address: None, agent: None }, now)?;
                Ok(())
            })
            .await;
        Self { cookie }
    }

    /// The header by which the browser is known.
    pub fn cookie(&self) -> String {
        format!("__Host-session={}", self.cookie.expose())
    }

    /// A request of the browser.
    pub fn request(&self, world: &World, method: &str, path: &str) -> Request {
        world.anonymous(method, path).header("Accept", "text/html,*/*").header("Cookie", &self.cookie())
    }

    /// Looks at a page.
    pub async fn get(&self, world: &World, path: &str) -> Response {
        self.request(world, "GET", path).send().await
    }

    /// Sends a form of one of our pages.
    pub async fn post(&self, world: &World, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = csrf::token(&self.cookie);
        self.post_with(world, path, fields, &token).await
    }

    /// Sends a form with another token.
    pub async fn post_with(&self, world: &World, path: &str, fields: &[(&str, &str)], token: &str) -> Response {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", token).extend_pairs(fields);
        self.request(world, "POST", path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Origin", "https://packages.example.com")
            .body(form.finish().as_bytes())
            .send()
            .await
    }
}
