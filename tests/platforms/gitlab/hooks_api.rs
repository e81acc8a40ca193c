//! The API about webhooks of projects, groups and the instance.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Site;
use super::answers::{Takes, bad, forbidden, list, moment, not_found, nowhere, parameters};
use super::directory::{MAINTAINER, OWNER};
use super::hooks::{Hook, Place, is_taken, uuid};
use crate::platforms::message::{Asked, Reply};
use crate::platforms::post::{Parcel, Sent, send};

/// What all hooks of projects and groups may tell of.
const EVENTS: [&str; 19] = [
    "push_events",
    "tag_push_events",
    "releases_events",
    "issues_events",
    "confidential_issues_events",
    "merge_requests_events",
    "note_events",
    "confidential_note_events",
    "job_events",
    "pipeline_events",
    "wiki_page_events",
    "deployment_events",
    "feature_flag_events",
    "milestone_events",
    "emoji_events",
    "resource_access_token_events",
    "resource_deploy_token_events",
    "vulnerability_events",
    "repository_update_events",
];
/// What hooks of groups may tell of beside that.
const GROUP_EVENTS: [&str; 3] = ["member_events", "subgroup_events", "project_events"];
/// What is no event.
const SETTINGS: [&str; 10] = [
    "url",
    "name",
    "description",
    "token",
    "signing_token",
    "enable_ssl_verification",
    "push_events_branch_filter",
    "branch_filter_strategy",
    "custom_webhook_template",
    "custom_headers",
];
/// What a place's hooks may tell of.
fn events(place: Place) -> Vec<&'static str> {
    let own = EVENTS.iter().copied().filter(|name| *name != "repository_update_events" || place == Place::System);
    let more = GROUP_EVENTS.iter().copied().filter(|_| matches!(place, Place::Group(_)));
    own.chain(more).collect()
}

impl Site {
    /// Answers a request that is about webhooks; none: it is not.
    pub(super) fn hooks_api(&mut self, asked: &Asked, method: &str, parts: &[&str]) -> Option<Result<Reply, Reply>> {
        let (kind, id, rest) = match parts {
            ["projects", id, "hooks", rest @ ..] => ("project", *id, rest),
            ["groups", id, "hooks", rest @ ..] => ("group", *id, rest),
            ["hooks", rest @ ..] => ("system", "", rest),
            _ => return None,
        };
        Some(self.hook_place(asked, method, kind, id).and_then(|place| self.of_hooks(asked, method, place, rest)))
    }

    /// Lets in who may see or change hooks.
    fn hook_place(&mut self, asked: &Asked, method: &str, kind: &str, id: &str) -> Result<Place, Reply> {
        let caller = self.caller(asked)?;
        if method == "GET" {
            caller.reads()?
        } else {
            caller.needs(&["api"])?
        }
        let (place, level, least) = match kind {
            "project" => {
                let project = self.project_asked(asked, &caller, id)?;
                if project.archived && method != "GET" {
                    return Err(forbidden());
                }
                let level = self.directory.project_level(caller.user.id, &project, &caller.today);
                (Place::Project(project.id), level, MAINTAINER)
            }
            "group" => {
                let group = self.group_asked(&caller, id)?.id;
                let level = self.directory.group_level(caller.user.id, group, &caller.today);
                (Place::Group(group), level, OWNER)
            }
            _ => (Place::System, 0, OWNER),
        };
        if level < least && !caller.user.admin {
            return Err(forbidden());
        }
        match place {
            Place::Group(_) if !self.ways.licensed => match self.ways.unlicensed_status {
                404 => Err(not_found("")),
                _ => Err(forbidden()),
            },
            place => Ok(place),
        }
    }

    fn of_hooks(&mut self, asked: &Asked, method: &str, place: Place, rest: &[&str]) -> Result<Reply, Reply> {
        let (id, rest) = match (method, rest) {
            ("GET", []) => return self.hooks_listed(asked, place),
            ("POST", []) => return self.hook_made(asked, place),
            (_, [id, rest @ ..]) => (id.parse::<u64>().map_err(|_| bad("hook_id is invalid"))?, rest),
            _ => return Err(nowhere()),
        };
        let found = self.hooks.all.get(&id).filter(|hook| hook.place == place).ok_or_else(|| not_found(""))?;
        match (method, rest) {
            ("GET", []) => {
                parameters(asked, &[])?;
                Ok(Reply::json(200, &self.hook_shown(found)))
            }
            ("PUT", []) => self.hook_changed(asked, id),
            ("DELETE", []) => {
                self.hooks.all.remove(&id);
                Ok(Reply::empty(204))
            }
            ("POST", ["test", trigger]) => self.hook_tested(id, trigger),
            ("GET", ["events"]) if self.is_at_least(17, 3) => self.deliveries(asked, id),
            ("POST", ["events", event, "resend"]) if self.is_at_least(17, 4) => self.resent(id, event),
            _ => Err(nowhere()),
        }
    }

