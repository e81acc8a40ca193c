//! The RSA key that a consumer signs with.
//!
//! Why not a library's signature: the protocol is fixed to SHA-1, and aws-lc-rs, which does all other cryptography here,
//! signs with nothing older than SHA-256; the `rsa` crate has a timing advisory. So the key is read and checked by
//! aws-lc-rs, and the one exponentiation is done with crypto-bigint, whose arithmetic takes the same time for all secrets,
//! and blinded all the same. aws-lc-rs, which still verifies SHA-1, checks each signature before it leaves: one that a
//! faulty machine computed wrongly could give the key away.

use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::zeroize::Zeroizing;
use x509_parser::asn1_rs::{Any, FromDer, Oid, Tag};

/// Bits that a modulus may have: less is broken, more is slow, and no server of that age takes it.
const BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// Longest file that is looked at, in bytes; a key of 4,096 bits has about 3,300.
const LONGEST_FILE: usize = 64 * 1024;
/// DER of a `DigestInfo` up to the digest, for SHA-1 (RFC 8017 section 9.2, note 1).
const SHA1_PREFIX: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
/// How to make a key that fits, as the end of messages.
const REMEDY: &str = "make one with `openssl genrsa -out bitbucket.pem 2048`, and give Bitbucket its public half \
                      (`openssl rsa -in bitbucket.pem -pubout`)";

/// Why a text is no key to sign with. The message is for who wrote the configuration.
#[derive(Debug, thiserror::Error)]
#[error("`private_key` cannot be used: {0}")]
pub struct InvalidKey(String);

/// A signature came out wrong, or the system has no randomness: no request may be sent then.
#[derive(Debug, thiserror::Error)]
#[error("A request could not be signed; the machine computes wrongly or its random generator does not work")]
pub struct SigningFailed;

/// An RSA key with its public half.
pub struct ConsumerKey {
    modulus: BoxedMontyParams,
    /// Bytes of the modulus, and so of each signature.
    length: usize,
    public_exponent: BoxedUint,
    private_exponent: Zeroizing<BoxedUint>,
    /// `RSAPublicKey` in DER, to verify by.
    public: Vec<u8>,
}

/// The private half is never printed.
impl fmt::Debug for ConsumerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerKey").field("bits", &(self.length * 8)).finish_non_exhaustive()
    }
}

impl ConsumerKey {
    /// Reads a key in PEM, PKCS#1 (`RSA PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`), with any line ends.
    ///
    /// # Errors
    /// [`InvalidKey`] for everything else, with what it is and what to do.
    pub fn from_pem(text: &str) -> Result<Self, InvalidKey> {
        let pem = Pem::read(text)?;
        let (pkcs1, pair) = match pem.label {
            "RSA PRIVATE KEY" => (pem.der.as_slice(), KeyPair::from_der(&pem.der)),
            _ => (inner_key(&pem.der)?, KeyPair::from_pkcs8(&pem.der)),
        };
        let numbers = numbers(pkcs1).ok_or_else(damaged)?;
        // RFC 8017 appendix A.1.2: version, n, e, d, and what follows from them.
        let [_, modulus, public_exponent, private_exponent, ..] = numbers.as_slice() else { return Err(damaged()) };
        within_bounds(modulus)?;
        // That they belong together is for aws-lc-rs to say.
        let pair = pair.map_err(|_| damaged())?;
        let length = modulus.len();
        let bits = u32::try_from(length * 8).map_err(|_| damaged())?;
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).map_err(|_| damaged());
        let modulus = Option::from(Odd::new(number(modulus)?)).ok_or_else(damaged)?;
        Ok(Self {
            modulus: BoxedMontyParams::new(modulus),
            length,
            public_exponent: BoxedUint::from_be_slice_vartime(public_exponent),
            private_exponent: Zeroizing::new(number(private_exponent)?),
            public: pair.public_key().as_ref().to_vec(),
        })
    }

    /// The signature of `message`: RSASSA-PKCS1-v1_5 with SHA-1 (RFC 8017 section 8.2). Takes milliseconds, up to some
    /// hundred without optimization.
    ///
    /// # Errors
    /// [`SigningFailed`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let padded = self.number(&self.padded(message))?;
        let blind = self.blind()?;
        let unblind: Option<BoxedMontyForm> = blind.invert().into();
        let blinded = padded.mul(&blind.pow(&self.public_exponent));
        let signature = blinded.pow(&self.private_exponent).mul(&unblind.ok_or(SigningFailed)?).retrieve();
        let signature = signature.to_be_bytes();
        let signature = &signature[signature.len() - self.length..];
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, &self.public)
            .verify(message, signature)
            .map_err(|_| SigningFailed)?;
        Ok(signature.to_vec())
    }

    /// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2).
    fn padded(&self, message: &[u8]) -> Vec<u8> {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, message);
        let mut padded = vec![0xff; self.length];
        padded[..2].copy_from_slice(&[0, 1]);
        let tail = self.length - SHA1_PREFIX.len() - digest.as_ref().len();
        padded[tail - 1] = 0;
        padded[tail..tail + SHA1_PREFIX.len()].copy_from_slice(&SHA1_PREFIX);
        padded[tail + SHA1_PREFIX.len()..].copy_from_slice(digest.as_ref());
        padded
    }

    /// A random number below the modulus.
    fn blind(&self) -> Result<BoxedMontyForm, SigningFailed> {
        let mut bytes = Zeroizing::new(vec![0; self.length]);
        // Without the first byte it is below the modulus, whose first byte is not zero.
        SysRng.try_fill_bytes(&mut bytes[1..]).map_err(|_| SigningFailed)?;
        self.number(&bytes)
    }

    fn number(&self, bytes: &[u8]) -> Result<BoxedMontyForm, SigningFailed> {
        let number = BoxedUint::from_be_slice(bytes, self.modulus.bits_precision()).map_err(|_| SigningFailed)?;
        Ok(BoxedMontyForm::new(number, &self.modulus))
    }
}

