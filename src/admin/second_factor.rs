//! The second factor: codes of an authenticator (RFC 6238), and a few to be used once when it is lost.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

use super::{Actor, Error, Result};
use crate::access::token::digest_of;
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::secrets::random;
use crate::secrets::sealed::{self, Context};
use crate::store::ids::UserId;
use crate::store::users::{self, Secrets, User};
use crate::store::{Tx, recovery_codes};

/// How many recovery codes there are.
pub const CODES: usize = 10;
/// Bytes of the shared secret: what RFC 4226, section 4, recommends.
const SECRET: usize = 20;
/// Letters and digits of recovery codes: none that looks like another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of one, without the dashes between: 80 bits.
const LENGTH: usize = 16;

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It does not fit, or was taken before.
    No,
    /// It was the authenticator's.
    Code,
    /// It was for recovery; so many are left.
    Recovery(i64),
}

/// A second factor that waits for its first code.
pub struct Proposal {
    /// The secret as people type it.
    pub secret: SecretString,
    /// The address that authenticators read from a picture.
    pub address: SecretString,
}

fn context(user: UserId) -> Context {
    Context { table: "user", column: "totp", row_id: user.0 }
}

/// Makes a secret that is in force once a code of it was seen.
///
/// # Errors
/// If there is a second factor already.
pub async fn propose(appliance: &Appliance, user: &User) -> Result<()> {
    let secret = Secret::from(random::bytes::<SECRET>().to_vec()).to_base32();
    let sealed = sealed::seal(&appliance.keys, context(user.id), &SecretString::from(secret));
    let id = user.id;
    appliance
        .database
        .write(move |tx| {
            if users::secrets(tx, id)?.totp_confirmed_at.is_some() {
                return Err(Error::conflict("the second factor is on already: turn it off first"));
            }
            Ok(users::set_totp(tx, id, Some(&sealed))?)
        })
        .await
}

/// The secret that waits for its first code, if there is one.
///
/// # Errors
/// If it cannot be opened.
pub async fn proposal(appliance: &Appliance, user: &User, issuer: &str) -> Result<Option<Proposal>> {
    let id = user.id;
    let secrets = appliance.database.read(move |db| users::secrets(db, id)).await?;
    let (None, Some(sealed)) = (secrets.totp_confirmed_at, secrets.totp) else { return Ok(None) };
    let secret = sealed::open(&appliance.keys, context(id), &sealed)?;
    let encoded =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let address = format!(
        "otpauth://totp/{issuer}:{}?secret={}&issuer={issuer}",
        encoded(&user.name),
        secret.expose_secret(),
        issuer = encoded(issuer),
    );
    Ok(Some(Proposal { secret, address: address.into() }))
}

/// Puts the proposed factor in force by its first code, and gives the recovery codes, which are shown this once.
///
/// # Errors
/// If the code is wrong, or nothing was proposed.
pub async fn confirm(appliance: &Appliance, actor: &Actor, user: &User, code: &str) -> Result<Vec<String>> {
    let (id, now, name, actor) = (user.id, appliance.now(), user.name.clone(), actor.clone());
    let (keys, code) = (appliance.keys.clone(), code.to_owned());
    let codes = recovery();
    let digests = digests(&codes);
    appliance
        .database
        .write(move |tx| {
            let secrets = users::secrets(tx, id)?;
            let Some(sealed) = secrets.totp.as_ref().filter(|_| secrets.totp_confirmed_at.is_none()) else {
                return Err(Error::conflict("no second factor waits for its first code: begin again"));
            };
            let secret = sealed::open(&keys, context(id), sealed)?;
            let step = step(&secret, &code, now).ok_or_else(|| {
                Error::invalid(
                    "that code does not fit: it changes every 30 seconds, and the clock of your phone must be right",
                )
            })?;
            users::confirm_totp(tx, id, now)?;
            users::take_totp_step(tx, id, step)?;
            recovery_codes::replace(tx, id, &digests)?;
            actor.record(tx, None, "second-factor.enable", &name, json!({}), now)?;
            Ok(())
        })
        .await?;
    Ok(codes)
}

/// Takes the second factor away; the caller has seen a proof that it is the person.
///
/// # Errors
/// If there is none.
pub async fn disable(appliance: &Appliance, actor: &Actor, user: &User) -> Result<()> {
    let (id, now, name, actor) = (user.id, appliance.now(), user.name.clone(), actor.clone());
    appliance
        .database
        .write(move |tx| {
            if users::secrets(tx, id)?.totp.is_none() {
                return Err(Error::conflict(format!("`{name}` has no second factor")));
            }
            users::set_totp(tx, id, None)?;
            recovery_codes::replace(tx, id, &[])?;
            actor.record(tx, None, "second-factor.disable", &name, json!({}), now)?;
            Ok(())
        })
        .await
}

/// New recovery codes in place of the old ones.
///
/// # Errors
/// If there is no second factor.
pub async fn new_codes(appliance: &Appliance, actor: &Actor, user: &User) -> Result<Vec<String>> {
    let (id, now, name, actor) = (user.id, appliance.now(), user.name.clone(), actor.clone());
    let codes = recovery();
    let digests = digests(&codes);
    appliance
        .database
        .write(move |tx| {
            if users::secrets(tx, id)?.totp_confirmed_at.is_none() {
                return Err(Error::conflict("there is no second factor that codes could stand in for"));
            }
            recovery_codes::replace(tx, id, &digests)?;
            actor.record(tx, None, "second-factor.new-codes", &name, json!({}), now)?;
            Ok(())
        })
        .await?;
    Ok(codes)
}

