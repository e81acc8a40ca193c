//! What a body says was pushed, in the words of whichever platform sent it.
//!
//! Nothing in it decides what is read or from where: it says which commits to wait for, which package of ours is meant, and
//! what to show to people. What is not understood is left out, and then everything is read again.

mod wire;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::answer::printable;
use wire::{AnyRef, Change, Detail, Id, Payload, Place, Project, Push, Record, RefUpdate, Resource, read, text};

/// How many announced commits are kept: a push of more is one of its last.
const COMMITS: usize = 20;
/// How many changed branches and tags are kept; the others are counted.
const CHANGES: usize = 20;
/// How many addresses of the repository are kept: services name it in several ways.
const ADDRESSES: usize = 8;
/// Longest name or text that is kept.
const LONGEST: usize = 200;
/// Longest address that is kept.
const LONGEST_ADDRESS: usize = 500;
/// The subscription that Azure DevOps names when somebody presses `Test`.
const NO_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
/// What CodeCommit calls an event that it made up because somebody presses `Test trigger`.
const TRIGGER_TEST: &str = "TriggerEventTest";

/// What a body is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Of nothing.
    #[default]
    Empty,
    /// Of JSON, of whatever kind, also in a form.
    Json,
    /// Of a text, such as a form of somebody's own.
    Text,
    /// Of what is neither, or of JSON that is broken off.
    Unreadable,
}

/// What a body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// What it is made of.
    pub shape: Shape,
    /// Who sent it, where only the body tells.
    pub provider: Option<&'static str>,
    /// What it calls itself, where only the body tells.
    pub event: Option<String>,
    /// What names it, also when it is sent again, where only the body tells.
    pub id: Option<String>,
    /// Whether somebody only tries the address out.
    pub is_test: bool,
    /// The commits that are now at the tip of something.
    pub commits: Vec<String>,
    /// Addresses of the one repository that it speaks of.
    pub addresses: Vec<String>,
    /// The last two parts of its path, `PROJECT/REPOSITORY`, where its addresses are not said: by Bitbucket Data Center.
    pub place: Option<String>,
    /// What it tells, to be shown.
    pub told: Told,
}

