//! The smallest pieces of versions, shared by normalization, stability and constraints: PHP's idea of white space and
//! of a text's end, and the modifier (`-beta1-dev`), which is `VersionParser::$modifierRegex`.

/// What may follow a version's numbers. Empty if there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::composer) struct Modifier<'a> {
    /// The word, as written: `beta`, `b`, `RC`, …
    pub(in crate::composer) name: &'a str,
    /// The word's numbers, with their separators: `1`, `.1.2`, …
    pub(in crate::composer) number: &'a str,
    /// Whether `dev` follows.
    pub(in crate::composer) dev: bool,
}

/// Longer words before those that they begin with.
const WORDS: [&str; 9] = ["stable", "beta", "b", "rc", "alpha", "a", "patch", "pl", "p"];

/// Reads the modifier with which the text begins, and gives what follows it. A lone separator is swallowed.
///
/// The pattern backtracks nowhere that matters: a number cannot begin any later part, and no shorter word leaves a
/// rest that could go on.
pub(in crate::composer) fn modifier_at(text: &str) -> (Modifier<'_>, &str) {
    let mut rest = text.strip_prefix(['.', '_', '-']).unwrap_or(text);
    let (mut name, mut number) = ("", "");
    if let Some(after) = WORDS.iter().find_map(|word| strip_prefix_any_case(rest, word)) {
        name = &rest[..rest.len() - after.len()];
        rest = after_numbers(after);
        number = &after[..after.len() - rest.len()];
    }
    let after_dev = strip_prefix_any_case(rest.strip_prefix(['.', '-']).unwrap_or(rest), "dev");
    let dev = after_dev.is_some();
    (Modifier { name, number, dev }, after_dev.unwrap_or(rest))
}

/// Skips numbers, each with at most one separator before it.
fn after_numbers(text: &str) -> &str {
    let mut rest = text;
    loop {
        let (number, after) = digits(rest.strip_prefix(['.', '-']).unwrap_or(rest));
        if number.is_empty() {
            return rest;
        }
        rest = after;
    }
}

/// Splits off the leading ASCII digits.
pub(in crate::composer) fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// `$` in PHP's patterns: the end of the text, or the line feed that is its last character.
pub(in crate::composer) fn ends(rest: &str) -> bool {
    rest.is_empty() || rest == "\n"
}

/// The line that `$` stands at the end of: the only one that a pattern without line feeds can match at the end.
pub(in crate::composer) fn last_line(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.rsplit_once('\n').map_or(text, |(_, line)| line)
}

/// `\s` in PHP's patterns.
pub(in crate::composer) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// PHP's `trim`, which takes NUL for white space, and form feeds not.
pub(in crate::composer) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b'])
}

/// `str::strip_prefix` for an ASCII prefix in any case.
pub(in crate::composer) fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.as_bytes().get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix.as_bytes()).then(|| &text[prefix.len()..])
}

/// `str::strip_suffix` for an ASCII suffix in any case.
pub(in crate::composer) fn strip_suffix_any_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    text.as_bytes()[at..].eq_ignore_ascii_case(suffix.as_bytes()).then(|| &text[..at])
}
