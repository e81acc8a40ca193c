//! Looking after the webhooks by which a platform tells of changes: one for the whole organization where the credential may
//! install it, else one for each repository that is a package; none where a GitHub App's deliveries come by themselves.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::request::SyncKey;
use crate::access::token;
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::platform::{HookPlace, HookState, Hub, HubError, Key};
use crate::secrets::{Context, SealedError, open, random, seal};
use crate::store::ids::{HookId, JobId, SyncId};
use crate::store::platform_hooks::{self, Looked, PlatformHook};
use crate::store::{self, Tx, jobs};

/// The verb of the job.
pub const KIND: &str = "ensure_hooks";

/// How long what was found to be well counts as such.
const FRESH: Duration = Duration::from_secs(6 * 60 * 60);
/// After how long the organization's hook is tried again where the credential might not install it.
const REFUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// The arguments of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Whose hooks.
    pub sync: SyncId,
    /// Whether those are looked at too that were well a short time ago.
    #[serde(default)]
    pub all: bool,
}

/// Queues that a synchronization's hooks are looked after. `all`: somebody asks, or an event says that they changed; also
/// those are looked at then that were well a short time ago.
///
/// # Errors
/// If the database cannot be written.
pub fn request(tx: &Tx<'_>, key: SyncKey, all: bool, now: Timestamp) -> store::Result<JobId> {
    let dedupe_key = format!("{KIND}:{}", key.sync);
    let waiting = jobs::waiting_payload(tx, &dedupe_key)?;
    let waiting: Option<Payload> = waiting.and_then(|waiting| serde_json::from_str(&waiting).ok());
    let payload = Payload { sync: key.sync, all: all || waiting.is_some_and(|waiting| waiting.all) };
    let payload = serde_json::to_string(&payload).map_err(|error| store::Error::Corrupt(error.to_string()))?;
    let lane = if all { "prompt" } else { "sweep" };
    let job = jobs::New { org: Some(key.org), package: None, kind: KIND, payload, dedupe_key, lane, run_at: now };
    jobs::enqueue(tx, &job, now)
}

/// Why hooks could not be looked after to the end.
#[derive(Debug, thiserror::Error)]
pub enum HooksError {
    /// The platform.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A secret of ours.
    #[error(transparent)]
    Seal(#[from] SealedError),
}

/// A synchronization's hooks, and the way to them.
pub struct Hooks<'a> {
    /// The opened instance.
    pub appliance: &'a Appliance,
    /// The synchronization.
    pub key: SyncKey,
    /// What the organization is called there.
    pub remote: &'a str,
    /// The platform.
    pub hub: &'a Hub,
    /// The credential.
    pub credential: &'a Key,
}

/// What was found and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many hooks are well.
    pub well: usize,
    /// What had to be done, in words.
    pub mended: Vec<String>,
    /// What somebody should know.
    pub troubles: Vec<String>,
}

/// Whether a hook is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    There,
    None,
    /// There is none, and there will be no other: the platform does not want to call this server.
    Unwanted,
}

impl Is {
    const fn of(there: bool) -> Self {
        if there { Self::There } else { Self::None }
    }
}

/// Whether the platform says that this is not to be, which changes by nothing that is done here.
const fn is_refusal(error: &HubError) -> bool {
    matches!(
        error,
        HubError::Forbidden { .. } | HubError::NotFound(_) | HubError::Unsupported(_) | HubError::Unwanted(_)
    )
}

