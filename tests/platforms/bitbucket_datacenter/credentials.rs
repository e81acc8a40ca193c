//! Who asks: HTTP access tokens of people, projects and repositories, and passwords, with the lock after failed logins.

use std::collections::BTreeMap;
use std::sync::Mutex;

use packagist_selfhosted::secrets::random;
use url::form_urlencoded::byte_serialize;

use super::api::error;
use super::directory::{Level, Project, Repository};
use super::{BitbucketDataCenter, Site, User};
use crate::platforms::message::{Asked, Reply};

/// How many failed logins lock an account.
const LOCKS_AFTER: u32 = 3;

/// What a token reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What its person does.
    Person,
    /// One project.
    Project(u64),
    /// One repository.
    Repository(u64),
}

/// An HTTP access token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Who acts by it.
    pub user: u64,
    /// What it reaches.
    pub reach: Reach,
    /// The most that it may do with projects.
    pub projects: Level,
    /// The most that it may do with repositories.
    pub repositories: Level,
}

/// All of them.
#[derive(Default)]
pub struct Credentials {
    /// By their texts.
    pub tokens: BTreeMap<String, Token>,
    /// By users' numbers.
    pub passwords: BTreeMap<u64, String>,
    /// Failed logins in a row, by name. Counted while somebody is answered.
    pub failures: Mutex<BTreeMap<String, u32>>,
}

/// Somebody who asks.
pub struct Caller<'s> {
    /// Who.
    pub user: &'s User,
    /// By which token, if by one that has limits.
    pub token: Option<Token>,
}

impl Site {
    /// Who asks.
    ///
    /// # Errors
    /// The answer to whoever is nobody.
    pub(super) fn asker(&self, asked: &Asked) -> Result<Caller<'_>, Reply> {
        let wrong = || {
            let kind = "com.atlassian.bitbucket.auth.IncorrectPasswordAuthenticationException";
            error(401, kind, "Authentication failed. Please check your credentials and try again.")
        };
        if let Some((name, secret)) = asked.basic() {
            return self.by_password(&name, &secret).ok_or_else(|| match self.is_locked(&name) {
                true => {
                    let kind = "com.atlassian.bitbucket.auth.CaptchaRequiredAuthenticationException";
                    let said = "CAPTCHA required. Your Bitbucket account has been marked as requiring a CAPTCHA.";
                    error(401, kind, said).with("x-authentication-denied-reason", "CAPTCHA_CHALLENGE; login-url=/login")
                }
                false => wrong(),
            });
        }
        if let Some(token) = asked.bearer().and_then(|secret| self.credentials.tokens.get(secret)) {
            return Ok(Caller { user: &self.users[&token.user], token: Some(token.clone()) });
        }
        let user = self.signed_in(asked).ok_or_else(wrong)?;
        // A scope is the most that an account's tokens may; the least of all opens no repository that is not public.
        let granted = asked.bearer().and_then(|secret| self.grants.living(secret));
        let level = match granted.map(|token| token.scopes.join(" ")).as_deref() {
            Some("REPO_READ") => Level::Read,
            Some("PROJECT_ADMIN") => Level::Admin,
            _ => return Ok(Caller { user, token: None }),
        };
        let token = Token { user: user.id, reach: Reach::Person, projects: level, repositories: level };
        Ok(Caller { user, token: Some(token) })
    }

    fn is_locked(&self, name: &str) -> bool {
        let failures = self.credentials.failures.lock().expect("no panic");
        failures.get(name).is_some_and(|count| *count >= LOCKS_AFTER)
    }

    fn by_password(&self, name: &str, secret: &str) -> Option<Caller<'_>> {
        let user = self.users.values().find(|user| user.name.eq_ignore_ascii_case(name));
        // A token is no password: it never locks, and one of a project is nobody's by name.
        if let Some(token) = self.credentials.tokens.get(secret) {
            let is_own = token.reach == Reach::Person && user.is_some_and(|user| user.id == token.user);
            return user.filter(|_| is_own).map(|user| Caller { user, token: Some(token.clone()) });
        }
        let is_right =
            user.is_some_and(|user| self.credentials.passwords.get(&user.id).is_some_and(|own| own == secret));
        if is_right && !self.is_locked(name) {
            self.credentials.failures.lock().expect("no panic").remove(name);
            return user.map(|user| Caller { user, token: None });
        }
        *self.credentials.failures.lock().expect("no panic").entry(name.to_owned()).or_default() += 1;
        None
    }

    /// Answers somebody who may look at all, and says to whom.
    pub(super) fn answered(&self, asked: &Asked, answer: impl FnOnce(&Caller<'_>) -> Result<Reply, Reply>) -> Reply {
        let caller = match self.asker(asked) {
            Ok(caller) => caller,
            Err(refusal) => return refusal,
        };
        let reply = if caller.user.active { answer(&caller).unwrap_or_else(|reply| reply) } else { not_allowed() };
        if self.hides_caller {
            return reply;
        }
        let name: String = byte_serialize(caller.user.name.as_bytes()).collect();
        reply.with("x-ausername", &name.replace('+', "%20"))
    }

    /// What somebody may do with a project.
    pub(super) fn level_in(&self, caller: &Caller<'_>, project: &Project) -> Option<Level> {
        let own = self.directory.level_in(caller.user.id, caller.user.licensed, project);
        let own = if caller.user.admin { Some(Level::Admin) } else { own };
        match &caller.token {
            None => own,
            Some(token) => match token.reach {
                Reach::Person => own.map(|own| own.min(token.projects)),
                Reach::Project(id) => (id == project.id).then_some(token.projects),
                Reach::Repository(_) => None,
            },
        }
    }

    /// What somebody was given in a repository.
    pub(super) fn level(&self, caller: &Caller<'_>, repository: &Repository) -> Option<Level> {
        let own = self.directory.level(caller.user.id, caller.user.licensed, repository);
        let own = if caller.user.admin { Some(Level::Admin) } else { own };
        match &caller.token {
            None => own,
            Some(token) => match token.reach {
                Reach::Person => own.map(|own| own.min(token.repositories)),
                Reach::Project(id) => (id == repository.project).then_some(token.repositories),
                Reach::Repository(id) => (id == repository.id).then_some(token.repositories),
            },
        }
    }

    /// Whether somebody sees a repository.
    pub(super) fn shows(&self, caller: &Caller<'_>, repository: &Repository) -> bool {
        let is_public = repository.public || self.directory.projects[&repository.project].public;
        is_public || self.level(caller, repository).is_some()
    }

    /// Whether somebody sees that there is a project: who sees something in it does.
    pub(super) fn shows_project(&self, caller: &Caller<'_>, project: &Project) -> bool {
        let mut within = self.directory.repositories.values().filter(|one| one.project == project.id);
        project.public || self.level_in(caller, project).is_some() || within.any(|one| self.shows(caller, one))
    }
}

