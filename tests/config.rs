//! The configuration as its users meet it: a text, an environment, and what comes out: values, or every mistake with its place.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packagist_selfhosted::config::{Config, LoginApp, Overrides, Place, PlatformKind, SshHostKeys, Storage, example};
use packagist_selfhosted::telemetry::{LogFormat, LogLevel};
use secrecy::ExposeSecret;

const NOTHING: [(&str, &str); 0] = [];

/// The configuration of a text that stands in `/etc/ps/config.toml`.
fn parse(text: &str) -> Result<Config, String> {
    with(text, &[])
}

fn with(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment = environment.iter().copied();
    let read = Config::from_text(text, Path::new("/etc/ps/config.toml"), environment, &Overrides::default());
    read.map_err(|errors| errors.to_string().replace("/etc/ps/", ""))
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(parse(text).unwrap_err(), expected);
}

#[track_caller]
fn refused_variable(name: &str, value: &str, expected: &str) {
    let name = format!("PACKAGIST_SELFHOSTED__{name}");
    assert_eq!(with("", &[(&name, value)]).unwrap_err(), format!("{name}: {expected}"));
}

#[test]
fn an_empty_file_is_the_contract_s_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.public_url.as_str(), "http://127.0.0.1:8080");
    assert_eq!(config.server.data_dir, PathBuf::from("/etc/ps/data"));
    assert!(config.server.trusted_proxies.is_empty() && config.server.metrics_token.is_none());
    assert!(config.server.tls.is_none() && config.outbound.proxy.is_none());
    assert_eq!(config.outbound.timeout, Duration::from_secs(30));
    assert_eq!(config.jobs.workers, 4);
    assert_eq!(config.jobs.package_interval, Duration::from_secs(12 * 3600));
    assert_eq!(config.jobs.sync_interval, Duration::from_secs(3600));
    assert_eq!(config.jobs.access_max_age, Some(Duration::from_secs(7 * 86_400)));
    assert!(config.vcs.file_roots.is_empty() && !config.vcs.allow_insecure);
    assert_eq!(config.vcs.ssh_host_keys, SshHostKeys::AcceptNew);
    assert!(matches!(config.storage, Storage::Filesystem));
    assert_eq!(config.retention.dev_dists, None);
    assert_eq!((config.log.format, config.log.level), (LogFormat::Text, LogLevel::Info));
    assert!(config.integrations.is_empty() && config.warnings.is_empty());
}

/// The block of the contract, section 2, with values in place of its dots.
#[test]
fn the_contract_s_own_text_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["tls.crt", "tls.key", "corp-ca.pem"] {
        fs::write(directory.path().join(file), "x").unwrap();
    }
    let text = r#"
        [server]
        listen = "127.0.0.1:8080"
        public_url = "https://packagist.example.com"
        data_dir = "data"
        trusted_proxies = ["10.0.0.0/8", "::1"]
        metrics_token = "hunter2"
        [server.tls]
        certificate = "tls.crt"
        private_key = "tls.key"
        [outbound]
        proxy = "http://proxy.example.com:3128"
        no_proxy = ["*.corp.example.com"]
        ca_bundle = "corp-ca.pem"
        timeout = "30s"
        allow = []
        deny = ["169.254.0.0/16"]
        [jobs]
        workers = 4
        package_interval = "12h"
        sync_interval = "1h"
        access_max_age = "never"
        [vcs]
        file_roots = ["/srv/git", "repos"]
        allow_insecure = true
        ssh_host_keys = "strict"
        [storage]
        kind = "s3"
        bucket = "dists"
        endpoint = "https://s3.example.com"
        region = "eu-central-1"
        access_key_id = "AKIA"
        secret_access_key = "hunter2"
        [retention]
        dev_dists = "90d"
        [log]
        format = "json"
        level = "debug"
        [[integration]]
        id = "ghe"
        platform = "github"
        url = "https://github.example.com/"
        name = "GitHub Enterprise"
        client_id = "id"
        client_secret = "hunter2"
        app_id = 12
        app_private_key = "hunter2"
        app_slug = "our-app"
        webhook_secret = "hunter2"
        login = false
        [[integration]]
        id = "bb"
        platform = "bitbucket-datacenter"
        url = "https://bitbucket.example.com/context"
        oauth_version = 1
        consumer_key = "consumer"
        private_key_file = "bb.pem"
    "#;
    fs::write(directory.path().join("bb.pem"), rsa_key()).unwrap();
    let path = directory.path().join("config.toml");
    let config = Config::from_text(text, &path, NOTHING, &Overrides::default()).unwrap();
    assert_eq!(config.server.tls.as_ref().unwrap().private_key, directory.path().join("tls.key"));
    assert_eq!(config.vcs.file_roots, [PathBuf::from("/srv/git"), directory.path().join("repos")]);
    assert_eq!(config.outbound.ca_bundle, Some(directory.path().join("corp-ca.pem")));
    assert_eq!(config.jobs.access_max_age, None);
    assert_eq!(config.retention.dev_dists, Some(Duration::from_secs(90 * 86_400)));
    let Storage::S3(s3) = &config.storage else { panic!("{:?}", config.storage) };
    assert_eq!((s3.bucket.as_str(), s3.region.as_str()), ("dists", "eu-central-1"));
    let ghe = config.integration("ghe").unwrap();
    assert_eq!(
        (ghe.platform, ghe.url.as_str(), ghe.login),
        (PlatformKind::GitHub, "https://github.example.com", false)
    );
    assert_eq!(ghe.github_app.as_ref().unwrap().id, 12);
    let bitbucket = config.integration("bb").unwrap();
    assert_eq!((bitbucket.name.as_str(), bitbucket.login), ("Bitbucket Data Center", true));
    assert!(matches!(&bitbucket.login_app, Some(LoginApp::OAuth1 { consumer_key, .. }) if consumer_key == "consumer"));
    assert_eq!(config.place_of("integration.bb.oauth_version").to_string(), format!("{}:55:25", path.display()));
    assert_eq!(config.place_of("server.nothing"), Place::Default);
    assert!(!format!("{config:?}").contains("hunter2"), "secrets have no Debug");
}