    fn hooks_listed(&self, asked: &Asked, place: Place) -> Result<Reply, Reply> {
        let (_, page) = list(asked, &[], false)?;
        let found: Vec<&Hook> = self.hooks.all.values().filter(|hook| hook.place == place).collect();
        Ok(self.page(asked, page, &found, |hook| self.hook_shown(hook)))
    }

    fn hook_made(&mut self, asked: &Asked, place: Place) -> Result<Reply, Reply> {
        let given = body(asked, place)?;
        if !given.contains_key("url") {
            return Err(bad("url is missing"));
        }
        let most = if matches!(place, Place::Group(_)) { self.ways.most_hooks / 2 } else { self.ways.most_hooks };
        if self.hooks.all.values().filter(|hook| hook.place == place).count() >= most {
            let said = format!("Maximum number of hooks ({most}) exceeded");
            return Err(Reply::json(422, &json!({"message": {"base": [said]}})));
        }
        let first = |name: &str| match place {
            Place::System => name == "repository_update_events",
            _ => name == "push_events",
        };
        self.hooks.last += 1;
        let mut hook = Hook {
            id: self.hooks.last,
            place,
            url: String::new(),
            name: None,
            token: None,
            signing_token: None,
            events: events(place).into_iter().map(|name| (name, first(name))).collect(),
            verifies: true,
            branches: String::new(),
            uuid: uuid(),
            forgiven: 0,
        };
        self.configure(&mut hook, &given)?;
        let shown = self.hook_shown(&hook);
        self.hooks.all.insert(hook.id, hook);
        Ok(Reply::json(201, &shown))
    }

    fn hook_changed(&mut self, asked: &Asked, id: u64) -> Result<Reply, Reply> {
        let mut hook = self.hooks.all[&id].clone();
        let given = body(asked, hook.place)?;
        if given.get("url").and_then(Value::as_str).is_some_and(|url| url != hook.url) {
            (hook.token, hook.signing_token) = (None, None);
        }
        self.configure(&mut hook, &given)?;
        let shown = self.hook_shown(&hook);
        self.hooks.all.insert(id, hook);
        Ok(Reply::json(200, &shown))
    }

    /// Takes what a request says of the settings.
    fn configure(&self, hook: &mut Hook, given: &Map<String, Value>) -> Result<(), Reply> {
        for (name, value) in given {
            let text = || value.as_str().ok_or_else(|| bad(&format!("{name} is invalid")));
            let flag = || value.as_bool().ok_or_else(|| bad(&format!("{name} is invalid")));
            match name.as_str() {
                "url" => {
                    if !self.may_call(text()?) {
                        return Err(Reply::json(422, &json!({"error": "Invalid url given"})));
                    }
                    text()?.clone_into(&mut hook.url);
                }
                "name" => hook.name = Some(text()?.to_owned()),
                "token" => hook.token = Some(text()?.to_owned()).filter(|text| !text.is_empty()),
                // Before 19.0 nobody knows it.
                "signing_token" if !self.is_at_least(19, 0) => {}
                "signing_token" => {
                    let key = text()?.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
                    if key.is_none_or(|key| key.len() != 32) {
                        let said = json!({"message": {"signing_token": ["is invalid"]}});
                        return Err(Reply::json(422, &said).blamed("`signing_token` is none"));
                    }
                    hook.signing_token = Some(text()?.to_owned());
                }
                "enable_ssl_verification" => hook.verifies = flag()?,
                "push_events_branch_filter" => text()?.clone_into(&mut hook.branches),
                "branch_filter_strategy" if !["wildcard", "regex", "all_branches"].contains(&text()?) => {
                    return Err(bad("branch_filter_strategy does not have a valid value"));
                }
                name if SETTINGS.contains(&name) => {}
                name => {
                    let own = hook.events.get_mut(name).expect("the body was looked through");
                    *own = value.as_bool().ok_or_else(|| bad(&format!("{name} is invalid")))?;
                }
            }
        }
        Ok(())
    }

