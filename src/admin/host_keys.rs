//! The keys by which SSH servers are recognized: the whole instance's, so that only its administrators change them.

use serde_json::json;

use super::credentials::{Kind, parse_host};
use super::{Actor, Error, Result};
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::publish::request::{self, Reason};
use crate::store::host_keys::{self, ADMIN, HostKey as Row};
use crate::store::{self, Tx, packages};
use crate::vcs::HostKey;
use crate::vcs::url::{SourceUrl, UrlPolicy};

/// A server, as commands name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    host: String,
    port: u16,
}

impl Server {
    /// Reads `HOST` or `HOST:PORT`.
    ///
    /// # Errors
    /// If it is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let (host, port) = parse_host(Kind::SshKey, text)?;
        Ok(Self { host, port })
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            22 => f.write_str(&self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

/// A key that a server shows.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The key.
    pub key: HostKey,
    /// Whether it is believed.
    pub known: bool,
}

/// What became of keys that were to be believed.
#[derive(Clone, Debug)]
pub struct Believed {
    /// Those that were not believed before.
    pub keys: Vec<HostKey>,
    /// How many packages of the server had failed and are looked at again.
    pub updates: usize,
}

/// All keys that are believed, by host.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance) -> Result<Vec<Row>> {
    Ok(appliance.database.read(host_keys::all).await?)
}

/// The keys that a server shows now. Nothing is changed.
///
/// # Errors
/// If it cannot be reached.
pub async fn scan(appliance: &Appliance, server: &Server) -> Result<Vec<Presented>> {
    let Server { host, port } = server.clone();
    let scanned = appliance.vcs.scan_host_keys(host.clone(), port).await;
    let keys = scanned.map_err(|error| Error::invalid(error.to_string()))?;
    let rows = appliance.database.read(move |db| host_keys::of_host(db, &host, port)).await?;
    let known = |key: &HostKey| rows.iter().any(|row| row.key == key.key());
    Ok(keys.into_iter().map(|key| Presented { known: known(&key), key }).collect())
}

/// The keys in a text: lines `TYPE KEY`, or those of a `known_hosts` file and of `ssh-keyscan`, `HOST TYPE KEY`.
///
/// # Errors
/// If a line is none of these, or there is no line.
pub fn read(text: &str) -> Result<Vec<HostKey>> {
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if lines.is_empty() {
        return Err(Error::invalid("there is no host key on standard input: give lines like `ssh-ed25519 AAAA…`"));
    }
    let read = |line: &&str| {
        HostKey::parse(line).or_else(|| HostKey::parse(line.split_once(' ')?.1)).ok_or_else(|| {
            let shown: String = line.chars().take(80).collect();
            Error::invalid(format!(
                "`{}` is no host key: write lines like `ssh-ed25519 AAAA…`, as in a server's /etc/ssh/ssh_host_ed25519_key.pub",
                shown.escape_debug()
            ))
        })
    };
    lines.iter().map(read).collect()
}

/// Believes keys of a server, and looks again at its packages that failed: most likely for want of them.
///
/// # Errors
/// If the database cannot be written.
pub async fn add(appliance: &Appliance, actor: &Actor, server: &Server, keys: Vec<HostKey>) -> Result<Believed> {
    let (actor, now, server) = (actor.clone(), appliance.now(), server.clone());
    let policy = appliance.settings.url_policy.clone();
    appliance
        .database
        .write(move |tx| {
            let mut added = Vec::new();
            for key in keys {
                let row = Row {
                    host: server.host.clone(),
                    port: server.port,
                    kind: key.algorithm().to_owned(),
                    key: key.key().to_owned(),
                    fingerprint: key.fingerprint(),
                    source: ADMIN.to_owned(),
                    first_seen: Some(now),
                };
                if host_keys::insert(tx, &row)? {
                    let detail = json!({ "type": row.kind, "fingerprint": row.fingerprint });
                    actor.record(tx, None, "host-key.add", &server.to_string(), detail, now)?;
                    added.push(key);
                }
            }
            let updates = if added.is_empty() { 0 } else { update_failed(tx, &server, &policy, now)? };
            Ok(Believed { keys: added, updates })
        })
        .await
}