/// A private key that fits OAuth 1, in PEM.
fn rsa_key() -> String {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()))
}

#[test]
fn a_key_that_cannot_sign_is_told_at_start() {
    let text = "[[integration]]\nid = \"a\"\nplatform = \"bitbucket-datacenter\"\nurl = \"https://b.example\"\n\
                oauth_version = 1\nconsumer_key = \"c\"\nprivate_key = \"hunter2\"\n";
    refused(
        text,
        "config.toml:7:15: `private_key` cannot be used: it is no key in PEM, which begins with \
         `-----BEGIN PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`",
    );
}

#[test]
fn every_mistake_is_told_at_once_in_file_order() {
    refused(
        r#"listen = "x"
[server]
lisen = "127.0.0.1:8080"
listen = "8080"
public_url = "https://example.com/packagist"
trusted_proxies = ["10.0.0.0/8", "everybody"]
  data_dir = 7
[jbos]
[jobs]
workers = 0
sync_interval = "soon"
[log]
level = "loud"
"#,
        "\
config.toml:1:1: unknown key `listen` outside of any section: it belongs below `[server]`
config.toml:3:1: unknown key `lisen` in `server`: did you mean `listen`?
config.toml:4:10: `listen` must be an IP address and a port, like `127.0.0.1:8080` or `[::]:8080`, and is `8080`
config.toml:5:14: `public_url` must not have a path, and `https://example.com/packagist` has `/packagist`: give the server a host name of its own
config.toml:6:34: `trusted_proxies` must hold networks like `10.0.0.0/8` or addresses, and `everybody` is neither
config.toml:7:14: `data_dir` must be a string in quotes, not a number: `data_dir = \"data\"`
config.toml:8:2: unknown section `jbos`: did you mean `jobs`?
config.toml:10:11: `workers` must be between 1 and 256
config.toml:11:17: `sync_interval` must be a time like \"30s\", \"15m\", \"12h\" or \"7d\", and is \"soon\"
config.toml:13:9: `level` cannot be `loud`: it is one of `error`, `warn`, `info`, `debug`, `trace`",
    );
}

