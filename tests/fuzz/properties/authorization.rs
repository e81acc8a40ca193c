//! Authorization headers and tokens: nothing passes whose checksum is wrong, and damage is always noticed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packagist_selfhosted::access::token::{ENTROPY, LENGTH, TokenKind, TokenText};
use packagist_selfhosted::http::guard::{Refusal, presented};

pub fn check(data: &[u8]) {
    if let Ok(token) = presented(data) {
        well_formed(&token);
        let whole = [data, &decoded(data)].concat();
        let text = token.expose().as_bytes();
        assert!(whole.windows(text.len()).any(|part| part == text), "the token was not in the header");
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(token) = TokenText::parse(text)
    {
        well_formed(&token);
        assert_eq!(token.expose(), text);
    }
    if let Some((seed, rest)) = data.split_at_checked(ENTROPY + 2) {
        damaged(seed, rest);
    }
}

fn well_formed(token: &TokenText) {
    let text = token.expose();
    assert!(text.len() == LENGTH && text.starts_with(token.prefix()) && text.ends_with(token.last4()));
    let (body, checksum) = text.split_at(LENGTH - 8);
    assert_eq!(format!("{:08x}", crc32(body.as_bytes())), checksum);
    assert!(!format!("{token:?}").contains(&text[9..LENGTH - 4]), "the secret is shown");
}

/// A good token in any place is found; with one byte changed it is told as mistyped.
fn damaged(seed: &[u8], rest: &[u8]) {
    let entropy: [u8; ENTROPY] = seed[..ENTROPY].try_into().expect("its length was checked");
    let kind = TokenKind::ALL[usize::from(seed[ENTROPY]) % TokenKind::ALL.len()];
    let token = TokenText::generate(kind, entropy);
    well_formed(&token);
    let good = token.expose();
    let user: String = rest.iter().take(40).map(|byte| char::from(b'a' + byte % 26)).collect();
    let header = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for value in [header(&format!("{user}:{good}")), header(&format!("{good}:{user}")), format!("bEARER {good}")] {
        assert_eq!(presented(value.as_bytes()).map(|found| found.expose().to_owned()), Ok(good.to_owned()));
    }
    let at = 5 + usize::from(seed[ENTROPY + 1]) % (LENGTH - 5);
    let mut wrong = good.as_bytes().to_owned();
    wrong[at] = rest.first().copied().unwrap_or(b'!');
    if wrong != good.as_bytes() {
        let found = presented(&[b"Bearer ", wrong.as_slice()].concat());
        let expected = [Refusal::Mistyped, Refusal::Foreign];
        assert!(found.as_ref().is_err_and(|refusal| expected.contains(refusal)), "{found:?}");
    }
}

fn decoded(header: &[u8]) -> Vec<u8> {
    let rest = header.get(6..).unwrap_or_default().trim_ascii();
    STANDARD.decode(rest).unwrap_or_default()
}

/// CRC-32 bit by bit, as a second opinion.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg()))
    })
}