/// How many recovery codes the person has left.
///
/// # Errors
/// If the database cannot be read.
pub async fn codes_left(appliance: &Appliance, user: UserId) -> Result<i64> {
    Ok(appliance.database.read(move |db| recovery_codes::left(db, user)).await?)
}

/// Takes a code: the authenticator's, or one for recovery. Each is good for one time.
///
/// # Errors
/// If the database cannot be written, or the secret cannot be opened.
pub async fn take(appliance: &Appliance, user: &User, code: &str) -> Result<Taken> {
    let (id, now, name, code) = (user.id, appliance.now(), user.name.clone(), code.to_owned());
    let keys = appliance.keys.clone();
    let take = appliance.database.write(move |tx| {
        let secrets = users::secrets(tx, id)?;
        match opened(&secrets, |sealed| sealed::open(&keys, context(id), sealed))? {
            Some(secret) => take_in(tx, id, &name, &secret, &code, now),
            None => Ok(Taken::No),
        }
    });
    take.await
}

fn opened<E>(
    secrets: &Secrets,
    open: impl FnOnce(&[u8]) -> std::result::Result<SecretString, E>,
) -> std::result::Result<Option<SecretString>, E> {
    let sealed = secrets.totp.as_deref().filter(|_| secrets.totp_confirmed_at.is_some());
    sealed.map(open).transpose()
}

fn take_in(tx: &Tx<'_>, id: UserId, name: &str, secret: &SecretString, code: &str, now: Timestamp) -> Result<Taken> {
    if let Some(step) = step(secret, code, now) {
        return Ok(if users::take_totp_step(tx, id, step)? { Taken::Code } else { Taken::No });
    }
    let Some(digest) = recovery_digest(code) else { return Ok(Taken::No) };
    if !recovery_codes::take(tx, id, &digest, now)? {
        return Ok(Taken::No);
    }
    let left = recovery_codes::left(tx, id)?;
    Actor::System.record(tx, None, "second-factor.use-recovery-code", name, json!({ "left": left }), now)?;
    Ok(Taken::Recovery(left))
}

/// The step that a code is of: the present one, the one before or the one after.
fn step(secret: &SecretString, code: &str, now: Timestamp) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = u64::try_from(now.as_seconds()).ok()?;
    totp(secret)?.check(&code, seconds).and_then(|step| i64::try_from(step).ok())
}

fn totp(secret: &SecretString) -> Option<Totp> {
    let secret = Secret::try_from_base32(secret.expose_secret()).ok()?;
    Builder::new().with_secret(secret).build().ok()
}

/// New recovery codes, as people read them: `abcd-efgh-jkmn-pqrs`.
fn recovery() -> Vec<String> {
    let one = || {
        let letters = random::bytes::<LENGTH>().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        groups.join("-")
    };
    std::iter::repeat_with(one).take(CODES).collect()
}

fn digests(codes: &[String]) -> Vec<[u8; 32]> {
    codes.iter().filter_map(|code| recovery_digest(code)).collect()
}

/// What is stored of a recovery code, however it was typed.
fn recovery_digest(code: &str) -> Option<[u8; 32]> {
    let plain: String =
        code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_ascii_lowercase();
    (plain.len() == LENGTH && plain.is_ascii()).then(|| digest_of(plain.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{CODES, recovery, recovery_digest, step};
    use crate::clock::Timestamp;
    use secrecy::SecretString;

    /// RFC 6238, appendix B: the secret is "12345678901234567890", the codes are the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = SecretString::from("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let at = Timestamp::from_seconds;
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (2_000_000_000, "279037")]
        {
            assert_eq!(step(&secret, code, at(seconds)), Some(seconds / 30), "{seconds}");
            assert_eq!(
                step(&secret, code, at(seconds + 30)),
                Some(seconds / 30),
                "a step later it is the former one's"
            );
            assert_eq!(step(&secret, code, at(seconds - 30)), Some(seconds / 30));
            assert_eq!(step(&secret, code, at(seconds + 60)), None);
        }
        assert_eq!(step(&secret, " 287 082 ", at(59)), Some(1));
        for wrong in ["", "287083", "94287082", "28708", "２８７０８２"] {
            assert_eq!(step(&secret, wrong, at(59)), None, "{wrong}");
        }
    }

    #[test]
    fn recovery_codes_are_read_as_people_type_them() {
        let codes = recovery();
        assert_eq!(codes.len(), CODES);
        assert!(codes.iter().all(|code| code.len() == 19 && codes.iter().filter(|other| *other == code).count() == 1));
        let typed = codes[0].to_uppercase().replace('-', " ");
        assert!(recovery_digest(&codes[0]).is_some());
        assert_eq!(recovery_digest(&codes[0]), recovery_digest(&typed));
        for none in ["", "123456", "abcd-efgh", "äbcdefghijkmnpqr"] {
            assert_eq!(recovery_digest(none), None, "{none}");
        }
    }
}
