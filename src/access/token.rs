//! The text of a token (contract, section 4): what a person copies, a client sends and a secret scanner knows.
//!
//! `prefix`, 60 hexadecimal characters, then the CRC-32 of all that as 8 hexadecimal characters. The checksum tells a mistyped
//! token from a revoked one without a look-up. Reading and hashing one stands on the path of every request of a Composer
//! client, so nothing here allocates: all kinds have one length.

use std::fmt;

use sha2::{Digest, Sha256};

/// What a token of ours is for, told by its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `pksh_ort_`: reads packages of one organization.
    OrganizationRead,
    /// `pksh_out_`: reads packages of one organization and may cause packages to be mirrored.
    OrganizationUpdate,
    /// `pksh_uut_`: stands for a person.
    User,
    /// `pksh_ack_`: the public half of a pair of API credentials.
    ApiKey,
    /// `pksh_acs_`: the secret half, with which API requests are signed.
    ApiSecret,
}

impl TokenKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::OrganizationRead, Self::OrganizationUpdate, Self::User, Self::ApiKey, Self::ApiSecret];

    /// The first nine characters of every token of this kind.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::OrganizationRead => "pksh_ort_",
            Self::OrganizationUpdate => "pksh_out_",
            Self::User => "pksh_uut_",
            Self::ApiKey => "pksh_ack_",
            Self::ApiSecret => "pksh_acs_",
        }
    }
}

/// Characters of a prefix; the same for all kinds.
const PREFIX: usize = 9;
/// Bytes of randomness in a token, twice as many characters.
pub const ENTROPY: usize = 30;
/// Where the checksum starts.
const BODY: usize = PREFIX + 2 * ENTROPY;
/// Characters of a whole token.
pub const LENGTH: usize = BODY + 8;
/// What every token of ours begins with, whatever its kind.
const FAMILY: &[u8] = b"pksh_";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A well-formed token: the prefix is known and the checksum is right. Whether it opens anything is another question.
///
/// It is a secret: it has no `Display`, and its `Debug` shows no more than the prefix and the last four characters.
#[derive(Clone)]
pub struct TokenText {
    kind: TokenKind,
    text: [u8; LENGTH],
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenTextError {
    /// It does not begin like one of ours: a password, or a token of somebody else.
    #[error("this is not a token of this server: its tokens begin with `pksh_`")]
    NotAToken,
    /// It begins like one of ours, and its length, characters or checksum are wrong.
    #[error("this token is mistyped or cut off: its checksum does not fit; copy it again as a whole")]
    Mistyped,
}

impl TokenText {
    /// A new token of `kind` from 30 bytes of the system's generator.
    #[must_use]
    pub fn generate(kind: TokenKind, entropy: [u8; ENTROPY]) -> Self {
        let mut text = [0; LENGTH];
        text[..PREFIX].copy_from_slice(kind.prefix().as_bytes());
        for (pair, byte) in text[PREFIX..BODY].chunks_exact_mut(2).zip(entropy) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        let checksum = checksum_of(&text[..BODY]);
        text[BODY..].copy_from_slice(&checksum);
        Self { kind, text }
    }

    /// Reads what somebody sent, without white space around it.
    ///
    /// # Errors
    /// [`TokenTextError::NotAToken`] for what is not ours, [`TokenTextError::Mistyped`] for what is ours and damaged.
    pub fn parse(text: &str) -> Result<Self, TokenTextError> {
        let bytes = text.as_bytes();
        if !bytes.starts_with(FAMILY) {
            return Err(TokenTextError::NotAToken);
        }
        let text: [u8; LENGTH] = bytes.try_into().map_err(|_| TokenTextError::Mistyped)?;
        let kind = TokenKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix().as_bytes()));
        let kind = kind.ok_or(TokenTextError::Mistyped)?;
        let is_hex = text[PREFIX..BODY].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || checksum_of(&text[..BODY]) != text[BODY..] {
            return Err(TokenTextError::Mistyped);
        }
        Ok(Self { kind, text })
    }

    /// What the token is for.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// SHA-256 of the whole text: what is stored and looked up.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest_of(&self.text)
    }

    /// The public beginning, `pksh_ort_`, for lists.
    #[must_use]
    pub const fn prefix(&self) -> &'static str {
        self.kind.prefix()
    }

    /// The last four characters, by which its owner recognises it in a list. They are part of the checksum and tell
    /// nothing that helps to guess the rest.
    #[must_use]
    pub fn last4(&self) -> &str {
        ascii(&self.text[LENGTH - 4..])
    }

    /// The token itself, to be shown once to the person who asked for it.
    #[must_use]
    pub fn expose(&self) -> &str {
        ascii(&self.text)
    }
}