/// One block of a PEM file.
struct Pem<'a> {
    label: &'a str,
    der: Zeroizing<Vec<u8>>,
}

impl<'a> Pem<'a> {
    /// The private key of a file, which may hold other blocks beside it.
    fn read(text: &'a str) -> Result<Self, InvalidKey> {
        if text.len() > LONGEST_FILE {
            return refused("the file is far too long for one");
        }
        let text = text.trim_start_matches('\u{feff}');
        let labels: Vec<_> = text.lines().filter_map(|line| between(line.trim(), "-----BEGIN ")).collect();
        let Some(label) = labels.iter().copied().find(|label| label.ends_with("PRIVATE KEY")) else {
            return refused(match labels.first() {
                Some(label) if label.contains("PUBLIC KEY") => {
                    "it is the public half, which belongs into Bitbucket; the private one begins with \
                     `-----BEGIN PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`"
                }
                Some(label) if label.contains("CERTIFICATE") => {
                    "it is a certificate; the private key is in another file"
                }
                _ => {
                    "it is no key in PEM, which begins with `-----BEGIN PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`"
                }
            });
        };
        let inside: Vec<_> = text
            .lines()
            .map(str::trim)
            .skip_while(|line| between(line, "-----BEGIN ") != Some(label))
            .skip(1)
            .take_while(|line| !line.starts_with("-----END "))
            .collect();
        if label == "ENCRYPTED PRIVATE KEY" || inside.iter().any(|line| line.starts_with("Proc-Type:")) {
            return refused(
                "it is protected by a passphrase, which nobody is here to type. Give a copy without one: \
                 `openssl pkey -in KEY -out COPY`, readable by this server alone",
            );
        }
        match label {
            "PRIVATE KEY" | "RSA PRIVATE KEY" => {}
            "EC PRIVATE KEY" => {
                return refused(&format!("it is an elliptic curve key, and OAuth 1 knows only RSA; {REMEDY}"));
            }
            "OPENSSH PRIVATE KEY" => {
                return refused(
                    "it is in OpenSSH's own format. Make a copy in PEM: `ssh-keygen -p -m PEM -N '' -f COPY`",
                );
            }
            other => return refused(&format!("it is a {other}, and OAuth 1 knows only RSA; {REMEDY}")),
        }
        let joined = Zeroizing::new(inside.concat());
        let der = STANDARD.decode(joined.as_bytes()).map_err(|_| damaged())?;
        Ok(Self { label, der: Zeroizing::new(der) })
    }
}

/// The label of a line such as `-----BEGIN LABEL-----`.
fn between<'a>(line: &'a str, beginning: &str) -> Option<&'a str> {
    line.strip_prefix(beginning)?.strip_suffix("-----")
}

fn refused<T>(reason: &str) -> Result<T, InvalidKey> {
    Err(InvalidKey(reason.to_owned()))
}

fn damaged() -> InvalidKey {
    InvalidKey("it is damaged or incomplete; `openssl pkey -in KEY -check -noout` tells more".to_owned())
}

/// The `RSAPrivateKey` inside of a PKCS#8 `PrivateKeyInfo` (RFC 5208 section 5).
fn inner_key(der: &[u8]) -> Result<&[u8], InvalidKey> {
    let parts = sequence(der).ok_or_else(damaged)?;
    let [version, algorithm, key, ..] = parts.as_slice() else { return Err(damaged()) };
    if version.tag() != Tag::Integer || algorithm.tag() != Tag::Sequence || key.tag() != Tag::OctetString {
        return Err(damaged());
    }
    let (_, algorithm) = Oid::from_der(algorithm.data).map_err(|_| damaged())?;
    match algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.1" => Ok(key.data),
        "1.2.840.10045.2.1" => refused(&format!("it is an elliptic curve key, and OAuth 1 knows only RSA; {REMEDY}")),
        _ => refused(&format!("it is not an RSA key, and OAuth 1 knows only those; {REMEDY}")),
    }
}

/// The size is told before aws-lc-rs refuses it without saying why.
fn within_bounds(modulus: &[u8]) -> Result<(), InvalidKey> {
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if BITS.contains(&bits) {
        return Ok(());
    }
    refused(&format!("it has {bits} bits, and {} to {} are taken; {REMEDY}", BITS.start(), BITS.end()))
}

/// The integers of a DER sequence, without the zero that keeps them positive.
fn numbers(der: &[u8]) -> Option<Vec<&[u8]>> {
    let parts = sequence(der)?;
    parts.iter().all(|part| part.tag() == Tag::Integer).then_some(())?;
    let positive = |data| <[u8]>::strip_prefix(data, &[0]).filter(|rest| !rest.is_empty()).unwrap_or(data);
    Some(parts.into_iter().map(|part| positive(part.data)).collect())
}

/// What stands in a DER sequence, at most some twenty things.
fn sequence(der: &[u8]) -> Option<Vec<Any<'_>>> {
    let (rest, outer) = Any::from_der(der).ok()?;
    if !rest.is_empty() || outer.tag() != Tag::Sequence {
        return None;
    }
    let (mut inside, mut parts) = (outer.data, Vec::new());
    while !inside.is_empty() && parts.len() < 20 {
        let (rest, part) = Any::from_der(inside).ok()?;
        parts.push(part);
        inside = rest;
    }
    Some(parts)
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