/// What a call told, as it is stored and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The repository, as people call it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Which branches and tags changed, the first twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RefChange>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
    /// Whether somebody only tried the address out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// What else is to be said of it: a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A branch or tag that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefChange {
    /// Its full name, `refs/heads/…` or `refs/tags/…`.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
    /// The commit, or tag, that it names now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What became of a branch or tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It is new.
    Made,
    /// It names something else.
    Moved,
    /// It is gone.
    Removed,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Content {
    /// Reads a body: JSON, or a form with JSON in `payload`. `event`: what the headers call it, by which some say what became
    /// of a branch.
    #[must_use]
    pub fn read(body: &[u8], event: Option<&str>) -> Self {
        let mut content = Self::default();
        let body = body.trim_ascii();
        content.shape = match (body.first(), std::str::from_utf8(body)) {
            (None, _) => Shape::Empty,
            (Some(_), Err(_)) => Shape::Unreadable,
            (Some(b'{' | b'['), Ok(json)) => content.add_whole(json, event),
            (Some(_), Ok(text)) => match form(body).find(|(key, _)| key == "payload") {
                Some((_, payload)) => content.add_whole(&payload, event),
                None if is_json(text) => Shape::Json,
                None => Shape::Text,
            },
        };
        if content.is_test {
            // What is made up for a test is nowhere to be seen.
            content.commits.clear();
            content.addresses.clear();
            content.place = None;
        }
        content.told.is_test = content.is_test;
        content
    }

    fn add_whole(&mut self, json: &str, event: Option<&str>) -> Shape {
        self.add_json(json, event, true);
        if is_json(json) { Shape::Json } else { Shape::Unreadable }
    }

    fn add_json(&mut self, json: &str, event: Option<&str>, may_nest: bool) {
        let Ok(payload) = serde_json::from_str::<Payload<'_>>(json) else { return };
        self.add_names(&payload);
        self.add_head(&payload, event);
        self.add_bitbucket(&payload);
        self.add_azure(&payload);
        self.add_codecommit(&payload);
        self.add_place(read(payload.repository));
        self.add_place(read(payload.project));
        if may_nest && let Some(message) = read::<String>(payload.message) {
            self.add_json(&message, event, false);
        }
        // Beanstalk puts what it has to say into an object of its own.
        if may_nest && read::<String>(payload.trigger).is_some() {
            self.provider = Some("beanstalk");
            self.event = read::<String>(payload.trigger).map(|trigger| printable(&trigger, LONGEST));
            self.add_json(text(payload.payload).unwrap_or_default(), event, false);
        }
    }

    fn add_names(&mut self, payload: &Payload<'_>) {
        let kind = read::<String>(payload.event_name).or_else(|| read(payload.object_kind));
        self.event = self.event.take().or(kind.map(|kind| printable(&kind, LONGEST)));
    }

    /// GitHub, GitLab, Gitea and whoever does as they do: one branch or tag a call.
    fn add_head(&mut self, payload: &Payload<'_>, event: Option<&str>) {
        let (before, after) = (read::<String>(payload.before), read::<String>(payload.after));
        let head = read::<Id>(payload.head_commit).and_then(|head| head.id).or_else(|| read(payload.checkout_sha));
        match head {
            Some(commit) => self.add_commit(&commit),
            None => after.iter().for_each(|commit| self.add_commit(commit)),
        }
        let Some(name) = read::<String>(payload.reference) else { return };
        let Some(name) = full_name(&name, read::<String>(payload.ref_type).as_deref()) else { return };
        let removed = event == Some("delete") || after.as_deref().is_some_and(is_none);
        let made = event == Some("create") || before.as_deref().is_some_and(is_none);
        let target = after.or_else(|| read(payload.sha));
        self.add_change(&name, fate(made, removed), target.as_deref());
    }

    /// Bitbucket Cloud (`push`) and Data Center (`changes`), which GitLab has for something else.
    fn add_bitbucket(&mut self, payload: &Payload<'_>) {
        for change in read::<Push>(payload.push).map(|push| push.changes).unwrap_or_default() {
            let (old, new) = (change.old, change.new);
            let commit = new.as_ref().and_then(|new| new.target.as_ref()).and_then(|target| target.hash.clone());
            commit.iter().for_each(|commit| self.add_commit(commit));
            let (made, removed) = (old.is_none(), new.is_none());
            let Some(end) = new.or(old) else { continue };
            if let Some(name) = full_name(&end.name.unwrap_or_default(), end.kind.as_deref()) {
                self.add_change(&name, fate(made, removed), commit.as_deref());
            }
        }
        for change in read::<Vec<Change>>(payload.changes).unwrap_or_default() {
            let (before, after) = (change.from_hash.or(change.before), change.to_hash.or(change.after));
            let (name, is_tag) = match change.reference {
                Some(AnyRef::Thing { id, kind }) => (id, kind.as_deref() == Some("TAG")),
                Some(AnyRef::Name(name)) => {
                    let is_tag = name.starts_with("refs/tags/");
                    (Some(name), is_tag)
                }
                None => (None, false),
            };
            // A tag's own object is never the tip of anything.
            after.iter().filter(|_| !is_tag).for_each(|commit| self.add_commit(commit));
            let (made, removed) = (before.as_deref().is_some_and(is_none), after.as_deref().is_some_and(is_none));
            if let Some(name) = name.and_then(|name| full_name(&name, None)) {
                self.add_change(&name, fate(made, removed), after.as_deref());
            }
        }
    }

    fn add_azure(&mut self, payload: &Payload<'_>) {
        let publisher = read::<String>(payload.publisher);
        if matches!(publisher.as_deref(), Some("tfs" | "azure-devops")) {
            self.provider = Some("azure");
            self.event = read::<String>(payload.event_type).map(|event| printable(&event, LONGEST));
            self.id = read::<String>(payload.id).map(|id| printable(&id, LONGEST));
            self.is_test = read::<String>(payload.subscription).as_deref() == Some(NO_SUBSCRIPTION);
        }
        let Some(resource) = read::<Resource<'_>>(payload.resource) else { return };
        self.add_place(read(resource.repository));
        for update in read::<Vec<RefUpdate>>(resource.ref_updates).unwrap_or_default() {
            let name = update.name.unwrap_or_default();
            if !name.starts_with("refs/tags/") {
                update.new.iter().for_each(|commit| self.add_commit(commit));
            }
            let (made, removed) =
                (update.old.as_deref().is_some_and(is_none), update.new.as_deref().is_some_and(is_none));
            if let Some(name) = full_name(&name, None) {
                self.add_change(&name, fate(made, removed), update.new.as_deref());
            }
        }
    }

    /// A trigger of AWS CodeCommit, or its event by EventBridge.
    fn add_codecommit(&mut self, payload: &Payload<'_>) {
        for record in read::<Vec<Record>>(payload.records).unwrap_or_default() {
            if let Some(place) = record.source.as_deref().and_then(CodeCommitPlace::of_arn) {
                place.tell(self);
            }
            self.is_test |= record.event.as_deref() == Some(TRIGGER_TEST);
            self.event = record.event.map(|event| printable(&event, LONGEST)).or(self.event.take());
            for reference in record.codecommit.map(|inner| inner.references).unwrap_or_default() {
                let removed = reference.deleted == Some(true);
                reference.commit.iter().filter(|_| !removed).for_each(|commit| self.add_commit(commit));
                if let Some(name) = full_name(&reference.name.unwrap_or_default(), None) {
                    self.add_change(&name, fate(reference.created == Some(true), removed), reference.commit.as_deref());
                }
            }
        }
        let Some(detail) = read::<Detail>(payload.detail) else { return };
        // Events of pull requests name a list of one.
        let name = detail.repository.or_else(|| detail.repositories.into_iter().flatten().next());
        if let (Some(name), Some(region)) = (&name, read::<String>(payload.region)) {
            CodeCommitPlace { region: &region, name }.tell(self);
        }
        let event = detail.event.unwrap_or_default();
        detail.commit.iter().for_each(|commit| self.add_commit(commit));
        if let Some(name) = detail.reference.and_then(|name| full_name(&name, None)) {
            let fate = fate(event == "referenceCreated", event == "referenceDeleted");
            self.add_change(&name, fate, detail.commit.as_deref());
        }
        self.event = self.event.take().or_else(|| Some(printable(&event, LONGEST)));
    }

    fn add_place(&mut self, place: Option<Place>) {
        let Some(place) = place else { return };
        let links = place.links.unwrap_or_default();
        let cloned = links.clone.unwrap_or_default().into_iter().filter_map(|link| link.href);
        let plain = [
            place.clone_url,
            place.ssh_url,
            place.git_http_url,
            place.git_ssh_url,
            place.remote_url,
            place.azure_ssh_url,
            place.html_url,
            place.web_url,
            links.html.and_then(|link| link.href),
        ];
        for address in plain.into_iter().flatten().chain(cloned) {
            self.add_address(&address);
        }
        let key = match place.project {
            Some(Project::Keyed { key }) => Some(key),
            Some(Project::Other(_)) | None => None,
        };
        let of_project = key.zip(place.slug).map(|(key, slug)| format!("{key}/{slug}"));
        if self.addresses.is_empty() {
            self.place = of_project.clone().filter(|place| is_place(place));
        }
        let name = place.full_name.or(place.path_with_namespace).or(of_project).or(place.name);
        let told = &mut self.told.repository;
        *told = told.take().or_else(|| name.map(|name| printable(&name, LONGEST)));
    }

    fn add_address(&mut self, address: &str) {
        let fits = address.len() <= LONGEST_ADDRESS && self.addresses.len() < ADDRESSES;
        if fits && !self.addresses.iter().any(|known| known == address) {
            self.addresses.push(address.to_owned());
        }
    }

    fn add_change(&mut self, name: &str, fate: Fate, target: Option<&str>) {
        if self.told.changes.len() == CHANGES {
            self.told.more += 1;
            return;
        }
        let target = target.filter(|target| is_commit(target)).map(str::to_owned);
        self.told.changes.push(RefChange { name: printable(name, LONGEST), fate, target });
    }

    /// Keeps what is a commit; all zeros say that something was deleted.
    fn add_commit(&mut self, commit: &str) {
        if is_commit(commit) && self.commits.len() < COMMITS && !self.commits.iter().any(|known| known == commit) {
            self.commits.push(commit.to_owned());
        }
    }
}

