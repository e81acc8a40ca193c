//! `config.toml`, the environment and the command line, made into one checked [`Config`].
//!
//! What was typed (`config/file.rs`) and what it means (`config/resolve.rs`) are two types. The way from one to the other finds
//! all problems at once, each with its line or variable. Keys are listed in one place, `config/keys.rs`; the example file is
//! written from it. Nothing here is global: the environment is an argument, and `Config` is plain data that the start hands
//! out to the rooms below.

mod effective;
mod environment;
mod example;
mod file;
mod integration;
mod keys;
mod place;
mod resolve;
mod resolver;
mod section;
mod suggestion;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use crate::telemetry::{LogFormat, LogLevel};

pub use effective::Effective;
pub use environment::{FILE_VARIABLE, PREFIX as VARIABLE_PREFIX};
pub use example::example;
pub use integration::{GitHubApp, Integration};
pub use place::{ConfigErrors, Place, Problem};
pub use values::{ProxyUrl, PublicUrl};

pub use crate::platform::{LoginApp, PlatformKind};

use environment::Variables;
use keys::TypedConfig;
use place::Placed;
use resolve::all_places;
use resolver::Resolver;
use section::Shown;

/// Where the file is looked for when nobody names one.
const USUAL_FILES: [&str; 2] = ["config.toml", "/etc/packagist-selfhosted/config.toml"];

/// What the command line says over file and environment.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `serve --listen`.
    pub listen: Option<String>,
    /// `serve --data-dir`, relative to the current directory.
    pub data_dir: Option<PathBuf>,
}

/// The whole configuration, checked, with the defaults in place.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that was read, if any.
    pub path: Option<PathBuf>,
    /// What works and should not stay so.
    pub warnings: Vec<Problem>,
    /// `[server]`
    pub server: Server,
    /// `[outbound]`
    pub outbound: Outbound,
    /// `[jobs]`
    pub jobs: Jobs,
    /// `[vcs]`
    pub vcs: Vcs,
    /// `[storage]`
    pub storage: Storage,
    /// `[retention]`
    pub retention: Retention,
    /// `[log]`
    pub log: Log,
    /// `[[integration]]`, in file order.
    pub integrations: Vec<Integration>,
    /// Every key with its source.
    pub effective: Vec<Effective>,
    places: BTreeMap<String, Place>,
    has_inline_secrets: bool,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// Address to listen on; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// What every link, callback and dist address begins with.
    pub public_url: PublicUrl,
    /// Whether it was configured. If not, whoever listens on port 0 makes it anew with [`PublicUrl::of_listener`].
    pub public_url_given: bool,
    /// Absolute.
    pub data_dir: PathBuf,
    /// Peers whose `X-Forwarded-For` and `-Proto` count.
    pub trusted_proxies: Vec<IpNet>,
    /// Most bytes of an uploaded archive, or of one that is fetched for a custom package.
    pub max_upload: u64,
    /// What others than loopback peers show to `/metrics`.
    pub metrics_token: Option<SecretString>,
    /// HTTPS by ourselves.
    pub tls: Option<Tls>,
}

/// `[server.tls]`: both files could be opened at the start.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM, absolute.
    pub certificate: PathBuf,
    /// PEM, absolute.
    pub private_key: PathBuf,
}

/// `[outbound]`
#[derive(Clone, Debug)]
pub struct Outbound {
    /// HTTP proxy for everything that leaves.
    pub proxy: Option<ProxyUrl>,
    /// Host names, `*.suffixes`, addresses and CIDRs, in lower case, that are reached without it.
    pub no_proxy: Vec<String>,
    /// PEM file, absolute; it could be opened at the start.
    pub ca_bundle: Option<PathBuf>,
    /// How long the other side may be silent.
    pub timeout: Duration,
    /// Hosts and CIDRs that may be reached although they are ours; of the form of `no_proxy`.
    pub allow: Vec<String>,
    /// Hosts and CIDRs that may never be reached; of the form of `no_proxy`.
    pub deny: Vec<String>,
}