#[test]
fn syntax_errors_have_places_too() {
    let error = parse("[server]\nlisten = \n").unwrap_err();
    assert!(error.starts_with("config.toml:2:"), "{error}");
    assert!(error.contains(": this is not TOML: "), "{error}");
    let error = parse("[server]\nlisten = \"a\"\nlisten = \"b\"\n").unwrap_err();
    assert!(error.starts_with("config.toml:3:1: this is not TOML: duplicate key"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn a_syntax_error_is_told_alone() {
    let variable = ("PACKAGIST_SELFHOSTED__INTEGRATION__GHE__CLIENT_SECRET", "x");
    let error = with("[[integration]]\nid = \"ghe\"\nplatform = ", &[variable]).unwrap_err();
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn hostile_files_end_in_an_error() {
    for text in [
        "x = ".to_owned() + &"[".repeat(200_000),
        "[a".to_owned() + &".a".repeat(100_000) + "]",
        "\u{feff}[server".to_owned(),
    ] {
        assert!(parse(&text).is_err());
    }
    let long = format!("[server]\n{} = 1", "k".repeat(500_000));
    assert!(parse(&long).unwrap_err().len() < 2_000, "a message does not repeat what has no end");
}

#[test]
fn wrong_types_name_the_right_one() {
    refused(
        "[outbound]\ntimeout = 30",
        "config.toml:2:11: `timeout` must be a string in quotes, not a number: `timeout = \"30s\"`",
    );
    refused(
        "[vcs]\nallow_insecure = \"yes\"",
        "config.toml:2:18: `allow_insecure` must be true or false without quotes, not a string: `allow_insecure = false`",
    );
    refused(
        "[vcs]\nfile_roots = \"/srv\"",
        "config.toml:2:14: `file_roots` must be a list of strings, not a string: `file_roots = []`",
    );
    refused(
        "[vcs]\nfile_roots = [1]",
        "config.toml:2:14: `file_roots` must be a list of strings, not a list of other things: `file_roots = []`",
    );
    refused("server = 1", "config.toml:1:1: `server` is a section: write `[server]` and its keys below");
    refused(
        "[integration]\nid = \"a\"",
        "config.toml:1:2: write `[[integration]]`, in two pairs of brackets, once for each platform",
    );
    refused("integration = [1]", "config.toml:1:16: write `[[integration]]` and its keys below");
    refused(
        "[jobs]\nworkers = 99999999999999999999",
        "config.toml:2:11: `workers` must be a whole number without quotes, not a number of that size: `workers = 4`",
    );
}

#[test]
fn keys_are_held_against_each_other() {
    refused(
        "[server]\nlisten = \"0.0.0.0:8080\"",
        "config.toml:2:10: `public_url` is missing below `[server]`: it is required because `listen` is not a loopback address, and every link is made from it",
    );
    refused(
        "[jobs]\nsync_interval = \"4d\"",
        "config.toml:2:17: `access_max_age` must be at least twice `sync_interval`, else one late synchronization locks everybody out",
    );
    refused(
        "[vcs]\nfile_roots = [\"/srv\", \"data/x\"]",
        "config.toml:2:23: `file_roots` must not hold the data directory or a part of it",
    );
    refused("[storage]\nbucket = \"b\"", "config.toml:2:10: `bucket` counts only with `kind = \"s3\"`");
    refused("[storage]\nkind = \"ftp\"", "config.toml:2:8: `kind` must be \"filesystem\" or \"s3\", and is \"ftp\"");
    refused(
        "[storage]\nkind = \"s3\"",
        "config.toml:1:2: `access_key_id` is missing below `[storage]`\n\
         config.toml:1:2: `bucket` is missing below `[storage]`\n\
         config.toml:1:2: `secret_access_key` is missing below `[storage]`",
    );
    refused(
        "[server.tls]\ncertificate = \"/dev/null/x\"",
        "config.toml:1:9: `private_key` is missing below `[server.tls]`\nconfig.toml:2:15: `certificate`: /dev/null/x cannot be read: Not a directory (os error 20)",
    );
}

#[test]
fn integrations_are_checked_by_platform() {
    refused(
        r#"[[integration]]
[[integration]]
id = "a"
platform = "gitlub"
[[integration]]
id = "a"
platform = "bitbucket-datacenter"
consumer_key = "x"
[[integration]]
id = "Admin"
platform = "gitlab"
app_id = 1
login = true
client_id = "x"
[[integration]]
id = "api"
platform = "github"
url = "github.com"
app_slug = "x"
"#,
        "\
config.toml:1:1: `id` is missing below `[[integration]]`
config.toml:1:1: `platform` is missing below `[[integration]]`
config.toml:4:12: `platform` must be one of `github`, `gitlab`, `bitbucket-cloud`, `bitbucket-datacenter`, and is `gitlub`: did you mean `github`?
config.toml:5:1: `url` is missing below `[[integration]]`
config.toml:6:6: `id`: there is another integration `a` above; each needs an id of its own
config.toml:8:16: `consumer_key` counts only with `oauth_version = 1`
config.toml:10:6: `id` must be 1 to 63 of `a-z`, `0-9`, `.`, `_`, `-`, beginning with a letter or digit, and is `Admin`
config.toml:12:10: `app_id` is for `github`, and this integration is for `gitlab`
config.toml:14:13: `client_id` needs `client_secret` beside it
config.toml:16:6: `id` must not be `api`, which is a reserved word
config.toml:18:7: `url` is not an address (relative URL without a base): write it like `https://host.example.com`
config.toml:19:12: `app_slug` needs `app_id` and `app_private_key` beside it",
    );
}

#[test]
fn what_should_not_stay_is_a_warning() {
    let text = "[server]\nlisten = \"10.0.0.1:80\"\npublic_url = \"http://p.example.com\"\n[[integration]]\nid = \"ghe\"\nplatform = \"github\"\nurl = \"http://ghe.example.com\"";
    let warnings: Vec<String> = parse(text).unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "/etc/ps/config.toml:3:14: passwords and tokens travel unencrypted to an http:// `public_url`, and Composer refuses it unless `secure-http` is off",
            "/etc/ps/config.toml:7:7: tokens and passwords travel unencrypted to an http:// platform",
        ]
    );
}

#[test]
fn secrets_come_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let secret = directory.path().join("token");
    fs::write(&secret, "hunter2\r\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let read = |text: &str| Config::from_text(text, &path, NOTHING, &Overrides::default());
    let config = read("[server]\nmetrics_token_file = \"token\"").unwrap();
    assert_eq!(config.server.metrics_token.unwrap().expose_secret(), "hunter2");
    assert!(config.warnings.is_empty());
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let config = read("[server]\nmetrics_token_file = \"token\"").unwrap();
    assert!(config.warnings[0].to_string().contains("everybody on this machine can read "), "{:?}", config.warnings);
    fs::write(&secret, "\n").unwrap();
    let error = read("[server]\nmetrics_token_file = \"token\"").unwrap_err().to_string();
    assert!(error.ends_with("config.toml:2:22: `metrics_token_file` is empty"), "{error}");
}

#[test]
fn secret_files_that_cannot_be_read_are_told_at_their_key() {
    refused(
        "[server]\nmetrics_token_file = \"nowhere\"",
        "config.toml:2:22: `metrics_token_file`: nowhere cannot be read: No such file or directory (os error 2)",
    );
    refused(
        "[server]\nmetrics_token_file = \"/\"",
        "config.toml:2:22: `metrics_token_file`: / cannot be read: it is not a file",
    );
    refused(
        "[server]\nmetrics_token = \"a\"\nmetrics_token_file = \"b\"",
        "config.toml:3:1: `metrics_token` and `metrics_token_file` are both given: leave one of them",
    );
    refused("[server]\nlisten_file = \"b\"", "config.toml:2:1: unknown key `listen_file` in `server`");
}

#[test]
fn variables_beat_the_file_and_the_command_line_beats_them() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\ndata_dir = \"a\"\nmetrics_token_file = \"nowhere\"";
    let environment = [
        ("PACKAGIST_SELFHOSTED__SERVER__LISTEN", "127.0.0.1:2"),
        ("PACKAGIST_SELFHOSTED__SERVER__DATA_DIR", "b"),
        ("PACKAGIST_SELFHOSTED__SERVER__METRICS_TOKEN", "hunter2\n"),
        ("PACKAGIST_SELFHOSTED__JOBS__WORKERS", "9"),
        ("PACKAGIST_SELFHOSTED__VCS__ALLOW_INSECURE", "true"),
        ("PACKAGIST_SELFHOSTED__OUTBOUND__NO_PROXY", "a.example.com, *.b.example.com,"),
        ("PACKAGIST_SELFHOSTED__OUTBOUND__DENY", "[\"10.0.0.0/8\", \"c.example.com\"]"),
        ("PACKAGIST_SELFHOSTED_CONFIG", "is for load alone"),
        ("HOME", "/home/ada"),
    ];
    let config = with(text, &environment).unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.data_dir, PathBuf::from("/etc/ps/b"), "relative to the file's directory, as in the file");
    assert_eq!(config.server.metrics_token.as_ref().unwrap().expose_secret(), "hunter2", "x beats x_file of the file");
    assert_eq!((config.jobs.workers, config.vcs.allow_insecure), (9, true));
    assert_eq!(config.outbound.no_proxy, ["a.example.com", "*.b.example.com"]);
    assert_eq!(config.outbound.deny, ["10.0.0.0/8", "c.example.com"]);
    assert_eq!(config.place_of("jobs.workers").to_string(), "PACKAGIST_SELFHOSTED__JOBS__WORKERS");

    let overrides = Overrides { listen: Some("127.0.0.1:3".to_owned()), data_dir: Some("/srv/c".into()) };
    let config = Config::from_text(text, Path::new("/etc/ps/config.toml"), environment, &overrides).unwrap();
    assert_eq!((config.server.listen.port(), config.server.data_dir), (3, PathBuf::from("/srv/c")));
    let overrides = Overrides { listen: Some("everywhere".to_owned()), data_dir: None };
    let errors = Config::from_text("", Path::new("config.toml"), NOTHING, &overrides).unwrap_err();
    assert!(errors.to_string().starts_with("--listen: `listen` must be an IP address"), "{errors}");
}

