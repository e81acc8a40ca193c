//! What the tests of the simulated GitHub have in common.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::platforms::frame::Simulator;
use crate::platforms::github::GitHub;
use crate::platforms::github::directory::Rank;
use crate::platforms::message::{Asked, Reply};
use crate::world::CALLBACK;

/// A GitHub with an organization `acme`, its owner, and a token that may do everything there.
pub struct World {
    pub github: GitHub,
    pub org: u64,
    pub owner: u64,
    pub token: String,
}

impl World {
    pub fn new() -> Self {
        let github = GitHub::server(CALLBACK);
        let org = github.organization("acme");
        let owner = github.user("olga");
        github.enrol(org, owner, Rank::Owner);
        let token = github.token(owner, "repo admin:org admin:org_hook");
        Self { github, org, owner, token }
    }

    pub fn ask(&self, token: &str, target: &str) -> Reply {
        self.ask_with(token, target, &[])
    }

    pub fn ask_with(&self, token: &str, target: &str, more: &[(&str, &str)]) -> Reply {
        self.github.stage.world().answer(&request(token, target, more))
    }

    /// Changes something.
    pub fn change(&self, method: &str, token: &str, target: &str, body: &Value) -> Reply {
        let mut asked = request(token, target, &[("content-type", "application/json")]);
        (asked.method, asked.body) = (method.to_owned(), body.to_string().into_bytes());
        self.github.stage.world().answer(&asked)
    }

    pub fn ids(&self, token: &str, target: &str) -> BTreeSet<u64> {
        let reply = self.ask(token, target);
        assert_eq!(reply.status, 200, "{target}: {}", String::from_utf8_lossy(&reply.body));
        json(&reply).as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect()
    }
}

pub fn request(token: &str, target: &str, more: &[(&str, &str)]) -> Asked {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let authorization = format!("Bearer {token}");
    let headers = [
        ("user-agent", "us"),
        ("accept", "application/vnd.github+json, application/json;q=0.9"),
        ("authorization", &authorization),
    ];
    Asked {
        method: "GET".to_owned(),
        host: "localhost".to_owned(),
        path: format!("/api/v3{path}"),
        query: crate::platforms::message::pairs(query.as_bytes()),
        headers: headers.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: Vec::new(),
    }
}

pub fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

pub fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}