/// `[jobs]`
#[derive(Clone, Debug)]
pub struct Jobs {
    /// 1 to 256.
    pub workers: usize,
    /// At least a minute.
    pub package_interval: Duration,
    /// At least a minute.
    pub sync_interval: Duration,
    /// Age at which synchronized access is suspended; nothing for never.
    pub access_max_age: Option<Duration>,
}

/// `[vcs]`
#[derive(Clone, Debug)]
pub struct Vcs {
    /// Absolute, and none of them in the data directory; one of them may contain it.
    pub file_roots: Vec<PathBuf>,
    /// Whether unencrypted package addresses are accepted.
    pub allow_insecure: bool,
    /// What happens at an unknown host key.
    pub ssh_host_keys: SshHostKeys,
    /// How long one operation on a repository may take.
    pub deadline: Duration,
    /// How large a mirror may become, in bytes.
    pub max_repository_size: u64,
    /// How much memory one operation may take, in bytes.
    pub memory: u64,
}

/// What happens at a host key that is not known yet. A changed key is always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshHostKeys {
    /// It is remembered.
    AcceptNew,
    /// It is refused.
    Strict,
}

/// `[storage]`
#[derive(Clone, Debug)]
pub enum Storage {
    /// Below the data directory.
    Filesystem,
    /// In a bucket.
    S3(S3),
}

/// `[storage]` with `kind = "s3"`.
#[derive(Clone, Debug)]
pub struct S3 {
    /// Name of the bucket.
    pub bucket: String,
    /// Address of the service; nothing for Amazon's.
    pub endpoint: Option<Url>,
    /// Default `us-east-1`.
    pub region: String,
    /// Public half of the key.
    pub access_key_id: String,
    /// Secret half of the key.
    pub secret_access_key: SecretString,
}

/// `[retention]`
#[derive(Clone, Debug)]
pub struct Retention {
    /// Time after which dists of superseded dev commits go; nothing for never.
    pub dev_dists: Option<Duration>,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// Text or JSON.
    pub format: LogFormat,
    /// The least important level that is written.
    pub level: LogLevel,
}

impl Config {
    /// Finds, reads and checks the configuration: `explicit` is `--config`, `environment` such as `std::env::vars_os()`.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load<K, V>(
        explicit: Option<&Path>,
        environment: impl IntoIterator<Item = (K, V)>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigErrors>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut problems = Vec::new();
        let variables = Variables::pick(environment, &mut problems);
        match find(explicit, variables.file.as_deref().map(Path::new), &USUAL_FILES.map(Path::new)) {
            Some(path) => {
                let text = read_file(path)?;
                let mut config = assemble(Some((path, &text)), &variables, overrides, problems)?;
                config.warn_of_open_file(path);
                Ok(config)
            }
            None => assemble(None, &variables, overrides, problems),
        }
    }

    /// Checks a text as if it stood in the file `path`, which need not exist.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn from_text<K, V>(
        text: &str,
        path: &Path,
        environment: impl IntoIterator<Item = (K, V)>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigErrors>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut problems = Vec::new();
        let variables = Variables::pick(environment, &mut problems);
        assemble(Some((path, text)), &variables, overrides, problems)
    }

    /// Where a key was given, by its full name (`server.listen`, `server.tls.certificate`, `integration.ghe.url`), for findings
    /// that come up later: a directory that is not writable, a platform that refuses the app.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or(Place::Default)
    }

    /// The integration with that id.
    #[must_use]
    pub fn integration(&self, id: &str) -> Option<&Integration> {
        self.integrations.iter().find(|integration| integration.id == id)
    }

    /// A file that holds secrets should not be readable by everybody.
    fn warn_of_open_file(&mut self, path: &Path) {
        let is_open = std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0);
        if is_open && self.has_inline_secrets {
            let place = Place::WholeFile(path.display().to_string().into());
            let message = "everybody on this machine can read the secrets in it: take them out (`x_file`) or run `chmod o=` on it";
            self.warnings.push(Problem { place, message: message.to_owned() });
        }
    }
}

