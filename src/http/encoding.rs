//! Whether a client takes gzip, and both directions of it.

use std::io::{Read, Write};

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap};
use actix_web::web;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::Error;

/// Answers smaller than this are not worth compressing.
const WORTHWHILE: usize = 1024;

/// Whether `Accept-Encoding` admits gzip (RFC 9110 section 12.5.3): named with a quality above zero, or covered by `*`.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut star = false;
    for value in headers.get_all(ACCEPT_ENCODING) {
        let Ok(value) = value.to_str() else { continue };
        for item in value.split(',') {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                return is_wanted(weight);
            }
            star |= name == "*" && is_wanted(weight);
        }
    }
    star
}

fn is_wanted(weight: &str) -> bool {
    let weight = weight.trim();
    let quality = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="));
    // What cannot be read is taken for the default, which is 1.
    quality.is_none_or(|quality| quality.trim().parse::<f32>().map_or(true, |quality| quality > 0.0))
}

/// Decompresses one of our own documents, off the threads that answer: some have megabytes.
pub(super) async fn gunzip(body: Bytes) -> Result<Bytes, Error> {
    let decompressed = web::block(move || {
        let mut plain = Vec::with_capacity(body.len().saturating_mul(6));
        MultiGzDecoder::new(&body[..]).read_to_end(&mut plain).map(|_| plain)
    })
    .await;
    match decompressed {
        Ok(Ok(plain)) => Ok(plain.into()),
        Ok(Err(error)) => Err(Error::internal("a stored document could not be decompressed", &error)),
        Err(error) => Err(Error::internal("a stored document could not be decompressed", &error)),
    }
}

/// Compresses an answer made for one request; none if it is not worth it.
pub(super) fn gzip(body: &[u8]) -> Option<Bytes> {
    if body.len() < WORTHWHILE {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::takes_gzip;
    use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

    fn takes(value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
        takes_gzip(&headers)
    }

    #[test]
    fn qualities_are_respected() {
        for value in ["gzip", "deflate, gzip, br, zstd", "GZIP;q=0.1", "*", "br, *;q=0.5", "x-gzip", "gzip; q=1.0"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "br", "identity", "gzip;q=0", "gzip; q=0.000, *", "*;q=0", "gzipped"] {
            assert!(!takes(value), "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
