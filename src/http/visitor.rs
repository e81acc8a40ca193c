//! Who looks at a page: having one of these is the proof that the person may.
//!
//! Each is an argument of what answers a page, and each checks also, for a request that changes something, that its form came
//! from a page of ours. A page of an organization that the person may not see is word for word that of one that does not
//! exist.

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{REFERER, USER_AGENT};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::local_path::LocalPath;
use super::page_error::{Forbidden, OtherLogin, PageError};
use super::pages::components::Flash;
use super::pages::layout::{Chrome, CurrentOrganization, Theme};
use super::pages::respond;
use super::session::{Cookies, Kind, Value};
use super::{State, csrf, form, request};
use crate::access::role::Role;
use crate::admin::logins::Beginning;
use crate::admin::members::{self, Status};
use crate::admin::{Actor, Via, sessions};
use crate::catalog::{OrgAccess, Organization, View};
use crate::store::ids::{AccountId, OrgId};
use crate::store::organizations;
use crate::store::sessions::Session;
use crate::store::sync_lists::{self, Tally};
use crate::store::users::{self, User};

/// Longest `User-Agent` that is kept, in characters.
const LONGEST_AGENT: usize = 300;
/// How many names a refusal gives of those who may.
const NAMED: usize = 10;

/// A browser, whether or not somebody signed in with it.
#[derive(Clone)]
pub struct Visitor {
    /// Who signed in.
    pub who: Option<SignedIn>,
    /// The token of forms on the page.
    pub csrf: String,
    /// Where the request comes from.
    pub address: String,
    /// The browser's `User-Agent`.
    pub agent: Option<String>,
    /// The result of the last form.
    pub flash: Option<Flash>,
    /// The cookie that the page has to set, because the browser has none yet.
    pub new: Option<Value>,
    /// Whether the browser has a session's cookie that opens nothing any more.
    pub has_stale_session: bool,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// By which session.
    pub session: Session,
    /// The token of forms on the person's pages.
    pub csrf: String,
    /// Where the request comes from.
    pub address: String,
    /// Who the person is in the frame of a page.
    frame: Rc<Frame>,
}

/// What the frame of a person's pages shows on all of them.
struct Frame {
    theme: Theme,
    flash: Option<Flash>,
    /// Slug and name.
    organizations: Vec<(String, String)>,
}

/// Somebody who may look at an organization, and sees [`view`](Self::view) of its packages.
#[derive(Clone)]
pub struct Reads {
    /// Who.
    pub who: SignedIn,
    /// Which organization.
    pub organization: Arc<Organization>,
    /// What it is called.
    pub name: String,
    /// What the person sees of it.
    pub view: Arc<View>,
    /// What the person is there; administrators of the instance are owners everywhere.
    pub role: Role,
    /// Its synchronizations, for whoever manages it.
    pub syncs: Tally,
}

/// Somebody who belongs to an organization: a member, an admin or an owner of it.
#[derive(Clone)]
pub struct Belongs(Reads);

/// Somebody who manages an organization: an admin or an owner of it.
#[derive(Clone)]
pub struct Manages(Reads);

/// Somebody who may do everything in an organization: an owner of it.
#[derive(Clone)]
pub struct Owns(Reads);

/// Somebody who administers the instance, and signed in not long ago.
#[derive(Clone)]
pub struct Administers(SignedIn);

impl SignedIn {
    /// The person in the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::User { name: self.user.name.clone(), via: Via::Browser, address: Some(self.address.clone()) }
    }

    /// The frame of a page that belongs to no organization.
    #[must_use]
    pub fn chrome(&self) -> Chrome {
        Chrome {
            person: self.user.shown_name().to_owned(),
            csrf: self.csrf.clone(),
            theme: self.frame.theme,
            shortcuts: self.user.shortcuts,
            organizations: self.frame.organizations.clone(),
            current: None,
            administers: self.user.admin,
            flash: self.frame.flash.clone(),
        }
    }

    /// The organizations that the person may look at: slug and name.
    #[must_use]
    pub fn organizations(&self) -> &[(String, String)] {
        &self.frame.organizations
    }

    /// What somebody gets who asks for what is not there, or is not to be seen.
    #[must_use]
    pub fn not_found(&self) -> PageError {
        PageError::NotFound(Some(Rc::new(Chrome { flash: None, ..self.chrome() })))
    }
}