#[test]
fn variables_reach_integrations_by_id() {
    let text = "[[integration]]\nid = \"my-ghe.2\"\nplatform = \"github\"\nclient_id = \"id\"";
    let config = with(text, &[("PACKAGIST_SELFHOSTED__INTEGRATION__MY_GHE_2__CLIENT_SECRET", "hunter2")]).unwrap();
    let Some(LoginApp::OAuth2 { client_secret, .. }) = &config.integrations[0].login_app else { panic!("no app") };
    assert_eq!(client_secret.expose_secret(), "hunter2");

    let name = "PACKAGIST_SELFHOSTED__INTEGRATION__MY_GHE_3__CLIENT_SECRET";
    let error = with(&text.replace("client_id = \"id\"", ""), &[(name, "x")]).unwrap_err();
    assert_eq!(
        error,
        format!(
            "{name}: there is no integration `my_ghe_3` (to add one by variables alone, set PACKAGIST_SELFHOSTED__INTEGRATION__MY_GHE_3__PLATFORM too); did you mean MY_GHE_2?"
        )
    );

    let new = [
        ("PACKAGIST_SELFHOSTED__INTEGRATION__LAB__CLIENT_ID", "id"),
        ("PACKAGIST_SELFHOSTED__INTEGRATION__LAB__CLIENT_SECRET", "hunter2"),
        ("PACKAGIST_SELFHOSTED__INTEGRATION__LAB__PLATFORM", "gitlab"),
    ];
    let config = with("", &new).unwrap();
    assert_eq!(
        (config.integrations[0].id.as_str(), config.integrations[0].url.as_str()),
        ("lab", "https://gitlab.com")
    );
    assert!(config.integrations[0].login);
}

