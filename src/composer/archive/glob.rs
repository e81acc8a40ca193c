//! A glob as the regular expression that Symfony makes of it (`Symfony\Component\Finder\Glob::toRegex`, with its defaults), byte for byte:
//! what odd globs match follows from that text and from nothing else.

/// The lookahead by which `*` and `?` do not match a leading dot.
const NO_DOT: &[u8] = br"(?=[^\.])";

/// The expression without its anchors and delimiters.
pub(super) fn to_regex(glob: &[u8]) -> Vec<u8> {
    let mut regex = Vec::with_capacity(glob.len() * 2);
    let mut first_byte = true;
    let mut escaping = false;
    let mut curlies = 0_usize;
    let mut at = 0;
    while let Some(&byte) = glob.get(at) {
        if first_byte && byte != b'.' {
            regex.extend_from_slice(NO_DOT);
        }
        first_byte = byte == b'/';
        let stars = if first_byte { directories(glob.get(at + 1..).unwrap_or_default()) } else { None };
        if let Some((expression, length)) = stars {
            regex.extend_from_slice(expression);
            at += 1 + length;
            escaping = false;
            continue;
        }
        at += 1;
        match byte {
            b'#' | b'.' | b'(' | b')' | b'|' | b'+' | b'^' | b'$' => regex.extend([b'\\', byte]),
            b'*' if !escaping => regex.extend_from_slice(b"[^/]*"),
            b'?' if !escaping => regex.extend_from_slice(b"[^/]"),
            b'{' if !escaping => {
                regex.push(b'(');
                curlies += 1;
            }
            b'*' | b'?' | b'{' => regex.extend([b'\\', byte]),
            b'}' if curlies > 0 && !escaping => {
                regex.push(b')');
                curlies -= 1;
            }
            b',' if curlies > 0 && !escaping => regex.push(b'|'),
            b'\\' if escaping => regex.extend_from_slice(br"\\"),
            b'\\' => {
                escaping = true;
                continue;
            }
            _ => regex.push(byte),
        }
        escaping = false;
    }
    regex
}

/// `**` after a slash, up to the next slash or the end: any number of directories. Gives the expression and how much of the glob
/// it stands for.
fn directories(rest: &[u8]) -> Option<(&'static [u8], usize)> {
    match rest {
        [b'*', b'*'] => Some((br"/(?:(?=[^\.])[^/]++/?)*", 2)),
        [b'*', b'*', b'/', ..] => Some((br"/(?:(?=[^\.])[^/]++/)*", 3)),
        _ => None,
    }
}
