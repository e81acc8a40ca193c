//! From what was typed to what it means: every value checked, defaults in place, keys held against each other. All problems are
//! collected; a [`Config`](super::Config) comes out only where there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::keys::{
    JobsKeys, LogKeys, OutboundKeys, RetentionKeys, ServerKeys, StorageKeys, TlsKeys, TypedConfig, VcsKeys,
};
use crate::config::place::{Place, Placed, Problem};
use crate::config::resolver::{Resolver, place_of};
use crate::config::section::Section;
use crate::config::suggestion::shown;
use crate::config::values::{self, PublicUrl, Read};
use crate::config::{Jobs, Log, Outbound, Retention, S3, Server, SshHostKeys, Storage, Tls, Vcs};

/// Most jobs at once.
const MOST_WORKERS: i64 = 256;

/// The sections of [`Config`](super::Config) that stand once.
pub(super) struct Sections {
    pub(super) server: Server,
    pub(super) outbound: Outbound,
    pub(super) jobs: Jobs,
    pub(super) vcs: Vcs,
    pub(super) storage: Storage,
    pub(super) retention: Retention,
    pub(super) log: Log,
}

impl Resolver {
    /// All sections but the integrations. Nothing where one has a problem, after all of them were looked at.
    pub(super) fn sections(&mut self, typed: &TypedConfig) -> Option<Sections> {
        let server = self.server(&typed.server, &typed.tls);
        let outbound = self.outbound(&typed.outbound);
        let jobs = self.jobs(&typed.jobs);
        let vcs = self.vcs(&typed.vcs, server.as_ref().map(|server| server.data_dir.as_path()));
        let storage = self.storage(&typed.storage);
        let retention = self.retention(&typed.retention);
        let log = self.log(&typed.log);
        Some(Sections {
            server: server?,
            outbound: outbound?,
            jobs: jobs?,
            vcs: vcs?,
            storage: storage?,
            retention: retention?,
            log: log?,
        })
    }

    fn server(&mut self, keys: &ServerKeys, tls: &TlsKeys) -> Option<Server> {
        let listen = self.required(keys, "listen", &keys.listen, values::listen);
        let data_dir = self.path(keys, "data_dir", &keys.data_dir);
        let public_url = self.optional("public_url", &keys.public_url, values::public_url);
        let trusted_proxies = self.each("trusted_proxies", &keys.trusted_proxies, values::network);
        let metrics_token = self.secret("metrics_token", &keys.metrics_token);
        let max_upload = self.required(keys, "max_upload", &keys.max_upload, |text| {
            values::size_within(text, 1 << 20, 1 << 40, "between 1MiB and 1TiB")
        });
        let tls = self.tls(tls);
        let (listen, public_url, tls) = (listen?, public_url?, tls?);
        let public_url_given = public_url.is_some();
        let public_url = match public_url {
            Some(url) => url,
            None if listen.ip().is_loopback() => PublicUrl::of_listener(listen, tls.is_some()),
            None => {
                let place = place_of(keys, &keys.listen);
                return self.complain(place, "`public_url` is missing below `[server]`: it is required because `listen` is not a loopback address, and every link is made from it");
            }
        };
        if public_url_given && !public_url.is_https() && !listen.ip().is_loopback() {
            let place = place_of(keys, &keys.public_url);
            self.warn(place, "passwords and tokens travel unencrypted to an http:// `public_url`, and Composer refuses it unless `secure-http` is off");
        }
        Some(Server {
            listen,
            public_url,
            public_url_given,
            data_dir: data_dir?,
            trusted_proxies: trusted_proxies?,
            max_upload: max_upload?,
            metrics_token: metrics_token?,
            tls,
        })
    }

    fn tls(&mut self, keys: &TlsKeys) -> Option<Option<Tls>> {
        if keys.declared.is_none() && keys.places().is_empty() {
            return Some(None);
        }
        let certificate = self.readable_file(keys, "certificate", &keys.certificate);
        let private_key = self.readable_file(keys, "private_key", &keys.private_key);
        Some(Some(Tls { certificate: certificate?, private_key: private_key? }))
    }