impl Reads {
    /// The organization's row.
    #[must_use]
    pub fn org(&self) -> OrgId {
        self.organization.id
    }

    /// The person in the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.who.actor()
    }

    /// The frame of a page of the organization.
    #[must_use]
    pub fn chrome(&self) -> Chrome {
        let (slug, name) = (self.organization.slug.to_string(), self.name.clone());
        Chrome {
            current: Some(CurrentOrganization { slug, name, role: self.role, syncs: self.syncs }),
            ..self.who.chrome()
        }
    }

    /// What somebody gets who asks for what is not there, or is not to be seen.
    #[must_use]
    pub fn not_found(&self) -> PageError {
        PageError::NotFound(Some(Rc::new(Chrome { flash: None, ..self.chrome() })))
    }

    /// The same person, if they have at least this role.
    pub(super) async fn require(self, state: &State, least: Role) -> Result<Self, PageError> {
        if self.role >= least {
            return Ok(self);
        }
        let whose = match least {
            Role::Owner => "owners",
            Role::Admin => "owners and admins",
            Role::Member | Role::Collaborator => "members",
        };
        // Who may give the role is told, not everybody who has it.
        let who = holders(state, self.org(), least.max(Role::Admin)).await?;
        let chrome = Chrome { flash: None, ..self.chrome() };
        let what = format!("This page is for {whose} of {}", self.name);
        Err(PageError::Forbidden(Rc::new(Forbidden { what, who, chrome })))
    }
}

impl Manages {
    /// Somebody who manages an organization at this moment, which no address names.
    ///
    /// # Errors
    /// What somebody gets to see who does not.
    pub(super) async fn now(
        request: &HttpRequest,
        state: &State,
        who: SignedIn,
        org: OrgId,
    ) -> Result<Self, PageError> {
        let slug = state.appliance.database.read(move |db| organizations::by_id(org, db)).await?;
        let slug = slug.ok_or_else(|| who.not_found())?.slug;
        Ok(Self(reads_of(request, state, who, &slug).await?.require(state, Role::Admin).await?))
    }
}

impl Deref for Belongs {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.0
    }
}

impl Deref for Manages {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.0
    }
}

impl Deref for Owns {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.0
    }
}

impl Deref for Administers {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl FromRequest for Visitor {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        checked(request, payload, async |request, state| {
            let who = find(&request, &state).await?;
            let cookies = state.cookies;
            let has_stale_session = who.is_none() && request.cookie(cookies.name(Kind::Session)).is_some();
            let known = cookies.value(&request, Kind::Visit);
            let (value, new) = match known {
                Some(value) => (value, None),
                None => {
                    let value = Value::random();
                    (value.clone(), who.is_none().then_some(value))
                }
            };
            Ok(Self {
                csrf: who.as_ref().map_or_else(|| csrf::token(&value), |who| who.csrf.clone()),
                address: address(&request, &state),
                agent: agent(&request),
                flash: flash(&request),
                who,
                new,
                has_stale_session,
            })
        })
    }
}

impl Visitor {
    /// Who signs in with this browser, where from, and what it had until now.
    #[must_use]
    pub fn beginning(&self, cookie: &Value, account: Option<AccountId>) -> Beginning {
        Beginning {
            digest: cookie.digest(),
            account,
            address: self.address.clone(),
            agent: self.agent.clone(),
            instead_of: self.who.as_ref().map(|who| who.session.id),
        }
    }

