//! Cuts a constraint at its ORs and ANDs, with the corner cases of Composer's patterns: commas and spaces are also
//! part of operators (`>= 1`), ranges (`1 - 2`) and aliases (`1 as 2`).

use crate::composer::version::modifier::is_space;

/// The alternatives: `preg_split('{\s*\|\|?\s*}', …)`.
pub(super) fn alternatives(text: &str) -> Vec<&str> {
    let trim_end = |piece: &'_ str| piece.trim_end_matches(is_space_char).len();
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('|') {
        pieces.push(&rest[..trim_end(&rest[..at])]);
        let after = &rest[at + 1..];
        rest = after.strip_prefix('|').unwrap_or(after).trim_start_matches(is_space_char);
    }
    pieces.push(rest);
    pieces
}

/// What must hold together: `preg_split('{(?<!^|as|[=>< ,]) *(?<!-)[, ](?!-) *(?!,|as|$)}', …)`.
pub(super) fn requirements(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        if let Some(end) = separator_end(text.as_bytes(), at) {
            pieces.push(&text[start..at]);
            (start, at) = (end, end);
        } else {
            at += 1;
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// Where the separator that begins at `at` ends, if one does. The loops are the pattern's backtracking; `at` never stands
/// behind a space, so that all calls together look at each space a bounded number of times.
fn separator_end(text: &[u8], at: usize) -> Option<usize> {
    let is_inside = |before: u8| matches!(before, b'=' | b'>' | b'<' | b' ' | b',');
    if at == 0 || is_inside(text[at - 1]) || text[..at].ends_with(b"as") {
        return None;
    }
    (0..=spaces(&text[at..])).rev().map(|count| at + count).find_map(|mark| {
        let is_mark = matches!(text.get(mark), Some(b',' | b' '));
        if !is_mark || text[mark - 1] == b'-' || text.get(mark + 1) == Some(&b'-') {
            return None;
        }
        let after = mark + 1;
        (0..=spaces(&text[after..])).rev().map(|count| after + count).find(|end| may_follow(&text[*end..]))
    })
}

fn may_follow(rest: &[u8]) -> bool {
    !(rest.starts_with(b",") || rest.starts_with(b"as") || rest.is_empty() || rest == b"\n")
}

fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b' ').count()
}

fn is_space_char(character: char) -> bool {
    u8::try_from(character).is_ok_and(is_space)
}