    fn outbound(&mut self, keys: &OutboundKeys) -> Option<Outbound> {
        let proxy = self.secret("proxy", &keys.proxy);
        let proxy = match proxy {
            Some(Some(address)) => self.proxy(keys, &address).map(Some),
            Some(None) => Some(None),
            None => None,
        };
        let no_proxy = self.each("no_proxy", &keys.no_proxy, values::host_rule);
        let ca_bundle = match &keys.ca_bundle {
            Some(_) => self.readable_file(keys, "ca_bundle", &keys.ca_bundle).map(Some),
            None => Some(None),
        };
        let timeout = self.required(keys, "timeout", &keys.timeout, |text| {
            values::duration_within(text, Duration::from_secs(1), HOUR, "between a second and an hour")
        });
        let allow = self.each("allow", &keys.allow, values::host_rule);
        let deny = self.each("deny", &keys.deny, values::host_rule);
        Some(Outbound {
            proxy: proxy?,
            no_proxy: no_proxy?,
            ca_bundle: ca_bundle?,
            timeout: timeout?,
            allow: allow?,
            deny: deny?,
        })
    }

    fn proxy(&mut self, keys: &OutboundKeys, address: &SecretString) -> Option<values::ProxyUrl> {
        match values::proxy(address.expose_secret()) {
            Ok(proxy) => Some(proxy),
            Err(message) => self.complain(place_of(keys, &keys.proxy), format!("`proxy` {message}")),
        }
    }

    fn jobs(&mut self, keys: &JobsKeys) -> Option<Jobs> {
        let workers = match &keys.workers {
            Some(Placed { value: workers @ 1..=MOST_WORKERS, .. }) => usize::try_from(*workers).ok(),
            other => {
                let place = place_of(keys, other);
                self.complain(place, format!("`workers` must be between 1 and {MOST_WORKERS}"))
            }
        };
        let interval = |text: &str| {
            values::duration_within(
                text,
                Duration::from_secs(60),
                values::TEN_YEARS,
                "at least a minute and at most ten years",
            )
        };
        let package_interval = self.required(keys, "package_interval", &keys.package_interval, interval);
        let sync_interval = self.required(keys, "sync_interval", &keys.sync_interval, interval);
        let access_max_age = self.required(keys, "access_max_age", &keys.access_max_age, values::duration_or_never);
        let (package_interval, sync_interval, access_max_age) = (package_interval?, sync_interval?, access_max_age?);
        if access_max_age.is_some_and(|age| age < sync_interval.saturating_mul(2)) {
            let places = [place_of(keys, &keys.access_max_age), place_of(keys, &keys.sync_interval)];
            let place = places.into_iter().min().unwrap_or(Place::Default);
            return self.complain(place, "`access_max_age` must be at least twice `sync_interval`, else one late synchronization locks everybody out");
        }
        Some(Jobs { workers: workers?, package_interval, sync_interval, access_max_age })
    }

    fn vcs(&mut self, keys: &VcsKeys, data_dir: Option<&Path>) -> Option<Vcs> {
        let mut file_roots = Vec::new();
        for root in keys.file_roots.iter().flat_map(|placed| &placed.value) {
            let path = self.absolute(&root.value, &root.place);
            if data_dir.is_some_and(|data_dir| path.starts_with(data_dir)) {
                self.complain::<()>(
                    root.place.clone(),
                    "`file_roots` must not hold the data directory or a part of it",
                );
            }
            file_roots.push(path);
        }
        let ssh_host_keys = self.required(keys, "ssh_host_keys", &keys.ssh_host_keys, |text| match text {
            "accept-new" => Ok(SshHostKeys::AcceptNew),
            "strict" => Ok(SshHostKeys::Strict),
            _ => Err(format!("must be \"accept-new\" or \"strict\", and is \"{}\"", shown(text))),
        });
        let allow_insecure = keys.allow_insecure.as_ref().is_some_and(|placed| placed.value);
        let deadline = self.required(keys, "deadline", &keys.deadline, |text| {
            values::duration_within(text, Duration::from_secs(10), DAY, "between ten seconds and a day")
        });
        let max_repository_size = self.required(keys, "max_repository_size", &keys.max_repository_size, |text| {
            values::size_within(text, 1 << 20, 1 << 40, "between 1MiB and 1TiB")
        });
        let memory = self.required(keys, "memory", &keys.memory, |text| {
            values::size_within(text, 128 << 20, 1 << 40, "between 128MiB and 1TiB")
        });
        Some(Vcs {
            file_roots,
            allow_insecure,
            ssh_host_keys: ssh_host_keys?,
            deadline: deadline?,
            max_repository_size: max_repository_size?,
            memory: memory?,
        })
    }

