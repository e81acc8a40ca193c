//! What a request sees.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::people::{OrgAccess, Person, Rules};
use super::view::{View, Views};
use crate::clock::Timestamp;
use crate::composer::name::PackageName;
use crate::store::hooks::Address;
use crate::store::ids::{OrgId, PackageId, TokenId, UserId};
use crate::store::members::Connected;

/// Everything that requests are answered from. Parts that did not change are shared with the world
/// before it.
#[derive(Clone, Default)]
pub struct World {
    /// By lower-case slug, present and former.
    pub(super) slugs: Arc<HashMap<Box<str>, OrgId>>,
    pub(super) organizations: HashMap<OrgId, Arc<Organization>>,
    pub(super) tokens: Arc<HashMap<[u8; 32], Arc<Token>>>,
    pub(super) users: Arc<HashMap<UserId, Holder>>,
    pub(super) hooks: Arc<HashMap<[u8; 32], Address>>,
}

/// One Composer repository.
#[derive(Clone)]
pub struct Organization {
    /// Its row.
    pub id: OrgId,
    /// Its name in addresses.
    pub slug: Box<str>,
    pub(super) vendors: Arc<BTreeSet<Box<str>>>,
    pub(super) names: Arc<HashMap<PackageName, Arc<Entry>>>,
    pub(super) numbers: Arc<HashMap<PackageId, u32>>,
    /// Grows whenever the content of `packages.json` may have changed for somebody.
    pub(super) generation: u64,
    pub(super) rules: Arc<Rules>,
    pub(super) people: Arc<HashMap<UserId, Arc<Person>>>,
    pub(super) views: Arc<Views>,
}

/// A published name.
#[derive(Debug)]
pub struct Entry {
    /// The package that is or was published under it.
    pub package: PackageId,
    /// The package's number in access sets.
    pub number: u32,
    /// Whether the package has the name now.
    pub current: bool,
    /// What the package is for.
    pub description: Option<Box<str>>,
    /// Composer's package type.
    pub kind: Option<Box<str>>,
    /// Whether it is abandoned: `true`, or the name of what replaces it.
    pub abandoned: Option<serde_json::Value>,
    /// Whether its repository is gone: only its archives are served.
    pub retired: bool,
    /// Whether the name is blocked: for everybody, whatever else one may see, so that nobody gets it from elsewhere.
    pub blocked: bool,
    /// The document of releases.
    pub stable: Option<Document>,
    /// The document of branches.
    pub dev: Option<Document>,
}

/// A p2 document as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Document {
    /// The JSON, gzipped.
    pub body: Bytes,
    /// Its `Last-Modified`, which a client sends back byte for byte.
    pub last_modified: Bytes,
}

/// A token that is stored; whether it opens anything depends on when and where.
pub struct Token {
    /// Its row.
    pub id: TokenId,
    /// Whether it may cause changes, such as a package being mirrored.
    pub update: bool,
    pub(super) opens: Opens,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) revoked_at: Option<Timestamp>,
}

/// What a token stands for.
pub(super) enum Opens {
    /// A part of one organization.
    Organization(OrgId, Arc<View>),
    /// What a person may see, wherever that is.
    User(UserId),
}

/// An account that holds tokens.
#[derive(Clone)]
pub(super) struct Holder {
    pub(super) admin: bool,
    pub(super) enabled: bool,
    /// The digests of the account's tokens, so that they can be found when it changes.
    pub(super) tokens: Arc<[[u8; 32]]>,
    /// The platform accounts that are connected to it.
    pub(super) accounts: Arc<[Connected]>,
}

/// What became of a token's digest.
pub enum Admission {
    /// No such token was ever given out, or it is long gone.
    Unknown,
    /// It was revoked at this instant.
    Revoked(Timestamp),
    /// It stopped working at this instant.
    Expired(Timestamp),
    /// Its holder's account is disabled.
    Disabled,
    /// It works.
    Valid(Arc<Token>),
}

impl World {
    /// The token with this digest, if it works at `now`.
    pub fn admit(&self, digest: &[u8; 32], now: Timestamp) -> Admission {
        let Some(token) = self.tokens.get(digest) else {
            return Admission::Unknown;
        };
        if let Some(at) = token.revoked_at {
            return Admission::Revoked(at);
        }
        if let Some(at) = token.expires_at.filter(|at| *at <= now) {
            return Admission::Expired(at);
        }
        if let Opens::User(user) = &token.opens
            && !self.users.get(user).is_some_and(|holder| holder.enabled)
        {
            return Admission::Disabled;
        }
        Admission::Valid(Arc::clone(token))
    }