    /// Gives the answer the cookies that go with the page.
    pub fn keep(&self, cookies: Cookies, response: &mut actix_web::HttpResponse) {
        // A cookie of ours fits into a header, so that adding it cannot fail.
        if let Some(value) = &self.new {
            let _ = response.add_cookie(&cookies.set(Kind::Visit, value.expose().to_owned(), None));
        }
        if self.has_stale_session {
            let _ = response.add_cookie(&cookies.remove(Kind::Session));
        }
    }
}

impl FromRequest for SignedIn {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        checked(request, payload, async |request, state| signed_in(&request, &state).await)
    }
}

impl FromRequest for Reads {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        checked(request, payload, async |request, state| reads(&request, &state).await)
    }
}

impl FromRequest for Belongs {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        checked(request, payload, async |request, state| {
            Ok(Self(reads(&request, &state).await?.require(&state, Role::Member).await?))
        })
    }
}

impl FromRequest for Manages {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        checked(request, payload, async |request, state| {
            Ok(Self(reads(&request, &state).await?.require(&state, Role::Admin).await?))
        })
    }
}

impl FromRequest for Owns {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        checked(request, payload, async |request, state| {
            Ok(Self(reads(&request, &state).await?.require(&state, Role::Owner).await?))
        })
    }
}

impl FromRequest for Administers {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        checked(request, payload, async |request, state| {
            let who = signed_in(&request, &state).await?;
            if !who.user.admin {
                let what = "This page is for administrators of the server".to_owned();
                let chrome = Chrome { flash: None, ..who.chrome() };
                let who = administrators(&state).await?;
                return Err(PageError::Forbidden(Rc::new(Forbidden { what, who, chrome })));
            }
            if sessions::is_stale(&who.session, state.appliance.now()) {
                return Err(PageError::SignInAgain(place(&request)));
            }
            Ok(Self(who))
        })
    }
}

/// Runs `prove`, and then sees to it that the form of a request that changes something came from a page of ours.
fn checked<T, F>(
    request: &HttpRequest,
    payload: &mut Payload,
    prove: F,
) -> LocalBoxFuture<'static, Result<T, PageError>>
where
    F: AsyncFnOnce(HttpRequest, web::Data<State>) -> Result<T, PageError> + 'static,
    T: 'static,
{
    let posted = form::posted(request, payload);
    let request = request.clone();
    Box::pin(async move {
        let state = request.app_data::<web::Data<State>>().cloned();
        let state = state.ok_or_else(|| PageError::internal("there is no state", &""))?;
        let proof = prove(request, state).await?;
        if let Some(posted) = posted {
            posted.await?;
        }
        Ok(proof)
    })
}

async fn signed_in(request: &HttpRequest, state: &State) -> Result<SignedIn, PageError> {
    find(request, state).await?.ok_or_else(|| PageError::SignIn(place(request)))
}

/// Whoever the session's cookie is of. One question to the database, and none to its writer.
async fn find(request: &HttpRequest, state: &State) -> Result<Option<SignedIn>, PageError> {
    let Some(cookie) = state.cookies.value(request, Kind::Session) else { return Ok(None) };
    let Some((session, user)) = sessions::find(&state.appliance, cookie.digest()).await? else { return Ok(None) };
    state.seen.note(&session, state.appliance.now());
    let organizations = organizations_of(state, &user).await?;
    let theme = request.cookie("theme").map(|cookie| Theme::parse(cookie.value())).unwrap_or_default();
    Ok(Some(SignedIn {
        user,
        session,
        csrf: csrf::token(&cookie),
        address: address(request, state),
        frame: Rc::new(Frame { theme, flash: flash(request), organizations }),
    }))
}

async fn organizations_of(state: &State, user: &User) -> Result<Vec<(String, String)>, PageError> {
    let all = state.appliance.database.read(organizations::all).await?;
    let world = state.appliance.catalog.world();
    let now = state.appliance.now();
    let may_see = |slug: &str| world.access_of(user.id, slug, now).is_some();
    Ok(all.into_iter().map(|one| (one.slug, one.name)).filter(|(slug, _)| may_see(slug)).collect())
}

