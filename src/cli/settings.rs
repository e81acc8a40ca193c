//! From the configuration to what each room below wants to know.

use std::path::PathBuf;
use std::time::Duration;

use super::failure::Failure;
use crate::appliance::Hubs;
use crate::clock::Clock;
use crate::config::{self, Config, Problem, SshHostKeys, Storage};
use crate::outbound::{self, Guard, HostRule, Own, SetupFailed};
use crate::platform::{AppKey, Connection, Hub, Site};
use crate::vcs::url::UrlPolicy;
use crate::vcs::{self, HostKeyPolicy, Limits};
use crate::{appliance, http};

/// How long one archive may take: long enough to compress as much as one may hold.
const ARCHIVE_DEADLINE: Duration = Duration::from_secs(2 * 60);

/// What the configuration may say already and this release does not do yet, where going on is harmless.
pub fn without_effect(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    if config.retention.dev_dists.is_some() {
        problems.push(Problem {
            place: config.place_of("retention.dev_dists"),
            message: "this release keeps the archives of superseded dev commits for ever: the key has no effect yet"
                .to_owned(),
        });
    }
    problems
}

/// For the appliance.
///
/// # Errors
/// If archives should live where this release cannot put them: going on would spread them over two places.
pub fn appliance(config: &Config) -> Result<appliance::Settings, Failure> {
    if let Storage::S3(_) = config.storage {
        let place = config.place_of("storage.kind");
        return Err(Failure::new(format!(
            "{place}: this release stores archives in the data directory only: set `kind = \"filesystem\"` under [storage]"
        )));
    }
    Ok(appliance::Settings {
        data_dir: config.server.data_dir.clone(),
        public_url: config.server.public_url.as_str().to_owned(),
        url_policy: url_policy(config),
        package_interval: config.jobs.package_interval,
        sync_interval: config.jobs.sync_interval,
        access_max_age: config.jobs.access_max_age,
        max_upload: config.server.max_upload,
        credentials_directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(Into::into),
    })
}

/// For reading repositories.
pub fn vcs(config: &Config) -> Result<vcs::Settings, Failure> {
    Ok(vcs::Settings {
        executable: executable()?,
        outbound: outbound(config)?,
        policy: url_policy(config),
        deadline: config.vcs.deadline,
        archive_deadline: ARCHIVE_DEADLINE,
        limits: Limits { memory: config.vcs.memory, transfer: config.vcs.max_repository_size, ..Limits::default() },
        ssh_host_keys: match config.vcs.ssh_host_keys {
            SshHostKeys::AcceptNew => HostKeyPolicy::AcceptNew,
            SshHostKeys::Strict => HostKeyPolicy::Strict,
        },
    })
}

/// Ourselves, as workers: the running program also after an upgrade has replaced its file, because parent and worker
/// must speak the same language.
fn executable() -> std::io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Ok(running) } else { std::env::current_exe() }
}

/// For everything that leaves this machine.
pub fn outbound(config: &Config) -> Result<outbound::Settings, Failure> {
    let settings = &config.outbound;
    let ca_bundle = match &settings.ca_bundle {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            let place = config.place_of("outbound.ca_bundle");
            Failure::new(format!("{place}: {} cannot be read: {error}", path.display()))
        })?),
        None => None,
    };
    let outbound = outbound::Settings {
        proxy: settings.proxy.as_ref().map(|proxy| proxy.expose().to_string()),
        no_proxy: rules(&settings.no_proxy)?,
        ca_bundle,
        timeout: settings.timeout,
        guard: Guard {
            allow: rules(&settings.allow)?,
            deny: rules(&settings.deny)?,
            exempt: exempt(config),
            own: own(config),
        },
    };
    outbound.check().map_err(|error| match (&error, &settings.ca_bundle) {
        (SetupFailed::CaBundle(_), Some(path)) => {
            let place = config.place_of("outbound.ca_bundle");
            Failure::new(format!("{place}: {}: {error}", path.display()))
        }
        _ => error.into(),
    })?;
    Ok(outbound)
}

/// Where the integrations are, for their API and their repositories alike.
fn exempt(config: &Config) -> Vec<(String, u16)> {
    let urls = config.integrations.iter().filter_map(|integration| url::Url::parse(&integration.url).ok());
    urls.filter_map(|url| host_port(&url)).collect()
}