/// SHA-256 of a token's text as it came from a client. A well-formed token needs no more than this and a look-up.
#[must_use]
pub fn digest_of(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn checksum_of(body: &[u8]) -> [u8; 8] {
    let checksum = crc32fast::hash(body).to_be_bytes();
    let mut text = [0; 8];
    for (pair, byte) in text.chunks_exact_mut(2).zip(checksum) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    text
}

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("both constructors admit ASCII only")
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({}…{})", self.prefix(), self.last4())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{ENTROPY, LENGTH, TokenKind, TokenText, TokenTextError, digest_of};
    use proptest::prelude::{any, proptest};

    #[test]
    fn every_kind_reads_back() {
        for kind in TokenKind::ALL {
            let token = TokenText::generate(kind, [0xa7; ENTROPY]);
            assert_eq!(token.expose().len(), LENGTH);
            let read = TokenText::parse(token.expose()).unwrap();
            assert_eq!((read.kind(), read.digest()), (kind, digest_of(token.expose().as_bytes())));
            assert!(token.expose().starts_with(kind.prefix()) && token.expose().ends_with(token.last4()));
        }
    }

    /// The checksum is the CRC-32 that PHP's `crc32` and zlib have (IEEE), in lower-case hexadecimal with leading zeros;
    /// the values were computed with zlib.
    #[test]
    fn the_layout_is_the_contract_s() {
        let token = TokenText::generate(TokenKind::OrganizationRead, [0; ENTROPY]);
        assert_eq!(&token.expose()[..69], format!("pksh_ort_{}", "0".repeat(60)));
        assert_eq!(&token.expose()[69..], "89e9ca05");
        let token = TokenText::generate(TokenKind::User, [0; ENTROPY]);
        assert_eq!(&token.expose()[69..], "187b0808");
    }

    #[test]
    fn the_digest_is_sha256() {
        assert_eq!(digest_of(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn damage_is_told_from_strangeness() {
        let good = TokenText::generate(TokenKind::User, [1; ENTROPY]).expose().to_owned();
        let damaged = [
            good[..LENGTH - 1].to_owned(),
            format!("{good} "),
            good.replacen("01", "10", 1),
            good.to_uppercase().replacen("PKSH_UUT_", "pksh_uut_", 1),
            good.replacen("pksh_uut_", "pksh_ort_", 1),
            good.replacen("pksh_uut_", "pksh_xyz_", 1),
            good.replacen("0101", "01ä", 1),
            "pksh_".to_owned(),
        ];
        for text in damaged {
            assert_eq!(TokenText::parse(&text).unwrap_err(), TokenTextError::Mistyped, "{text}");
        }
        for text in ["", "hunter2", "ghp_abc", "PKSH_UUT_", &format!(" {good}")] {
            assert_eq!(TokenText::parse(text).unwrap_err(), TokenTextError::NotAToken, "{text}");
        }
    }

    #[test]
    fn debug_keeps_the_secret() {
        let token = TokenText::generate(TokenKind::ApiSecret, [9; ENTROPY]);
        let shown = format!("{token:?}");
        assert_eq!(shown, format!("TokenText(pksh_acs_…{})", token.last4()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(pksh_(ort_)?)?.{0,90}") {
            drop(TokenText::parse(&text));
        }

        #[test]
        fn one_wrong_character_is_always_noticed(entropy in any::<[u8; ENTROPY]>(), at in 5..LENGTH) {
            let good = TokenText::generate(TokenKind::OrganizationUpdate, entropy).expose().to_owned();
            let mut bytes = good.into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let wrong = String::from_utf8(bytes).unwrap();
            assert_eq!(TokenText::parse(&wrong).unwrap_err(), TokenTextError::Mistyped);
        }
    }
}