/// Queues updates of the packages of all organizations that are read from this server and failed; how many.
fn update_failed(tx: &Tx<'_>, server: &Server, policy: &UrlPolicy, now: Timestamp) -> store::Result<usize> {
    let mut updates = 0;
    for (org, package, url) in packages::failed(tx)? {
        let Ok(url) = SourceUrl::parse(&url, policy) else { continue };
        if url.scheme().is_ssh() && url.host_port() == Some((server.host.clone(), server.port)) {
            request::update(tx, PackageKey { org, package }, Reason::Command, &[], now)?;
            updates += 1;
        }
    }
    Ok(updates)
}

/// Believes the key with this fingerprint, if the server shows it now.
///
/// # Errors
/// If the server cannot be reached, or shows other keys.
pub async fn add_scanned(appliance: &Appliance, actor: &Actor, server: &Server, fingerprint: &str) -> Result<Believed> {
    let fingerprint = canonical(fingerprint);
    let presented = scan(appliance, server).await?;
    let keys: Vec<HostKey> =
        presented.iter().map(|one| one.key.clone()).filter(|key| key.fingerprint() == fingerprint).collect();
    if keys.is_empty() {
        let shown: Vec<String> = presented.iter().map(|one| one.key.to_string()).collect();
        return Err(Error::conflict(format!(
            "{server} shows no key with the fingerprint {}, but {}: nothing was added",
            fingerprint.escape_debug(),
            shown.join(", ")
        )));
    }
    add(appliance, actor, server, keys).await
}

/// Believes a key no more, or all keys of a server.
///
/// # Errors
/// If there is none.
pub async fn remove(appliance: &Appliance, actor: &Actor, server: &Server, fingerprint: Option<&str>) -> Result<()> {
    let (actor, now, server) = (actor.clone(), appliance.now(), server.clone());
    let fingerprint = fingerprint.map(canonical);
    appliance
        .database
        .write(move |tx| {
            let removed = host_keys::remove(tx, &server.host, server.port, fingerprint.as_deref())?;
            if removed == 0 {
                return Err(Error::not_found(format!("no such host key of {server} is known"))
                    .by_command("`host-key list` shows those that are"));
            }
            let detail = json!({ "fingerprint": fingerprint, "keys": removed });
            actor.record(tx, None, "host-key.remove", &server.to_string(), detail, now)?;
            Ok(())
        })
        .await
}

/// A fingerprint as OpenSSH shows it, however it was copied.
fn canonical(text: &str) -> String {
    let text = text.trim().trim_end_matches('=');
    if text.starts_with("SHA256:") { text.to_owned() } else { format!("SHA256:{text}") }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Server, canonical, read};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn keys_are_read_as_files_have_them() {
        let text = format!("# github.com:22 SSH-2.0\r\n{KEY}\r\n\ngithub.com {KEY}\n{KEY} root@host\n");
        assert_eq!(read(&text).unwrap().len(), 3);
        for wrong in ["", "# nothing", "hunter2", "ssh-ed25519", &format!("{KEY}\nnonsense")] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn servers_are_named_like_credentials_hosts() {
        assert_eq!(Server::parse("Git.Example.com").unwrap().to_string(), "git.example.com");
        assert_eq!(Server::parse("git.example.com:2222").unwrap().to_string(), "git.example.com:2222");
        assert!(Server::parse("ssh://git.example.com").is_err());
        assert!(Server::parse("-oProxyCommand=x").is_err());
    }

    #[test]
    fn fingerprints_are_read_as_people_copy_them() {
        assert_eq!(canonical(" abc= "), "SHA256:abc");
        assert_eq!(canonical("SHA256:abc"), "SHA256:abc");
    }
}