#[test]
fn mistakes_in_variables_name_the_variable() {
    refused_variable("SERVER__LISEN", "x", "unknown key `lisen` in `server`: did you mean `listen`?");
    refused_variable("SERVR__LISTEN", "x", "unknown section `servr`: did you mean `server`?");
    refused_variable(
        "LISTEN",
        "x",
        "write PACKAGIST_SELFHOSTED__SECTION__KEY or PACKAGIST_SELFHOSTED__INTEGRATION__ID__KEY",
    );
    refused_variable("JOBS__WORKERS", "many", "it must be a whole number");
    refused_variable("JOBS__WORKERS", "", "it is empty: unset the variable to use the default");
    refused_variable("VCS__ALLOW_INSECURE", "yes", "it must be `true` or `false`");
    refused_variable("VCS__FILE_ROOTS", "[1]", "it must be a list: `a, b` or `[\"a\", \"b\"]`");
    refused_variable(
        "OUTBOUND__TIMEOUT",
        "never",
        "`timeout` must be a time like \"30s\", \"15m\", \"12h\" or \"7d\", and is \"never\"",
    );
    let both = [
        ("PACKAGIST_SELFHOSTED__SERVER__METRICS_TOKEN", "a"),
        ("PACKAGIST_SELFHOSTED__SERVER__METRICS_TOKEN_FILE", "b"),
    ];
    assert!(
        with("", &both)
            .unwrap_err()
            .ends_with("`metrics_token` and `metrics_token_file` are both given: unset one of the variables")
    );
}