/// What is said to whoever may not; it is not 403.
pub(super) fn not_allowed() -> Reply {
    let said = "You are not permitted to access this resource";
    error(401, "com.atlassian.bitbucket.AuthorisationException", said)
}

impl BitbucketDataCenter {
    /// A token of a person, with the most that it may do with projects and with repositories.
    pub fn token(&self, user: u64, projects: Level, repositories: Level) -> String {
        self.new_token(Token { user, reach: Reach::Person, projects, repositories })
    }

    /// A token of a project, which acts as a user of its own.
    pub fn project_token(&self, project: u64, level: Level) -> String {
        let user = self.service(&format!("access-token-user/1/{project}"));
        self.new_token(Token { user, reach: Reach::Project(project), projects: level, repositories: level })
    }

    /// A token of a repository, which acts as a user of its own.
    pub fn repository_token(&self, repository: u64, level: Level) -> String {
        let user = self.service(&format!("access-token-user/2/{repository}"));
        self.new_token(Token { user, reach: Reach::Repository(repository), projects: level, repositories: level })
    }

    /// Locks somebody's account, as failed logins do, or opens it again, as its person does by browser.
    pub fn lock(&self, name: &str, locked: bool) {
        let site = self.stage.world();
        let mut failures = site.credentials.failures.lock().expect("no panic");
        match locked {
            true => drop(failures.insert(name.to_owned(), LOCKS_AFTER)),
            false => drop(failures.remove(name)),
        }
    }

    fn new_token(&self, token: Token) -> String {
        let text = format!("BBDC-{}", random::hex::<20>());
        self.stage.world().credentials.tokens.insert(text.clone(), token);
        text
    }

    /// Something that acts as a user.
    pub fn service(&self, name: &str) -> u64 {
        let id = self.user(name);
        self.change(id, |user| (user.kind, user.licensed) = ("SERVICE", false));
        id
    }

    /// Somebody takes a token back.
    pub fn revoke_token(&self, token: &str) {
        self.stage.world().credentials.tokens.remove(token).expect("a token");
    }

    /// Gives a person a password.
    pub fn password(&self, user: u64, password: &str) {
        self.stage.world().credentials.passwords.insert(user, password.to_owned());
    }

    /// How often somebody failed to log in, since they last did not.
    pub fn failures(&self, name: &str) -> u32 {
        let site = self.stage.world();
        let failures = site.credentials.failures.lock().expect("no panic");
        failures.get(name).copied().unwrap_or(0)
    }
}