impl Hooks<'_> {
    /// Installs what is missing, mends what changed, and removes what is not needed any more.
    ///
    /// # Errors
    /// [`HooksError`], where going on makes no sense; what a hook of its own says is in the report.
    pub async fn ensure(&self, all: bool) -> Result<Report, HooksError> {
        let (key, mut report) = (self.key, Report::default());
        let (hooks, wanted) = self
            .appliance
            .database
            .read(move |db| {
                let hooks = platform_hooks::all(key.org, db, Some(key.sync))?;
                Ok::<_, store::Error>((hooks, platform_hooks::wanted(key.org, db, key.sync)?))
            })
            .await?;
        let (whole, single): (Vec<_>, Vec<_>) = hooks.into_iter().partition(|hook| hook.repository.is_none());
        if self.hub.has_own_hook(self.credential) {
            self.remove(whole.iter().chain(&single).collect()).await?;
            return Ok(report);
        }
        match self.ensure_whole(whole.first(), all, &mut report).await? {
            Is::There => self.remove(single.iter().collect()).await?,
            Is::None => self.ensure_single(&single, &wanted, all, &mut report).await?,
            // It would say so of each repository.
            Is::Unwanted => {}
        }
        Ok(report)
    }

    /// Whether the organization's own hook told of everything since then, as the platform says.
    ///
    /// # Errors
    /// [`HooksError`].
    pub async fn told_all(&self, since: Timestamp) -> Result<bool, HooksError> {
        let key = self.key;
        let hooks = self.appliance.database.read(move |db| platform_hooks::all(key.org, db, Some(key.sync))).await?;
        let is_well = |hook: &&PlatformHook| {
            hook.repository.is_none() && hook.state == "ok" && hook.unsigned_since.is_none() && hook.remote_id.is_some()
        };
        let Some(hook) = hooks.iter().find(is_well) else { return Ok(false) };
        // What it told before it was there, nobody knows.
        let place = self.place(hook, None)?;
        Ok(self.hub.told_all(self.credential, &place, since).await?)
    }

    /// Looks after the organization's own hook.
    async fn ensure_whole(
        &self,
        hook: Option<&PlatformHook>,
        all: bool,
        report: &mut Report,
    ) -> Result<Is, HooksError> {
        if let Some(hook) = hook.filter(|hook| !all && self.is_recent(hook)) {
            report.well += usize::from(hook.state == "ok");
            return Ok(if hook.unwanted { Is::Unwanted } else { Is::of(hook.state != "refused") });
        }
        self.ensure_one(hook, None, report).await
    }

    async fn ensure_single(
        &self,
        hooks: &[PlatformHook],
        wanted: &[(String, String)],
        all: bool,
        report: &mut Report,
    ) -> Result<(), HooksError> {
        let mut known: HashMap<&str, &PlatformHook> =
            hooks.iter().filter_map(|hook| Some((hook.repository.as_deref()?, hook))).collect();
        for (id, path) in wanted {
            let hook = known.remove(id.as_str());
            if let Some(hook) = hook.filter(|hook| !all && hook.unwanted && self.is_recent(hook)) {
                report.troubles.extend(hook.error.iter().map(|error| format!("{path}: {error}")));
                break;
            }
            if hook.is_some_and(|hook| !all && self.is_recent(hook)) {
                report.well += usize::from(hook.is_some_and(|hook| hook.state == "ok"));
                continue;
            }
            if self.ensure_one(hook, Some((id, path)), report).await? == Is::Unwanted {
                // So it would say of all the others. Which one is asked about is tried again tomorrow.
                break;
            }
        }
        let wanted: HashSet<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
        let is_left = |hook: &&PlatformHook| hook.repository.as_deref().is_some_and(|id| !wanted.contains(id));
        self.remove(hooks.iter().filter(is_left).collect()).await
    }

    /// Whether nothing new is to be expected of looking at a hook.
    fn is_recent(&self, hook: &PlatformHook) -> bool {
        let lasts = match hook.state.as_str() {
            "ok" if hook.unsigned_since.is_none() => FRESH,
            "refused" => REFUSED,
            _ => return false,
        };
        hook.checked_at.is_some_and(|checked| self.appliance.now().since(checked) < lasts)
    }

    /// Looks after one hook, which is made if there is none.
    async fn ensure_one(
        &self,
        hook: Option<&PlatformHook>,
        repository: Option<(&str, &str)>,
        report: &mut Report,
    ) -> Result<Is, HooksError> {
        let name = repository.map_or(self.remote, |(_, path)| path);
        let (id, place) = match hook {
            Some(hook) => (hook.id, self.place(hook, repository.map(|(_, path)| path))?),
            None => self.add(repository).await?,
        };
        let looked = match self.hub.ensure_hook(self.credential, &place).await {
            Ok(HookState { remote_id, mended, trouble }) => {
                report.mended.extend(mended.map(|mended| format!("{name}: {mended}")));
                report.troubles.extend(trouble.iter().map(|trouble| format!("{name}: {trouble}")));
                report.well += usize::from(trouble.is_none());
                let state = if trouble.is_some() { "failing" } else { "ok" };
                Looked { state, error: trouble, remote_id: Some(remote_id), unwanted: false }
            }
            Err(error) if is_refusal(&error) => {
                let unwanted = matches!(error, HubError::Unwanted(_));
                if repository.is_some() || unwanted {
                    report.troubles.push(format!("{name}: {error}"));
                }
                Looked { state: "refused", error: Some(error.to_string()), remote_id: None, unwanted }
            }
            Err(error) => return Err(error.into()),
        };
        let is = if looked.unwanted { Is::Unwanted } else { Is::of(looked.state != "refused") };
        let (key, now) = (self.key, self.appliance.now());
        let write = self.appliance.database.write(move |tx| platform_hooks::set_state(key.org, tx, id, &looked, now));
        write.await?;
        Ok(is)
    }

    /// Remembers a new hook before the platform knows it, so that its first call is not one to nowhere.
    async fn add(&self, repository: Option<(&str, &str)>) -> Result<(HookId, HookPlace), HooksError> {
        let (address, secret) = (SecretString::from(random::hex::<32>()), SecretString::from(random::hex::<32>()));
        let (key, now, keys) = (self.key, self.appliance.now(), self.appliance.keys.clone());
        let place = HookPlace {
            organization: self.remote.to_owned(),
            repository: repository.map(|(_, path)| path.to_owned()),
            repository_id: repository.map(|(id, _)| id.to_owned()),
            remote_id: None,
            address: SecretString::from(self.appliance.hook_url(address.expose_secret())),
            secret: secret.clone(),
            reset: false,
        };
        let digest = token::digest_of(address.expose_secret().as_bytes());
        let repository = repository.map(|(id, _)| id.to_owned());
        let write = self.appliance.database.write(move |tx| {
            let id = platform_hooks::insert(key.org, tx, key.sync, repository.as_deref(), &digest, now)?;
            let (address, secret) = (seal(&keys, of_address(id), &address), seal(&keys, of_secret(id), &secret));
            platform_hooks::set_sealed(key.org, tx, id, &address, &secret)?;
            Ok::<_, store::Error>(id)
        });
        Ok((write.await?, place))
    }

    fn place(&self, hook: &PlatformHook, path: Option<&str>) -> Result<HookPlace, HooksError> {
        let keys = &self.appliance.keys;
        let address: SecretString = open(keys, of_address(hook.id), &hook.address)?;
        Ok(HookPlace {
            organization: self.remote.to_owned(),
            repository: path.map(str::to_owned),
            repository_id: hook.repository.clone(),
            remote_id: hook.remote_id.clone(),
            address: SecretString::from(self.appliance.hook_url(address.expose_secret())),
            secret: open(keys, of_secret(hook.id), &hook.secret)?,
            reset: hook.unsigned_since.is_some(),
        })
    }

    /// Removes hooks here, and on the platform if it lets us: one that goes on calling is answered, and ignored.
    ///
    /// # Errors
    /// [`HooksError`].
    pub async fn remove(&self, hooks: Vec<&PlatformHook>) -> Result<(), HooksError> {
        for hook in hooks {
            let is_installed = hook.remote_id.is_some() && (hook.repository.is_none() || hook.path.is_some());
            if is_installed {
                let place = self.place(hook, hook.path.as_deref())?;
                match self.hub.remove_hook(self.credential, &place).await {
                    Err(error) if !is_refusal(&error) => return Err(error.into()),
                    _ => {}
                }
            }
            let (key, id, now) = (self.key, hook.id, self.appliance.now());
            self.appliance.database.write(move |tx| platform_hooks::remove(key.org, tx, id, now)).await?;
        }
        Ok(())
    }
}

/// Where the random part of a hook's address is sealed to.
const fn of_address(id: HookId) -> Context {
    Context { table: "platform_hook", column: "address", row_id: id.0 }
}

/// Where a hook's secret is sealed to.
const fn of_secret(id: HookId) -> Context {
    Context { table: "platform_hook", column: "secret", row_id: id.0 }
}