/// The file to read: the one that is named, or the first of the usual ones that exists.
fn find<'p>(explicit: Option<&'p Path>, variable: Option<&'p Path>, usual: &[&'p Path]) -> Option<&'p Path> {
    explicit.or(variable).or_else(|| usual.iter().copied().find(|path| path.exists()))
}

fn read_file(path: &Path) -> Result<String, ConfigErrors> {
    let read = || {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        file.take(file::LARGEST as u64 + 1).read_to_string(&mut text)?;
        if text.len() > file::LARGEST { Err(io::Error::other("it is larger than 1 MiB")) } else { Ok(text) }
    };
    read().map_err(|error| {
        ConfigErrors::one(
            Place::WholeFile(path.display().to_string().into()),
            format!("the configuration cannot be read: {error}"),
        )
    })
}

fn assemble(
    file: Option<(&Path, &str)>,
    variables: &Variables,
    overrides: &Overrides,
    mut problems: Vec<Problem>,
) -> Result<Config, ConfigErrors> {
    let mut typed = with_defaults();
    if let Some((path, text)) = file
        && !file::read(text, &path.display().to_string(), &mut typed, &mut problems)
    {
        // Variables for its integrations would only make noise.
        return Err(ConfigErrors::new(problems));
    }
    variables.apply(&mut typed, &mut problems);
    apply_overrides(overrides, &mut typed, &mut problems);
    let path = file.map(|(path, _)| path);
    let base = path.and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
    let mut resolver = Resolver::new(base, problems);
    let sections = resolver.sections(&typed);
    let integrations = resolver.integrations(&typed);
    let Resolver { problems, mut warnings, has_inline_secrets, .. } = resolver;
    warnings.sort();
    match (sections, integrations) {
        (Some(sections), Some(integrations)) if problems.is_empty() => Ok(Config {
            path: path.map(Path::to_owned),
            warnings,
            server: sections.server,
            outbound: sections.outbound,
            jobs: sections.jobs,
            vcs: sections.vcs,
            storage: sections.storage,
            retention: sections.retention,
            log: sections.log,
            integrations,
            effective: effective::effective(&mut typed),
            places: all_places(&mut typed),
            has_inline_secrets,
        }),
        _ => Err(ConfigErrors::new(problems)),
    }
}

/// The defaults take the way of everything else, so that the example file and the program have one list of them.
fn with_defaults() -> TypedConfig {
    let mut typed = TypedConfig::default();
    for section in typed.sections_mut() {
        for key in section.keys() {
            if let Shown::Default(text) = key.shown {
                let raw = file::value(text, &Place::Default).expect("a default is TOML, which a test sees to");
                section
                    .put(key.name, raw, false, Place::Default)
                    .expect("a default fits its key, which a test sees to");
            }
        }
    }
    typed
}

fn apply_overrides(overrides: &Overrides, typed: &mut TypedConfig, problems: &mut Vec<Problem>) {
    if let Some(listen) = &overrides.listen {
        typed.server.listen = Some(Placed { value: listen.clone(), place: Place::Argument("--listen") });
    }
    if let Some(data_dir) = &overrides.data_dir {
        let place = Place::Argument("--data-dir");
        match data_dir.to_str() {
            Some(value) => typed.server.data_dir = Some(Placed { value: value.to_owned(), place }),
            None => problems.push(Problem { place, message: "the path must be UTF-8".to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use std::path::Path;

    #[test]
    fn a_named_file_beats_the_usual_ones() {
        let [option, variable, nowhere, root] = ["a", "b", "/nowhere/c.toml", "/"].map(Path::new);
        assert_eq!(find(Some(option), Some(variable), &[root]), Some(option));
        assert_eq!(find(None, Some(variable), &[root]), Some(variable));
        assert_eq!(find(None, None, &[nowhere, root]), Some(root));
        assert_eq!(find(None, None, &[nowhere]), None);
    }
}