/// A repository of AWS CodeCommit as its messages name it: without an address.
struct CodeCommitPlace<'a> {
    region: &'a str,
    name: &'a str,
}

impl<'a> CodeCommitPlace<'a> {
    /// Of `arn:aws:codecommit:REGION:ACCOUNT:NAME`.
    fn of_arn(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':').skip(2);
        let service = parts.next()?;
        let (region, name) = (parts.next()?, parts.nth(1)?);
        (service == "codecommit").then_some(Self { region, name })
    }

    fn tell(&self, content: &mut Content) {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if plain(self.region) && plain(self.name) {
            // The host's ending differs by partition; the region tells it to whoever reads addresses.
            content.add_address(&format!("codecommit::{}://{}", self.region, self.name));
        }
        content.provider = content.provider.or(Some("codecommit"));
        content.told.repository = Some(printable(self.name, LONGEST));
    }
}

/// Whether a text can be the end of a path: a project, which may be a person's own (`~ada`), and a repository.
fn is_place(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~/-".contains(&byte);
    text.len() <= LONGEST && text.bytes().all(plain) && text.split('/').filter(|part| !part.is_empty()).count() == 2
}

/// Whether a text is JSON, of any kind and depth.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

fn form(body: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(body)
}

const fn fate(made: bool, removed: bool) -> Fate {
    match (made, removed) {
        (_, true) => Fate::Removed,
        (true, false) => Fate::Made,
        (false, false) => Fate::Moved,
    }
}

/// The full name of a branch or tag, if it is one of those. `kind`: what stands beside a short name.
fn full_name(name: &str, kind: Option<&str>) -> Option<String> {
    if name.starts_with("refs/") {
        let ours = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
        return ours.then(|| name.to_owned());
    }
    match kind {
        _ if name.is_empty() => None,
        Some("tag" | "annotated_tag") => Some(format!("refs/tags/{name}")),
        Some("branch" | "named_branch") => Some(format!("refs/heads/{name}")),
        _ => None,
    }
}

/// Whether an id is the one that stands for nothing.
fn is_none(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte == b'0')
}

fn is_commit(id: &str) -> bool {
    id.len() == 40 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) && !is_none(id)
}