    /// What `token` sees, at `now`, of the organization at `slug`: nothing if it does not open it, just as if there were
    /// no such organization. A user token opens it only while its holder passes the organization's login rule.
    pub fn open(&self, slug: &str, token: &Token, now: Timestamp) -> Option<(&Arc<Organization>, Arc<View>)> {
        let organization = self.organization(slug)?;
        let view = match &token.opens {
            Opens::Organization(id, view) => (*id == organization.id).then(|| Arc::clone(view)),
            Opens::User(user) => {
                self.access(*user, organization, now).filter(OrgAccess::admits_token).map(|it| it.view)
            }
        };
        Some((organization, view?))
    }

    /// What a person is and sees, at `now`, in the organization at `slug`; none if there is no such organization, if it
    /// is none of the person's business, or if the person is gone or disabled. Whether the person logged in as the
    /// organization wants it is for the caller to ask: [`OrgAccess::admits_session`].
    pub fn access_of(&self, user: UserId, slug: &str, now: Timestamp) -> Option<OrgAccess> {
        self.access(user, self.organization(slug)?, now)
    }

    /// Every organization that is the person's business at `now`, by slug.
    pub fn organizations_of(&self, user: UserId, now: Timestamp) -> Vec<OrgAccess> {
        let all = self.organizations.values();
        let mut found: Vec<_> = all.filter_map(|organization| self.access(user, organization, now)).collect();
        found.sort_by(|one, other| one.organization.slug.cmp(&other.organization.slug));
        found
    }

    fn access(&self, user: UserId, organization: &Arc<Organization>, now: Timestamp) -> Option<OrgAccess> {
        let holder = self.users.get(&user).filter(|holder| holder.enabled)?;
        let person = organization.people.get(&user).map(AsRef::as_ref);
        OrgAccess::of(organization, person, holder.admin, now)
    }

    /// The organization at `slug`, present or former, without regard to case.
    pub fn organization(&self, slug: &str) -> Option<&Arc<Organization>> {
        let id = match self.slugs.get(slug) {
            Some(id) => id,
            None => self.slugs.get(slug.to_ascii_lowercase().as_str())?,
        };
        self.organizations.get(id)
    }

    /// The webhook address whose random part has this digest.
    pub fn hook(&self, digest: &[u8; 32]) -> Option<&Address> {
        self.hooks.get(digest)
    }

    /// How many packages are published, over all organizations.
    pub fn packages(&self) -> usize {
        self.organizations
            .values()
            .map(|organization| organization.names.values().filter(|entry| entry.current && !entry.retired).count())
            .sum()
    }
}

impl Organization {
    /// The entry of `name`, if `view` includes it.
    pub fn find(&self, name: &str, view: &View) -> Option<&Arc<Entry>> {
        self.find_kept(name, view).filter(|entry| !entry.retired)
    }

    /// The same, also where its repository is gone: lock files go on to need its archives.
    pub fn find_kept(&self, name: &str, view: &View) -> Option<&Arc<Entry>> {
        self.names.get(name).filter(|entry| entry.blocked || view.set.may_read(entry.number))
    }

    /// Whether names under this vendor are the organization's alone.
    pub fn owns(&self, vendor: &str) -> bool {
        self.vendors.contains(vendor)
    }

    /// The vendors that the organization owns, in order.
    pub fn vendors(&self) -> impl Iterator<Item = &str> {
        self.vendors.iter().map(AsRef::as_ref)
    }

    /// Every name that `view` includes, with its entry, in no order, without blocked ones and those whose repository is gone.
    pub fn visible<'a>(&'a self, view: &'a View) -> impl Iterator<Item = (&'a PackageName, &'a Arc<Entry>)> {
        self.names.iter().filter(|(_, entry)| !entry.retired && !entry.blocked && view.set.may_read(entry.number))
    }

    /// The names that nobody is to get from anywhere.
    pub fn blocked(&self) -> impl Iterator<Item = &PackageName> {
        self.names.iter().filter(|(_, entry)| entry.blocked).map(|(name, _)| name)
    }

    /// The packages that `view` includes, published or not, in no order.
    pub fn packages<'a>(&'a self, view: &'a View) -> impl Iterator<Item = PackageId> + 'a {
        self.numbers.iter().filter(|(_, number)| view.set.may_read(**number)).map(|(package, _)| *package)
    }

    /// Whether `view` includes the package of this row.
    pub fn includes(&self, package: PackageId, view: &View) -> bool {
        self.numbers.get(&package).is_some_and(|number| view.set.may_read(*number))
    }
}
