//! `credential`: secrets that open source repositories.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand, ValueEnum, builder::TypedValueParser};
use secrecy::SecretString;
use serde_json::json;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::input::{SecretArguments, Source};
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::credentials::{self, Finding, Kind, NewCredential, NewSecret, PublicKey};
use crate::admin::organizations;
use crate::clock::Timestamp;
use crate::store::credentials::Credential;
use crate::vcs::ssh::KeyType;

/// Commands about credentials.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a credential and print its id, or of an ssh-key the public key
    Add {
        /// Its name
        name: String,
        /// Its type
        #[arg(long = "type", value_name = "TYPE", value_parser = kinds())]
        kind: Kind,
        /// The one host and port that it is sent to [default: the platform's public service; port 22 for ssh-key]
        #[arg(long, value_name = "HOST[:PORT]")]
        host: Option<String>,
        /// The user name sent with it; of a github-app: [APP/]INSTALLATION, the numbers of the App and its installation
        #[arg(long)]
        username: Option<String>,
        #[command(flatten)]
        secret: SecretArguments,
        #[command(flatten)]
        key: KeyArguments,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// List the credentials, without their secrets
    List {
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Try a credential: what it may at its platform, and whether it opens the packages that use it
    Test {
        /// Its name
        name: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Give a credential a new secret
    Rotate {
        /// Its name
        name: String,
        /// Let a token of GitLab put another one in its place, now
        #[arg(long, conflicts_with_all = ["secret_stdin", "secret_file", "generate", "username"])]
        by_itself: bool,
        /// Of Bitbucket Cloud: the e-mail address of the Atlassian account whose API token it is
        #[arg(long, value_name = "EMAIL")]
        username: Option<String>,
        #[command(flatten)]
        secret: SecretArguments,
        #[command(flatten)]
        key: KeyArguments,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Say whether a token of GitLab puts another one in its place before it ends; it needs the scope self_rotate or api
    SetSelfRotation {
        /// Its name
        name: String,
        /// Whether it does
        rotation: SelfRotation,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Remove a credential
    Remove {
        /// Its name
        name: String,
        /// The credential that its packages use from then on
        #[arg(long, value_name = "OTHER")]
        replace_with: Option<String>,
        #[command(flatten)]
        org: OrgArgument,
    },
}

impl Command {
    /// Where its secret is.
    pub fn input(&self) -> Option<Source> {
        match self {
            Self::Add { secret, .. } | Self::Rotate { secret, .. } => secret.source(),
            _ => None,
        }
    }

    /// Refuses a type without the options that it needs.
    pub fn require_sense(&self) -> Result<(), Failure> {
        let missing = || Failure::Usage("give the secret with --secret-stdin or --secret-file FILE".to_owned());
        if let Self::Rotate { secret, by_itself: false, .. } = self
            && !secret.is_given()
        {
            return Err(missing());
        }
        let Self::Add { kind, host, username, secret, .. } = self else { return Ok(()) };
        kind.requires_no_page().map_err(|error| Failure::Usage(error.to_string()))?;
        // A GitHub App's key may be in the configuration.
        if !secret.is_given() && *kind != Kind::GithubApp {
            return Err(missing());
        }
        if secret.generate && *kind != Kind::SshKey {
            return Err(Failure::Usage(format!(
                "--generate makes keys for `--type ssh-key`; give the secret of a credential of type {kind} with --secret-stdin or --secret-file"
            )));
        }
        let needs =
            kind.needs_host(host.as_deref()).and_then(|()| kind.needs_username(username.as_deref(), host.as_deref()));
        needs.map_err(|error| Failure::Usage(error.to_string()))
    }
}

/// Whether a token replaces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SelfRotation {
    /// It does
    On,
    /// Somebody gives the credential a new one
    Off,
}

/// How a private key is made.
#[derive(Debug, Args)]
pub struct KeyArguments {
    /// The kind of key that is made [default: the old key's; rsa for AWS CodeCommit and Azure DevOps, else ed25519]
    #[arg(long, value_name = "KIND", value_parser = ["ed25519", "rsa"], requires = "generate",
        conflicts_with_all = ["secret_stdin", "secret_file"])]
    key_type: Option<String>,
}

impl KeyArguments {
    /// What is stored: what was given, or a new key.
    fn secret(&self, arguments: &SecretArguments, session: &Session) -> Result<NewSecret, Failure> {
        if !arguments.is_given() {
            return Ok(NewSecret::Given(SecretString::default()));
        }
        if !arguments.generate {
            return Ok(NewSecret::Given(session.secret()?));
        }
        let key_type = self.key_type.as_deref().map(|kind| if kind == "rsa" { KeyType::Rsa } else { KeyType::Ed25519 });
        Ok(NewSecret::Generate(key_type))
    }
}

/// Shows what belongs on the server: alone on standard output, so that it can go on to where keys are kept.
fn show(session: &Session, public_key: &PublicKey) {
    session.output.line(public_key.line());
    session.output.note(format!(
        "This is the public key, with the fingerprint {}: add it to the repository's deploy keys, or to an account that may read it.",
        public_key.fingerprint()
    ));
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    // Those that begin on a page are known here to be told so.
    let words = Kind::ALL.map(|kind| PossibleValue::new(kind.as_str()).hide(kind.is_grant()));
    PossibleValuesParser::new(words).try_map(|word| Kind::parse(&word).ok_or("unknown type"))
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::Add { name, kind, host, username, secret, key, org } => {
            let org = session.organization(&org).await?;
            let new = NewCredential { name, kind, host, username, secret: key.secret(&secret, session)? };
            let added = credentials::add(appliance, &ACTOR, org.id, new).await?;
            match &added.public_key {
                Some(public_key) => show(session, public_key),
                None => session.output.line(added.id.to_string()),
            }
        }
        Command::List { org, format } => {
            let org = session.organization(&org).await?;
            list(session, org.id, &format).await?;
        }
        Command::Test { name, org } => {
            let org = session.organization(&org).await?;
            test(session, org.id, &name).await?;
        }
        Command::SetSelfRotation { name, rotation, org } => {
            let org = session.organization(&org).await?;
            let on = rotation == SelfRotation::On;
            credentials::set_self_rotation(appliance, &ACTOR, org.id, &name, on).await?;
        }
        Command::Rotate { name, by_itself: true, org, .. } => {
            let org = session.organization(&org).await?;
            let ends = credentials::replace_token(appliance, &ACTOR, org.id, &name).await?;
            session.output.note(match ends {
                Some(end) => format!("The token has replaced itself; the new one ends at {}.", end.rfc3339()),
                None => "The token has replaced itself.".to_owned(),
            });
        }
        Command::Rotate { name, by_itself: false, username, secret, key, org } => {
            let org = session.organization(&org).await?;
            let secret = key.secret(&secret, session)?;
            let made = credentials::rotate(appliance, &ACTOR, org.id, &name, (secret, username)).await?;
            if let Some(public_key) = made {
                show(session, &public_key);
            }
        }
        Command::Remove { name, replace_with, org } => {
            let org = session.organization(&org).await?;
            credentials::remove(appliance, &ACTOR, org.id, &name, replace_with.as_deref()).await?;
        }
    }
    Ok(())
}