    /// Whether webhooks may go to an address.
    fn may_call(&self, url: &str) -> bool {
        let Ok(url) = url::Url::parse(url) else { return false };
        let host = url.host_str().unwrap_or_default();
        let is_local = host == "localhost" || host.starts_with("127.") || host.starts_with("10.") || host == "[::1]";
        ["http", "https"].contains(&url.scheme()) && (self.ways.local_requests || !is_local)
    }

    fn hook_tested(&mut self, id: u64, trigger: &str) -> Result<Reply, Reply> {
        let hook = self.hooks.all[&id].clone();
        if !events(hook.place).contains(&trigger) {
            return Err(bad("trigger does not have a valid value"));
        }
        let project = match hook.place {
            Place::Project(id) => self.directory.projects.get(&id),
            Place::Group(group) => {
                let groups = self.directory.subtree(group);
                self.directory.projects.values().find(|project| groups.contains(&project.group) && !project.empty)
            }
            Place::System => None,
        };
        let Some(project) = project.filter(|project| !project.empty) else {
            return Err(Reply::json(422, &json!({"message": "Ensure the project has at least one commit."})));
        };
        let parcel =
            self.parcel(&hook, "Push Hook", &uuid(), &self.push_told(project, &sample(project)), Some(project.id));
        let status = send(&parcel);
        if !is_taken(status) {
            let said = status.map_or("Failed to open TCP connection".to_owned(), |status| status.to_string());
            return Err(Reply::json(422, &json!({"message": said})));
        }
        self.forgive(id);
        Ok(Reply::json(201, &json!({"message": "201 Created"})))
    }

    fn deliveries(&self, asked: &Asked, id: u64) -> Result<Reply, Reply> {
        let (_, page) = list(asked, &[("status", Takes::Text)], false)?;
        let all: Vec<Sent> = self.hooks.post.sent().into_iter().rev().filter(|sent| sent.parcel.hook == id).collect();
        Ok(self.page(asked, page, &all, |sent| {
            let status = sent.status.map_or("internal error".to_owned(), |status| status.to_string());
            json!({
                "id": sent.id, "url": sent.parcel.url, "trigger": sent.parcel.event, "request_headers": {},
                "request_data": {}, "response_headers": {}, "response_body": "", "execution_duration": 0.1,
                "response_status": status,
            })
        }))
    }

    fn resent(&self, hook: u64, event: &str) -> Result<Reply, Reply> {
        let all = self.hooks.post.sent();
        let found = all.into_iter().find(|sent| sent.parcel.hook == hook && sent.id.to_string() == event);
        let sent = found.ok_or_else(|| not_found(""))?;
        self.hooks.post.send(Parcel { again: true, ..sent.parcel });
        Ok(Reply::json(201, &json!({"response_status": 200})))
    }

    fn hook_shown(&self, hook: &Hook) -> Value {
        let mut shown = json!({
            "id": hook.id, "url": hook.url, "name": hook.name, "description": null, "created_at": moment(1_700_000_000),
            "enable_ssl_verification": hook.verifies, "alert_status": self.alert_status(hook), "disabled_until": null,
            "url_variables": [], "custom_headers": [], "push_events_branch_filter": hook.branches,
            "branch_filter_strategy": if hook.branches.is_empty() { "all_branches" } else { "wildcard" },
            "custom_webhook_template": null,
        });
        for (name, value) in &hook.events {
            shown[*name] = (*value).into();
        }
        shown["repository_update_events"] = hook.tells("repository_update_events").into();
        match hook.place {
            Place::Project(id) => shown["project_id"] = id.into(),
            Place::Group(id) => shown["group_id"] = id.into(),
            Place::System => {}
        }
        if self.is_at_least(19, 0) {
            shown["token_present"] = hook.token.is_some().into();
            shown["signing_token_present"] = hook.signing_token.is_some().into();
        }
        shown
    }
}

/// Reads a body that may have what GitLab documents.
fn body(asked: &Asked, place: Place) -> Result<Map<String, Value>, Reply> {
    parameters(asked, &[])?;
    let Some(Value::Object(given)) = asked.json() else { return Err(bad("the body is no JSON object")) };
    let known: BTreeMap<&str, ()> = events(place).into_iter().chain(SETTINGS).map(|name| (name, ())).collect();
    match given.keys().find(|name| !known.contains_key(name.as_str())) {
        Some(name) => Err(bad(&format!("`{name}` is not documented"))),
        None => Ok(given),
    }
}

/// A push that was none.
fn sample(project: &super::directory::Project) -> crate::platforms::pushed::Pushed {
    crate::platforms::pushed::Pushed {
        name: format!("refs/heads/{}", project.default_branch),
        before: Some("1".repeat(40)),
        after: Some("1".repeat(40)),
    }
}