    fn storage(&mut self, keys: &StorageKeys) -> Option<Storage> {
        let kind = keys.kind.as_ref().map_or("filesystem", |placed| placed.value.as_str());
        match kind {
            "s3" => self.s3(keys).map(Storage::S3),
            "filesystem" => self.no_s3_keys(keys),
            other => {
                let place = place_of(keys, &keys.kind);
                self.complain(place, format!("`kind` must be \"filesystem\" or \"s3\", and is \"{}\"", shown(other)))
            }
        }
    }

    fn no_s3_keys(&mut self, keys: &StorageKeys) -> Option<Storage> {
        let lost: Vec<_> = keys.places().into_iter().filter(|(key, _)| *key != "kind").collect();
        for (key, place) in &lost {
            self.complain::<()>(place.clone(), format!("`{key}` counts only with `kind = \"s3\"`"));
        }
        lost.is_empty().then_some(Storage::Filesystem)
    }

    fn s3(&mut self, keys: &StorageKeys) -> Option<S3> {
        let bucket = self.required(keys, "bucket", &keys.bucket, values::text);
        let endpoint = self.optional("endpoint", &keys.endpoint, values::http_url);
        let region = self.optional("region", &keys.region, values::text);
        let access_key_id = self.required(keys, "access_key_id", &keys.access_key_id, values::text);
        let secret_access_key = match self.secret("secret_access_key", &keys.secret_access_key) {
            Some(None) => self.missing(keys, "secret_access_key"),
            Some(secret) => secret,
            None => None,
        };
        if let Some(Some(url)) = &endpoint
            && url.scheme() == "http"
        {
            self.warn(place_of(keys, &keys.endpoint), "dists travel unencrypted to an http:// `endpoint`");
        }
        Some(S3 {
            bucket: bucket?,
            endpoint: endpoint?,
            region: region?.unwrap_or_else(|| "us-east-1".to_owned()),
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
        })
    }

    fn retention(&mut self, keys: &RetentionKeys) -> Option<Retention> {
        let dev_dists = self.required(keys, "dev_dists", &keys.dev_dists, values::duration_or_never);
        Some(Retention { dev_dists: dev_dists? })
    }

    fn log(&mut self, keys: &LogKeys) -> Option<Log> {
        let format = self.required(keys, "format", &keys.format, choice);
        let level = self.required(keys, "level", &keys.level, choice);
        Some(Log { format: format?, level: level? })
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn choice<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Read<T> {
    text.parse().map_err(|error| format!("cannot be `{}`: {error}", shown(text)))
}

/// Where each given key was given, by its full name (`server.listen`, `integration.ghe.url`).
pub(super) fn all_places(typed: &mut TypedConfig) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    for section in typed.sections_mut() {
        let path = section.path();
        places.extend(section.places().into_iter().map(|(key, place)| (format!("{path}.{key}"), place)));
    }
    for keys in &typed.integrations {
        let id = keys.id.as_ref().map_or("", |placed| &placed.value);
        places.extend(keys.places().into_iter().map(|(key, place)| (format!("integration.{id}.{key}"), place)));
    }
    places
}

/// Findings about ids that two integrations share.
pub(super) fn duplicates<'k>(ids: impl Iterator<Item = &'k Placed<String>>) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let again = ids.filter(|id| !seen.insert(&id.value));
    again
        .map(|id| Problem {
            place: id.place.clone(),
            message: format!(
                "`id`: there is another integration `{}` above; each needs an id of its own",
                shown(&id.value)
            ),
        })
        .collect()
}