async fn reads(request: &HttpRequest, state: &State) -> Result<Reads, PageError> {
    let who = signed_in(request, state).await?;
    reads_of(request, state, who, request.match_info().query("org")).await
}

async fn reads_of(request: &HttpRequest, state: &State, who: SignedIn, slug: &str) -> Result<Reads, PageError> {
    let found = state.appliance.catalog.world().access_of(who.user.id, slug, state.appliance.now());
    let Some(access) = found else { return Err(who.not_found()) };
    let known = who.frame.organizations.iter().find(|(slug, _)| *slug == *access.organization.slug);
    let known = known.map(|(_, name)| name.clone());
    let name = known.unwrap_or_else(|| access.organization.slug.to_string());
    require_login(request, state, &who, &access, &name)?;
    let org = access.organization.id;
    let syncs = match access.role >= Role::Admin {
        true => state.appliance.database.read(move |db| sync_lists::tally(org, db)).await?,
        false => Tally::default(),
    };
    Ok(Reads { who, organization: access.organization, name, view: access.view, role: access.role, syncs })
}

/// Where an organization says by which integrations its people sign in, the session has to be of one. Administrators of the
/// instance are let in all the same: somebody has to be able to put a wrong rule right.
fn require_login(
    request: &HttpRequest,
    state: &State,
    who: &SignedIn,
    access: &OrgAccess,
    name: &str,
) -> Result<(), PageError> {
    if access.admits_session(who.session.integration.as_deref()) {
        return Ok(());
    }
    let integrations = access.login_rule().integrations().iter();
    Err(PageError::OtherLogin(Rc::new(OtherLogin {
        organization: name.to_owned(),
        integrations: integrations.map(|id| (id.to_string(), state.integration_name(id))).collect(),
        next: place(request),
        chrome: Chrome { flash: None, ..who.chrome() },
    })))
}

/// Who has at least this role in an organization; the instance's administrators where nobody has.
async fn holders(state: &State, org: OrgId, least: Role) -> Result<Vec<String>, PageError> {
    let all = members::list(&state.appliance, org).await?;
    let holders = all.into_iter().filter(|member| member.role >= least && member.status == Status::Active);
    let who: Vec<_> = holders.take(NAMED).map(|member| member.display_name.unwrap_or(member.name)).collect();
    if who.is_empty() { administrators(state).await } else { Ok(who) }
}

async fn administrators(state: &State) -> Result<Vec<String>, PageError> {
    let all = state.appliance.database.read(users::all).await?;
    let who = all.into_iter().filter(|user| user.admin && user.enabled);
    Ok(who.take(NAMED).map(|user| user.shown_name().to_owned()).collect())
}

/// Where somebody goes on after signing in: here, or for a form where it stood.
fn place(request: &HttpRequest) -> LocalPath {
    let here = if matches!(*request.method(), Method::GET | Method::HEAD) {
        request.uri().path_and_query().map(ToString::to_string)
    } else {
        // It came from a page of ours, or its fault would be told; of its address only what follows the host counts.
        let from = request.headers().get(REFERER).and_then(|value| value.to_str().ok());
        from.and_then(|from| url::Url::parse(from).ok()).map(|from| from[url::Position::BeforePath..].to_owned())
    };
    here.and_then(|here| LocalPath::parse(&here)).unwrap_or_else(LocalPath::home)
}

/// Where a request comes from.
fn address(request: &HttpRequest, state: &State) -> String {
    request::client(request, &state.settings.trusted_proxies)
}

fn agent(request: &HttpRequest) -> Option<String> {
    let agent = request.headers().get(USER_AGENT)?.to_str().ok()?;
    Some(agent.chars().take(LONGEST_AGENT).collect())
}

fn flash(request: &HttpRequest) -> Option<Flash> {
    respond::read_flash(request.cookie(respond::FLASH)?.value())
}