fn host_port(url: &url::Url) -> Option<(String, u16)> {
    Some((url.host_str()?.to_ascii_lowercase(), url.port_or_known_default()?))
}

/// Where this server is reached itself.
fn own(config: &Config) -> Own {
    let origin = url::Url::parse(config.server.public_url.as_str()).ok();
    let public = origin.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    Own { listen: vec![config.server.listen], public }
}

/// For listening and answering.
///
/// # Errors
/// As [`integrations`].
pub fn http(config: &Config) -> Result<http::Settings, Failure> {
    let (server, integrations) = (&config.server, integrations(config)?);
    Ok(http::Settings {
        listen: vec![server.listen],
        tls: server
            .tls
            .as_ref()
            .map(|tls| http::TlsFiles { certificate: tls.certificate.clone(), private_key: tls.private_key.clone() }),
        trusted_proxies: server.trusted_proxies.clone(),
        metrics_token: server.metrics_token.clone(),
        public_url: server.public_url.as_str().to_owned(),
        limits: http::connections::Limits::of_process(),
        integrations,
        configuration: configured(config),
        own: http::Own::new(&outbound(config)?, server.public_url.as_str())?,
    })
}

/// What the page of the configuration shows. What nobody gave and the server works out is shown as it came to be.
fn configured(config: &Config) -> Vec<http::Configured> {
    let all = config.effective.iter().cloned().map(|one| {
        let worked_out = (one.section == "server" && one.key == "public_url" && one.value.is_none())
            .then(|| config.server.public_url.as_str().to_owned());
        http::Configured {
            section: one.section,
            key: one.key,
            value: one.value.or(worked_out),
            secret: one.secret,
            source: one.place.to_string(),
        }
    });
    all.collect()
}

/// The platforms that people sign in with.
///
/// # Errors
/// If nothing outside can be called as the configuration says.
pub fn integrations(config: &Config) -> Result<Vec<http::Integration>, Failure> {
    let outbound = outbound(config)?;
    let integration = |one: &config::Integration| {
        let app = one.app();
        let connection = app.map(|app| Connection::new(app, &outbound, Clock::system())).transpose()?;
        Ok(http::Integration {
            id: one.id.clone(),
            name: one.name.clone(),
            platform: one.platform,
            url: one.url.clone(),
            connection,
            login: one.login,
            link_by_email: one.link_by_email,
        })
    };
    config.integrations.iter().map(integration).collect()
}

/// The platforms that organizations can follow.
///
/// # Errors
/// If nothing outside can be called as the configuration says.
pub fn hubs(config: &Config) -> Result<Hubs, Failure> {
    let outbound = outbound(config)?;
    let hub = |one: &config::Integration| {
        let Ok(url) = url::Url::parse(&one.url) else { return Ok(None) };
        let app = one.github_app.as_ref().map(|app| AppKey {
            id: app.id,
            private_key: app.private_key.clone(),
            slug: app.slug.clone(),
            webhook_secret: app.webhook_secret.clone(),
        });
        let site = Site {
            id: one.id.clone(),
            platform: one.platform,
            url,
            name: one.name.clone(),
            link_by_email: one.link_by_email,
            app,
        };
        Hub::new(site, &outbound, Clock::system())
    };
    let hubs: Vec<Option<Hub>> = config.integrations.iter().map(hub).collect::<Result<_, SetupFailed>>()?;
    let apps = config.integrations.iter().filter_map(config::Integration::app);
    let connections: Vec<_> =
        apps.map(|app| Connection::new(app, &outbound, Clock::system())).collect::<Result<_, SetupFailed>>()?;
    Ok(Hubs::of(hubs.into_iter().flatten()).with_connections(connections))
}

fn url_policy(config: &Config) -> UrlPolicy {
    UrlPolicy {
        file_roots: config.vcs.file_roots.clone(),
        allow_insecure: config.vcs.allow_insecure,
        plain_hosts: plain_hosts(config),
        data_dir: config.server.data_dir.clone(),
    }
}

/// Where an administrator wrote an integration's address with http://, the repositories there are read by it too.
fn plain_hosts(config: &Config) -> Vec<(String, u16)> {
    let urls = config.integrations.iter().filter_map(|integration| url::Url::parse(&integration.url).ok());
    urls.filter(|url| url.scheme() == "http").filter_map(|url| host_port(&url)).collect()
}

fn rules(texts: &[String]) -> Result<Vec<HostRule>, Failure> {
    Ok(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}
