//! THE list of the keys of `config.toml`: name, kind, default and text. `config.example.toml` is written from it, and what was
//! typed is read into its structs ([`Typed`](TypedConfig)). What the values mean is [`resolve`](super::resolve)'s business.

use crate::config::section::{Flag, List, Number, Secret, Section, Text, sections};

sections! {
    /// Where the server listens, how others reach it, and where it keeps its data.
    ServerKeys = "server" {
        /// IP address and port to listen on; `0.0.0.0:8080` or `[::]:8080` for all interfaces.
        listen: Text, Default(r#""127.0.0.1:8080""#);
        /// How browsers and Composer reach the server: scheme, host and port, without a path.
        /// Every link, OAuth callback and dist address is made from it.
        /// Default: the listen address. Required when that is not loopback.
        public_url: Text, Example(r#""https://packagist.example.com""#);
        /// Directory of the database, keys, mirrors and dists. It is made with mode 0700.
        data_dir: Text, Default(r#""data""#);
        /// Networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
        /// They never influence links.
        trusted_proxies: List, Default("[]");
        /// Largest archive that is taken as an upload, or fetched for a custom package.
        max_upload: Text, Default(r#""512MiB""#);
        /// Lets others than this machine read /metrics, with `Authorization: Bearer …`.
        metrics_token: Secret, Example(r#""a long random text""#);
    }
    /// HTTPS without a reverse proxy. Changed files are taken up while running.
    TlsKeys = "server.tls" {
        /// Certificate with its chain, PEM.
        certificate: Text, Example(r#""tls.crt""#);
        /// Its private key, PEM.
        private_key: Text, Example(r#""tls.key""#);
    }
    /// Connections to platforms, repositories, upstreams and notification targets.
    OutboundKeys = "outbound" {
        /// HTTP proxy for everything that leaves, also for git, hg and svn.
        /// May hold `user:password@`; `proxy_file` names a file with the address.
        proxy: Secret, Example(r#""http://proxy.example.com:3128""#);
        /// Host names, `*.suffixes`, addresses or CIDRs that are reached without the proxy.
        no_proxy: List, Default("[]");
        /// Certificates (PEM) that are trusted beside the system's.
        ca_bundle: Text, Example(r#""/etc/ssl/corp-ca.pem""#);
        /// How long the other side may be silent.
        timeout: Text, Default(r#""30s""#);
        /// Hosts or CIDRs that package, mirror and notification addresses may reach although they are
        /// loopback, link-local, a cloud's metadata or this server. Private networks need no entry;
        /// an integration's own host and port are always allowed.
        allow: List, Default("[]");
        /// Hosts or CIDRs that they may never reach.
        deny: List, Default("[]");
    }
    /// Background work.
    JobsKeys = "jobs" {
        /// Jobs that run at the same time.
        workers: Number, Default("4");
        /// How often a package without a working webhook is looked at.
        package_interval: Text, Default(r#""12h""#);
        /// How often a synchronized organization is read again.
        sync_interval: Text, Default(r#""1h""#);
        /// Synchronized access that could not be confirmed for so long is suspended; from half of it
        /// on it is announced. "never" keeps it.
        access_max_age: Text, Default(r#""7d""#);
    }
    /// Source repositories.
    VcsKeys = "vcs" {
        /// Directories below which file:// URLs and paths are accepted; never the data directory.
        file_roots: List, Default("[]");
        /// Accepts http://, git:// and svn:// package addresses, and sends credentials over them.
        allow_insecure: Flag, Default("false");
        /// What happens at a host key that is not known yet: "accept-new" or "strict".
        ssh_host_keys: Text, Default(r#""accept-new""#);
        /// How long reading one repository may take; the first time, all of it is fetched.
        deadline: Text, Default(r#""30m""#);
        /// How large the mirror of one repository may become.
        max_repository_size: Text, Default(r#""4GiB""#);
        /// How much memory reading one repository may take. Objects of more than a fourth of it may be refused.
        memory: Text, Default(r#""2GiB""#);
    }
    /// Where dists (the archives that Composer downloads) live.
    StorageKeys = "storage" {
        /// "filesystem" (below the data directory) or "s3".
        kind: Text, Default(r#""filesystem""#);
        /// Only for s3: name of the bucket. Required.
        bucket: Text, Example(r#""dists""#);
        /// Only for s3: address of the service. Default: Amazon's for the region.
        endpoint: Text, Example(r#""https://s3.example.com""#);
        /// Only for s3: default: "us-east-1".
        region: Text, Example(r#""us-east-1""#);
        /// Only for s3: required.
        access_key_id: Text, Example(r#""AKIA…""#);
        /// Only for s3: required.
        secret_access_key: Secret, Example(r#""…""#);
    }
    /// What is thrown away, and when. Dists of released versions are always kept.
    RetentionKeys = "retention" {
        /// Time after which dists of superseded dev commits go, or "never".
        /// Lock files that name such a commit may then fail to install.
        dev_dists: Text, Default(r#""never""#);
    }
    /// Log lines on standard error.
    LogKeys = "log" {
        /// "text" or "json" (one object a line).
        format: Text, Default(r#""text""#);
        /// "error", "warn", "info", "debug" or "trace". RUST_LOG, where set, beats it.
        level: Text, Default(r#""info""#);
    }
    /// One block for each platform: login, synchronization and webhooks.
    IntegrationKeys = "integration" {
        /// Names the integration in addresses, commands and the UI: lower-case letters, digits, `.`, `_`, `-`.
        id: Text, Example(r#""github""#);
        /// "github", "gitlab", "bitbucket-cloud" or "bitbucket-datacenter".
        platform: Text, Example(r#""github""#);
        /// Address of the platform. Default: its public service. Platform and url cannot change
        /// once they were used, because people are known by them.
        url: Text, Example(r#""https://github.com""#);
        /// Shown on the login button. Default: the platform's name.
        name: Text, Example(r#""GitHub""#);
        /// The OAuth app's id and secret, for the login. `integration list` shows the callback to register. To be ticked:
        /// on GitLab `read_user`, on Bitbucket Cloud `Account: Email` and `Account: Read`, elsewhere nothing.
        client_id: Text, Example(r#""…""#);
        /// (or client_secret_file)
        client_secret: Secret, Example(r#""…""#);
        /// Offer it on the login page. Default: true where it has an OAuth app.
        login: Flag, Example("true");
        /// Take a first login for that of the account here with the same e-mail address, where the platform says that the
        /// address is verified, and never for an administrator's. Only for a platform whose word you trust with that.
        link_by_email: Flag, Example("false");
        /// A GitHub App, by which organizations connect without a personal token.
        app_id: Number, Example("123456");
        /// The App's private key, PEM.
        app_private_key: Secret, Example(r#""-----BEGIN RSA PRIVATE KEY-----…""#);
        /// The App's name in github.com/apps/….
        app_slug: Text, Example(r#""our-packagist""#);
        /// Secret of the App's webhook; without it /hooks/app/… answers 404.
        webhook_secret: Secret, Example(r#""…""#);
        /// OAuth 1, for servers that cannot do OAuth 2 (before 7.20); then without client_id and client_secret.
        /// Default: 2.
        oauth_version: Number, Example("1");
        /// OAuth 1: key of the consumer.
        consumer_key: Text, Example(r#""packagist""#);
        /// OAuth 1: the RSA private key whose public half the link holds, PEM, of 2048 to 4096 bits.
        private_key: Secret, Example(r#""-----BEGIN PRIVATE KEY-----…""#);
    }
}

/// Everything that was typed, by section, with the defaults where nothing was.
#[derive(Debug, Default)]
pub struct TypedConfig {
    /// `[server]`
    pub server: ServerKeys,
    /// `[server.tls]`
    pub tls: TlsKeys,
    /// `[outbound]`
    pub outbound: OutboundKeys,
    /// `[jobs]`
    pub jobs: JobsKeys,
    /// `[vcs]`
    pub vcs: VcsKeys,
    /// `[storage]`
    pub storage: StorageKeys,
    /// `[retention]`
    pub retention: RetentionKeys,
    /// `[log]`
    pub log: LogKeys,
    /// `[[integration]]`, in file order.
    pub integrations: Vec<IntegrationKeys>,
}

impl TypedConfig {
    /// The sections that stand once, in the order of the example file.
    pub fn sections_mut(&mut self) -> [&mut dyn Section; 8] {
        [
            &mut self.server,
            &mut self.tls,
            &mut self.outbound,
            &mut self.jobs,
            &mut self.vcs,
            &mut self.storage,
            &mut self.retention,
            &mut self.log,
        ]
    }

    /// A section by its path.
    pub fn section_mut(&mut self, path: &str) -> Option<&mut dyn Section> {
        self.sections_mut().into_iter().find(|section| section.path() == path)
    }
}
