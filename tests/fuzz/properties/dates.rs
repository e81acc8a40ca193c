//! Dates of manifests: read without overflow, and what we write reads back.

use packagist_selfhosted::composer::manifest::{format_rfc3339, parse_time};

pub fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(unix) = parse_time(text)
    {
        there_and_back(unix);
    }
    if let Some(bytes) = data.first_chunk() {
        let unix = i64::from_le_bytes(*bytes);
        there_and_back(unix);
        there_and_back(unix % (1 << 36));
    }
}

fn there_and_back(unix: i64) {
    let written = format_rfc3339(unix);
    // Years of four digits.
    if (-62_135_596_800..253_402_300_800).contains(&unix) {
        assert_eq!(parse_time(&written), Some(unix), "{written}");
    }
}
