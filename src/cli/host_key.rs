//! `host-key`: the keys by which SSH servers are recognized.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;

use super::args::ListFormat;
use super::failure::Failure;
use super::input::Source;
use super::session::{ACTOR, Session};
use super::table::show;
use crate::admin::host_keys::{self, Believed, Presented, Server};
use crate::store::host_keys::HostKey;

/// Commands about the host keys of SSH servers, which hold for the whole instance.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the keys that are believed
    List {
        #[command(flatten)]
        format: ListFormat,
    },
    /// Show the keys that a server shows now; nothing is changed
    Scan {
        /// The server
        #[arg(value_name = "HOST[:PORT]")]
        server: String,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Believe a key of a server
    Add {
        /// The server
        #[arg(value_name = "HOST[:PORT]")]
        server: String,
        #[command(flatten)]
        origin: Origin,
    },
    /// Believe a key of a server no more, or none of its keys
    Remove {
        /// The server
        #[arg(value_name = "HOST[:PORT]")]
        server: String,
        /// Only the key with this fingerprint
        #[arg(long, value_name = "SHA256:…")]
        fingerprint: Option<String>,
    },
}

/// Where a key comes from.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Origin {
    /// Read the key from standard input, as lines like `ssh-ed25519 AAAA…`
    #[arg(long, conflicts_with = "scan")]
    key_stdin: bool,
    /// Take it from the server itself, if it has this fingerprint
    #[arg(long, requires = "fingerprint")]
    scan: bool,
    /// The fingerprint that the server's administrator names
    #[arg(long, value_name = "SHA256:…", requires = "scan", conflicts_with = "key_stdin")]
    fingerprint: Option<String>,
}

impl Command {
    /// Where its key is.
    pub fn input(&self) -> Option<Source> {
        matches!(self, Self::Add { origin, .. } if origin.key_stdin).then_some(Source::Stdin)
    }
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::List { format } => list(session, &format).await,
        Command::Scan { server, format } => scan(session, &Server::parse(&server)?, &format).await,
        Command::Add { server, origin } => {
            let server = Server::parse(&server)?;
            let added = match origin.fingerprint {
                Some(fingerprint) => host_keys::add_scanned(appliance, &ACTOR, &server, &fingerprint).await?,
                None => {
                    let keys = host_keys::read(session.secret()?.expose_secret())?;
                    host_keys::add(appliance, &ACTOR, &server, keys).await?
                }
            };
            tell(session, &server, &added);
            Ok(())
        }
        Command::Remove { server, fingerprint } => {
            let server = Server::parse(&server)?;
            Ok(host_keys::remove(appliance, &ACTOR, &server, fingerprint.as_deref()).await?)
        }
    }
}

fn tell(session: &Session, server: &Server, believed: &Believed) {
    if believed.keys.is_empty() {
        session.output.note(format!("{server} was known by this key already."));
    }
    for key in &believed.keys {
        session.output.note(format!("{server} is believed from now on if it shows {key}."));
    }
    match believed.updates {
        0 => {}
        1 => session.output.note("Its package that failed is looked at again.".to_owned()),
        count => session.output.note(format!("Its {count} packages that failed are looked at again.")),
    }
}

async fn list(session: &Session, format: &ListFormat) -> Result<(), Failure> {
    let all = host_keys::list(&session.appliance).await?;
    let json = |one: &HostKey| {
        json!({
            "host": one.host,
            "port": one.port,
            "type": one.kind,
            "key": one.key,
            "fingerprint": one.fingerprint,
            "source": one.source,
            "first_seen": one.first_seen,
        })
    };
    let cells = |one: &HostKey| {
        let seen = one.first_seen.map(|seen| seen.to_string()).unwrap_or_default();
        let HostKey { host, port, kind, fingerprint, source, .. } = one.clone();
        vec![host, port.to_string(), kind, fingerprint, source, seen]
    };
    let heading = ["HOST", "PORT", "TYPE", "FINGERPRINT", "SOURCE", "FIRST SEEN"];
    Ok(show(&session.output, format, &all, json, &heading, cells)?)
}

async fn scan(session: &Session, server: &Server, format: &ListFormat) -> Result<(), Failure> {
    let presented = host_keys::scan(&session.appliance, server).await?;
    let json = |one: &Presented| {
        json!({
            "type": one.key.algorithm(),
            "key": one.key.key(),
            "fingerprint": one.key.fingerprint(),
            "known": one.known,
        })
    };
    let cells = |one: &Presented| {
        let known = if one.known { "yes" } else { "no" };
        vec![one.key.algorithm().to_owned(), one.key.fingerprint(), known.to_owned()]
    };
    Ok(show(&session.output, format, &presented, json, &["TYPE", "FINGERPRINT", "KNOWN"], cells)?)
}
