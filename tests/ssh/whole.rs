//! The whole way by the executable: a key made here, a repository behind SSH, its metadata served; a changed host key, and
//! its acceptance.

use serde_json::Value;

use super::bare_repository::BareRepository;
use super::holds_text;
use super::installation::Installation;
use super::sshd::Sshd;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_package_behind_ssh_is_served() {
    let mut server = Sshd::start();
    let mut installation = Installation::start(None);
    let repository = BareRepository::create(&installation.repositories.join("lib.git"));
    let commit = repository.package("refs/heads/main", "acme/lib");
    repository.point("refs/tags/v1.0.0", &commit);
    installation.command("org add acme").done();
    let host = format!("127.0.0.1:{}", server.port);
    let url = server.url(&repository.path);

    let without = installation.command(&format!("package add {url}")).failed();
    assert!(without.contains(&format!("--type ssh-key --host {host} --generate")), "{without}");
    let add = format!("credential add deploy --type ssh-key --host {host} --generate");
    let said = installation.command(&add);
    assert!(said.err.contains("SHA256:"), "{}", said.err);
    let public_key = said.done();
    assert!(public_key.starts_with("ssh-ed25519 ") && public_key.lines().count() == 1, "{public_key}");
    let listed = json(&installation.command("credential list --json").done());
    assert_eq!(listed[0]["public_key"], public_key.as_str());
    assert_eq!(listed[0]["host"], host.as_str());
    assert!(listed[0]["fingerprint"].as_str().is_some_and(|text| text.starts_with("SHA256:")));

    let failed = installation.command(&format!("package add {url} --credential deploy --wait")).failed();
    assert!(failed.contains("credential list --json"), "{failed}");
    server.authorize("", &public_key);
    assert_eq!(installation.command("package update 1 --wait").done(), "");
    let token = installation.command("token add --access read").done();
    let metadata = format!("Authorization: Bearer {token}\r\n");
    let (status, document) = installation.get("/repo/acme/p2/acme/lib.json", &metadata);
    assert_eq!(status, 200);
    assert!(document.contains(&url) && document.contains("v1.0.0"), "{document}");
    assert_eq!(json(&installation.command("credential list --json").done())[0]["status"], "ok");

    let keys = json(&installation.command("host-key list --json").done());
    let ours: Vec<_> = keys.as_array().expect("a list").iter().filter(|key| key["source"] != "preset").collect();
    assert_eq!(ours.len(), 1, "{keys}");
    assert_eq!(ours[0]["fingerprint"], server.fingerprint("ed25519").as_str());
    assert_eq!(ours[0]["source"], "tofu");

    let old = server.fingerprint("ed25519");
    server.change_host_key();
    let new = server.fingerprint("ed25519");
    let refused = installation.command("package update acme/lib --wait").failed();
    assert!(refused.contains(&old) && refused.contains(&new), "{refused}");
    let scanned = installation.command(&format!("host-key scan {host}")).done();
    assert!(scanned.contains(&new), "{scanned}");
    let wrong = installation.command(&format!("host-key add {host} --scan --fingerprint {old}")).failed();
    assert!(wrong.contains("nothing was added"), "{wrong}");

    // From here on without a server.
    assert!(installation.stop());
    let jobs = |state: &str| {
        let all = json(&installation.command("job list --json").done());
        all.as_array().expect("a list").iter().filter(|job| job["state"] == state).count()
    };
    assert_eq!(jobs("ready"), 0);
    let elsewhere = format!("host-key add 127.0.0.2:{} --key-stdin", server.port);
    installation.command_with(&elsewhere, &server.host_key("ed25519")).done();
    assert_eq!(jobs("ready"), 0, "the package is on another server");
    let added = installation.command(&format!("host-key add {host} --scan --fingerprint {new}"));
    assert!(added.err.contains("Its package that failed is looked at again."), "{}", added.err);
    assert_eq!((added.done().as_str(), jobs("ready")), ("", 1));
    installation.command(&format!("host-key remove {host} --fingerprint {old}")).done();
    installation.command("package update acme/lib --wait").done();

    let rotated = installation.command("credential rotate deploy --generate").done();
    assert!(rotated.starts_with("ssh-ed25519 ") && rotated != public_key);
    server.authorize("", &rotated);
    installation.command("package update acme/lib --wait").done();
    assert!(!holds_text(installation.folder.path(), b"PRIVATE KEY"), "a private key lies about");
    let log = installation.log();
    assert!(!log.contains("PRIVATE KEY"), "{log}");
}

#[test]
fn keys_that_cannot_be_used_are_refused_with_what_to_do() {
    let installation = Installation::start(None);
    installation.command("org add acme").done();
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "hunter2", "-f"])
        .arg(&path)
        .status()
        .expect("openssh-client is installed");
    assert!(made.success());
    let add = "credential add key --type ssh-key --host git.example.com --secret-stdin";
    let encrypted = std::fs::read_to_string(&path).expect("it was made");
    let refused = installation.command_with(add, &encrypted).failed();
    assert!(refused.contains("passphrase") && refused.contains("--generate"), "{refused}");
    let public = std::fs::read_to_string(path.with_extension("pub")).expect("it was made");
    let refused = installation.command_with(add, &public).failed();
    assert!(refused.contains("it is a public key"), "{refused}");
    let changed = std::process::Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "hunter2", "-N", "", "-f"])
        .arg(&path)
        .output()
        .expect("openssh-client is installed");
    assert!(changed.status.success());
    let pasted = std::fs::read_to_string(&path).expect("it was made").trim_end().replace('\n', "\r\n");
    let printed = installation.command_with(add, &pasted).done();
    assert_eq!(printed.split(' ').nth(1), public.split(' ').nth(1));
    let refused =
        installation.command("credential add basic --type http-basic --host h --username u --generate").failed();
    assert!(refused.contains("--type ssh-key"), "{refused}");
}
