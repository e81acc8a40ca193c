//! Keys as openssl makes them, and signatures as openssl verifies them.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::ConsumerKey;

/// Runs openssl in a directory; gives its standard output.
fn openssl(directory: &Path, arguments: &str) -> String {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refusal(pem: &str) -> String {
    ConsumerKey::from_pem(pem).unwrap_err().to_string()
}

#[test]
fn openssl_verifies_what_is_signed() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    for bits in [2048, 2049, 3072] {
        let pkcs8 = openssl(path, &format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits}"));
        std::fs::write(path.join("key.pem"), &pkcs8).unwrap();
        let pkcs1 = openssl(path, "rsa -in key.pem -traditional");
        assert!(pkcs8.starts_with("-----BEGIN PRIVATE KEY") && pkcs1.starts_with("-----BEGIN RSA PRIVATE KEY"));
        std::fs::write(path.join("public.pem"), openssl(path, "pkey -in key.pem -pubout")).unwrap();
        for pem in
            [pkcs8.clone(), pkcs1.replace('\n', "\r\n"), format!("\u{feff}{pkcs1}\n\n"), format!("a comment\n{pkcs8}")]
        {
            let key = ConsumerKey::from_pem(&pem).unwrap();
            for message in ["", "POST&https%3A%2F%2Fbitbucket.example.com&a%3D1"] {
                std::fs::write(path.join("message"), message).unwrap();
                std::fs::write(path.join("signature"), key.sign(message.as_bytes()).unwrap()).unwrap();
                openssl(path, "dgst -sha1 -verify public.pem -signature signature message");
            }
        }
    }
}

/// PKCS#1 v1.5 has no random part, so that blinding must not show.
#[test]
fn the_same_message_is_signed_alike() {
    let directory = TempDir::new().unwrap();
    let key = ConsumerKey::from_pem(&openssl(directory.path(), "genrsa 2048")).unwrap();
    assert_eq!(key.sign(b"once").unwrap(), key.sign(b"once").unwrap());
    assert_ne!(key.sign(b"once").unwrap(), key.sign(b"twice").unwrap());
    assert_eq!(format!("{key:?}"), "ConsumerKey { bits: 2048, .. }");
}

#[test]
fn other_keys_are_told_with_the_remedy() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let good = openssl(path, "genrsa 2048");
    std::fs::write(path.join("key.pem"), &good).unwrap();
    let half: String = good.lines().take(12).chain(["-----END PRIVATE KEY-----"]).collect::<Vec<_>>().join("\n");
    std::fs::write(path.join("ec.pem"), openssl(path, "ecparam -genkey -noout -name prime256v1")).unwrap();
    for (pem, reason) in [
        (openssl(path, "genrsa 1024"), "1024 bits"),
        (openssl(path, "pkcs8 -topk8 -in key.pem -passout pass:word"), "passphrase"),
        (openssl(path, "rsa -in key.pem -traditional -aes128 -passout pass:word"), "passphrase"),
        (openssl(path, "pkey -in key.pem -pubout"), "public half"),
        (openssl(path, "rsa -in key.pem -RSAPublicKey_out"), "public half"),
        (openssl(path, "pkey -in ec.pem"), "elliptic curve"),
        (std::fs::read_to_string(path.join("ec.pem")).unwrap(), "elliptic curve"),
        (openssl(path, "genpkey -algorithm ED25519"), "not an RSA key"),
        (half, "damaged"),
        (good.replace("-----END PRIVATE KEY-----", "").replace('a', "!"), "damaged"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned(), "ssh-keygen"),
        ("-----BEGIN CERTIFICATE-----\n".to_owned(), "certificate"),
        ("-----BEGIN PRIVATE KEY-----\n".to_owned(), "damaged"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----".to_owned(), "damaged"),
        (String::new(), "no key in PEM"),
        ("-----BEGIN ".repeat(9_000), "too long"),
    ] {
        let message = refusal(&pem);
        assert!(message.contains(reason), "{reason}: {message}");
    }
}