async fn test(session: &Session, org: crate::store::ids::OrgId, name: &str) -> Result<(), Failure> {
    if tried(session, org, name, "").await? { Ok(()) } else { Err(Failure::Told) }
}

/// Tries every credential of every organization: one line a finding, which says whose it is.
pub async fn test_all(session: &Session) -> Result<(), Failure> {
    let mut all_good = true;
    for organization in organizations::list(&session.appliance).await? {
        let organization = organization.organization;
        for credential in credentials::list(&session.appliance, organization.id).await? {
            let whose = format!("{}/{}: ", organization.slug, credential.name);
            all_good &= tried(session, organization.id, &credential.name, &whose).await?;
        }
    }
    if all_good { Ok(()) } else { Err(Failure::Told) }
}

/// Tries one, and tells each finding with words before it; whether none is bad.
async fn tried(session: &Session, org: crate::store::ids::OrgId, name: &str, before: &str) -> Result<bool, Failure> {
    let mut is_good = true;
    let tell = |finding| match finding {
        Finding::Good(text) => session.output.line(format!("ok: {before}{text}")),
        Finding::Doubtful(text) => session.output.line(format!("warning: {before}{text}")),
        Finding::Bad(text) => {
            is_good = false;
            session.output.line(format!("error: {before}{text}"));
        }
    };
    credentials::test(&session.appliance, &ACTOR, org, name, tell).await?;
    Ok(is_good)
}

/// The state in a word or two.
fn state(one: &Credential, now: Timestamp) -> String {
    match (credentials::status(one, now), one.lost_at) {
        ("refused", Some(_)) if Kind::parse(&one.kind).is_some_and(Kind::is_grant) => {
            "refused: connect again".to_owned()
        }
        ("refused", Some(_)) => "refused: needs a new token".to_owned(),
        (status, _) => status.to_owned(),
    }
}

async fn list(session: &Session, org: crate::store::ids::OrgId, format: &ListFormat) -> Result<(), Failure> {
    let now = session.appliance.now();
    let all = credentials::list(&session.appliance, org).await?;
    if format.json {
        let rows: Vec<_> = all
            .iter()
            .map(|one| {
                json!({
                    "name": one.name,
                    "type": one.kind,
                    "host": credentials::host(one),
                    "username": one.username,
                    "expires_at": one.expires_at,
                    "used_by": one.used_by,
                    "status": credentials::status(one, now),
                    "error": credentials::trouble(one),
                    "self_rotation": one.self_rotate,
                    "public_key": one.public_key,
                    "fingerprint": one.public_key.as_deref().map(|line| PublicKey::stored(line).fingerprint()),
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.kind.clone(),
                credentials::host(one).unwrap_or_default(),
                one.username.clone().unwrap_or_default(),
                one.used_by.to_string(),
                state(one, now),
            ]
        })
        .collect();
    session.output.line(table(&["NAME", "TYPE", "HOST", "USERNAME", "PACKAGES", "STATUS"], &rows));
    Ok(())
}