#[test]
fn load_reads_the_named_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    fs::write(&path, "[server]\nmetrics_token = \"hunter2\"\nlisten = \"127.0.0.1:7\"").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let variable = [("PACKAGIST_SELFHOSTED_CONFIG", path.to_str().unwrap())];
    let config = Config::load(None, variable, &Overrides::default()).unwrap();
    assert_eq!((config.server.listen.port(), config.path.as_deref()), (7, Some(path.as_path())));
    assert!(config.warnings.is_empty());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let config = Config::load(Some(&path), NOTHING, &Overrides::default()).unwrap();
    assert!(config.warnings[0].message.starts_with("everybody on this machine can read the secrets in it"));

    let nowhere = directory.path().join("nowhere.toml");
    let errors = Config::load(Some(&nowhere), variable, &Overrides::default()).unwrap_err();
    assert_eq!(
        errors.to_string(),
        format!("{}: the configuration cannot be read: No such file or directory (os error 2)", nowhere.display())
    );
    fs::write(&path, "#".repeat(2 * 1024 * 1024)).unwrap();
    let errors = Config::load(Some(&path), NOTHING, &Overrides::default()).unwrap_err();
    assert!(errors.to_string().ends_with("it is larger than 1 MiB"));
}

/// The file in the repository is what the program writes. `UPDATE_EXAMPLE=1 cargo test --test config` writes it anew.
#[test]
fn the_example_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    if std::env::var_os("UPDATE_EXAMPLE").is_some() {
        fs::write(&path, example()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        example(),
        "run UPDATE_EXAMPLE=1 cargo test --test config"
    );
}

#[test]
fn the_example_as_it_stands_changes_nothing() {
    let (config, default) = (parse(&example()).unwrap(), parse("").unwrap());
    assert_eq!(format!("{:?}", config.server), format!("{:?}", default.server));
    assert_eq!(format!("{:?}", config.storage), format!("{:?}", default.storage));
    assert!(config.integrations.is_empty() && config.warnings.is_empty());
}

#[test]
fn the_example_without_its_comment_marks_is_a_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let is_setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let mut text: String =
        example().lines().map(|line| format!("{}\n", if is_setting(line) { &line[1..] } else { line })).collect();
    text = text.replace("kind = \"filesystem\"", "kind = \"s3\"").replace("/etc/ssl/corp-ca.pem", "ca.pem");
    for file in ["tls.crt", "tls.key", "ca.pem", "app-private-key.pem"] {
        fs::write(directory.path().join(file), "x").unwrap();
    }
    let path = directory.path().join("config.toml");
    let config = Config::from_text(&text, &path, NOTHING, &Overrides::default())
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(config.integrations.len(), 4);
    assert!(config.integrations.iter().all(|integration| integration.login && integration.login_app.is_some()));
    assert!(config.integrations[0].github_app.is_some() && config.server.tls.is_some());
}

#[test]
fn the_effective_values_tell_their_source_and_no_secret() {
    let text = "[server]\nmetrics_token = \"hunter2hunter2\"\nlisten = \"127.0.0.1:9000\"\n";
    let environment = [("PACKAGIST_SELFHOSTED__JOBS__WORKERS", "7")];
    let config = Config::from_text(text, Path::new("c.toml"), environment, &Overrides::default()).expect("it is right");
    let told = |section: &str, key: &str| {
        let found = config.effective.iter().find(|one| one.section == section && one.key == key).expect("it is listed");
        (found.value.clone(), found.place.to_string())
    };
    assert_eq!(told("server", "listen"), (Some("127.0.0.1:9000".to_owned()), "c.toml:3:10".to_owned()));
    assert_eq!(told("jobs", "workers"), (Some("7".to_owned()), "PACKAGIST_SELFHOSTED__JOBS__WORKERS".to_owned()));
    assert_eq!(told("jobs", "sync_interval"), (Some("1h".to_owned()), "default".to_owned()));
    assert_eq!(told("server", "metrics_token").0.as_deref(), Some("set"));
    assert!(!format!("{:?}", config.effective).contains("hunter2"));
}
