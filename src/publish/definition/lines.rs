//! In which line of a JSON text a place is, as JSONPath names it (`$[1].dist.url`): people look for lines.

/// The line of `place`, counted from one, or of the innermost part of it that is there. `text` is JSON.
pub(super) fn line_of(text: &str, place: &str) -> Option<usize> {
    let mut search = Search { text: text.as_bytes(), at: 0, line: 1, place, found: None };
    search.value(String::new(), 0);
    search.found.map(|(_, line)| line)
}

/// JSON of ours is less deep; what is deeper is not looked into.
const DEEPEST: usize = 128;

struct Search<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    place: &'a str,
    /// How much of the place was found, and in which line.
    found: Option<(usize, usize)>,
}

impl Search<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied()?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    /// Passes white space and what separates values; what comes.
    fn ahead(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at).copied() {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':') {
                return Some(byte);
            }
            self.next();
        }
        None
    }

    /// Passes a string whose quote comes; what is in it, as it is written.
    fn string(&mut self) -> String {
        let begin = self.at + 1;
        self.next();
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => drop(self.next()),
                b'"' => break,
                _ => {}
            }
        }
        let end = self.at.saturating_sub(1).max(begin);
        self.text.get(begin..end).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    fn note(&mut self, path: &str) {
        // The first value has no name; `$` is all of it.
        let whole = format!("${path}");
        let rest = self.place.strip_prefix(whole.as_str());
        let is_part = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        if is_part && self.found.is_none_or(|(length, _)| length < whole.len()) {
            self.found = Some((whole.len(), self.line));
        }
    }

    /// Passes a value, with the line in which each begins.
    fn value(&mut self, path: String, depth: usize) {
        let Some(first) = self.ahead() else { return };
        self.note(&path);
        match first {
            b'"' => drop(self.string()),
            b'{' | b'[' if depth < DEEPEST => {
                self.next();
                let mut number = 0;
                while let Some(byte) = self.ahead().filter(|byte| !matches!(byte, b'}' | b']')) {
                    let inside = if first == b'{' && byte == b'"' {
                        format!("{path}.{}", self.string())
                    } else {
                        number += 1;
                        format!("{path}[{}]", number - 1)
                    };
                    self.value(inside, depth + 1);
                }
                self.next();
            }
            _ => {
                self.next();
                while self.text.get(self.at).is_some_and(|byte| !matches!(byte, b',' | b'}' | b']' | b'\n')) {
                    self.next();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line_of;

    const TEXT: &str =
        "[\n  {\"name\": \"a\\\"b\", \"x\": [1,\n  2]},\n  {\n    \"dist\": {\n\"url\"\n: 5, \"urls\": null}}\n]\n";

    #[test]
    fn a_place_has_a_line() {
        for (place, line) in [
            ("$", 1),
            ("$[0]", 2),
            ("$[0].name", 2),
            ("$[0].x[1]", 3),
            ("$[1]", 4),
            ("$[1].dist", 5),
            ("$[1].dist.url", 7),
            ("$[1].dist.urls", 7),
            ("$[1].dist.missing", 5),
            ("$[1].version", 4),
            ("$[7].name", 1),
            ("nonsense", 0),
        ] {
            assert_eq!(line_of(TEXT, place).unwrap_or(0), line, "{place}");
        }
    }

    #[test]
    fn what_is_no_json_ends_too() {
        for text in ["", "[", "{\"", "{\"a", "[[[[", "\\", "{]}[", "\"\\"] {
            line_of(text, "$[0].a");
        }
        line_of(&"[".repeat(100_000), "$");
    }
}
